//! Glue of `gair_raster::SceneReader`.
#![allow(clippy::needless_pass_by_value)] // pyo3 hands arguments over by value

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gair_core::shard::SampleType;
use gair_raster::{Frame, SceneReader};
use pyo3::prelude::*;

use crate::arrays::to_array;
use crate::interrupt::{interruptible, stop};
use crate::raster::to_python;
use crate::scene::{PyGrid, PyScene};

/// Reads windows of one scene on a grid.
#[pyclass(name = "SceneReader", module = "gair_cli._rust", frozen)]
struct PySceneReader {
    inner: Arc<SceneReader>,
    sample: SampleType,
}

#[pymethods]
impl PySceneReader {
    /// Open a scene; its files stay open.
    #[new]
    #[pyo3(signature = (scene, grid, *, threads, memory))]
    fn new(
        py: Python<'_>,
        scene: PyScene,
        grid: PyGrid,
        threads: usize,
        memory: Option<usize>,
    ) -> PyResult<Self> {
        let (spec, grid) = (scene.into_core()?, grid.into_core());
        let sample = spec.sample;
        let open = move || SceneReader::new(spec, grid, threads, memory);
        let reader = interruptible(py, open)?.map_err(to_python)?;
        Ok(Self {
            inner: Arc::new(reader),
            sample,
        })
    }

    /// Read a window (col, row, width, height) as an array (C, h, w).
    fn read<'py>(
        &self,
        py: Python<'py>,
        window: (i64, i64, usize, usize),
    ) -> PyResult<Bound<'py, PyAny>> {
        let (col, row, width, height) = window;
        let frame = Frame {
            col,
            row,
            width,
            height,
        };
        let reader = Arc::clone(&self.inner);
        let cancel = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&cancel);
        let read = move || reader.read(frame, &flag);
        let pixels = interruptible(py, read).inspect_err(|_| stop(&cancel))?;
        let pixels = pixels.map_err(to_python)?;
        to_array(py, self.sample, pixels.shape, pixels.values)
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PySceneReader>()
}
