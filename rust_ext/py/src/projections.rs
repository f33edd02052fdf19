//! Glue of map projections: what a tile index is asked to project with.
use crate::error::to_python;
use gair_core::projection::{Geographic, Projection as Map, TransverseMercator, WebMercator};
use pyo3::prelude::*;
use std::sync::Arc;

/// How longitude and latitude become the coordinates of a CRS.
#[pyclass(frozen, module = "gair_cli._rust")]
pub(crate) struct Projection {
    pub(crate) map: Arc<dyn Map + Send + Sync>,
}

impl Projection {
    fn of(map: impl Map + Send + 'static) -> Self {
        Self { map: Arc::new(map) }
    }
}

#[pymethods]
impl Projection {
    /// Longitude and latitude themselves.
    #[staticmethod]
    fn geographic() -> Self {
        Self::of(Geographic)
    }

    /// The sphere of web maps, EPSG:3857.
    #[staticmethod]
    fn web_mercator() -> Self {
        Self::of(WebMercator)
    }

    /// A UTM zone of WGS84.
    #[staticmethod]
    fn utm(zone: u8, north: bool) -> PyResult<Self> {
        Ok(Self::of(
            TransverseMercator::utm(zone, north).map_err(to_python)?,
        ))
    }

    /// Any CRS that PROJ knows.
    #[cfg(feature = "gdal")]
    #[staticmethod]
    fn proj(py: Python<'_>, crs: &str) -> PyResult<Self> {
        py.detach(|| gair_raster::ProjProjection::new(crs))
            .map(Self::of)
            .map_err(|error| pyo3::exceptions::PyValueError::new_err(error.to_string()))
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Projection>()
}
