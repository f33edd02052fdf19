//! Statistics of large numbers and floats: the mean first, then the squares around it.
use super::pixel::{Flags, Pixel, for_each_stretch};
use super::{BandStats, NOTHING, mark_anywhere};

/// Sums that grow side by side, so that their order is fixed and a core can take many at a time.
const LANES: usize = 8;

struct First {
    count: u64,
    sums: [f64; LANES],
    mins: [f64; LANES],
    maxs: [f64; LANES],
}

/// Calls `add` with the lane, the value and whether it is valid, for each pixel of a stretch.
#[inline(always)]
fn by_lane<P: Pixel>(raw: &[P::Raw], flags: Flags<'_>, mut add: impl FnMut(usize, f64, bool)) {
    match flags {
        Flags::All => {
            for values in raw.chunks(LANES) {
                for (lane, raw) in values.iter().enumerate() {
                    add(lane, P::value(*raw).number(), true);
                }
            }
        }
        Flags::Some(flags) => {
            for (values, flags) in raw.chunks(LANES).zip(flags.chunks(LANES)) {
                for (lane, (raw, flag)) in values.iter().zip(flags).enumerate() {
                    add(lane, P::value(*raw).number(), *flag != 0);
                }
            }
        }
    }
}

impl First {
    #[inline(always)]
    fn add(&mut self, lane: usize, value: f64, valid: bool) {
        self.count += u64::from(valid);
        self.sums[lane] += if valid { value } else { 0.0 };
        let (low, high) = (self.mins[lane], self.maxs[lane]);
        self.mins[lane] = if valid && value < low { value } else { low };
        self.maxs[lane] = if valid && value > high { value } else { high };
    }
}

/// Statistics of one band; see [`super::measure`].
#[allow(clippy::cast_precision_loss)] // a tile has far fewer than 2^53 pixels
#[inline(always)]
pub(super) fn measure<P: Pixel>(
    plane: &[u8],
    nodata: Option<f64>,
    mask: &[u8],
    anywhere: &mut [u8],
) -> BandStats {
    let nodata = nodata.and_then(P::exactly);
    let mut first = First {
        count: 0,
        sums: [0.0; LANES],
        mins: [f64::INFINITY; LANES],
        maxs: [f64::NEG_INFINITY; LANES],
    };
    for_each_stretch(plane, nodata, mask, |start, raw, flags| {
        mark_anywhere(anywhere, start, flags, raw.len());
        by_lane::<P>(raw, flags, |lane, value, valid| {
            first.add(lane, value, valid);
        });
    });
    if first.count == 0 {
        return NOTHING;
    }
    let mean = first.sums.iter().sum::<f64>() / first.count as f64;
    let mut squares = [0.0; LANES];
    for_each_stretch(plane, nodata, mask, |_, raw, flags| {
        by_lane::<P>(raw, flags, |lane, value, valid| {
            squares[lane] += if valid {
                (value - mean) * (value - mean)
            } else {
                0.0
            };
        });
    });
    BandStats {
        count: first.count,
        min: first.mins.into_iter().fold(f64::INFINITY, f64::min),
        max: first.maxs.into_iter().fold(f64::NEG_INFINITY, f64::max),
        mean,
        m2: squares.iter().sum(),
    }
}
