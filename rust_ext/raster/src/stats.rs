//! Which pixels are valid, and the statistics of those that are.
use gair_core::shard::SampleType;

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

/// A pixel type that statistics can be taken of.
trait Pixel: Copy + PartialOrd {
    fn number(self) -> f64;
    fn is_nan(self) -> bool;
    /// The value of a nodata number, if this type has it exactly.
    fn exactly(nodata: f64) -> Option<Self>;
}

macro_rules! pixel {
    ($($kind:ty, $nan:expr);*) => {$(
        impl Pixel for $kind {
            // beyond 2^53 a 64-bit integer is rounded, which its statistics may be
            #[allow(clippy::cast_precision_loss, clippy::cast_lossless)]
            fn number(self) -> f64 {
                self as f64
            }
            fn is_nan(self) -> bool {
                let test: fn($kind) -> bool = $nan;
                test(self)
            }
            // the round trip is the check
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::float_cmp)]
            #[allow(clippy::cast_precision_loss, clippy::cast_lossless)]
            fn exactly(nodata: f64) -> Option<Self> {
                let value = nodata as $kind;
                (value as f64 == nodata).then_some(value)
            }
        }
    )*};
}

pixel!(u8, |_| false; u16, |_| false; u32, |_| false; u64, |_| false);
pixel!(i8, |_| false; i16, |_| false; i32, |_| false; i64, |_| false);
pixel!(f64, f64::is_nan);

impl Pixel for f32 {
    fn number(self) -> f64 {
        f64::from(self)
    }
    fn is_nan(self) -> bool {
        f32::is_nan(self)
    }
    // GDAL compares a float band with its nodata as floats: -3.4e38 in text means f32::MIN
    #[allow(clippy::cast_possible_truncation)]
    fn exactly(nodata: f64) -> Option<Self> {
        Some(nodata as f32)
    }
}

macro_rules! by_type {
    ($sample:expr, $call:ident ( $($arg:expr),* )) => {
        match $sample {
            SampleType::UInt8 => $call!(u8, $($arg),*),
            SampleType::UInt16 => $call!(u16, $($arg),*),
            SampleType::UInt32 => $call!(u32, $($arg),*),
            SampleType::UInt64 => $call!(u64, $($arg),*),
            SampleType::Int8 => $call!(i8, $($arg),*),
            SampleType::Int16 => $call!(i16, $($arg),*),
            SampleType::Int32 => $call!(i32, $($arg),*),
            SampleType::Int64 => $call!(i64, $($arg),*),
            SampleType::Float32 => $call!(f32, $($arg),*),
            SampleType::Float64 => $call!(f64, $($arg),*),
        }
    };
}

macro_rules! values {
    ($kind:ty, $bytes:expr) => {
        $bytes.chunks_exact(size_of::<$kind>()).map(|cell| {
            let mut raw = [0; size_of::<$kind>()];
            raw.copy_from_slice(cell);
            <$kind>::from_le_bytes(raw)
        })
    };
}

/// Marks the valid pixels of a band in `valid`, which holds the mask so far (0 is invalid).
///
/// A pixel is invalid where it equals nodata or is NaN.
pub(crate) fn mark_valid(sample: SampleType, plane: &[u8], nodata: Option<f64>, valid: &mut [u8]) {
    if nodata.is_none() && !sample.is_float() {
        return;
    }
    macro_rules! mark {
        ($kind:ty, $plane:expr) => {{
            let nodata = nodata.and_then(<$kind as Pixel>::exactly);
            for (value, flag) in values!($kind, $plane).zip(valid.iter_mut()) {
                *flag &= u8::from(!(Pixel::is_nan(value) || Some(value) == nodata));
            }
        }};
    }
    by_type!(sample, mark(plane));
}

/// Takes the statistics of a band's valid pixels (those whose flag is not 0).
pub(crate) fn statistics(sample: SampleType, plane: &[u8], valid: &[u8]) -> BandStats {
    match sample {
        SampleType::UInt8 => exact(values!(u8, plane).map(u32::from), valid),
        SampleType::UInt16 => exact(values!(u16, plane).map(u32::from), valid),
        _ => {
            macro_rules! stable {
                ($kind:ty, $plane:expr) => {
                    two_passes(&values!($kind, $plane).map(Pixel::number), valid)
                };
            }
            by_type!(sample, stable(plane))
        }
    }
}

