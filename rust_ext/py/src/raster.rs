//! Glue of `gair_raster`.
#![allow(clippy::needless_pass_by_value)] // pyo3 hands arguments over by value

use std::path::PathBuf;
use std::sync::Mutex;

use gair_core::shard::SampleType;
use gair_raster::{BandInfo, Error, GeoTiffWriter, Layout, RasterInfo, RasterSpec, Window};
use numpy::{
    IntoPyArray, PyArray2, PyArrayMethods, PyReadonlyArray2, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::arrays::to_array;
use crate::error;
use crate::interrupt::interruptible;

/// Turns an error of the raster crate into the Python exception that people catch for it.
pub(crate) fn to_python(error: Error) -> PyErr {
    match error {
        Error::Core(core) => error::to_python(core),
        Error::Cancelled => PyKeyboardInterrupt::new_err(()),
        Error::Unusable(message) => PyValueError::new_err(message),
        Error::Memory { .. } => PyValueError::new_err(error.to_string()),
        other => PyOSError::new_err(other.to_string()),
    }
}

/// Return the version of the linked GDAL.
#[pyfunction]
fn gdal_version() -> String {
    gair_raster::gdal_version()
}

/// Describe a raster.
#[pyfunction]
fn raster_info<'py>(py: Python<'py>, path: &str) -> PyResult<Bound<'py, PyDict>> {
    let path = path.to_owned();
    let info = interruptible(py, move || gair_raster::describe(&path))?.map_err(to_python)?;
    info_dict(py, info)
}

fn info_dict(py: Python<'_>, info: RasterInfo) -> PyResult<Bound<'_, PyDict>> {
    let each = |pick: fn(&BandInfo) -> bool| info.bands.iter().map(pick).collect::<Vec<_>>();
    let numbers =
        |pick: fn(&BandInfo) -> Option<f64>| info.bands.iter().map(pick).collect::<Vec<_>>();
    let dtypes: Vec<_> = info
        .bands
        .iter()
        .map(|b| b.sample.map(SampleType::name))
        .collect();
    let nodata: Vec<_> = info.bands.iter().map(|b| b.nodata).collect();
    let names: Vec<_> = info.bands.iter().map(|b| b.description.clone()).collect();
    let transform = info
        .transform
        .map(|[a, b, west, d, e, north]| (a, b, west, d, e, north));
    let dict = PyDict::new(py);
    dict.set_item("width", info.width)?;
    dict.set_item("height", info.height)?;
    dict.set_item("descriptions", names)?;
    dict.set_item("dtypes", dtypes)?;
    dict.set_item("nodata", nodata)?;
    dict.set_item("scales", numbers(|band| band.scale))?;
    dict.set_item("offsets", numbers(|band| band.offset))?;
    dict.set_item("alpha", each(|band| band.alpha))?;
    dict.set_item("crs", info.crs)?;
    dict.set_item("transform", transform)?;
    dict.set_item("block", info.block)?;
    dict.set_item("pixel_interleaved", info.pixel_interleaved)?;
    dict.set_item("masked", info.masked)?;
    dict.set_item("tags", info.tags)?;
    Ok(dict)
}

/// Read a window (col, row, width, height) of bands numbered from 1 into an array (C, h, w).
#[pyfunction]
#[pyo3(signature = (path, bands, window=None))]
fn read_window<'py>(
    py: Python<'py>,
    path: &str,
    bands: Vec<usize>,
    window: Option<(usize, usize, usize, usize)>,
) -> PyResult<Bound<'py, PyAny>> {
    let window = window.map(|(col, row, width, height)| Window {
        col,
        row,
        width,
        height,
    });
    let path = path.to_owned();
    let read = move || gair_raster::read_window(&path, &bands, window);
    let (sample, shape, data) = interruptible(py, read)?.map_err(to_python)?;
    to_array(py, sample, shape, data)
}

/// Name a coordinate reference system: `EPSG:n`, else WKT2.
#[pyfunction]
fn crs_name(definition: &str) -> PyResult<String> {
    gair_raster::crs_name(definition).map_err(to_python)
}

