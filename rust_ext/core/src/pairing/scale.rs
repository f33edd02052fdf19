//! Metres a CRS unit, so that edges and centres of any CRS compare on the ground.
use crate::projection::Projection;

const SEMI_MAJOR_M: f64 = 6_378_137.0;
const ECCENTRICITY_2: f64 = 0.006_694_379_990_141_317;

/// How many metres one unit of x and of y is at a tile; as float32, which is exact to 0.1 mm in
/// a kilometre and lets many tiles stay in the cache.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale([f32; 2]);

impl Scale {
    /// Degrees of longitude and latitude on WGS84: depends on the point's latitude.
    pub const GEOGRAPHIC: Self = Self([f32::NAN; 2]);

    /// The same everywhere in the tile: projected CRSs.
    #[allow(clippy::cast_possible_truncation)] // see the type
    #[must_use]
    pub fn fixed([x, y]: [f64; 2]) -> Self {
        Self([x as f32, y as f32])
    }

    /// Measures the scale at a point of a CRS, on the ellipsoid, by the ground between it and
    /// points `step` units away along x and y.
    pub fn measured(projection: &dyn Projection, [x, y]: [f64; 2], step: f64) -> Self {
        if let Some(scale) = projection.point_scale(x, y) {
            return Self::fixed([scale.recip(); 2]);
        }
        let (lon, lat) = projection.inverse(x, y);
        let [a_degree_lon, a_degree_lat] = metres_a_degree(lat);
        let along = |dx: f64, dy: f64| {
            let (east, north) = projection.inverse(x + dx, y + dy);
            let turn = crate::projection::wrap_degrees(east - lon);
            let (across, along) = (turn * a_degree_lon, (north - lat) * a_degree_lat);
            (across * across + along * along).sqrt() / step
        };
        Self::fixed([along(step, 0.0), along(0.0, step)])
    }

    /// Metres a unit of x and of y at a point whose second coordinate is `y`.
    #[must_use]
    #[inline]
    pub fn at(self, y: f64) -> [f64; 2] {
        if self.0[0].is_nan() {
            return metres_a_degree(y);
        }
        self.0.map(f64::from)
    }
}

/// The ground length of a degree of longitude and of latitude on WGS84.
fn metres_a_degree(lat: f64) -> [f64; 2] {
    let (sin, cos) = lat.to_radians().sin_cos();
    let w2 = 1.0 - ECCENTRICITY_2 * sin * sin;
    let normal = SEMI_MAJOR_M / w2.sqrt();
    let meridional = normal * (1.0 - ECCENTRICITY_2) / w2;
    [
        normal * cos.abs() * 1.0_f64.to_radians(),
        meridional * 1.0_f64.to_radians(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::{TransverseMercator, WebMercator};

    #[test]
    fn a_degree_has_its_textbook_length() {
        // WGS84: 111,319.49 m and 110,574.28 m at the equator, 55,800 m and 111,412.2 m at 60.
        let [lon, lat] = Scale::GEOGRAPHIC.at(0.0);
        assert!((lon - 111_319.49).abs() < 0.01 && (lat - 110_574.28).abs() < 0.01);
        let [lon, lat] = Scale::GEOGRAPHIC.at(60.0);
        assert!((lon - 55_800.0).abs() < 1.0 && (lat - 111_412.2).abs() < 0.1);
    }

    #[test]
    fn a_zone_shrinks_its_meridian_and_web_maps_stretch_with_the_latitude() {
        let zone = TransverseMercator::utm(33, true).expect("zone 33 exists");
        let [x, y] = Scale::measured(&zone, [500_000.0, 5_000_000.0], 10.0).at(0.0);
        assert!((x - 1.0 / 0.9996).abs() < 1e-6 && (y - 1.0 / 0.9996).abs() < 1e-6);
        let (east, north) = WebMercator.forward(10.0, 60.0);
        let [x, _] = Scale::measured(&WebMercator, [east, north], 10.0).at(0.0);
        assert!((x - 0.5).abs() < 0.002, "{x}"); // cos(60), and the ellipsoid's 0.25 %
    }
}
