//! Transverse Mercator after Krueger, to the sixth order of the third flattening.
//!
//! Source: Karney, "Transverse Mercator with an accuracy of a few nanometers", Journal of Geodesy
//! 85, 2011, equations 7-12 (conformal latitude), 35 and 36 (series). What differs: the sines and
//! hyperbolic sines of the doubled angles come from one division and one square root, and the sums
//! run by Clenshaw's recurrence in complex form, so that a point costs few transcendental calls.
//! Arrays of points go through a loop that makes no such call at all (`many.rs`).
mod coefficients;
mod many;

use super::{Projection, wrap_degrees};
use crate::{Error, Result};
use coefficients::{alpha_coefficients, beta_coefficients};

const SEMI_MAJOR_M: f64 = 6_378_137.0;
const FLATTENING: f64 = 1.0 / 298.257_223_563;
const ORDER: usize = 6;
const NEWTON_STEPS: usize = 3;
/// Beyond this complex latitude the series no longer converges (PROJ draws the same line).
const MAX_ETA: f64 = 2.623_395_162_778;

/// A transverse Mercator projection of the WGS84 ellipsoid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TransverseMercator {
    central_meridian: f64,
    false_easting: f64,
    false_northing: f64,
    scaled_radius: f64,
    eccentricity: f64,
    alpha: [f64; ORDER],
    beta: [f64; ORDER],
}

impl TransverseMercator {
    /// Makes the projection of UTM zone 1 to 60; `north` picks the false northing.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a zone outside 1 to 60.
    pub fn utm(zone: u8, north: bool) -> Result<Self> {
        if !(1..=60).contains(&zone) {
            return Err(Error::InvalidArgument(format!(
                "UTM zones are 1 to 60, got {zone}"
            )));
        }
        let central_meridian = f64::from(zone) * 6.0 - 183.0;
        Ok(Self::new(
            central_meridian,
            0.9996,
            500_000.0,
            if north { 0.0 } else { 10_000_000.0 },
        ))
    }

    /// Makes a projection about `central_meridian` (degrees) with its scale and false origin.
    #[must_use]
    pub fn new(central_meridian: f64, scale: f64, false_easting: f64, false_northing: f64) -> Self {
        let n = FLATTENING / (2.0 - FLATTENING);
        let n2 = n * n;
        let rectifying =
            SEMI_MAJOR_M / (1.0 + n) * (1.0 + n2 / 4.0 + n2 * n2 / 64.0 + n2 * n2 * n2 / 256.0);
        Self {
            central_meridian,
            false_easting,
            false_northing,
            scaled_radius: scale * rectifying,
            eccentricity: (FLATTENING * (2.0 - FLATTENING)).sqrt(),
            alpha: alpha_coefficients(n),
            beta: beta_coefficients(n),
        }
    }

    /// `sinh` and `cosh` of `e atanh(e sin(lat))`, which is below 0.0068.
    #[allow(clippy::inline_always)] // part of the loop over arrays
    #[inline(always)]
    fn lift(&self, sin: f64) -> (f64, f64) {
        let e = self.eccentricity;
        let square = e * e * sin * sin;
        let atanh = 1.0
            + square
                * (1.0 / 3.0
                    + square
                        * (1.0 / 5.0
                            + square * (1.0 / 7.0 + square * (1.0 / 9.0 + square * (1.0 / 11.0)))));
        let q = e * e * sin * atanh;
        let q2 = q * q;
        let sinh = q * (1.0 + q2 * (1.0 / 6.0 + q2 * (1.0 / 120.0 + q2 * (1.0 / 5040.0))));
        let cosh = 1.0 + q2 * (0.5 + q2 * (1.0 / 24.0 + q2 * (1.0 / 720.0)));
        (sinh, cosh)
    }

    /// Equation 7: the tangent of the conformal latitude.
    fn conformal_tangent(&self, tau: f64) -> f64 {
        let secant = secant_of(tau);
        let (sinh, cosh) = self.lift(tau / secant);
        tau * cosh - sinh * secant
    }

    /// Equations 19-21: the geographic tangent of a conformal one, by Newton's method.
    fn geographic_tangent(&self, conformal: f64) -> f64 {
        let e2 = self.eccentricity * self.eccentricity;
        let mut tau = conformal / (1.0 - e2);
        if tau.abs() > 1e9 {
            return tau; // within a hair of a pole the two differ by less than a rounding
        }
        for _ in 0..NEWTON_STEPS {
            let value = self.conformal_tangent(tau);
            let slope =
                (1.0 - e2) * secant_of(tau) * secant_of(value) / (1.0 + (1.0 - e2) * tau * tau);
            tau += (conformal - value) / slope;
        }
        tau
    }

