//! Web Mercator (EPSG:3857): the WGS84 latitude on a sphere of the equatorial radius.
use super::Projection;

const RADIUS_M: f64 = 6_378_137.0;

/// The spherical Mercator projection of web maps; the poles are outside of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebMercator;

impl Projection for WebMercator {
    fn forward(&self, lon: f64, lat: f64) -> (f64, f64) {
        if lat.abs() >= 90.0 {
            return (f64::NAN, f64::NAN);
        }
        (
            RADIUS_M * lon.to_radians(),
            RADIUS_M * lat.to_radians().tan().asinh(),
        )
    }

    fn turn(&self) -> Option<f64> {
        Some(RADIUS_M * std::f64::consts::TAU)
    }

    fn inverse(&self, x: f64, y: f64) -> (f64, f64) {
        (
            (x / RADIUS_M).to_degrees(),
            (y / RADIUS_M).sinh().atan().to_degrees(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_square_world_ends_at_85_degrees() {
        let (x, y) = WebMercator.forward(180.0, 85.051_128_779_806_59);
        assert!((x - 20_037_508.342_789_244).abs() < 1e-6);
        assert!((y - 20_037_508.342_789_244).abs() < 1e-5);
    }

    #[test]
    fn a_pole_has_no_place() {
        assert!(WebMercator.forward(0.0, 90.0).1.is_nan());
    }
}
