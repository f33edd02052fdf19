//! Resampling along rows and columns: grids that lie alike but differ in size or by part of a pixel.
use crate::error::Result;
use crate::ffi::Window;
use crate::grid::Frame;
use crate::resample::axis::{Axis, Reach, Taps};
use crate::resample::copy::{copy_window, finish_row};
use crate::resample::kernel::Kernel;
use crate::resample::plane::Buffers;
use crate::resample::sample::{Real, Sample};
use crate::resample::{Scratch, Source, Target, Values, lacks_pixels};

/// A grid of the same system and axes as the target's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaled {
    pub(super) cols: Axis,
    pub(super) rows: Axis,
}

fn ranges(window: Frame) -> ((i64, usize), (i64, usize)) {
    ((window.col, window.width), (window.row, window.height))
}

impl Scaled {
    pub(super) fn source_window(&self, target: Frame, kernel: Kernel) -> Option<Window> {
        let (cols, rows) = ranges(target);
        let (left, right) = self.cols.span(kernel, cols)?;
        let (top, bottom) = self.rows.span(kernel, rows)?;
        Some(Window {
            col: left,
            row: top,
            width: right - left,
            height: bottom - top,
        })
    }

    /// Weights of rows and columns; `false` where the target is outside the source.
    fn taps<R: Real>(
        &self,
        kernel: Kernel,
        source: &Source<'_>,
        target: Frame,
        buffers: &mut Buffers<R>,
    ) -> Result<bool> {
        let key = Some((*self, kernel, target, source.window));
        if buffers.key == key {
            return Ok(true);
        }
        buffers.key = None;
        let (across, down) = ranges(target);
        let Buffers { cols, rows, .. } = buffers;
        let across = self.cols.taps(kernel, across, source.columns(), cols);
        let down = self.rows.taps(kernel, down, source.rows(), rows);
        match (across, down) {
            (Reach::Nothing, _) | (_, Reach::Nothing) => Ok(false),
            (Reach::Inside, Reach::Inside) => {
                buffers.key = key;
                Ok(true)
            }
            _ => Err(lacks_pixels()),
        }
    }

    /// Copies the nearest pixels, untouched.
    pub(super) fn nearest<S: Sample>(
        &self,
        values: &Values,
        source: &Source<'_>,
        target: &mut Target<'_>,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let buffers = &mut scratch.double;
        if !self.taps(Kernel::Nearest, source, target.window, buffers)? {
            return copy_window::<S>(values, source, target, None);
        }
        let (cols, rows) = (&buffers.cols, &buffers.rows);
        let width = target.window.width.max(1);
        let pixels = target.pixels.chunks_exact_mut(width * size_of::<S>());
        let valid = target.valid.chunks_exact_mut(width);
        for (row, (pixels, valid)) in pixels.zip(valid).enumerate() {
            valid.fill(0);
            if rows.counts[row] > 0 {
                pick_row::<S>(source, (&cols.firsts, rows.firsts[row]), pixels, valid);
            }
            let outside = cols.counts.iter().map(|count| *count == 0);
            for (flag, _) in valid.iter_mut().zip(outside).filter(|pair| pair.1) {
                *flag = 0;
            }
            finish_row::<S>(values, pixels, valid);
        }
        Ok(())
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
        let buffers = S::Sum::buffers(scratch);
        if !self.taps(kernel, source, target.window, buffers)? {
            return copy_window::<S>(values, source, target, None);
        }
        buffers.plane.load::<S>(source, values, buffers.cols.width);
        resample_columns(buffers);
        let width = target.window.width.max(1);
        let (avoid, mark) = values.written::<S>();
        let pixels = target.pixels.chunks_exact_mut(width * size_of::<S>());
        let valid = target.valid.chunks_exact_mut(width);
        for (row, (pixels, valid)) in pixels.zip(valid).enumerate() {
            let whole = resample_row(buffers, row, kernel, valid);
            store::<S>(&buffers.sums, avoid, pixels);
            if !whole {
                S::fill(mark, valid, pixels);
            }
        }
        Ok(())
    }
}

/// Resamples every source row along its columns.
fn resample_columns<R: Real>(buffers: &mut Buffers<R>) {
    let Buffers {
        plane,
        cols,
        across,
        across_flags,
        ..
    } = buffers;
    let (width, height) = (cols.firsts.len(), plane.height());
    across.resize(width * height, R::default());
    for (row, out) in across.chunks_exact_mut(width.max(1)).enumerate() {
        let values = plane.row(row);
        match cols.width {
            1 => weigh_columns::<R, 1>(values, cols, out),
            2 => weigh_columns::<R, 2>(values, cols, out),
            4 => weigh_columns::<R, 4>(values, cols, out),
            _ => weigh_many_columns(values, cols, out),
        }
    }
    if plane.any_invalid {
        across_flags.resize(width * height, 0);
        for (row, out) in across_flags.chunks_exact_mut(width.max(1)).enumerate() {
            flag_columns(plane.flags(row), cols, out);
        }
    }
}

