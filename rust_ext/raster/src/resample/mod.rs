//! Pixels of one grid taken to another: copied, resampled along rows and columns, or warped.
//!
//! **The one rule:** a target pixel depends on its own position on the whole target grid alone,
//! never on the window it is asked for in, so windows cut separately fit without seams.
//!
//! The kernels are those of gdalwarp: distances run between pixel centres, and where the target
//! is coarser than the source a kernel widens by the ratio. Ours is what happens next to pixels
//! that do not count, being nodata, not finite, masked or outside the source: the weights of the
//! valid neighbours are divided by their sum, and a pixel without a valid neighbour, or whose
//! valid neighbours weigh nothing together, is invalid. Integers are rounded half away from zero
//! and clamped to their type; a result that happens to equal nodata moves by one step. Sums run
//! in f32 for types of 8 and 16 bits, else in f64. Nearest copies values of any type untouched.
use gair_core::shard::SampleType;

use crate::error::{Error, Result};
use crate::ffi::Window;
use crate::grid::Frame;
use crate::resample::sample::Sample;

mod axis;
mod cells;
mod copy;
mod gather;
mod kernel;
mod knots;
mod placement;
mod plane;
mod sample;
mod separable;
mod warp;

pub use kernel::Kernel;
pub use placement::{Placement, Shift};
pub use separable::Scaled;
pub use warp::Warped;

/// The values of one band.
#[derive(Debug, Clone, Copy)]
pub struct Values {
    /// Their type, which resampling keeps.
    pub sample: SampleType,
    /// The source's value that means "no data"; NaN never counts, named or not.
    pub nodata: Option<f64>,
    /// What invalid target pixels hold, and valid ones avoid: `None` stands for `nodata`, else
    /// for NaN in floats and for 0 (which is then not avoided) in integers.
    pub fill: Option<f64>,
}

/// One band's pixels in a window of the source that holds at least [`Placement::source_window`].
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Where the pixels lie; no columns or no rows where the target is outside the source.
    pub window: Window,
    /// Row by row, little-endian.
    pub pixels: &'a [u8],
    /// One byte a pixel, 0 where it does not count; nothing where all do that are not nodata.
    pub valid: Option<&'a [u8]>,
}

/// Where the result goes; every byte is written.
#[derive(Debug)]
pub struct Target<'a> {
    /// Which pixels of the target grid.
    pub window: Frame,
    /// Row by row, little-endian.
    pub pixels: &'a mut [u8],
    /// One byte a pixel: 1 where it is valid, else 0.
    pub valid: &'a mut [u8],
}

/// Buffers that a thread keeps between calls.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(in crate::resample) single: plane::Buffers<f32>,
    pub(in crate::resample) double: plane::Buffers<f64>,
    pub(in crate::resample) positions: knots::Positions,
}

impl Values {
    /// The value that valid target pixels avoid, and the one that invalid ones hold.
    fn written<S: Sample>(&self) -> (Option<S>, S) {
        let mark = self.fill.or(self.nodata).and_then(S::exactly);
        (mark, mark.unwrap_or_else(S::nothing))
    }
}

impl Source<'_> {
    fn columns(&self) -> (usize, usize) {
        (self.window.col, self.window.col + self.window.width)
    }

    fn rows(&self) -> (usize, usize) {
        (self.window.row, self.window.row + self.window.height)
    }

    fn holds(&self, window: Window) -> bool {
        let ((left, right), (top, bottom)) = (self.columns(), self.rows());
        left <= window.col
            && window.col + window.width <= right
            && top <= window.row
            && window.row + window.height <= bottom
    }

    fn check(&self, sample: SampleType) -> Result<()> {
        let pixels = self.window.width * self.window.height;
        let valid = self.valid.map_or(pixels, <[u8]>::len);
        if self.pixels.len() == pixels * sample.size() && valid == pixels {
            return Ok(());
        }
        Err(mismatch("source", pixels))
    }
}

impl Target<'_> {
    fn check(&self, sample: SampleType) -> Result<()> {
        let pixels = self.window.width * self.window.height;
        if self.pixels.len() == pixels * sample.size() && self.valid.len() == pixels {
            return Ok(());
        }
        Err(mismatch("target", pixels))
    }
}

fn lacks_pixels() -> Error {
    Error::Unusable("the source window lacks pixels that the target is made of".to_owned())
}

fn mismatch(what: &str, pixels: usize) -> Error {
    Error::Unusable(format!(
        "the {what} buffers do not hold exactly {pixels} pixels"
    ))
}
