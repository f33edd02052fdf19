//! Equal Earth on the unit sphere: Savric, Patterson and Jenny, "The Equal Earth map projection",
//! International Journal of Geographical Information Science 33(3), 2019.
use super::Projection;
use crate::encoding::{polynomial, sin_cos_degrees};

const A1: f64 = 1.340_264;
const A2: f64 = -0.081_106;
const A3: f64 = 0.000_893;
const A4: f64 = 0.003_796;
const HALF_SQRT_3: f64 = 0.866_025_403_784_438_6;
const RADIANS: f64 = std::f64::consts::PI / 180.0;
/// Newton steps that bring the parametric latitude to the last bit from a start at `y / A1`.
const NEWTON_STEPS: usize = 6;

/// Coefficients of `theta / sin(theta)` in `sin(theta / 2)^2` up to 1/4: 5e-17 off (Chebyshev
/// nodes).
const ARC: [f64; 14] = [
    1.0,
    0.666_666_666_666_732_2,
    0.533_333_333_316_350_1,
    0.457_142_858_871_963_3,
    0.406_349_114_763_685_24,
    0.369_411_264_931_380_3,
    0.340_933_293_249_351_9,
    0.319_072_287_622_392_4,
    0.291_800_580_741_102_77,
    0.335_112_561_753_490_97,
    0.035_139_155_368_524_88,
    0.977_655_558_002_273_1,
    -1.113_286_127_178_430_7,
    1.553_779_294_309_343_6,
];

/// The Equal Earth projection of a sphere of radius 1, as location encoders use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EqualEarth;

/// The polynomial y(theta) of equation 8 and its derivative.
#[allow(clippy::inline_always)] // part of a kernel
#[inline(always)]
fn northing(theta: f64) -> (f64, f64) {
    let t2 = theta * theta;
    let t6 = t2 * t2 * t2;
    let y = theta * (A1 + A2 * t2 + t6 * (A3 + A4 * t2));
    let slope = A1 + 3.0 * A2 * t2 + t6 * (7.0 * A3 + 9.0 * A4 * t2);
    (y, slope)
}

impl EqualEarth {
    /// Projects a longitude and latitude in degrees without branches, for loops that vectorise.
    ///
    /// The parametric latitude theta comes from its sine by a polynomial: with
    /// `w = sin(theta / 2)^2 = (1 - cos(theta)) / 2`, at most 1/4, `theta / sin(theta)` is smooth in
    /// `w`.
    #[allow(clippy::inline_always)] // part of a kernel
    #[inline(always)]
    pub(crate) fn plane(lon: f64, lat: f64) -> (f64, f64) {
        let (sin_lat, _): (f64, f64) = sin_cos_degrees(lat);
        let sine = HALF_SQRT_3 * sin_lat;
        let cosine = (1.0 - sine * sine).sqrt();
        let w = 0.5 * (1.0 - cosine);
        let theta = sine * polynomial(&ARC, w);
        let (y, slope) = northing(theta);
        (lon * RADIANS * cosine / (HALF_SQRT_3 * slope), y)
    }
}

impl Projection for EqualEarth {
    fn forward(&self, lon: f64, lat: f64) -> (f64, f64) {
        Self::plane(lon, lat)
    }

    fn inverse(&self, x: f64, y: f64) -> (f64, f64) {
        let mut theta = y / A1;
        for _ in 0..NEWTON_STEPS {
            let (value, slope) = northing(theta);
            theta -= (value - y) / slope;
        }
        let slope = northing(theta).1;
        let lon = HALF_SQRT_3 * x * slope / theta.cos();
        let lat = (theta.sin() / HALF_SQRT_3).clamp(-1.0, 1.0).asin();
        (lon.to_degrees(), lat.to_degrees())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_corner_of_the_world_is_where_the_paper_says() {
        // The map is 2.05458 times as wide as high (section 3 of the paper).
        let (x, _) = EqualEarth.forward(180.0, 0.0);
        let (_, y) = EqualEarth.forward(0.0, 90.0);
        assert!((x / y - 2.054_58).abs() < 1e-4);
    }

    proptest! {
        #[test]
        fn inverse_undoes_forward(lon in -180.0..180.0_f64, lat in -89.9..89.9_f64) {
            let (x, y) = EqualEarth.forward(lon, lat);
            let (lon2, lat2) = EqualEarth.inverse(x, y);
            prop_assert!((lon - lon2).abs() < 1e-9 && (lat - lat2).abs() < 1e-9);
        }
    }
}
