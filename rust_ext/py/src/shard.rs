//! Glue of `gair_core::shard`.
#![allow(clippy::needless_pass_by_value)] // pyo3 hands arguments over by value

use std::path::PathBuf;
use std::sync::Mutex;

use gair_core::shard::{self, TarWriter};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arrays::tile_array;
use crate::error::to_python;

/// Writes a deterministic tar.
#[pyclass(name = "TarWriter", module = "gair_cli._rust", frozen)]
pub(crate) struct PyTarWriter {
    inner: Mutex<Option<TarWriter>>,
}

impl PyTarWriter {
    /// Runs an action of the core on the open tar.
    #[cfg(feature = "gdal")]
    pub(crate) fn with_core<T>(
        &self,
        action: impl FnOnce(&mut TarWriter) -> gair_core::Result<T>,
    ) -> gair_core::Result<T> {
        let finished = || gair_core::Error::InvalidArgument("the tar is finished".to_owned());
        let mut guard = self.inner.lock().map_err(|_| finished())?;
        action(guard.as_mut().ok_or_else(finished)?)
    }

    fn with<T>(&self, action: impl FnOnce(&mut TarWriter) -> gair_core::Result<T>) -> PyResult<T> {
        let mut guard = self.inner.lock().map_err(|_| closed())?;
        action(guard.as_mut().ok_or_else(closed)?).map_err(to_python)
    }
}

fn closed() -> PyErr {
    PyValueError::new_err("the tar is finished")
}

#[pymethods]
impl PyTarWriter {
    /// Start a tar, or go on behind the first `resume_at` bytes of one.
    #[new]
    #[pyo3(signature = (path, *, resume_at=None))]
    fn new(py: Python<'_>, path: PathBuf, resume_at: Option<u64>) -> PyResult<Self> {
        let tar = py.detach(|| match resume_at {
            Some(position) => TarWriter::resume(&path, position),
            None => TarWriter::create(&path),
        });
        Ok(Self {
            inner: Mutex::new(Some(tar.map_err(to_python)?)),
        })
    }

    /// Append a member; return the offset and the length of its bytes.
    fn add(&self, py: Python<'_>, name: &str, data: &[u8]) -> PyResult<(u64, u64)> {
        let offset = py.detach(|| self.with(|tar| tar.add(name, data)))?;
        Ok((offset, data.len() as u64))
    }

    /// Bytes written so far.
    #[getter]
    fn position(&self) -> PyResult<u64> {
        self.with(|tar| Ok(tar.position()))
    }

    /// Drop every member behind `position`.
    fn rewind(&self, py: Python<'_>, position: u64) -> PyResult<()> {
        py.detach(|| self.with(|tar| tar.rewind(position)))
    }

    /// Write the end mark and sync to disk; return the length of the file.
    fn finish(&self, py: Python<'_>) -> PyResult<u64> {
        let tar = self
            .inner
            .lock()
            .map_err(|_| closed())?
            .take()
            .ok_or_else(closed)?;
        py.detach(|| tar.finish()).map_err(to_python)
    }
}

/// Decode a tile, or some of its bands in the order asked for, into an array (C, H, W).
#[pyfunction]
#[pyo3(signature = (data, bands=None))]
fn decode_tile<'py>(
    py: Python<'py>,
    data: &[u8],
    bands: Option<Vec<usize>>,
) -> PyResult<Bound<'py, PyAny>> {
    let tile = py
        .detach(|| shard::decode_tile(data, bands.as_deref()))
        .map_err(to_python)?;
    tile_array(py, tile)
}

/// Read and decode tiles of one shard in parallel.
#[pyfunction]
#[pyo3(signature = (path, offsets, lengths, bands=None))]
fn read_tiles(
    py: Python<'_>,
    path: PathBuf,
    offsets: Vec<u64>,
    lengths: Vec<u64>,
    bands: Option<Vec<usize>>,
) -> PyResult<Vec<Bound<'_, PyAny>>> {
    if offsets.len() != lengths.len() {
        return Err(PyValueError::new_err(
            "offsets and lengths must be equally long",
        ));
    }
    let members: Vec<(u64, u64)> = offsets.into_iter().zip(lengths).collect();
    let tiles = py
        .detach(|| shard::read_tiles(&path, &members, bands.as_deref()))
        .map_err(to_python)?;
    tiles.into_iter().map(|tile| tile_array(py, tile)).collect()
}

/// Read the bytes of one member.
#[pyfunction]
fn read_member(py: Python<'_>, path: PathBuf, offset: u64, length: u64) -> PyResult<Py<PyBytes>> {
    let bytes = py
        .detach(|| shard::read_member(&path, offset, length))
        .map_err(to_python)?;
    Ok(PyBytes::new(py, &bytes).unbind())
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyTarWriter>()?;
    module.add_function(wrap_pyfunction!(decode_tile, module)?)?;
    module.add_function(wrap_pyfunction!(read_tiles, module)?)?;
    module.add_function(wrap_pyfunction!(read_member, module)?)
}
