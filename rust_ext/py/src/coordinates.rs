//! Glue of `gair_core::projection`: (N, 2) arrays in, new arrays out.
use crate::error::to_python;
use gair_core::Result;
use gair_core::projection::{self, EqualEarth, Projection, TransverseMercator, WebMercator};
use numpy::{PyArray2, PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Rows of two numbers of a C-contiguous (N, 2) array.
pub(crate) fn rows<'a>(array: &'a PyReadonlyArray2<'_, f64>) -> PyResult<&'a [[f64; 2]]> {
    if array.shape()[1] != 2 {
        return Err(PyValueError::new_err(format!(
            "points have the shape (N, 2), got {:?}",
            array.shape()
        )));
    }
    if !array.is_c_contiguous() {
        return Err(PyValueError::new_err("points must be C-contiguous float64"));
    }
    let numbers = array
        .as_slice()
        .map_err(|_| PyValueError::new_err("points must be C-contiguous float64"))?;
    Ok(numbers.as_chunks::<2>().0)
}

/// Splits rows into two columns.
pub(crate) fn columns(points: &[[f64; 2]]) -> (Vec<f64>, Vec<f64>) {
    points.iter().map(|point| (point[0], point[1])).unzip()
}

fn map_rows<P: Projection>(points: &[[f64; 2]], map: &P, inverse: bool) -> Result<Vec<f64>> {
    let (mut first, mut second) = columns(points);
    if inverse {
        projection::inverse(map, &mut first, &mut second)?;
    } else {
        projection::forward(map, &mut first, &mut second)?;
    }
    Ok(first
        .into_iter()
        .zip(second)
        .flat_map(|(u, v)| [u, v])
        .collect())
}

fn projected<'py, P: Projection>(
    py: Python<'py>,
    points: &PyReadonlyArray2<'py, f64>,
    map: &P,
    inverse: bool,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let points = rows(points)?;
    let numbers = py
        .detach(|| map_rows(points, map, inverse))
        .map_err(to_python)?;
    numpy::PyArray1::from_vec(py, numbers).reshape([points.len(), 2])
}

/// Project (N, 2) lon, lat to UTM eastings and northings, or back with `inverse`.
#[pyfunction]
#[pyo3(signature = (points, *, zone, north, inverse=false))]
fn utm<'py>(
    py: Python<'py>,
    points: PyReadonlyArray2<'py, f64>,
    zone: u8,
    north: bool,
    inverse: bool,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let map = TransverseMercator::utm(zone, north).map_err(to_python)?;
    projected(py, &points, &map, inverse)
}

/// Project (N, 2) lon, lat to Web Mercator metres, or back with `inverse`.
#[pyfunction]
#[pyo3(signature = (points, *, inverse=false))]
fn web_mercator<'py>(
    py: Python<'py>,
    points: PyReadonlyArray2<'py, f64>,
    inverse: bool,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    projected(py, &points, &WebMercator, inverse)
}

/// Return (N, 2) longitudes and latitudes of points of the Equal Earth map of a unit sphere.
#[pyfunction]
fn equal_earth_inverse<'py>(
    py: Python<'py>,
    points: PyReadonlyArray2<'py, f64>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    projected(py, &points, &EqualEarth, true)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(utm, module)?)?;
    module.add_function(wrap_pyfunction!(web_mercator, module)?)?;
    module.add_function(wrap_pyfunction!(equal_earth_inverse, module)?)
}
