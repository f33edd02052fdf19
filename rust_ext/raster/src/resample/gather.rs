//! Source pixels weighed at arbitrary positions.
use crate::error::Result;
use crate::grid::Frame;
use crate::resample::copy::copy_pixels;
use crate::resample::kernel::{Kernel, nearest};
use crate::resample::plane::{Buffers, Plane};
use crate::resample::sample::{Real, Sample};
use crate::resample::warp::Warped;
use crate::resample::{Scratch, Source, Target, Values, lacks_pixels};

impl Warped {
    /// Copies the nearest pixels, untouched.
    pub(super) fn nearest<S: Sample>(
        &self,
        values: &Values,
        source: &Source<'_>,
        target: &mut Target<'_>,
        scratch: &mut Scratch,
    ) -> Result<()> {
        self.prepare(Kernel::Nearest, source, target.window, scratch)?;
        let (mut places, mut current) = (Vec::new(), usize::MAX);
        copy_pixels::<S>(values, source, target, |col, row| {
            if row != current {
                scratch.positions.row(row, &mut places);
                current = row;
            }
            let (x, y) = places[col];
            let col = nearest(x, self.size.0)?.checked_sub(source.window.col)?;
            let row = nearest(y, self.size.1)?.checked_sub(source.window.row)?;
            Some((col, row))
        })
    }

    /// Weighs the pixels around each target pixel.
    pub(super) fn blend<S: Sample>(
        &self,
        kernel: Kernel,
        values: &Values,
        source: &Source<'_>,
        target: &mut Target<'_>,
        scratch: &mut Scratch,
    ) -> Result<()> {
        self.prepare(kernel, source, target.window, scratch)?;
        // taken out so that the positions can be read meanwhile
        let mut buffers = std::mem::take(S::Sum::buffers(scratch));
        buffers.plane.load::<S>(source, values, 0);
        let at = At {
            kernel,
            size: self.size,
            stretch: self.stretch(kernel),
            origin: (source.window.col, source.window.row),
        };
        let width = target.window.width.max(1);
        let (avoid, mark) = values.written::<S>();
        let pixels = target.pixels.chunks_exact_mut(width * size_of::<S>());
        let valid = target.valid.chunks_exact_mut(width);
        let mut places = Vec::new();
        for (row, (pixels, valid)) in pixels.zip(valid).enumerate() {
            scratch.positions.row(row, &mut places);
            at.row(&places, &mut buffers, valid);
            S::store(&buffers.sums, avoid, pixels);
            S::fill(mark, valid, pixels);
        }
        *S::Sum::buffers(scratch) = buffers;
        Ok(())
    }

    /// Finds the positions and makes sure that the source has the pixels they need.
    fn prepare(
        &self,
        kernel: Kernel,
        source: &Source<'_>,
        window: Frame,
        scratch: &mut Scratch,
    ) -> Result<()> {
        scratch.positions.prepare(self, window)?;
        let needed = self.needed(&scratch.positions, kernel);
        if needed.is_some_and(|needed| !source.holds(needed)) {
            return Err(lacks_pixels());
        }
        Ok(())
    }
}

/// What stays the same from pixel to pixel.
struct At {
    kernel: Kernel,
    /// Columns and rows of the whole source.
    size: (usize, usize),
    stretch: (f64, f64),
    /// First column and row of the pixels at hand.
    origin: (usize, usize),
}

impl At {
    fn row<R: Real>(&self, places: &[(f64, f64)], buffers: &mut Buffers<R>, valid: &mut [u8]) {
        buffers.sums.clear();
        let narrow = self.stretch == (1.0, 1.0);
        for (place, flag) in places.iter().zip(valid) {
            let quick = match self.kernel {
                Kernel::Bilinear if narrow => self.quick(&buffers.plane, *place, triangle),
                Kernel::Cubic if narrow => self.quick(&buffers.plane, *place, cubic),
                _ => None,
            };
            let sum = quick.or_else(|| self.careful(*place, buffers));
            *flag = u8::from(sum.is_some());
            buffers.sums.push(sum.unwrap_or_default());
        }
    }

    /// The sum of N x N pixels that all count; `None` where some may not.
    fn quick<R: Real, const N: usize>(
        &self,
        plane: &Plane<R>,
        (x, y): (f64, f64),
        weights: fn(f64) -> [f64; N],
    ) -> Option<R> {
        let (left, across) = block::<N>(x, self.size.0, self.origin.0)?;
        let (top, down) = block::<N>(y, self.size.1, self.origin.1)?;
        let (cols, rows) = (weights(across).map(R::of), weights(down).map(R::of));
        let mut total = R::default();
        for (row, weight) in (top..).zip(rows) {
            let values = plane.row(row).get(left..left + N)?;
            if plane.any_invalid && plane.flags(row)[left..left + N].iter().any(|f| *f != 0) {
                return None;
            }
            let products = values.iter().zip(cols);
            let sum = products.fold(R::default(), |sum, (value, w)| sum + *value * w);
            total = total + sum * weight;
        }
        Some(total)
    }

    /// The mean of the pixels that count.
    fn careful<R: Real>(&self, (x, y): (f64, f64), buffers: &mut Buffers<R>) -> Option<R> {
        let Buffers {
            plane,
            col_weights: cols,
            row_weights: rows,
            ..
        } = buffers;
        let left = self.kernel.spread(x, self.stretch.0, self.size.0, cols);
        let top = self.kernel.spread(y, self.stretch.1, self.size.1, rows);
        if cols.is_empty() || rows.is_empty() {
            return None;
        }
        let (left, top) = (
            left.checked_sub(self.origin.0)?,
            top.checked_sub(self.origin.1)?,
        );
        plane.blend((left, cols), (top, rows), self.kernel)
    }
}

/// First of the N pixels around a position, counted from `origin`, and how far the position is
/// from the centre of the middle one towards the next; `None` at the edges of the source.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // not below 0
#[allow(clippy::cast_precision_loss)] // rasters have fewer than 2^53 columns
fn block<const N: usize>(position: f64, length: usize, origin: usize) -> Option<(usize, f64)> {
    let centre = position - 0.5;
    // also false where the position is not a number
    let base = (centre >= 0.0).then_some(centre as usize)?;
    let first = base.checked_sub(N / 2 - 1)?;
    if first + N > length {
        return None;
    }
    Some((first.checked_sub(origin)?, centre - base as f64))
}

fn triangle(t: f64) -> [f64; 2] {
    [1.0 - t, t]
}

/// Keys' kernel at the four pixels around; the weights sum to 1 as they are.
fn cubic(t: f64) -> [f64; 4] {
    let s = 1.0 - t;
    [
        -0.5 * t * s * s,
        1.0 + t * t * (1.5 * t - 2.5),
        1.0 + s * s * (1.5 * s - 2.5),
        -0.5 * s * t * t,
    ]
}
