//! Map projections over separate coordinate arrays, with PROJ as the oracle of their tests.
//!
//! Every function takes degrees and metres, works in place on structure-of-arrays slices and never
//! fails on a coordinate: a point outside a projection's domain becomes NaN, which lies in no tile.
mod equal_earth;
mod geographic;
mod transverse_mercator;
mod web_mercator;

pub use equal_earth::EqualEarth;
pub use geographic::Geographic;
pub use transverse_mercator::TransverseMercator;
pub use web_mercator::WebMercator;

use crate::{Error, Result};
use rayon::prelude::*;

/// Points a thread projects at once: two arrays of them stay in the first-level cache.
const CHUNK: usize = 1024;

/// A map projection of single points; the slices of [`forward`] and [`inverse`] build on it.
pub trait Projection: Sync {
    /// Projects one longitude and latitude in degrees; NaN outside the domain.
    fn forward(&self, lon: f64, lat: f64) -> (f64, f64);

    /// Projects longitudes and latitudes in place; where rounding differs from [`Self::forward`],
    /// it does so by nanometres and alike for a point in any array.
    fn forward_all(&self, lons: &mut [f64], lats: &mut [f64]) {
        for (lon, lat) in lons.iter_mut().zip(lats) {
            (*lon, *lat) = self.forward(*lon, *lat);
        }
    }

    /// Returns the longitude and latitude in degrees of a projected point; NaN outside the domain.
    fn inverse(&self, x: f64, y: f64) -> (f64, f64);

    /// Units of the map per metre on the ground at a projected point, where that is the same in all
    /// directions and known without measuring.
    fn point_scale(&self, _x: f64, _y: f64) -> Option<f64> {
        None
    }

    /// A full turn about the Earth in units of x, where x goes on round it: 360 for degrees.
    fn turn(&self) -> Option<f64> {
        None
    }

    /// What went wrong with a transformation since it was made; points it concerns became NaN.
    fn fault(&self) -> Option<String> {
        None
    }

    /// Turns projected points back into longitudes and latitudes, in place.
    fn inverse_all(&self, xs: &mut [f64], ys: &mut [f64]) {
        for (x, y) in xs.iter_mut().zip(ys) {
            (*x, *y) = self.inverse(*x, *y);
        }
    }
}

/// Projects `(lon, lat)` in place, many points at a time.
///
/// # Errors
/// [`Error::InvalidArgument`] where the slices differ in length.
pub fn forward<P: Projection>(projection: &P, first: &mut [f64], second: &mut [f64]) -> Result<()> {
    map_points(first, second, |lons, lats| {
        projection.forward_all(lons, lats);
    })
}

/// Turns projected points back into `(lon, lat)`, in place, many points at a time.
///
/// # Errors
/// [`Error::InvalidArgument`] where the slices differ in length.
pub fn inverse<P: Projection>(projection: &P, first: &mut [f64], second: &mut [f64]) -> Result<()> {
    map_points(first, second, |xs, ys| {
        projection.inverse_all(xs, ys);
    })
}

fn map_points(
    first: &mut [f64],
    second: &mut [f64],
    map: impl Fn(&mut [f64], &mut [f64]) + Sync,
) -> Result<()> {
    if first.len() != second.len() {
        return Err(Error::InvalidArgument(format!(
            "both coordinates need equally many values, got {} and {}",
            first.len(),
            second.len()
        )));
    }
    first
        .par_chunks_mut(CHUNK)
        .zip(second.par_chunks_mut(CHUNK))
        .for_each(|(us, vs)| map(us, vs));
    Ok(())
}

/// Brings an angle in degrees to [-180, 180).
#[must_use]
pub fn wrap_degrees(angle: f64) -> f64 {
    angle - 360.0 * ((angle + 180.0) / 360.0).floor()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_of_different_length_are_refused() {
        let result = forward(&WebMercator, &mut [0.0, 1.0], &mut [0.0]);
        assert!(matches!(result, Err(Error::InvalidArgument(_))));
    }

    #[test]
    fn the_antimeridian_is_one_meridian() {
        assert!((wrap_degrees(180.0) + 180.0).abs() < 1e-12);
        assert!((wrap_degrees(-181.0) - 179.0).abs() < 1e-12);
        assert!((wrap_degrees(540.5) + 179.5).abs() < 1e-12);
    }
}
