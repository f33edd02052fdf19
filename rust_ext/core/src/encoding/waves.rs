//! Sines and cosines of many angles in turns, with polynomials of our own.
//!
//! An angle is reduced to half a turn about zero in float64, whatever the precision of the result,
//! so that whole turns cost no accuracy: `cos(2 pi 1e6.25)` is as exact as `cos(2 pi 0.25)`. Only
//! additions, multiplications and bit operations are used, so that a loop over these functions
//! vectorises and gives the same bits on every processor.
#![allow(clippy::inline_always)] // kernels must be inlined into the function of their instructions

/// Adding and taking away this number rounds to an integer, ties to even, below `MAX_TURNS`.
const ROUNDER: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52
/// Beyond as many turns float64 keeps no phase, and [`fraction`] is not defined.
pub(super) const MAX_TURNS: f64 = 1.0e15;
/// Coefficients of `sin(2 pi x) / x` in `x^2` for |x| <= 1/4: 7e-9 off (Chebyshev nodes).
const SINE_F32: [f32; 5] = [6.283_185_5, -41.341_682, 81.602_48, -76.581_17, 39.759_827];
/// The same to float64: 3e-19 off.
const SINE_F64: [f64; 9] = [
    std::f64::consts::TAU,
    -41.341_702_240_399_755,
    81.605_249_276_073_62,
    -76.705_859_752_824_92,
    42.058_693_925_428_685,
    -15.094_641_676_117_9,
    3.819_928_094_227_164_3,
    -0.717_733_792_141_345_4,
    0.100_896_955_016_468_12,
];

/// A precision that encodings are written in: `f32` or `f64`.
pub trait Precision: Copy + Default + Send + Sync + sealed::Sealed + 'static {
    /// Rounds a float64 to this precision.
    fn of(value: f64) -> Self;

    /// The product of two numbers.
    #[must_use]
    fn times(self, other: Self) -> Self;

    /// The sine and cosine of an angle in turns, at most half a turn from zero.
    #[must_use]
    fn sin_cos_turns(self) -> (Self, Self);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// Writes an implementation for a float type: the same lines, other coefficients.
macro_rules! precision {
    ($float:ty, $narrow:path, $polynomial:path, $coefficients:ident) => {
        impl Precision for $float {
            #[inline(always)]
            fn of(value: f64) -> Self {
                $narrow(value)
            }

            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self * other
            }

            #[inline(always)]
            fn sin_cos_turns(self) -> (Self, Self) {
                // cos(2 pi x) = sin(2 pi (1/4 - |x|)), and both fold into a quarter turn
                let co = 0.25 - self.abs();
                let folded = (0.25 - co.abs()).copysign(self);
                let sine = |x: Self| $polynomial(&$coefficients, x * x) * x;
                (sine(folded), sine(co))
            }
        }
    };
}

#[allow(clippy::cast_possible_truncation)] // float32 is what was asked for
mod narrow {
    #[inline(always)]
    pub(super) fn to_f32(value: f64) -> f32 {
        value as f32
    }
    #[inline(always)]
    pub(super) fn to_f64(value: f64) -> f64 {
        value
    }
}
precision!(f32, narrow::to_f32, horner, SINE_F32);
precision!(f64, narrow::to_f64, polynomial, SINE_F64);

/// A short polynomial, lowest power first.
#[inline(always)]
fn horner<const N: usize>(coefficients: &[f32; N], x: f32) -> f32 {
    let mut sum = coefficients[N - 1];
    for factor in coefficients[..N - 1].iter().rev() {
        sum = sum * x + factor;
    }
    sum
}

/// A long polynomial, lowest power first: even and odd powers side by side, which halves the wait
/// of each operation for the one before.
#[inline(always)]
pub(crate) fn polynomial<const N: usize>(coefficients: &[f64; N], x: f64) -> f64 {
    let (square, mut high, mut low) = (x * x, coefficients[N - 1], coefficients[N - 2]);
    for power in (0..N - 2).rev() {
        // the two chains take turns
        (high, low) = (low, high * square + coefficients[power]);
    }
    // the last one written holds the even powers
    low + high * x
}

/// An angle in turns without its whole turns: in [-1/2, 1/2], exact for |turns| < 2^51.
#[inline(always)]
pub(super) fn fraction(turns: f64) -> f64 {
    turns - ((turns + ROUNDER) - ROUNDER)
}

/// The sine and cosine of an angle in degrees; exact at multiples of 90.
#[inline(always)]
pub(crate) fn sin_cos_degrees<T: Precision>(degrees: f64) -> (T, T) {
    // whole turns are taken away before the division, which rounds
    let whole = (degrees * (1.0 / 360.0) + ROUNDER) - ROUNDER;
    T::of((degrees - 360.0 * whole) * (1.0 / 360.0)).sin_cos_turns()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_quarter_turn_is_a_quarter_turn_however_many_turns_came_before() {
        for whole in [0.0, 1.0, 1e6, -1e9, 1e12] {
            let (sine, cosine) = f32::of(fraction(whole + 0.25)).sin_cos_turns();
            assert!(
                (sine - 1.0).abs() < 2e-7 && cosine == 0.0,
                "after {whole} turns"
            );
        }
    }

    #[test]
    fn right_angles_are_exact() {
        let wanted = [(0.0, (0.0, 1.0)), (90.0, (1.0, 0.0)), (-90.0, (-1.0, 0.0))];
        for (degrees, (sine, cosine)) in wanted {
            let found: (f64, f64) = sin_cos_degrees(degrees);
            assert!((found.0 - sine).abs() < 2e-16 && (found.1 - cosine).abs() < 2e-16);
        }
        let (sine, cosine): (f64, f64) = sin_cos_degrees(180.0);
        assert!(sine.abs() < f64::MIN_POSITIVE && (cosine + 1.0).abs() < 2e-16);
    }

    #[test]
    fn what_is_no_number_stays_none() {
        for turns in [f64::NAN, f64::INFINITY] {
            let (sine, cosine) = fraction(turns).sin_cos_turns();
            assert!(sine.is_nan() && cosine.is_nan());
        }
    }

    proptest! {
        #[test]
        fn both_precisions_equal_the_standard_library(turns in -3.0..3.0_f64) {
            let (sine, cosine) = (fraction(turns) * std::f64::consts::TAU).sin_cos();
            let wide = fraction(turns).sin_cos_turns();
            prop_assert!((wide.0 - sine).abs() < 1e-15 && (wide.1 - cosine).abs() < 1e-15);
            let single = f32::of(fraction(turns)).sin_cos_turns();
            prop_assert!((f64::from(single.0) - sine).abs() < 3e-7);
            prop_assert!((f64::from(single.1) - cosine).abs() < 3e-7);
        }
    }
}
