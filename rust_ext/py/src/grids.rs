//! Glue of `gair_raster::regrid`.
#![allow(clippy::needless_pass_by_value)] // pyo3 hands arguments over by value
use pyo3::prelude::*;

use crate::raster::to_python;
use crate::scene::PyGrid;

/// Rasterio's a, b, c, d, e, f, which Python wants as a tuple.
type Transform = (f64, f64, f64, f64, f64, f64);

/// Propose a grid of another system for a raster: its transform, columns and rows.
#[pyfunction]
#[pyo3(signature = (grid, crs, resolution=None))]
fn suggest_grid(
    py: Python<'_>,
    grid: PyGrid,
    crs: &str,
    resolution: Option<f64>,
) -> PyResult<(Transform, usize, usize)> {
    let source = grid.into_core();
    let made = py
        .detach(|| gair_raster::suggest(&source, crs, resolution))
        .map_err(to_python)?;
    let [a, b, west, d, e, north] = made.transform;
    Ok(((a, b, west, d, e, north), made.width, made.height))
}

/// Return the bounds of a raster in another system: west, south, east, north.
#[pyfunction]
fn grid_bounds(py: Python<'_>, grid: PyGrid, crs: &str) -> PyResult<(f64, f64, f64, f64)> {
    let source = grid.into_core();
    let [west, south, east, north] = py
        .detach(|| gair_raster::bounds_in(&source, crs))
        .map_err(to_python)?;
    Ok((west, south, east, north))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(suggest_grid, module)?)?;
    module.add_function(wrap_pyfunction!(grid_bounds, module)?)?;
    Ok(())
}
