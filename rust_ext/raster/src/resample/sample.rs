//! What resampling needs to know of a pixel type.
#![allow(clippy::float_cmp)] // nodata is a value, not a quantity
use std::ops::{Add, Mul};

use crate::resample::Scratch;
use crate::resample::plane::Buffers;

/// The numbers that sums run in.
pub(super) trait Real:
    Copy + Default + std::fmt::Debug + Add<Output = Self> + Mul<Output = Self> + 'static
{
    fn of(number: f64) -> Self;
    fn wide(self) -> f64;
    fn buffers(scratch: &mut Scratch) -> &mut Buffers<Self>;
}

impl Real for f32 {
    #[allow(clippy::cast_possible_truncation)] // rounding is what it is for
    fn of(number: f64) -> Self {
        number as f32
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
    fn buffers(scratch: &mut Scratch) -> &mut Buffers<Self> {
        &mut scratch.single
    }
}

impl Real for f64 {
    fn of(number: f64) -> Self {
        number
    }
    fn wide(self) -> f64 {
        self
    }
    fn buffers(scratch: &mut Scratch) -> &mut Buffers<Self> {
        &mut scratch.double
    }
}

/// A pixel type.
pub(super) trait Sample: Copy + PartialEq + 'static {
    type Sum: Real;
    /// Reads pixels as numbers; those that are nodata or not finite become 0 and are flagged 1.
    fn load(bytes: &[u8], nodata: Option<Self>, out: &mut [Self::Sum], invalid: &mut [u8]);
    /// Writes sums, rounded and clamped; one that would be `avoid` moves by one step.
    fn store(sums: &[Self::Sum], avoid: Option<Self>, out: &mut [u8]);
    /// Copies the pixels at some places of a row.
    fn pick(row: &[u8], places: &[usize], out: &mut [u8]);
    /// Flags with 0 the values that are nodata or not a number.
    fn judge(bytes: &[u8], nodata: Option<Self>, valid: &mut [u8]);
    /// Writes one value wherever the flag is 0.
    fn fill(value: Self, valid: &[u8], out: &mut [u8]);
    /// The value of a nodata number, if this type has it.
    fn exactly(nodata: f64) -> Option<Self>;
    /// What an invalid pixel holds where no nodata value is known.
    fn nothing() -> Self;
    /// The next value below, or above the least one.
    fn beside(self) -> Self;
}

/// Implements [`Sample`]: type, sum, number of a value, value of a sum, whether all are finite.
macro_rules! sample {
    ($kind:ty, $sum:ty, $number:expr, $round:expr, $finite:expr) => {
        type Sum = $sum;

        // beyond 2^53 a 64-bit integer is rounded
        #[allow(clippy::cast_precision_loss)]
        fn load(bytes: &[u8], nodata: Option<Self>, out: &mut [$sum], invalid: &mut [u8]) {
            let (number, finite): (fn($kind) -> $sum, fn($kind) -> bool) = ($number, $finite);
            let values = bytes
                .as_chunks()
                .0
                .iter()
                .map(|v| <$kind>::from_le_bytes(*v));
            for (value, (sum, flag)) in values.zip(out.iter_mut().zip(invalid)) {
                let skip = !finite(value) || nodata == Some(value);
                *flag |= u8::from(skip);
                *sum = if skip { 0.0 } else { number(value) };
            }
        }

        // clamped before the cast, or by it
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        #[inline(always)] // into functions for several sets of instructions
        fn store(sums: &[$sum], avoid: Option<Self>, out: &mut [u8]) {
            let round: fn($sum) -> $kind = $round;
            let targets = out.as_chunks_mut().0.iter_mut().zip(sums);
            if let Some(avoid) = avoid {
                let beside = avoid.beside();
                for (target, sum) in targets {
                    let value = round(*sum);
                    *target = if value == avoid { beside } else { value }.to_le_bytes();
                }
            } else {
                targets.for_each(|(target, sum)| *target = round(*sum).to_le_bytes());
            }
        }

        fn pick(row: &[u8], places: &[usize], out: &mut [u8]) {
            let values: &[[u8; size_of::<$kind>()]] = row.as_chunks().0;
            for (target, place) in out.as_chunks_mut().0.iter_mut().zip(places) {
                *target = values[*place];
            }
        }

        fn judge(bytes: &[u8], nodata: Option<Self>, valid: &mut [u8]) {
            let values = bytes
                .as_chunks()
                .0
                .iter()
                .map(|v| <$kind>::from_le_bytes(*v));
            for (value, flag) in values.zip(valid) {
                // NaN alone differs from itself
                let skip = value != value || nodata == Some(value);
                *flag &= u8::from(!skip);
            }
        }

        fn fill(value: Self, valid: &[u8], out: &mut [u8]) {
            let targets = out.as_chunks_mut().0.iter_mut().zip(valid);
            for (target, _) in targets.filter(|(_, flag)| **flag == 0) {
                *target = value.to_le_bytes();
            }
        }
    };
}

