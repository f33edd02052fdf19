//! Fixed encodings of coordinates: one encoding a file, its paper cited.
//!
//! Every encoding reads `(N, 2)` float64 points and fills row-major float32 or float64 rows that
//! the caller owns, because writing fresh memory costs half the time. Rows are independent and no
//! multiplication is fused with an addition, so the same points give the same bits with any number
//! of threads, in any batches, and on every instruction set. A point that is not finite, or whose
//! latitude is beyond 90 degrees, becomes a row of NaN.
mod equal_earth;
mod fourier;
mod harmonics;
mod sphere2vec;
mod waves;
mod xyz;

pub use equal_earth::EqualEarthPlane;
pub use fourier::FourierFeatures;
pub use harmonics::SphericalHarmonics;
pub use sphere2vec::{Sphere2Vec, SphereForm};
pub use waves::Precision;
pub(crate) use waves::{polynomial, sin_cos_degrees};
pub use xyz::UnitSphere;

use crate::simd::{self, InstructionSet, Kernel};
use crate::{Error, Result};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Numbers that a thread writes at once: 128 KB of float32, which stay in the cache.
const CHUNK_VALUES: usize = 32 * 1024;

/// A fixed function from points to rows.
pub trait Encoding: Sync {
    /// How many numbers a row has.
    fn width(&self) -> usize;

    /// Fills as many rows as there are points; mark implementations `#[inline(always)]`.
    fn fill<T: Precision>(&self, points: &[[f64; 2]], rows: &mut [T]);
}

/// Fills `output` (N x width) with the encoding of N points.
///
/// When `cancel` is set by another thread, it returns early and leaves the output unfinished.
///
/// # Errors
/// [`Error::InvalidArgument`] where `output` is not N x width.
pub fn encode<E: Encoding, T: Precision>(
    encoding: &E,
    points: &[[f64; 2]],
    output: &mut [T],
    cancel: &AtomicBool,
) -> Result<()> {
    encode_with(InstructionSet::best(), encoding, points, output, cancel)
}

/// [`encode`] with a given instruction set; the plainest where the processor lacks it.
///
/// # Errors
/// [`Error::InvalidArgument`] where `output` is not N x width.
pub fn encode_with<E: Encoding, T: Precision>(
    set: InstructionSet,
    encoding: &E,
    points: &[[f64; 2]],
    output: &mut [T],
    cancel: &AtomicBool,
) -> Result<()> {
    let width = encoding.width();
    check_output(points, output, width)?;
    if width == 0 {
        return Ok(());
    }
    let rows = (CHUNK_VALUES / width).max(1);
    output
        .par_chunks_mut(rows * width)
        .zip(points.par_chunks(rows))
        .for_each(|(output, points)| {
            if !cancel.load(Ordering::Relaxed) {
                simd::run(
                    set,
                    Chunk {
                        encoding,
                        points,
                        output,
                    },
                );
            }
        });
    Ok(())
}

/// The points and rows that one thread works on.
struct Chunk<'a, E, T> {
    encoding: &'a E,
    points: &'a [[f64; 2]],
    output: &'a mut [T],
}

impl<E: Encoding, T: Precision> Kernel for Chunk<'_, E, T> {
    #[allow(clippy::inline_always)] // see Kernel
    #[inline(always)]
    fn run(self) {
        self.encoding.fill(self.points, self.output);
    }
}

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

/// A longitude and latitude in degrees; NaN where it is no place.
#[allow(clippy::inline_always)] // part of kernels
#[inline(always)]
fn place(point: [f64; 2]) -> [f64; 2] {
    let legal = (point[1].abs() <= 90.0) & (point[0].abs() < f64::INFINITY);
    if legal { point } else { [f64::NAN; 2] }
}