    /// Equations 15 to 18: back to the sphere; none far outside the domain.
    fn on_sphere(&self, x: f64, y: f64) -> Option<OnSphere> {
        let xi = (y - self.false_northing) / self.scaled_radius;
        let eta = (x - self.false_easting) / self.scaled_radius;
        if eta.is_nan() || eta.abs() > MAX_ETA {
            return None;
        }
        let (sin, cos) = (2.0 * xi).sin_cos();
        let double = Doubled {
            sin,
            cos,
            sinh: (2.0 * eta).sinh(),
            cosh: (2.0 * eta).cosh(),
        };
        let (d_xi, d_eta) = series(&self.beta, &double);
        let (sin_xi, cos_xi) = (xi - d_xi).sin_cos();
        let sinh_eta = (eta - d_eta).sinh();
        let reach2 = sinh_eta * sinh_eta + cos_xi * cos_xi;
        Some(OnSphere {
            sinh_eta,
            cos_xi,
            reach2,
            tau: sin_xi / reach2.sqrt(),
            double,
        })
    }
}

impl Projection for TransverseMercator {
    fn forward(&self, lon: f64, lat: f64) -> (f64, f64) {
        let (sin_lon, cos_lon) = wrap_degrees(lon - self.central_meridian)
            .to_radians()
            .sin_cos();
        let tau = self.conformal_tangent(lat.to_radians().tan());
        let square = tau * tau + cos_lon * cos_lon;
        let secant2 = tau * tau + 1.0;
        let xi = tau.atan2(cos_lon);
        let eta = (sin_lon / square.sqrt()).asinh();
        if eta.is_nan() || eta.abs() > MAX_ETA || lat.abs() > 90.0 {
            return (f64::NAN, f64::NAN);
        }
        let double = Doubled {
            sin: 2.0 * tau * cos_lon / square,
            cos: (cos_lon * cos_lon - tau * tau) / square,
            sinh: 2.0 * sin_lon * secant2.sqrt() / square,
            cosh: (secant2 + sin_lon * sin_lon) / square,
        };
        let (d_xi, d_eta) = series(&self.alpha, &double);
        (
            self.false_easting + self.scaled_radius * (eta + d_eta),
            self.false_northing + self.scaled_radius * (xi + d_xi),
        )
    }

    fn forward_all(&self, lons: &mut [f64], lats: &mut [f64]) {
        many::forward(self, lons, lats);
    }

    fn inverse(&self, x: f64, y: f64) -> (f64, f64) {
        let Some(point) = self.on_sphere(x, y) else {
            return (f64::NAN, f64::NAN);
        };
        let lon = self.central_meridian + point.sinh_eta.atan2(point.cos_xi).to_degrees();
        let tau = self.geographic_tangent(point.tau);
        (wrap_degrees(lon), tau.atan().to_degrees())
    }

    /// Equations 25, 27 and 28 of the source, from the map's side.
    fn point_scale(&self, x: f64, y: f64) -> Option<f64> {
        let point = self.on_sphere(x, y)?;
        let tau = self.geographic_tangent(point.tau);
        let e2 = self.eccentricity * self.eccentricity;
        let of_sphere = (1.0 + (1.0 - e2) * tau * tau) * point.reach2;
        let (real, imag) = slope(&self.beta, &point.double);
        let stretch2 = (1.0 - real) * (1.0 - real) + imag * imag;
        Some(self.scaled_radius / SEMI_MAJOR_M * (of_sphere / stretch2).sqrt())
    }
}

/// A point of the map on the sphere of conformal latitudes.
struct OnSphere {
    sinh_eta: f64,
    cos_xi: f64,
    /// The sum of the squares of these.
    reach2: f64,
    /// The tangent of the conformal latitude.
    tau: f64,
    /// The point on the map.
    double: Doubled,
}

/// The secant of an angle by its tangent, which is below 1e17: its square does not overflow.
fn secant_of(tangent: f64) -> f64 {
    (1.0 + tangent * tangent).sqrt()
}

/// Circular functions of 2 xi and hyperbolic ones of 2 eta.
struct Doubled {
    sin: f64,
    cos: f64,
    sinh: f64,
    cosh: f64,
}

/// Sums `c_j sin(2 j zeta)` for the complex `zeta = xi + i eta` by Clenshaw's recurrence.
#[allow(clippy::inline_always)] // part of the loop over arrays
#[inline(always)]
fn series(coefficients: &[f64; ORDER], double: &Doubled) -> (f64, f64) {
    let (near, _) = recurrence(coefficients, double);
    let (sin_real, sin_imag) = (double.sin * double.cosh, double.cos * double.sinh);
    (
        near.0 * sin_real - near.1 * sin_imag,
        near.0 * sin_imag + near.1 * sin_real,
    )
}

