//! Glue of `gair_core::encoding`: (N, 2) points in, rows of float32 or float64 out.
use crate::coordinates::rows;
use crate::error::to_python;
use gair_core::encoding::{
    self, Encoding, EqualEarthPlane, FourierFeatures, Precision, Sphere2Vec, SphereForm,
    SphericalHarmonics, UnitSphere,
};
use numpy::{Element, PyArray2, PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Work on fewer numbers than this is over before anybody could interrupt it.
const SHORT_WORK: usize = 1 << 21;
/// How often signals are looked for in longer work.
const LISTEN_EVERY: Duration = Duration::from_millis(20);

/// Fills the caller's array, or a new one: float64 where `double` says so.
fn encoded<'py, E: Encoding>(
    points: &PyReadonlyArray2<'py, f64>,
    encoding: &E,
    double: bool,
    out: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = points.py();
    let shape = [points.shape()[0], encoding.width()];
    let array = match out {
        Some(array) => array,
        None if double => PyArray2::<f64>::zeros(py, shape, false).into_any(),
        None => PyArray2::<f32>::zeros(py, shape, false).into_any(),
    };
    if let Ok(single) = array.cast::<PyArray2<f32>>() {
        fill(points, encoding, single)?;
    } else if let Ok(double) = array.cast::<PyArray2<f64>>() {
        fill(points, encoding, double)?;
    } else {
        return Err(PyTypeError::new_err(
            "out must be an array of two axes, float32 or float64",
        ));
    }
    Ok(array)
}

/// Fills an array of the right shape; Ctrl-C stops long work.
fn fill<'py, E: Encoding, T: Precision + Element>(
    points: &PyReadonlyArray2<'py, f64>,
    encoding: &E,
    array: &Bound<'py, PyArray2<T>>,
) -> PyResult<()> {
    let py = points.py();
    let points = rows(points)?;
    let wanted = [points.len(), encoding.width()];
    if array.shape() != wanted {
        let (found, [n, width]) = (array.shape(), wanted);
        return Err(PyValueError::new_err(format!(
            "out needs the shape ({n}, {width}), got ({}, {})",
            found[0], found[1]
        )));
    }
    let mut guard = array.try_readwrite().map_err(|error| {
        PyValueError::new_err(format!(
            "out cannot be written, or holds the points: {error}"
        ))
    })?;
    if !array.is_c_contiguous() {
        return Err(PyValueError::new_err("out must be C-contiguous"));
    }
    let values = guard
        .as_slice_mut()
        .map_err(|_| PyValueError::new_err("out must be C-contiguous"))?;
    let cancel = AtomicBool::new(false);
    let short = values.len() < SHORT_WORK;
    let work = || encoding::encode(encoding, points, values, &cancel);
    let done = if short {
        py.detach(work)
    } else {
        until_interrupted(py, &cancel, work)?
    };
    done.map_err(to_python)
}

/// Runs work that borrows arrays, without the interpreter lock; a signal whose handler raises sets
/// `cancel`, and what it raises is returned once the work has ended, which it does at once.
pub(crate) fn until_interrupted<T: Send>(
    py: Python<'_>,
    cancel: &AtomicBool,
    work: impl FnOnce() -> T + Send,
) -> PyResult<T> {
    py.detach(|| {
        std::thread::scope(|scope| {
            let (sender, receiver) = channel();
            // the receiver outlives the worker, so sending cannot fail
            scope.spawn(move || sender.send(work()).is_ok());
            let mut raised = None;
            loop {
                match receiver.recv_timeout(LISTEN_EVERY) {
                    Ok(value) => return raised.map_or(Ok(value), Err),
                    Err(RecvTimeoutError::Disconnected) => {
                        return Err(PyRuntimeError::new_err("a worker thread panicked"));
                    }
                    Err(RecvTimeoutError::Timeout) if raised.is_none() => {
                        #[allow(clippy::redundant_closure_for_method_calls)] // lifetimes
                        let signal = Python::attach(|py| py.check_signals());
                        raised = signal.err();
                        cancel.store(raised.is_some(), Ordering::Relaxed);
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                }
            }
        })
    })
}

/// Encode (N, 2) lon, lat as (N, 2) x, y of the Equal Earth map of a unit sphere, times `scale`.
#[pyfunction]
#[pyo3(signature = (lonlat, *, scale=1.0, double=true, out=None))]
fn equal_earth<'py>(
    lonlat: PyReadonlyArray2<'py, f64>,
    scale: f64,
    double: bool,
    out: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    encoded(&lonlat, &EqualEarthPlane { scale }, double, out)
}

/// Encode (N, 2) points with (S F, 2) directions: of each scale F cosines, then F sines.
#[pyfunction]
#[pyo3(signature = (points, matrix, *, scales=1, double=false, out=None))]
fn fourier_features<'py>(
    points: PyReadonlyArray2<'py, f64>,
    matrix: PyReadonlyArray2<'py, f64>,
    scales: usize,
    double: bool,
    out: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let features = FourierFeatures::new(rows(&matrix)?, scales).map_err(to_python)?;
    encoded(&points, &features, double, out)
}

/// Encode (N, 2) lon, lat as the (N, (degree + 1)^2) real spherical harmonics up to `degree`.
#[pyfunction]
#[pyo3(signature = (lonlat, degree, *, double=false, out=None))]
fn spherical_harmonics<'py>(
    lonlat: PyReadonlyArray2<'py, f64>,
    degree: usize,
    double: bool,
    out: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let harmonics = SphericalHarmonics::new(degree).map_err(to_python)?;
    encoded(&lonlat, &harmonics, double, out)
}

/// Encode (N, 2) lon, lat as (N, 3) points of the unit sphere.
#[pyfunction]
#[pyo3(signature = (lonlat, *, double=true, out=None))]
fn unit_sphere_xyz<'py>(
    lonlat: PyReadonlyArray2<'py, f64>,
    double: bool,
    out: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    encoded(&lonlat, &UnitSphere, double, out)
}

/// Encode (N, 2) lon, lat by a form of `Sphere2Vec`: `c`, `c+`, `m`, `m+` or `dfs`.
#[pyfunction]
#[pyo3(signature = (lonlat, form, *, scales, min_radius, max_radius, double=false, out=None))]
fn sphere2vec<'py>(
    lonlat: PyReadonlyArray2<'py, f64>,
    form: &str,
    scales: usize,
    min_radius: f64,
    max_radius: f64,
    double: bool,
    out: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let form = match form {
        "c" => SphereForm::C,
        "c+" => SphereForm::CPlus,
        "m" => SphereForm::M,
        "m+" => SphereForm::MPlus,
        "dfs" => SphereForm::Dfs,
        _ => {
            return Err(PyValueError::new_err(format!(
                "no form {form:?} of Sphere2Vec"
            )));
        }
    };
    let encoding = Sphere2Vec::new(form, scales, min_radius, max_radius).map_err(to_python)?;
    encoded(&lonlat, &encoding, double, out)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(equal_earth, module)?)?;
    module.add_function(wrap_pyfunction!(fourier_features, module)?)?;
    module.add_function(wrap_pyfunction!(spherical_harmonics, module)?)?;
    module.add_function(wrap_pyfunction!(unit_sphere_xyz, module)?)?;
    module.add_function(wrap_pyfunction!(sphere2vec, module)?)
}
