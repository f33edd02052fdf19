//! Equal Earth on the unit sphere: Savric, Patterson and Jenny, "The Equal Earth map projection",
//! International Journal of Geographical Information Science 33(3), 2019.
use super::Projection;

const A1: f64 = 1.340_264;
const A2: f64 = -0.081_106;
const A3: f64 = 0.000_893;
const A4: f64 = 0.003_796;
const HALF_SQRT_3: f64 = 0.866_025_403_784_438_6;
/// Newton steps that bring the parametric latitude to the last bit from a start at `y / A1`.
const NEWTON_STEPS: usize = 6;

/// The Equal Earth projection of a sphere of radius 1, as location encoders use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EqualEarth;

/// The polynomial y(theta) of equation 8 and its derivative.
fn northing(theta: f64) -> (f64, f64) {
    let t2 = theta * theta;
    let t6 = t2 * t2 * t2;
    let y = theta * (A1 + A2 * t2 + t6 * (A3 + A4 * t2));
    let slope = A1 + 3.0 * A2 * t2 + t6 * (7.0 * A3 + 9.0 * A4 * t2);
    (y, slope)
}

impl Projection for EqualEarth {
    fn forward(&self, lon: f64, lat: f64) -> (f64, f64) {
        let theta = (HALF_SQRT_3 * lat.to_radians().sin()).asin();
        let (y, slope) = northing(theta);
        let x = lon.to_radians() * theta.cos() / (HALF_SQRT_3 * slope);
        (x, y)
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
