//! Fixed encodings of coordinates: one encoding a file, its paper cited.
//!
//! Every encoding reads `(N, 2)` float64 points and fills a row-major output that the caller owns,
//! because writing fresh memory costs half the time. Rows are independent, so the result does not
//! depend on the number of threads.
mod fourier;
mod harmonics;
mod xyz;

pub use fourier::fourier_features;
pub use harmonics::{harmonic_count, spherical_harmonics};
pub use xyz::unit_sphere_xyz;

use crate::{Error, Result};

/// Checks that `output` holds `width` values for each of the points.
fn check_output<T>(points: &[[f64; 2]], output: &[T], width: usize) -> Result<()> {
    if points.len() * width == output.len() {
        return Ok(());
    }
    Err(Error::InvalidArgument(format!(
        "the output needs {} x {width} values, got {}",
        points.len(),
        output.len()
    )))
}