/// Rounds a number of at most 2^21 half away from zero; the integer is in the lowest bits.
///
/// Added to 1.5 * 2^23, a float has no place for its fraction left, and its mantissa ends with the
/// number rounded half to even. Unlike a cast, this is done in vectors.
#[inline(always)]
fn rounded(number: f32) -> u32 {
    const BIG: f32 = 12_582_912.0;
    let shifted = number + BIG;
    let rest = number - (shifted - BIG);
    let up = u32::from(rest >= 0.5 && number > 0.0);
    let down = u32::from(rest <= -0.5 && number < 0.0);
    shifted.to_bits().wrapping_add(up).wrapping_sub(down)
}

macro_rules! integer {
    ($($kind:ty, $sum:ty, $round:expr);* $(;)?) => {$(
        impl Sample for $kind {
            sample!($kind, $sum, |value| value as $sum, $round, |_| true);

            // the round trip is the check
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::float_cmp)]
            #[allow(clippy::cast_precision_loss, clippy::cast_lossless)]
            fn exactly(nodata: f64) -> Option<Self> {
                let value = nodata as $kind;
                (value as f64 == nodata).then_some(value)
            }

            fn nothing() -> Self {
                0
            }

            fn beside(self) -> Self {
                self.checked_sub(1).unwrap_or(Self::MIN + 1)
            }
        }
    )*};
}

integer! {
    u8, f32, |sum| rounded(sum.clamp(0.0, 255.0)) as u8;
    u16, f32, |sum| rounded(sum.clamp(0.0, 65_535.0)) as u16;
    i8, f32, |sum| rounded(sum.clamp(-128.0, 127.0)) as i8;
    i16, f32, |sum| rounded(sum.clamp(-32_768.0, 32_767.0)) as i16;
    u32, f64, |sum| sum.round() as u32;
    i32, f64, |sum| sum.round() as i32;
    u64, f64, |sum| sum.round() as u64;
    i64, f64, |sum| sum.round() as i64;
}

macro_rules! float {
    ($($kind:ty, $number:expr, $round:expr);* $(;)?) => {$(
        impl Sample for $kind {
            // adding 0 makes one zero of two, for -0 would tell which weights were left out
            sample!($kind, f64, $number, $round, <$kind>::is_finite);

            // -3.4e38 in the text of a float band's nodata means the least float
            #[allow(clippy::cast_possible_truncation)]
            fn exactly(nodata: f64) -> Option<Self> {
                Some(nodata as $kind)
            }

            fn nothing() -> Self {
                Self::NAN
            }

            fn beside(self) -> Self {
                if self > Self::MIN { self.next_down() } else { Self::MIN.next_up() }
            }
        }
    )*};
}

float! {
    f32, f64::from, |sum| sum.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32 + 0.0;
    f64, |value| value, |sum| sum.clamp(f64::MIN, f64::MAX) + 0.0;
}

