//! Longitude and latitude themselves, for tiles in degrees.
use super::{Projection, wrap_degrees};

/// The projection that changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geographic;

impl Projection for Geographic {
    fn forward(&self, lon: f64, lat: f64) -> (f64, f64) {
        (lon, lat)
    }

    fn inverse(&self, x: f64, y: f64) -> (f64, f64) {
        let on_map = (-180.0..=180.0).contains(&x);
        (if on_map { x } else { wrap_degrees(x) }, y)
    }

    fn turn(&self) -> Option<f64> {
        Some(360.0)
    }
}
