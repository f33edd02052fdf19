//! Transverse Mercator of arrays: no branch and no library call, so that the compiler vectorises.
//!
//! With q = e atanh(e sin(lat)), A = sin(lat) cosh(q) - sinh(q) and D = cosh(q) - sin(lat) sinh(q),
//! the conformal latitude has the sine A / D and the cosine cos(lat) / D, without a square root. Of
//! the angles on the conformal sphere only what differs from the latitude, and the small height
//! above the meridian, are left to an arctangent and an area tangent, whose power series are short
//! within some 17 degrees of the meridian. Points further away go through the general formula.
use super::{Doubled, MAX_ETA, TransverseMercator, series};
use crate::encoding::{polynomial, sin_cos_degrees};
use crate::projection::Projection;
use crate::simd::{self, InstructionSet, Kernel};

/// Points that are worked on side by side.
const BLOCK: usize = 64;
/// Largest argument of [`ATAN`]: what the conformal colatitude turns by, as a tangent.
const MAX_TURN: f64 = 0.05;
/// Largest argument of [`ATANH`]: the sine of 17.4 degrees.
const MAX_HEIGHT: f64 = 0.3;
/// `atan(x) / x` in `x^2`: the rest is below 1e-19.
const ATAN: [f64; 7] = [
    1.0,
    -1.0 / 3.0,
    1.0 / 5.0,
    -1.0 / 7.0,
    1.0 / 9.0,
    -1.0 / 11.0,
    1.0 / 13.0,
];
/// `atanh(x) / x` in `x^2`: the rest is below 1e-17.
const ATANH: [f64; 16] = [
    1.0,
    1.0 / 3.0,
    1.0 / 5.0,
    1.0 / 7.0,
    1.0 / 9.0,
    1.0 / 11.0,
    1.0 / 13.0,
    1.0 / 15.0,
    1.0 / 17.0,
    1.0 / 19.0,
    1.0 / 21.0,
    1.0 / 23.0,
    1.0 / 25.0,
    1.0 / 27.0,
    1.0 / 29.0,
    1.0 / 31.0,
];

/// Projects longitudes and latitudes in place, with this processor's best instructions.
pub(super) fn forward(map: &TransverseMercator, lons: &mut [f64], lats: &mut [f64]) {
    forward_with(InstructionSet::best(), map, lons, lats);
}

/// [`forward`] with a given instruction set: the same bits with any.
pub(super) fn forward_with(
    set: InstructionSet,
    map: &TransverseMercator,
    lons: &mut [f64],
    lats: &mut [f64],
) {
    simd::run(set, Loop { map, lons, lats });
}

struct Loop<'a> {
    map: &'a TransverseMercator,
    lons: &'a mut [f64],
    lats: &'a mut [f64],
}

impl Kernel for Loop<'_> {
    #[allow(clippy::inline_always)] // see Kernel
    #[inline(always)]
    fn run(self) {
        let blocks = self.lons.chunks_mut(BLOCK);
        for (lons, lats) in blocks.zip(self.lats.chunks_mut(BLOCK)) {
            let (mut east, mut north) = ([0.0; BLOCK], [0.0; BLOCK]);
            for (((lon, lat), x), y) in lons.iter().zip(&*lats).zip(&mut east).zip(&mut north) {
                (*x, *y) = near(self.map, *lon, *lat);
            }
            for (((lon, lat), x), y) in lons.iter_mut().zip(lats).zip(east).zip(north) {
                (*lon, *lat) = if x.is_nan() {
                    self.map.forward(*lon, *lat)
                } else {
                    (x, y)
                };
            }
        }
    }
}