/// Calls a generic function with the type that a [`SampleType`](gair_core::shard::SampleType)
/// stands for.
macro_rules! by_sample {
    ($sample:expr, $this:ident . $call:ident :: <_>($($arg:expr),* $(,)?)) => {{
        use gair_core::shard::SampleType;
        match $sample {
            SampleType::UInt8 => $this.$call::<u8>($($arg),*),
            SampleType::UInt16 => $this.$call::<u16>($($arg),*),
            SampleType::UInt32 => $this.$call::<u32>($($arg),*),
            SampleType::UInt64 => $this.$call::<u64>($($arg),*),
            SampleType::Int8 => $this.$call::<i8>($($arg),*),
            SampleType::Int16 => $this.$call::<i16>($($arg),*),
            SampleType::Int32 => $this.$call::<i32>($($arg),*),
            SampleType::Int64 => $this.$call::<i64>($($arg),*),
            SampleType::Float32 => $this.$call::<f32>($($arg),*),
            SampleType::Float64 => $this.$call::<f64>($($arg),*),
        }
    }};
}
pub(super) use by_sample;

#[cfg(test)]
mod tests {
    use super::Sample;

    fn stored<S: Sample>(sum: S::Sum, avoid: Option<S>) -> Vec<u8> {
        let mut out = vec![0; size_of::<S>()];
        S::store(&[sum], avoid, &mut out);
        out
    }

    #[test]
    fn integers_round_half_away_from_zero_and_clamp() {
        assert_eq!(stored::<u8>(2.5, None), [3]);
        assert_eq!(stored::<u8>(-7.0, None), [0]);
        assert_eq!(stored::<u8>(300.0, None), [255]);
        assert_eq!(stored::<i8>(-2.5, None), (-3_i8).to_le_bytes());
        assert_eq!(stored::<i16>(-40_000.0, None), i16::MIN.to_le_bytes());
        assert_eq!(stored::<u16>(65_535.4, None), u16::MAX.to_le_bytes());
        assert_eq!(stored::<i32>(-2.5, None), (-3_i32).to_le_bytes());
        assert_eq!(stored::<u64>(1e30, None), u64::MAX.to_le_bytes());
        assert_eq!(stored::<f32>(1e300, None), f32::MAX.to_le_bytes());
        assert_eq!(stored::<f64>(-0.0, None), 0.0_f64.to_le_bytes());
    }

    #[test]
    fn a_result_that_equals_nodata_moves_by_one_step() {
        assert_eq!(stored::<u16>(0.2, Some(0)), 1_u16.to_le_bytes());
        assert_eq!(stored::<u8>(255.0, Some(255)), [254]);
        assert_eq!(
            stored::<i16>(-9999.0, Some(-9999)),
            (-10_000_i16).to_le_bytes()
        );
        assert_eq!(
            stored::<f64>(1.0, Some(1.0)),
            1.0_f64.next_down().to_le_bytes()
        );
        assert_eq!(
            stored::<f32>(f64::from(f32::MIN), Some(f32::MIN)),
            f32::MIN.next_up().to_le_bytes()
        );
    }

    #[test]
    fn values_that_do_not_count_are_flagged() {
        let bytes: Vec<u8> = [1.0_f32, f32::NAN, f32::INFINITY, -1.0]
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let (mut sums, mut invalid, mut valid) = ([9.0; 4], [0; 4], [1; 4]);
        f32::load(&bytes, f32::exactly(-1.0), &mut sums, &mut invalid);
        f32::judge(&bytes, f32::exactly(-1.0), &mut valid);
        assert_eq!((sums, invalid), ([1.0, 0.0, 0.0, 0.0], [0, 1, 1, 1]));
        assert_eq!(valid, [1, 0, 1, 0]);
        assert_eq!(u8::exactly(256.0), None);
    }
}
