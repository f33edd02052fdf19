//! Random Fourier features: Tancik et al., "Fourier Features Let Networks Learn High Frequency
//! Functions in Low Dimensional Domains", `NeurIPS` 2020, section 3.
//!
//! What differs: the turns `b . v` are taken in float64 and brought to half a turn about zero
//! before the sine and cosine, so that the float32 error is below 1e-6 at every sigma.
use super::waves::{MAX_TURNS, fraction};
use super::{Encoding, Precision};
use crate::{Error, Result};

/// Directions that are worked on side by side.
const BLOCK: usize = 64;

/// Cosines, then sines, of `2 pi direction . point` for fixed directions, one scale after another.
#[derive(Debug, Clone)]
pub struct FourierFeatures {
    scales: Vec<Directions>,
    width: usize,
}

/// The directions of one scale, by coordinate.
#[derive(Debug, Clone)]
struct Directions {
    xs: Vec<f64>,
    ys: Vec<f64>,
    reach: f64,
}

impl FourierFeatures {
    /// Takes the directions of every scale: `matrix` holds `scales` times F of them, in turns a unit.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the directions do not fall into `scales` equal parts or one
    /// of them is not finite.
    pub fn new(matrix: &[[f64; 2]], scales: usize) -> Result<Self> {
        if scales == 0 || matrix.is_empty() || !matrix.len().is_multiple_of(scales) {
            return Err(Error::InvalidArgument(format!(
                "{} directions do not fall into {scales} scales",
                matrix.len()
            )));
        }
        if let Some([x, y]) = matrix
            .iter()
            .find(|[x, y]| !(x.is_finite() && y.is_finite()))
        {
            return Err(Error::InvalidArgument(format!(
                "directions must be finite, got ({x}, {y})"
            )));
        }
        let scales = matrix
            .chunks_exact(matrix.len() / scales)
            .map(Directions::new)
            .collect();
        Ok(Self {
            scales,
            width: 2 * matrix.len(),
        })
    }
}

impl Directions {
    fn new(matrix: &[[f64; 2]]) -> Self {
        let (xs, ys) = matrix.iter().map(|row| (row[0], row[1])).unzip();
        let lengths = matrix.iter().map(|row| row[0].abs() + row[1].abs());
        Self {
            xs,
            ys,
            reach: lengths.fold(0.0, f64::max),
        }
    }

    /// Fills one point's cosines and sines.
    #[allow(clippy::inline_always)] // part of a kernel
    #[inline(always)]
    fn fill<T: Precision>(&self, point: [f64; 2], cosines: &mut [T], sines: &mut [T]) {
        let waves = cosines.chunks_mut(BLOCK).zip(sines.chunks_mut(BLOCK));
        let directions = self.xs.chunks(BLOCK).zip(self.ys.chunks(BLOCK));
        for ((cosines, sines), (xs, ys)) in waves.zip(directions) {
            let mut turns = [T::default(); BLOCK];
            for ((turn, x), y) in turns.iter_mut().zip(xs).zip(ys) {
                *turn = T::of(fraction(x * point[0] + y * point[1]));
            }
            for ((cosine, sine), turn) in cosines.iter_mut().zip(sines).zip(&turns) {
                (*sine, *cosine) = turn.sin_cos_turns();
            }
        }
    }
}

impl Encoding for FourierFeatures {
    fn width(&self) -> usize {
        self.width
    }

    /// `points` are planar positions, already projected and scaled.
    #[allow(clippy::inline_always)] // see Kernel
    #[inline(always)]
    fn fill<T: Precision>(&self, points: &[[f64; 2]], rows: &mut [T]) {
        for (point, row) in points.iter().zip(rows.chunks_exact_mut(self.width)) {
            let share = self.width / self.scales.len();
            for (scale, part) in self.scales.iter().zip(row.chunks_exact_mut(share)) {
                let far = scale.reach * point[0].abs().max(point[1].abs()) > MAX_TURNS;
                let point = if far { [f64::NAN; 2] } else { *point };
                let (cosines, sines) = part.split_at_mut(share / 2);
                scale.fill(point, cosines, sines);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::encode;
    use std::sync::atomic::AtomicBool;

    fn features(point: [f64; 2], matrix: &[[f64; 2]], scales: usize) -> Vec<f32> {
        let encoding = FourierFeatures::new(matrix, scales).expect("directions");
        let mut row = vec![0.0; encoding.width()];
        encode(&encoding, &[point], &mut row, &AtomicBool::new(false)).expect("the size is right");
        row
    }

    fn close(found: &[f32], wanted: &[f32]) -> bool {
        found.len() == wanted.len() && found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6)
    }

    #[test]
    fn cosines_come_before_sines() {
        let matrix = [[1.0, 0.0], [0.0, 1.0]];
        assert!(close(
            &features([0.25, 0.5], &matrix, 1),
            &[0.0, -1.0, 1.0, 0.0]
        ));
    }

    #[test]
    fn every_scale_has_its_cosines_and_sines() {
        let matrix = [[1.0, 0.0], [0.0, 1.0]];
        assert!(close(
            &features([0.25, 0.5], &matrix, 2),
            &[0.0, 1.0, -1.0, 0.0]
        ));
    }

    #[test]
    fn a_point_without_phase_or_without_place_is_no_number() {
        for point in [[1e16, 0.0], [f64::NAN, 0.0], [0.0, f64::INFINITY]] {
            assert!(
                features(point, &[[1.0, 1.0]], 1)
                    .iter()
                    .all(|value| value.is_nan())
            );
        }
    }

    #[test]
    fn directions_that_are_none_are_refused() {
        assert!(FourierFeatures::new(&[], 1).is_err());
        assert!(FourierFeatures::new(&[[1.0, 1.0]; 3], 2).is_err());
        assert!(FourierFeatures::new(&[[f64::NAN, 1.0]], 1).is_err());
    }
}
