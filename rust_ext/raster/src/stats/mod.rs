//! Which pixels are valid, and the statistics of those that are.
//!
//! Sums of 8- and 16-bit numbers are exact; others are taken in two passes, in an order that is the
//! same on every machine.

// inlined code takes the instruction set of `measure`, which is what it is inlined for
#![allow(clippy::inline_always)]

mod exact;
mod pixel;
mod stable;

use gair_core::shard::SampleType;

use pixel::Flags;
pub(crate) use pixel::{mark_valid, nodata_bytes};

/// Statistics of one band of one tile over its valid pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandStats {
    /// Number of valid pixels.
    pub count: u64,
    /// Least value; NaN without valid pixels, as the next two.
    pub min: f64,
    /// Greatest value.
    pub max: f64,
    /// Mean.
    pub mean: f64,
    /// Sum of squared differences from the mean.
    pub m2: f64,
}

const NOTHING: BandStats = BandStats {
    count: 0,
    min: f64::NAN,
    max: f64::NAN,
    mean: f64::NAN,
    m2: 0.0,
};

/// Takes the statistics of a band's valid pixels (those whose flag is not 0).
#[cfg(test)]
fn statistics(sample: SampleType, plane: &[u8], valid: &[u8]) -> BandStats {
    measure(sample, plane, None, (valid, &mut []))
}

/// Takes the statistics of a band's valid pixels and marks them, in one go.
///
/// A pixel is valid where the mask is not 0 and its value is neither nodata nor NaN; its flag in
/// the second array is then set to 1, else left as it is. That array may also be empty.
#[multiversion::multiversion(targets("x86_64+avx2"))]
pub(crate) fn measure(
    sample: SampleType,
    plane: &[u8],
    nodata: Option<f64>,
    (mask, anywhere): (&[u8], &mut [u8]),
) -> BandStats {
    match sample {
        SampleType::UInt8 => exact::measure::<u8>(plane, nodata, mask, anywhere),
        SampleType::Int8 => exact::measure::<i8>(plane, nodata, mask, anywhere),
        SampleType::UInt16 => exact::measure::<u16>(plane, nodata, mask, anywhere),
        SampleType::Int16 => exact::measure::<i16>(plane, nodata, mask, anywhere),
        SampleType::UInt32 => stable::measure::<u32>(plane, nodata, mask, anywhere),
        SampleType::Int32 => stable::measure::<i32>(plane, nodata, mask, anywhere),
        SampleType::UInt64 => stable::measure::<u64>(plane, nodata, mask, anywhere),
        SampleType::Int64 => stable::measure::<i64>(plane, nodata, mask, anywhere),
        SampleType::Float32 => stable::measure::<f32>(plane, nodata, mask, anywhere),
        SampleType::Float64 => stable::measure::<f64>(plane, nodata, mask, anywhere),
    }
}

/// Adds a stretch's valid pixels to those that are valid in some band.
#[inline(always)]
fn mark_anywhere(anywhere: &mut [u8], start: usize, flags: Flags<'_>, count: usize) {
    let Some(anywhere) = anywhere.get_mut(start..start + count) else {
        return;
    };
    match flags {
        Flags::All => anywhere.fill(1),
        Flags::Some(flags) => anywhere
            .iter_mut()
            .zip(flags)
            .for_each(|(any, flag)| *any |= flag),
    }
}

#[cfg(test)]
mod tests;