fn weigh_columns<R: Real, const N: usize>(values: &[R], cols: &Taps<R>, out: &mut [R]) {
    let taps = cols.firsts.iter().zip(cols.weights.as_chunks::<N>().0);
    for (sum, (first, weights)) in out.iter_mut().zip(taps) {
        let values = &values[*first..*first + N];
        *sum = values[0] * weights[0];
        for tap in 1..N {
            *sum = *sum + values[tap] * weights[tap];
        }
    }
}

fn weigh_many_columns<R: Real>(values: &[R], cols: &Taps<R>, out: &mut [R]) {
    let taps = cols
        .firsts
        .iter()
        .zip(cols.weights.chunks_exact(cols.width));
    for (sum, (first, weights)) in out.iter_mut().zip(taps) {
        let products = values[*first..].iter().zip(weights);
        *sum = products.fold(R::default(), |sum, (value, weight)| sum + *value * *weight);
    }
}

/// Copies pixels of one source row, and whether they count.
fn pick_row<S: Sample>(
    source: &Source<'_>,
    (cols, row): (&[usize], usize),
    pixels: &mut [u8],
    valid: &mut [u8],
) {
    let width = source.window.width;
    let (start, end) = (row * width, (row + 1) * width);
    let size = size_of::<S>();
    S::pick(&source.pixels[start * size..end * size], cols, pixels);
    match source.valid.map(|valid| &valid[start..end]) {
        Some(flags) => {
            for (flag, col) in valid.iter_mut().zip(cols) {
                *flag = u8::from(flags[*col] != 0);
            }
        }
        None => valid.fill(1),
    }
}

/// What a target pixel is made of.
const MET_INVALID: u8 = 1;
const MET_VALID: u8 = 2;

/// Tells for each target column whether it is made of valid pixels, of invalid ones or of both.
fn flag_columns<R: Real>(invalid: &[u8], cols: &Taps<R>, out: &mut [u8]) {
    for (flag, (first, count)) in out.iter_mut().zip(cols.firsts.iter().zip(&cols.counts)) {
        let pixels = &invalid[*first..*first + *count];
        let met = |pixel: &u8| if *pixel == 0 { MET_VALID } else { MET_INVALID };
        *flag = pixels.iter().fold(0, |any, pixel| any | met(pixel));
    }
}

/// Makes the sums of one target row and says which are valid; `true` when all are.
fn resample_row<R: Real>(
    buffers: &mut Buffers<R>,
    row: usize,
    kernel: Kernel,
    valid: &mut [u8],
) -> bool {
    let (first, weights) = buffers.rows.of(row);
    buffers.sums.resize(valid.len(), R::default());
    if weights.is_empty() {
        valid.fill(0);
        return false;
    }
    valid.fill(1);
    weigh_rows(&buffers.across, (first, weights), &mut buffers.sums);
    if buffers.plane.any_invalid {
        repair(buffers, row, kernel, valid);
    }
    if buffers.cols.any_outside {
        let outside = buffers.cols.counts.iter().map(|count| *count == 0);
        for (flag, _) in valid.iter_mut().zip(outside).filter(|pair| pair.1) {
            *flag = 0;
        }
    }
    !buffers.plane.any_invalid && !buffers.cols.any_outside
}

/// Sums rows by their weights; there is at least one.
#[multiversion::multiversion(targets("x86_64+avx2"))]
fn weigh_rows<R: Real>(across: &[R], (first, weights): (usize, &[R]), sums: &mut [R]) {
    let width = sums.len();
    let row = |tap: usize| &across[(first + tap) * width..(first + tap + 1) * width];
    if let [top, bottom] = weights {
        let rows = row(0).iter().zip(row(1));
        for (sum, (above, below)) in sums.iter_mut().zip(rows) {
            *sum = *above * *top + *below * *bottom;
        }
        return;
    }
    for (sum, value) in sums.iter_mut().zip(row(0)) {
        *sum = *value * weights[0];
    }
    for (tap, weight) in weights.iter().enumerate().skip(1) {
        for (sum, value) in sums.iter_mut().zip(row(tap)) {
            *sum = *sum + *value * *weight;
        }
    }
}

/// Writes a row of sums as pixels.
#[multiversion::multiversion(targets("x86_64+avx2"))]
fn store<S: Sample>(sums: &[S::Sum], avoid: Option<S>, out: &mut [u8]) {
    S::store(sums, avoid, out);
}

/// Makes the pixels that met an invalid one anew, of the valid ones alone.
fn repair<R: Real>(buffers: &mut Buffers<R>, row: usize, kernel: Kernel, valid: &mut [u8]) {
    let (first, weights) = buffers.rows.of(row);
    let width = valid.len();
    buffers.flags.clear();
    buffers.flags.resize(width, 0);
    let rows = buffers.across_flags[first * width..].chunks_exact(width);
    for flags in rows.take(weights.len()) {
        for (any, flag) in buffers.flags.iter_mut().zip(flags) {
            *any |= flag;
        }
    }
    for (col, flag) in buffers.flags.iter().enumerate() {
        match *flag {
            MET_VALID => {}
            MET_INVALID => valid[col] = 0,
            _ => {
                let cols = buffers.cols.of(col);
                match buffers.plane.blend(cols, (first, weights), kernel) {
                    Some(sum) => buffers.sums[col] = sum,
                    None => valid[col] = 0,
                }
            }
        }
    }
}