/// Whole sums of values up to 65,535: no rounding before the very end.
#[allow(clippy::cast_precision_loss)] // one rounding of an exact integer
fn exact(values: impl Iterator<Item = u32>, valid: &[u8]) -> BandStats {
    let (mut count, mut sum, mut squares) = (0_u64, 0_u64, 0_u64);
    let (mut min, mut max) = (u32::MAX, 0);
    for (value, flag) in values.zip(valid) {
        let keep = u32::from(*flag);
        let kept = value * keep;
        count += u64::from(keep);
        sum += u64::from(kept);
        squares += u64::from(kept) * u64::from(kept);
        min = min.min(value | keep.wrapping_sub(1));
        max = max.max(kept);
    }
    if count == 0 {
        return NOTHING;
    }
    let (n, whole) = (u128::from(count), u128::from(sum));
    let spread = n * u128::from(squares) - whole * whole;
    BandStats {
        count,
        min: f64::from(min),
        max: f64::from(max),
        mean: sum as f64 / count as f64,
        m2: spread as f64 / count as f64,
    }
}

/// The mean first, then the squares around it.
#[allow(clippy::cast_precision_loss)] // a tile has far fewer than 2^53 pixels
fn two_passes(values: &(impl Iterator<Item = f64> + Clone), valid: &[u8]) -> BandStats {
    let kept = || {
        values
            .clone()
            .zip(valid)
            .filter(|(_, flag)| **flag != 0)
            .map(|(value, _)| value)
    };
    let (mut count, mut sum, mut min, mut max) = (0_u64, 0.0, f64::INFINITY, f64::NEG_INFINITY);
    for value in kept() {
        count += 1;
        sum += value;
        min = min.min(value);
        max = max.max(value);
    }
    if count == 0 {
        return NOTHING;
    }
    let mean = sum / count as f64;
    let m2 = kept().map(|value| (value - mean) * (value - mean)).sum();
    BandStats {
        count,
        min,
        max,
        mean,
        m2,
    }
}

/// The little-endian bytes of a nodata value, if the type has it.
pub(crate) fn nodata_bytes(sample: SampleType, nodata: f64) -> Option<Vec<u8>> {
    macro_rules! bytes {
        ($kind:ty, $nodata:expr) => {{
            let value = <$kind as Pixel>::exactly($nodata);
            // NaN equals nothing, not even itself
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let value = value
                .or_else(|| ($nodata.is_nan() && sample.is_float()).then_some($nodata as $kind));
            value.map(|value| value.to_le_bytes().to_vec())
        }};
    }
    by_type!(sample, bytes(nodata))
}

#[cfg(test)]
mod tests {
    use super::{mark_valid, nodata_bytes, statistics};
    use gair_core::shard::SampleType;

    #[test]
    fn statistics_leave_invalid_pixels_out() {
        let plane: Vec<u8> = [0_u16, 10, 20, 65_535]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        let mut valid = [1_u8; 4];
        mark_valid(SampleType::UInt16, &plane, Some(0.0), &mut valid);
        assert_eq!(valid, [0, 1, 1, 1]);
        let stats = statistics(SampleType::UInt16, &plane, &valid);
        assert_eq!(
            (stats.count, stats.min, stats.max, stats.mean),
            (3, 10.0, 65_535.0, 21_855.0)
        );
        let m2 =
            (10.0_f64 - 21_855.0).powi(2) + (20.0_f64 - 21_855.0).powi(2) + 43_680.0_f64.powi(2);
        assert!((stats.m2 - m2).abs() < 1e-6 * m2);
    }

    #[test]
    fn nothing_valid_has_no_mean() {
        let stats = statistics(SampleType::UInt8, &[7, 7], &[0, 0]);
        assert!(stats.count == 0 && stats.mean.is_nan() && stats.min.is_nan());
    }

    #[test]
    fn a_large_offset_does_not_spoil_the_spread() {
        let plane: Vec<u8> = [1e9_f64, 1e9 + 1.0]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        let stats = statistics(SampleType::Float64, &plane, &[1, 1]);
        assert!((stats.m2 - 0.5).abs() < 1e-12);
    }

    #[test]
    fn nan_is_invalid_without_being_named() {
        let plane: Vec<u8> = [f32::NAN, 1.0]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        let mut valid = [1_u8; 2];
        mark_valid(SampleType::Float32, &plane, None, &mut valid);
        assert_eq!(valid, [0, 1]);
    }

    #[test]
    fn a_nodata_value_beyond_the_type_has_no_bytes() {
        assert_eq!(nodata_bytes(SampleType::UInt8, 256.0), None);
        assert_eq!(nodata_bytes(SampleType::UInt8, f64::NAN), None);
        assert_eq!(
            nodata_bytes(SampleType::Int16, -9999.0),
            Some(vec![0xf1, 0xd8])
        );
        assert!(nodata_bytes(SampleType::Float32, f64::NAN).is_some());
    }
}
