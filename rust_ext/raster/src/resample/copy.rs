//! Pixels copied as they are, whatever their type.
use crate::error::Result;
use crate::ffi::Window;
use crate::resample::sample::Sample;
use crate::resample::{Source, Target, Values, lacks_pixels};

/// Writes, for each target pixel (column, row), the source pixel (column, row in the source's
/// window) that `nearest` names, and what invalid pixels hold where it names none.
///
/// # Errors
/// [`Error::Unusable`](crate::Error::Unusable) when it names one outside the window.
pub(super) fn copy_pixels<S: Sample>(
    values: &Values,
    source: &Source<'_>,
    target: &mut Target<'_>,
    mut nearest: impl FnMut(usize, usize) -> Option<(usize, usize)>,
) -> Result<()> {
    let width = target.window.width.max(1);
    let size = size_of::<S>();
    let pixels = target.pixels.chunks_exact_mut(width * size);
    let valid = target.valid.chunks_exact_mut(width);
    for (row, (pixels, valid)) in pixels.zip(valid).enumerate() {
        let places = pixels.chunks_exact_mut(size).zip(valid.iter_mut());
        for (col, (pixel, flag)) in places.enumerate() {
            *flag = 0;
            let Some((x, y)) = nearest(col, row) else {
                continue;
            };
            let at = y * source.window.width + x;
            let bytes = source.pixels.get(at * size..(at + 1) * size);
            pixel.copy_from_slice(bytes.ok_or_else(lacks_pixels)?);
            *flag = source.valid.map_or(1, |valid| u8::from(valid[at] != 0));
        }
        finish_row::<S>(values, pixels, valid);
    }
    Ok(())
}

/// Copies a window of the source to a column and row of the target's window; all else is invalid.
///
/// # Errors
/// [`Error::Unusable`](crate::Error::Unusable) when the source lacks pixels of the window.
pub(super) fn copy_window<S: Sample>(
    values: &Values,
    source: &Source<'_>,
    target: &mut Target<'_>,
    placed: Option<(Window, (usize, usize))>,
) -> Result<()> {
    target.valid.fill(0);
    let size = size_of::<S>();
    if let Some((window, (col, row))) = placed {
        if !source.holds(window) {
            return Err(lacks_pixels());
        }
        for line in 0..window.height {
            let from = (window.row + line - source.window.row) * source.window.width + window.col
                - source.window.col;
            let to = (row + line) * target.window.width + col;
            let (from, to) = (from..from + window.width, to..to + window.width);
            target.pixels[to.start * size..to.end * size]
                .copy_from_slice(&source.pixels[from.start * size..from.end * size]);
            copy_flags(
                source.valid.map(|valid| &valid[from]),
                &mut target.valid[to],
            );
        }
    }
    finish_row::<S>(values, target.pixels, target.valid);
    Ok(())
}

fn copy_flags(source: Option<&[u8]>, target: &mut [u8]) {
    match source {
        Some(flags) => {
            for (target, flag) in target.iter_mut().zip(flags) {
                *target = u8::from(*flag != 0);
            }
        }
        None => target.fill(1),
    }
}

/// Flags what is nodata and writes what invalid pixels hold.
pub(super) fn finish_row<S: Sample>(values: &Values, pixels: &mut [u8], valid: &mut [u8]) {
    S::judge(pixels, values.nodata.and_then(S::exactly), valid);
    S::fill(values.written::<S>().1, valid, pixels);
}
