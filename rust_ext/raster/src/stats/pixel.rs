//! Pixel types: how their bytes are read and which values mean "no data".
use gair_core::shard::SampleType;

/// Pixels that are looked at together: few enough to stay in a core's nearest memory.
const STRETCH: usize = 1024;

/// A pixel type that statistics can be taken of.
pub(super) trait Pixel: Copy + PartialOrd {
    /// Its little-endian bytes.
    type Raw: Copy;
    /// The values of a plane, still as bytes.
    fn raw(plane: &[u8]) -> &[Self::Raw];
    fn value(raw: Self::Raw) -> Self;
    fn number(self) -> f64;
    fn is_nan(self) -> bool;
    /// The value of a nodata number, if this type has it exactly.
    fn exactly(nodata: f64) -> Option<Self>;
}

macro_rules! pixel {
    ($($kind:ty, $nan:expr, $exactly:expr);*) => {$(
        impl Pixel for $kind {
            type Raw = [u8; size_of::<$kind>()];
            #[inline(always)]
            fn raw(plane: &[u8]) -> &[Self::Raw] {
                plane.as_chunks().0
            }
            #[inline(always)]
            fn value(raw: Self::Raw) -> Self {
                <$kind>::from_le_bytes(raw)
            }
            // beyond 2^53 a 64-bit integer is rounded, which its statistics may be
            #[allow(clippy::cast_precision_loss, clippy::cast_lossless)]
            #[inline(always)]
            fn number(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                let test: fn($kind) -> bool = $nan;
                test(self)
            }
            fn exactly(nodata: f64) -> Option<Self> {
                let find: fn(f64) -> Option<$kind> = $exactly;
                find(nodata)
            }
        }
    )*};
}

macro_rules! whole {
    ($($kind:ty),*) => {
        // the round trip is the check
        $(pixel!($kind, |_| false, |nodata| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let value = nodata as $kind;
            #[allow(clippy::float_cmp)]
            (value.number() == nodata).then_some(value)
        });)*
    };
}

whole!(u8, u16, u32, u64, i8, i16, i32, i64);
pixel!(f64, f64::is_nan, |nodata| (!nodata.is_nan())
    .then_some(nodata));
// GDAL compares a float band with its nodata as floats: -3.4e38 in text means f32::MIN
pixel!(f32, f32::is_nan, |nodata| {
    #[allow(clippy::cast_possible_truncation)]
    let value = nodata as f32;
    Some(value)
});

/// Calls a macro with the Rust type of a sample type before its other arguments.
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
#[inline(always)]
fn is_valid<P: Pixel>(value: P, nodata: Option<P>) -> bool {
    !value.is_nan() && nodata.is_none_or(|nodata| value != nodata)
}

/// Which pixels of a stretch are valid.
#[derive(Clone, Copy)]
pub(super) enum Flags<'a> {
    /// Every one.
    All,
    /// Those whose flag is 1; the others' flags are 0.
    Some(&'a [u8]),
}

/// Visits a plane stretch by stretch: number of the first pixel, values, and which are valid.
///
/// A pixel is valid where `mask` is not 0 and its value is neither nodata nor NaN.
#[inline(always)]
pub(super) fn for_each_stretch<P: Pixel>(
    plane: &[u8],
    nodata: Option<P>,
    mask: &[u8],
    mut visit: impl FnMut(usize, &[P::Raw], Flags<'_>),
) {
    let mut flags = [0; STRETCH];
    let stretches = P::raw(plane).chunks(STRETCH).zip(mask.chunks(STRETCH));
    for (index, (values, mask)) in stretches.enumerate() {
        // no short cuts inside the loops: they run many pixels at a time
        let missing = values
            .iter()
            .fold(false, |any, raw| any | !is_valid(P::value(*raw), nodata));
        let least = mask.iter().fold(u8::MAX, |least, flag| least.min(*flag));
        if !missing && least > 0 {
            visit(index * STRETCH, values, Flags::All);
            continue;
        }
        for ((flag, raw), mask) in flags.iter_mut().zip(values).zip(mask) {
            *flag = u8::from(*mask != 0) & u8::from(is_valid(P::value(*raw), nodata));
        }
        visit(index * STRETCH, values, Flags::Some(&flags[..values.len()]));
    }
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
            let nodata = nodata.and_then(<$kind>::exactly);
            for (raw, flag) in <$kind>::raw($plane).iter().zip(valid.iter_mut()) {
                *flag &= u8::from(is_valid(<$kind>::value(*raw), nodata));
            }
        }};
    }
    by_type!(sample, mark(plane));
}

/// The little-endian bytes of a nodata value, if the type has it.
pub(crate) fn nodata_bytes(sample: SampleType, nodata: f64) -> Option<Vec<u8>> {
    macro_rules! bytes {
        ($kind:ty, $nodata:expr) => {{
            let value = <$kind>::exactly($nodata);
            // NaN equals nothing, not even itself
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let value = value
                .or_else(|| ($nodata.is_nan() && sample.is_float()).then_some($nodata as $kind));
            value.map(|value| value.to_le_bytes().to_vec())
        }};
    }
    by_type!(sample, bytes(nodata))
}
