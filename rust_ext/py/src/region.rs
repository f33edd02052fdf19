//! Glue of the polygons in `gair_raster`.
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::raster::to_python;

/// CRS and WKB polygons of a layer.
type Layer<'py> = (Option<String>, Vec<Bound<'py, PyBytes>>);

/// Read the polygons of a vector file: one (CRS, WKB polygons) a layer.
#[pyfunction]
fn read_polygons<'py>(py: Python<'py>, path: &str) -> PyResult<Vec<Layer<'py>>> {
    let layers = py
        .detach(|| gair_raster::read_polygons(path))
        .map_err(to_python)?;
    let bytes = |polygons: Vec<Vec<u8>>| {
        polygons
            .iter()
            .map(|wkb| PyBytes::new(py, wkb))
            .collect::<Vec<_>>()
    };
    Ok(layers
        .into_iter()
        .map(|layer| (layer.crs, bytes(layer.polygons)))
        .collect())
}

/// Tell which of some WKB outlines share area with any of some WKB polygons.
#[pyfunction]
fn shares_area(
    py: Python<'_>,
    outlines: Vec<Vec<u8>>,
    polygons: Vec<Vec<u8>>,
) -> PyResult<Bound<'_, PyArray1<bool>>> {
    let found = py
        .detach(|| gair_raster::shares_area(&outlines, &polygons))
        .map_err(to_python)?;
    Ok(found.into_pyarray(py))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(read_polygons, module)?)?;
    module.add_function(wrap_pyfunction!(shares_area, module)?)
}