/// Sums `2 j c_j cos(2 j zeta)`, the slope of [`series`].
fn slope(coefficients: &[f64; ORDER], double: &Doubled) -> (f64, f64) {
    let mut slopes = *coefficients;
    let mut order = 0.0;
    for slope in &mut slopes {
        order += 2.0;
        *slope *= order;
    }
    let (near, far) = recurrence(&slopes, double);
    let (cos_real, cos_imag) = (double.cos * double.cosh, -double.sin * double.sinh);
    (
        near.0 * cos_real - near.1 * cos_imag - far.0,
        near.0 * cos_imag + near.1 * cos_real - far.1,
    )
}

/// The last two complex terms of Clenshaw's recurrence over multiples of `2 zeta`.
#[allow(clippy::inline_always)] // part of the loop over arrays
#[inline(always)]
fn recurrence(coefficients: &[f64; ORDER], double: &Doubled) -> ((f64, f64), (f64, f64)) {
    let (real, imag) = (
        2.0 * double.cos * double.cosh,
        -2.0 * double.sin * double.sinh,
    );
    let (mut near, mut far) = ((0.0, 0.0), (0.0, 0.0));
    for c in coefficients.iter().rev() {
        let next = (
            real * near.0 - imag * near.1 - far.0 + c,
            real * near.1 + imag * near.0 - far.1,
        );
        (near, far) = (next, near);
    }
    (near, far)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_pole_is_half_a_meridian_away() {
        // The quarter meridian of WGS84 is 10,001,965.7293 m; UTM shrinks it by 0.9996.
        let zone = TransverseMercator::utm(33, true).expect("zone 33 exists");
        let (x, y) = zone.forward(15.0, 90.0);
        assert!((x - 500_000.0).abs() < 1e-6);
        assert!((y - 10_001_965.729_3 * 0.9996).abs() < 1e-3);
    }

    #[test]
    fn the_scale_is_what_steps_on_the_map_measure() {
        let zone = TransverseMercator::utm(33, true).expect("zone 33 exists");
        let at = |x, y| zone.point_scale(x, y).expect("near the meridian");
        assert!((at(500_000.0, 0.0) - 0.9996).abs() < 1e-12);
        // Snyder 1987, equation 8-12: 1 on both sides some 180 km away
        assert!((at(320_000.0, 0.0) - 1.0).abs() < 1e-5);
        for (lon, lat) in [(16.5, 47.3), (9.0, -70.0), (14.99, 89.9), (27.0, 5.0)] {
            let (x, y) = zone.forward(lon, lat);
            let (_, above) = zone.forward(lon, lat + 1e-5);
            let (x_above, _) = zone.forward(lon, lat + 1e-5);
            let step = ((above - y).powi(2) + (x_above - x).powi(2)).sqrt();
            let e2 = zone.eccentricity * zone.eccentricity;
            let sin = f64::to_radians(lat + 5e-6).sin();
            let radius = SEMI_MAJOR_M * (1.0 - e2) / (1.0 - e2 * sin * sin).powf(1.5);
            let measured = step / (radius * 1e-5_f64.to_radians());
            assert!((at(x, y) / measured - 1.0).abs() < 1e-6, "{lon} {lat}");
        }
    }

    #[test]
    fn zones_outside_1_to_60_are_refused() {
        assert!(TransverseMercator::utm(0, true).is_err());
        assert!(TransverseMercator::utm(61, true).is_err());
    }

    #[test]
    fn the_far_side_of_the_earth_has_no_place() {
        let zone = TransverseMercator::utm(31, true).expect("zone 31 exists");
        assert!(zone.forward(93.0, 0.0).0.is_nan());
        assert!(zone.forward(f64::NAN, 0.0).0.is_nan());
    }

    #[test]
    fn the_antimeridian_is_no_seam_for_zone_1() {
        let zone = TransverseMercator::utm(1, true).expect("zone 1 exists");
        let (west, _) = zone.forward(179.999_999, 10.0);
        let (east, _) = zone.forward(-179.999_999, 10.0);
        assert!((east - west) > 0.0 && (east - west) < 1.0);
    }

    proptest! {
        #[test]
        fn inverse_undoes_forward(offset in -15.0..15.0_f64, lat in -89.99..89.99_f64) {
            let zone = TransverseMercator::utm(33, false).expect("zone 33 exists");
            let (x, y) = zone.forward(15.0 + offset, lat);
            let (lon2, lat2) = zone.inverse(x, y);
            let metres = (15.0 + offset - lon2).abs() * lat.to_radians().cos();
            prop_assert!(metres < 1e-11 * 10.0 && (lat - lat2).abs() < 1e-10);
        }
    }
}
