//! Whole sums of 8- and 16-bit numbers: no rounding before the very end.
use super::pixel::{Flags, Pixel, for_each_stretch};
use super::{BandStats, NOTHING, mark_anywhere};

/// A number of at most 16 bits, moved up to start at 0.
pub(super) trait Small: Pixel {
    /// What was added.
    const SHIFT: u16;
    fn shifted(self) -> u16;
}

macro_rules! small {
    ($($kind:ty, $unsigned:ty, $shift:expr);*) => {$(
        impl Small for $kind {
            const SHIFT: u16 = $shift;
            #[inline(always)]
            fn shifted(self) -> u16 {
                // adding half of the range to a signed number is turning its sign bit over
                #[allow(clippy::cast_sign_loss)]
                let bits = self as $unsigned;
                u16::from(bits ^ $shift)
            }
        }
    )*};
}

small!(u8, u8, 0; u16, u16, 0; i8, u8, 0x80; i16, u16, 0x8000);

struct Sums {
    count: u64,
    sum: u64,
    squares: u64,
    min: u16,
    max: u16,
}

impl Sums {
    #[inline(always)]
    fn add_all(&mut self, values: impl Iterator<Item = u16>) {
        // a stretch is short enough for a sum of 32 bits
        let mut sum = 0_u32;
        for value in values {
            sum += u32::from(value);
            self.squares += u64::from(u32::from(value) * u32::from(value));
            self.min = self.min.min(value);
            self.max = self.max.max(value);
        }
        self.sum += u64::from(sum);
    }

    #[inline(always)]
    fn add_some(&mut self, values: impl Iterator<Item = u16>, flags: &[u8]) {
        for (value, flag) in values.zip(flags) {
            let mask = 0_u16.wrapping_sub(u16::from(*flag));
            let kept = value & mask;
            self.count += u64::from(*flag);
            self.sum += u64::from(kept);
            self.squares += u64::from(u32::from(kept) * u32::from(kept));
            self.min = self.min.min(value | !mask);
            self.max = self.max.max(kept);
        }
    }

    /// Mean and squared differences need no more than the sums, which are exact.
    #[allow(clippy::cast_precision_loss)] // one rounding of an exact integer
    fn finish(self, shift: u16) -> BandStats {
        if self.count == 0 {
            return NOTHING;
        }
        let (n, whole) = (u128::from(self.count), u128::from(self.sum));
        let spread = n * u128::from(self.squares) - whole * whole;
        let moved = i128::from(self.sum) - i128::from(self.count) * i128::from(shift);
        BandStats {
            count: self.count,
            min: f64::from(self.min) - f64::from(shift),
            max: f64::from(self.max) - f64::from(shift),
            mean: moved as f64 / self.count as f64,
            m2: spread as f64 / self.count as f64,
        }
    }
}

/// Statistics of one band; see [`super::measure`].
#[inline(always)]
pub(super) fn measure<P: Small>(
    plane: &[u8],
    nodata: Option<f64>,
    mask: &[u8],
    anywhere: &mut [u8],
) -> BandStats {
    let mut sums = Sums {
        count: 0,
        sum: 0,
        squares: 0,
        min: u16::MAX,
        max: 0,
    };
    let nodata = nodata.and_then(P::exactly);
    for_each_stretch(plane, nodata, mask, |start, raw, flags| {
        mark_anywhere(anywhere, start, flags, raw.len());
        let values = raw.iter().map(|raw| P::value(*raw).shifted());
        match flags {
            Flags::All => {
                sums.count += raw.len() as u64;
                sums.add_all(values);
            }
            Flags::Some(flags) => sums.add_some(values, flags),
        }
    });
    sums.finish(P::SHIFT)
}
