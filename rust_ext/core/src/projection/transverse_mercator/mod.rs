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

    /// Equation 7: the tangent of the conformal latitude.
    fn conformal_tangent(&self, tau: f64) -> f64 {
        let secant = tau.hypot(1.0);
        let sigma = (self.eccentricity * (self.eccentricity * tau / secant).atanh()).sinh();
        tau * sigma.hypot(1.0) - sigma * secant
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
                (1.0 - e2) * tau.hypot(1.0) * value.hypot(1.0) / (1.0 + (1.0 - e2) * tau * tau);
            tau += (conformal - value) / slope;
        }
        tau
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
        let xi = (y - self.false_northing) / self.scaled_radius;
        let eta = (x - self.false_easting) / self.scaled_radius;
        if eta.is_nan() || eta.abs() > MAX_ETA {
            return (f64::NAN, f64::NAN);
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
        let tau = self.geographic_tangent(sin_xi / sinh_eta.hypot(cos_xi));
        let lon = self.central_meridian + sinh_eta.atan2(cos_xi).to_degrees();
        (wrap_degrees(lon), tau.atan().to_degrees())
    }
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
    let (sin_real, sin_imag) = (double.sin * double.cosh, double.cos * double.sinh);
    (
        near.0 * sin_real - near.1 * sin_imag,
        near.0 * sin_imag + near.1 * sin_real,
    )
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
