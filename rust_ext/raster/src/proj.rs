//! Any CRS that PROJ knows as a projection of the core.
use std::sync::Mutex;

use gair_core::projection::Projection;

use crate::error::Result;
use crate::projector::Projector;

/// Longitude and latitude to a CRS and back, through PROJ, on any thread.
#[derive(Debug)]
pub struct ProjProjection {
    to: Projector,
    back: Projector,
    /// A full turn, where the CRS's own coordinates are angles.
    turn: Option<f64>,
    fault: Mutex<Option<String>>,
}

impl ProjProjection {
    /// Finds the way to a CRS and back.
    ///
    /// # Errors
    /// [`crate::Error::Unusable`] when the CRS is unknown or there is no way.
    pub fn new(crs: &str) -> Result<Self> {
        let to = Projector::new("EPSG:4326", crs)?;
        Ok(Self {
            turn: to.turn(),
            to,
            back: Projector::new(crs, "EPSG:4326")?,
            fault: Mutex::new(None),
        })
    }

    fn run(&self, projector: &Projector, x: &mut [f64], y: &mut [f64]) {
        if let Err(error) = projector.transform(x, y) {
            x.fill(f64::NAN);
            y.fill(f64::NAN);
            if let Ok(mut fault) = self.fault.lock() {
                fault.get_or_insert(error.to_string());
            }
        }
    }
}

impl Projection for ProjProjection {
    fn forward(&self, lon: f64, lat: f64) -> (f64, f64) {
        let (mut x, mut y) = ([lon], [lat]);
        self.forward_all(&mut x, &mut y);
        (x[0], y[0])
    }

    fn forward_all(&self, lons: &mut [f64], lats: &mut [f64]) {
        self.run(&self.to, lons, lats);
    }

    fn inverse(&self, x: f64, y: f64) -> (f64, f64) {
        let (mut lon, mut lat) = ([x], [y]);
        self.inverse_all(&mut lon, &mut lat);
        (lon[0], lat[0])
    }

    fn inverse_all(&self, xs: &mut [f64], ys: &mut [f64]) {
        self.run(&self.back, xs, ys);
    }

    fn turn(&self) -> Option<f64> {
        self.turn
    }

    fn fault(&self) -> Option<String> {
        self.fault.lock().ok().and_then(|fault| fault.clone())
    }
}
