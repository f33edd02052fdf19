//! Metres a CRS unit, so that edges and centres of any CRS compare on the ground.

const SEMI_MAJOR_M: f64 = 6_378_137.0;
const ECCENTRICITY_2: f64 = 0.006_694_379_990_141_317;

/// How many metres one unit of x and of y is, near a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// The same everywhere in the tile: projected CRSs.
    Fixed([f64; 2]),
    /// Degrees of longitude and latitude on WGS84: depends on the point's latitude.
    Geographic,
}

impl Metric {
    /// Metres a unit of x and of y at a point whose second coordinate is `y`.
    #[must_use]
    pub fn at(&self, y: f64) -> [f64; 2] {
        match self {
            Self::Fixed(scale) => *scale,
            Self::Geographic => {
                let (sin, cos) = y.to_radians().sin_cos();
                let w2 = 1.0 - ECCENTRICITY_2 * sin * sin;
                let normal = SEMI_MAJOR_M / w2.sqrt();
                let meridional = normal * (1.0 - ECCENTRICITY_2) / w2;
                [
                    normal * cos.abs() * 1.0_f64.to_radians(),
                    meridional * 1.0_f64.to_radians(),
                ]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_degree_has_its_textbook_length() {
        // WGS84: 111,319.49 m and 110,574.28 m at the equator, 55,800 m and 111,412.2 m at 60.
        let [lon, lat] = Metric::Geographic.at(0.0);
        assert!((lon - 111_319.49).abs() < 0.01 && (lat - 110_574.28).abs() < 0.01);
        let [lon, lat] = Metric::Geographic.at(60.0);
        assert!((lon - 55_800.0).abs() < 1.0 && (lat - 111_412.2).abs() < 0.1);
    }
}