/// One point near the meridian; NaN for any other.
#[allow(clippy::inline_always, clippy::needless_bitwise_bool)] // a kernel must not branch
#[inline(always)]
fn near(map: &TransverseMercator, lon: f64, lat: f64) -> (f64, f64) {
    let (sin_lon, cos_lon): (f64, f64) = sin_cos_degrees(lon - map.central_meridian);
    let (sin, cos): (f64, f64) = sin_cos_degrees(lat);
    let (sinh, cosh) = map.lift(sin);
    // the conformal latitude, times D
    let (rise, reach) = (sin * cosh - sinh, cosh - sin * sinh);
    let (along, across) = (cos * cos_lon, cos * sin_lon);
    let height = across / reach;
    let turn = (rise * cos - along * sin) / (along * cos + rise * sin);
    let inverse_square = 1.0 / (reach * reach - across * across);
    let double = Doubled {
        sin: 2.0 * rise * along * inverse_square,
        cos: (along * along - rise * rise) * inverse_square,
        sinh: 2.0 * across * reach * inverse_square,
        cosh: (reach * reach + across * across) * inverse_square,
    };
    let (d_xi, d_eta) = series(&map.alpha, &double);
    let xi = lat * 1.0_f64.to_radians() + turn * polynomial(&ATAN, turn * turn);
    let eta = height * polynomial(&ATANH, height * height);
    let legal = (turn.abs() <= MAX_TURN)
        & (height.abs() <= MAX_HEIGHT)
        & (along * cos + rise * sin > 0.0)
        & (lat.abs() <= 90.0);
    let x = map.false_easting + map.scaled_radius * (eta + d_eta);
    let y = map.false_northing + map.scaled_radius * (xi + d_xi);
    if legal { (x, y) } else { (f64::NAN, f64::NAN) }
}

const _: () = assert!(MAX_HEIGHT < MAX_ETA);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Points in all directions of a meridian, densest near it.
    fn places(meridian: f64) -> (Vec<f64>, Vec<f64>) {
        let (mut lons, mut lats) = (Vec::new(), Vec::new());
        for i in 0..400 {
            let offset = -200.0 + f64::from(i) + if i % 2 == 0 { 0.0 } else { 0.37 };
            for j in 0..=72 {
                lons.push(meridian + offset * 0.1 * f64::from(1 + j % 3));
                lats.push(-90.0 + 2.5 * f64::from(j));
            }
        }
        (lons, lats)
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let map = TransverseMercator::utm(33, true).expect("zone 33 exists");
        let with = |set| {
            let (mut xs, mut ys) = places(15.0);
            forward_with(set, &map, &mut xs, &mut ys);
            let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
            (bits(xs), bits(ys))
        };
        let plain = with(InstructionSet::Baseline);
        for set in [InstructionSet::Avx2, InstructionSet::Avx512] {
            if set.is_available() {
                assert!(plain == with(set), "{set:?} differs");
            } else {
                eprintln!("SKIPPED: this processor has no {set:?}");
            }
        }
    }

    #[test]
    fn a_point_gives_the_same_wherever_it_stands_in_an_array() {
        let map = TransverseMercator::utm(33, true).expect("zone 33 exists");
        let (mut xs, mut ys) = places(15.0);
        let (lons, lats) = (xs.clone(), ys.clone());
        forward(&map, &mut xs, &mut ys);
        for k in (0..lons.len()).step_by(17) {
            let (mut x, mut y) = ([lons[k]], [lats[k]]);
            forward(&map, &mut x, &mut y);
            assert_eq!(
                (x[0].to_bits(), y[0].to_bits()),
                (xs[k].to_bits(), ys[k].to_bits())
            );
        }
    }

    proptest! {
        #[test]
        fn the_loop_equals_the_general_formula(
            zone in 1_u8..=60, north: bool, offset in -25.0..25.0_f64, lat in -90.0..=90.0_f64,
        ) {
            let map = TransverseMercator::utm(zone, north).expect("zones 1 to 60 exist");
            let lon = f64::from(zone) * 6.0 - 183.0 + offset;
            let (x, y) = map.forward(lon, lat);
            let (mut east, mut north) = ([lon], [lat]);
            forward(&map, &mut east, &mut north);
            // both round: some 2e-9 m each at 10,000 km
            prop_assert!((east[0] - x).abs() < 1e-8 && (north[0] - y).abs() < 1e-8);
        }
    }
}
