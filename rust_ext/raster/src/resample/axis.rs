//! One axis of two grids that lie alike: where each target pixel falls, and what it is made of.
use crate::resample::kernel::Kernel;
use crate::resample::sample::Real;

/// Target pixel `i` has its centre at `(i + 0.5) * ratio + offset` on the source's axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    /// Source pixels to a target pixel; below zero where the axes run against each other.
    pub(super) ratio: f64,
    /// Where the target's first edge lies, in source pixels.
    pub(super) offset: f64,
    /// Pixels of the source.
    pub(super) length: usize,
}

impl Axis {
    #[allow(clippy::cast_precision_loss)] // grids have fewer than 2^53 columns
    fn position(self, index: i64) -> f64 {
        (index as f64 + 0.5) * self.ratio + self.offset
    }

    /// First source pixel and the weights from there on, for each of `count` target pixels.
    fn each(
        self,
        kernel: Kernel,
        (start, count): (i64, usize),
        mut take: impl FnMut(usize, &[f64]),
    ) {
        let stretch = kernel.stretch(self.ratio.abs());
        let mut weights = Vec::new();
        for index in (start..).take(count) {
            let first = kernel.spread(self.position(index), stretch, self.length, &mut weights);
            take(first, &weights);
        }
    }

    /// First and one past the last source pixel that the target pixels are made of.
    pub(super) fn span(self, kernel: Kernel, range: (i64, usize)) -> Option<(usize, usize)> {
        let (mut low, mut high) = (usize::MAX, 0);
        self.each(kernel, range, |first, weights| {
            if !weights.is_empty() {
                low = low.min(first);
                high = high.max(first + weights.len());
            }
        });
        (low < high).then_some((low, high))
    }

    /// The taps of target pixels, counted from the first of the source pixels at hand (first and
    /// one past the last).
    pub(super) fn taps<R: Real>(
        self,
        kernel: Kernel,
        range: (i64, usize),
        (origin, end): (usize, usize),
        taps: &mut Taps<R>,
    ) -> Reach {
        taps.clear();
        let mut reach = Reach::Nothing;
        self.each(kernel, range, |first, weights| {
            if !weights.is_empty() {
                let inside = origin <= first && first + weights.len() <= end;
                reach = if inside {
                    reach.max(Reach::Inside)
                } else {
                    Reach::Beyond
                };
            }
            taps.push(first.saturating_sub(origin), weights);
        });
        reach
    }
}

/// Which source pixels a run of target pixels needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// None at all.
    Nothing,
    /// Those at hand.
    Inside,
    /// Others than those at hand.
    Beyond,
}

/// Weights of source pixels for a run of target pixels, equally many for each.
#[derive(Debug, Default)]
pub(super) struct Taps<R> {
    /// First source pixel of each target pixel.
    pub(super) firsts: Vec<usize>,
    /// How many of its weights count; 0 where a target pixel is outside the source.
    pub(super) counts: Vec<usize>,
    /// `width` weights for each target pixel, with zeros at the end.
    pub(super) weights: Vec<R>,
    /// Weights a target pixel, the most that any needs.
    pub(super) width: usize,
    /// Whether some target pixel is outside the source.
    pub(super) any_outside: bool,
}

impl<R: Real> Taps<R> {
    fn clear(&mut self) {
        self.firsts.clear();
        self.counts.clear();
        self.weights.clear();
        self.width = 1;
        self.any_outside = false;
    }

    fn push(&mut self, first: usize, weights: &[f64]) {
        self.widen(weights.len());
        self.any_outside |= weights.is_empty();
        self.firsts.push(first);
        self.counts.push(weights.len());
        self.weights
            .extend(weights.iter().map(|weight| R::of(*weight)));
        let zeros = self.firsts.len() * self.width;
        self.weights.resize(zeros, R::default());
    }

    fn widen(&mut self, width: usize) {
        if width <= self.width {
            return;
        }
        let mut wider = vec![R::default(); self.firsts.len() * width];
        let rows = self.weights.chunks_exact(self.width);
        for (new, old) in wider.chunks_exact_mut(width).zip(rows) {
            new[..self.width].copy_from_slice(old);
        }
        (self.weights, self.width) = (wider, width);
    }

    /// First source pixel of a target pixel, and the weights that count.
    pub(super) fn of(&self, index: usize) -> (usize, &[R]) {
        let start = index * self.width;
        (
            self.firsts[index],
            &self.weights[start..start + self.counts[index]],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Axis, Reach, Taps};
    use crate::resample::Kernel;

    #[test]
    fn twice_the_resolution_alternates_between_two_phases() {
        let axis = Axis {
            ratio: 0.5,
            offset: 0.0,
            length: 4,
        };
        let mut taps = Taps::<f32>::default();
        let reach = axis.taps(Kernel::Bilinear, (0, 8), (0, 4), &mut taps);
        assert_eq!(reach, Reach::Inside);
        assert_eq!(taps.firsts, [0, 0, 0, 1, 1, 2, 2, 3]);
        assert_eq!(taps.counts, [1, 2, 2, 2, 2, 2, 2, 1]);
        assert_eq!(taps.weights[..6], [1.0, 0.0, 0.75, 0.25, 0.25, 0.75]);
    }

    #[test]
    fn an_axis_that_runs_backwards_is_mirrored() {
        let axis = Axis {
            ratio: -1.0,
            offset: 4.0,
            length: 4,
        };
        let mut taps = Taps::<f64>::default();
        let reach = axis.taps(Kernel::Cubic, (0, 4), (1, 4), &mut taps);
        assert_eq!(reach, Reach::Beyond);
        axis.taps(Kernel::Cubic, (0, 4), (0, 4), &mut taps);
        assert_eq!(taps.firsts, [3, 2, 1, 0]);
        assert_eq!(taps.weights, [1.0; 4]);
        assert_eq!(axis.span(Kernel::Cubic, (1, 2)), Some((1, 3)));
    }

    #[test]
    fn pixels_beyond_the_source_need_nothing() {
        let axis = Axis {
            ratio: 1.0,
            offset: 0.25,
            length: 4,
        };
        assert_eq!(axis.span(Kernel::Bilinear, (-9, 5)), None);
        let mut taps = Taps::<f64>::default();
        let reach = axis.taps(Kernel::Bilinear, (-9, 5), (0, 0), &mut taps);
        assert_eq!((reach, taps.any_outside), (Reach::Nothing, true));
        assert_eq!(axis.span(Kernel::Bilinear, (-2, 3)), Some((0, 2)));
    }
}