/// Transform points (N, 2) between two systems; those without a result become NaN.
#[pyfunction]
fn proj_transform<'py>(
    py: Python<'py>,
    xy: PyReadonlyArray2<'py, f64>,
    src_crs: &str,
    dst_crs: &str,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let points = xy.as_array();
    if points.ncols() != 2 {
        return Err(PyValueError::new_err(format!(
            "(N, 2) is needed, not (N, {})",
            points.ncols()
        )));
    }
    let (mut x, mut y) = (points.column(0).to_vec(), points.column(1).to_vec());
    py.detach(|| gair_raster::transform_points(&mut x, &mut y, src_crs, dst_crs))
        .map_err(to_python)?;
    let flat: Vec<f64> = x.iter().zip(&y).flat_map(|(x, y)| [*x, *y]).collect();
    flat.into_pyarray(py).reshape([x.len(), 2])
}

/// Writes a raster window by window.
#[pyclass(name = "RasterWriter", module = "gair_cli._rust", frozen)]
struct PyRasterWriter {
    inner: Mutex<Option<GeoTiffWriter>>,
}

fn closed() -> PyErr {
    PyValueError::new_err("the raster is closed")
}

#[pymethods]
impl PyRasterWriter {
    /// Create a raster beside its final place.
    #[new]
    #[pyo3(signature = (path, *, width, height, dtype, band_names, crs, transform, nodata, tags, cloud_optimised))]
    #[allow(clippy::too_many_arguments)] // each is a keyword in Python
    fn new(
        py: Python<'_>,
        path: PathBuf,
        width: usize,
        height: usize,
        dtype: &str,
        band_names: Vec<String>,
        crs: Option<String>,
        transform: [f64; 6],
        nodata: Option<f64>,
        tags: Vec<(String, String)>,
        cloud_optimised: bool,
    ) -> PyResult<Self> {
        let sample = SampleType::from_name(dtype).map_err(error::to_python)?;
        let layout = if cloud_optimised {
            Layout::CloudOptimised
        } else {
            Layout::Plain
        };
        let spec = RasterSpec {
            width,
            height,
            sample,
            band_names,
            crs,
            transform,
            nodata,
            tags,
        };
        let writer = py
            .detach(|| GeoTiffWriter::create(&path, spec, layout))
            .map_err(to_python)?;
        Ok(Self {
            inner: Mutex::new(Some(writer)),
        })
    }

    /// Write an array (C, h, w) of all bands with its top left pixel at `col`, `row`.
    fn write(
        &self,
        py: Python<'_>,
        array: &Bound<'_, PyUntypedArray>,
        col: usize,
        row: usize,
    ) -> PyResult<()> {
        let (_, [_, height, width], bytes): (_, _, Bound<'_, PyBytes>) = from_array(array)?;
        let (window, bytes) = (
            Window {
                col,
                row,
                width,
                height,
            },
            bytes.as_bytes(),
        );
        py.detach(|| {
            let mut guard = self.inner.lock().map_err(|_| closed())?;
            guard
                .as_mut()
                .ok_or_else(closed)?
                .write(window, bytes)
                .map_err(to_python)
        })
    }

    /// Finish the raster and give it its name.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        let writer = self
            .inner
            .lock()
            .map_err(|_| closed())?
            .take()
            .ok_or_else(closed)?;
        py.detach(|| writer.finish()).map_err(to_python)
    }

    /// Drop the raster; nothing is left behind.
    fn abandon(&self, py: Python<'_>) {
        py.detach(|| drop(self.inner.lock().map(|mut guard| guard.take())));
    }
}

/// The type, shape and bytes of an array (C, H, W) in any layout.
fn from_array<'py>(
    array: &Bound<'py, PyUntypedArray>,
) -> PyResult<(SampleType, [usize; 3], Bound<'py, PyBytes>)> {
    let shape: [usize; 3] = array.shape().try_into().map_err(|_| {
        PyValueError::new_err(format!(
            "an array (C, H, W) is needed, not {:?}",
            array.shape()
        ))
    })?;
    let name: String = array.dtype().getattr("name")?.extract()?;
    let sample = SampleType::from_name(&name).map_err(error::to_python)?;
    let little = array.dtype().call_method1("newbyteorder", ("<",))?;
    let bytes = array
        .call_method1("astype", (little,))?
        .call_method0("tobytes")?;
    Ok((sample, shape, bytes.cast_into()?))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyRasterWriter>()?;
    module.add_function(wrap_pyfunction!(gdal_version, module)?)?;
    module.add_function(wrap_pyfunction!(raster_info, module)?)?;
    module.add_function(wrap_pyfunction!(read_window, module)?)?;
    module.add_function(wrap_pyfunction!(crs_name, module)?)?;
    module.add_function(wrap_pyfunction!(proj_transform, module)?)
}
