//! Glue of `gair_core::projection` and `gair_core::encoding`: (N, 2) arrays in, new arrays out.
use crate::error::to_python;
use gair_core::projection::{self, EqualEarth, Projection, TransverseMercator, WebMercator};
use gair_core::{Result, encoding};
use numpy::{PyArray2, PyArrayMethods, PyReadonlyArray2, PyReadwriteArray2, PyUntypedArrayMethods};
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

/// Project (N, 2) lon, lat by Equal Earth on the unit sphere, or back with `inverse`.
#[pyfunction]
#[pyo3(signature = (points, *, inverse=false))]
fn equal_earth<'py>(
    py: Python<'py>,
    points: PyReadonlyArray2<'py, f64>,
    inverse: bool,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    projected(py, &points, &EqualEarth, inverse)
}

/// The rows an encoding fills: the caller's array, or a new one of `width` columns.
fn output<'py>(
    py: Python<'py>,
    out: Option<Bound<'py, PyArray2<f32>>>,
    shape: [usize; 2],
) -> Bound<'py, PyArray2<f32>> {
    out.unwrap_or_else(|| PyArray2::zeros(py, shape, false))
}

fn writable<'a>(array: &'a mut PyReadwriteArray2<'_, f32>) -> PyResult<&'a mut [f32]> {
    array
        .as_slice_mut()
        .map_err(|_| PyValueError::new_err("out must be C-contiguous float32"))
}

/// Encode (N, 2) points with (F, 2) directions as (N, 2F) cosines, then sines.
#[pyfunction]
#[pyo3(signature = (points, matrix, *, out=None))]
fn fourier_features<'py>(
    py: Python<'py>,
    points: PyReadonlyArray2<'py, f64>,
    matrix: PyReadonlyArray2<'py, f64>,
    out: Option<Bound<'py, PyArray2<f32>>>,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let (points, matrix) = (rows(&points)?, rows(&matrix)?);
    let array = output(py, out, [points.len(), 2 * matrix.len()]);
    let mut guard = array.try_readwrite()?;
    let values = writable(&mut guard)?;
    py.detach(|| encoding::fourier_features(points, matrix, values))
        .map_err(to_python)?;
    drop(guard);
    Ok(array)
}

/// Encode (N, 2) lon, lat as the (N, (degree + 1)^2) real spherical harmonics up to `degree`.
#[pyfunction]
#[pyo3(signature = (lonlat, degree, *, out=None))]
fn spherical_harmonics<'py>(
    py: Python<'py>,
    lonlat: PyReadonlyArray2<'py, f64>,
    degree: usize,
    out: Option<Bound<'py, PyArray2<f32>>>,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let lonlat = rows(&lonlat)?;
    let array = output(py, out, [lonlat.len(), encoding::harmonic_count(degree)]);
    let mut guard = array.try_readwrite()?;
    let values = writable(&mut guard)?;
    py.detach(|| encoding::spherical_harmonics(lonlat, degree, values))
        .map_err(to_python)?;
    drop(guard);
    Ok(array)
}

/// Encode (N, 2) lon, lat as (N, 3) points of the unit sphere.
#[pyfunction]
fn unit_sphere_xyz<'py>(
    py: Python<'py>,
    lonlat: PyReadonlyArray2<'py, f64>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let lonlat = rows(&lonlat)?;
    let mut values = vec![0.0; lonlat.len() * 3];
    py.detach(|| encoding::unit_sphere_xyz(lonlat, &mut values))
        .map_err(to_python)?;
    numpy::PyArray1::from_vec(py, values).reshape([lonlat.len(), 3])
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(utm, module)?)?;
    module.add_function(wrap_pyfunction!(web_mercator, module)?)?;
    module.add_function(wrap_pyfunction!(equal_earth, module)?)?;
    module.add_function(wrap_pyfunction!(fourier_features, module)?)?;
    module.add_function(wrap_pyfunction!(spherical_harmonics, module)?)?;
    module.add_function(wrap_pyfunction!(unit_sphere_xyz, module)?)
}
