//! One band's source pixels as numbers, and which of them do not count.
use crate::ffi::Window;
use crate::grid::Frame;
use crate::resample::axis::Taps;
use crate::resample::kernel::{Kernel, LEAST_WEIGHT};
use crate::resample::sample::{Real, Sample};
use crate::resample::separable::Scaled;
use crate::resample::{Source, Values};

/// Buffers for sums in one kind of number.
#[derive(Debug, Default)]
pub(super) struct Buffers<R> {
    pub(super) plane: Plane<R>,
    /// What the weights of columns and rows were made for; most bands of a tile share them.
    pub(super) key: Option<(Scaled, Kernel, Frame, Window)>,
    pub(super) cols: Taps<R>,
    pub(super) rows: Taps<R>,
    /// Source rows resampled along the columns, and which of their pixels met an invalid one.
    pub(super) across: Vec<R>,
    pub(super) across_flags: Vec<u8>,
    /// One target row, and its flags.
    pub(super) sums: Vec<R>,
    pub(super) flags: Vec<u8>,
    /// Weights of one pixel.
    pub(super) col_weights: Vec<f64>,
    pub(super) row_weights: Vec<f64>,
}

/// A window of the source as numbers; those that do not count are 0 or not looked at.
#[derive(Debug, Default)]
pub(super) struct Plane<R> {
    pub(super) values: Vec<R>,
    /// 1 where a value does not count.
    pub(super) invalid: Vec<u8>,
    pub(super) width: usize,
    /// From one row to the next: some zeros stand at the end of each.
    pub(super) stride: usize,
    pub(super) any_invalid: bool,
}

impl<R: Real> Plane<R> {
    /// Takes the source's pixels, with `pad` zeros behind each row.
    pub(super) fn load<S: Sample<Sum = R>>(
        &mut self,
        source: &Source<'_>,
        values: &Values,
        pad: usize,
    ) {
        self.width = source.window.width;
        self.stride = self.width + pad;
        self.values.clear();
        self.values
            .resize(self.stride * source.window.height, R::default());
        self.invalid.clear();
        match source.valid {
            Some(valid) => self
                .invalid
                .extend(valid.iter().map(|flag| u8::from(*flag == 0))),
            None => self.invalid.resize(self.width * source.window.height, 0),
        }
        if self.width == 0 {
            return;
        }
        let nodata = values.nodata.and_then(S::exactly);
        let rows = source.pixels.chunks_exact(self.width * size_of::<S>());
        let flags = self.invalid.chunks_exact_mut(self.width);
        let targets = self.values.chunks_exact_mut(self.stride).zip(flags);
        for (bytes, (out, invalid)) in rows.zip(targets) {
            S::load(bytes, nodata, &mut out[..self.width], invalid);
        }
        self.any_invalid = self.invalid.iter().fold(0, |any, flag| any | flag) != 0;
    }

    pub(super) fn height(&self) -> usize {
        self.values.len().checked_div(self.stride).unwrap_or(0)
    }

    pub(super) fn row(&self, row: usize) -> &[R] {
        &self.values[row * self.stride..(row + 1) * self.stride]
    }

    pub(super) fn flags(&self, row: usize) -> &[u8] {
        &self.invalid[row * self.width..(row + 1) * self.width]
    }

    /// The mean of the valid pixels of a rectangle by weights of its columns and rows.
    ///
    /// A kernel with weights below zero could reach far beyond the values it is left with, so its
    /// result stays between the least and the greatest of them.
    pub(super) fn blend<W: Real>(
        &self,
        (left, cols): (usize, &[W]),
        (top, rows): (usize, &[W]),
        kernel: Kernel,
    ) -> Option<R> {
        let (mut sum, mut total) = (0.0, 0.0);
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for (row, row_weight) in (top..).zip(rows) {
            let values = &self.row(row)[left..left + cols.len()];
            let flags = &self.flags(row)[left..left + cols.len()];
            let pixels = values.iter().zip(flags).zip(cols);
            for ((value, _), weight) in pixels.filter(|((_, flag), _)| **flag == 0) {
                let (value, weight) = (value.wide(), weight.wide() * row_weight.wide());
                sum += value * weight;
                total += weight;
                (least, most) = (least.min(value), most.max(value));
            }
        }
        let mean = sum / total;
        let mean = if kernel.overshoots() {
            mean.clamp(least.min(most), most)
        } else {
            mean
        };
        (total > LEAST_WEIGHT).then(|| R::of(mean))
    }
}
