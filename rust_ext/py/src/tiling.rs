//! Glue of `gair_raster::SceneCutter`.
#![allow(clippy::needless_pass_by_value)] // pyo3 hands arguments over by value

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use gair_core::shard::{SampleType, TarWriter, TileHeader};
use gair_raster::{
    BandStats, CutPlan, CutTile, Error, Lattice, Partial, SceneCutter, SceneSpec, geo_keys,
};
use numpy::{IntoPyArray, PyArrayMethods};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error;
use crate::interrupt::interruptible;
use crate::raster::to_python;
use crate::shard::PyTarWriter;

/// The first pixels of a scene's rows and columns of tiles.
#[pyfunction]
fn tile_lattice(
    scene: (usize, usize),
    size: (usize, usize),
    stride: (usize, usize),
    partial: &str,
) -> PyResult<(Vec<usize>, Vec<usize>)> {
    let partial = Partial::from_name(partial).map_err(to_python)?;
    let lattice = Lattice::new(scene, size, stride, partial).map_err(to_python)?;
    Ok((lattice.tops, lattice.lefts))
}

/// Cuts one scene into a tar.
#[pyclass(name = "SceneCutter", module = "gair_cli._rust", frozen)]
struct PySceneCutter {
    inner: Mutex<SceneCutter>,
    cancel: Arc<AtomicBool>,
    names: Vec<String>,
}

#[pymethods]
impl PySceneCutter {
    /// Open a scene.
    #[new]
    #[pyo3(signature = (sources, *, mask, dtype, shape, crs, transform, band_names, nodata, nodata_text, size, stride, partial, max_nodata, names, first, threads))]
    #[allow(clippy::too_many_arguments)] // each is a keyword in Python
    fn new(
        py: Python<'_>,
        sources: Vec<(String, usize)>,
        mask: Option<String>,
        dtype: &str,
        shape: (usize, usize),
        crs: &str,
        transform: [f64; 6],
        band_names: Vec<String>,
        nodata: Option<f64>,
        nodata_text: Option<String>,
        size: (usize, usize),
        stride: (usize, usize),
        partial: &str,
        max_nodata: f64,
        names: Vec<String>,
        first: usize,
        threads: usize,
    ) -> PyResult<Self> {
        let sample = SampleType::from_name(dtype).map_err(error::to_python)?;
        let partial = Partial::from_name(partial).map_err(to_python)?;
        let lattice = Lattice::new(shape, size, stride, partial).map_err(to_python)?;
        if names.len() != lattice.len() {
            return Err(PyValueError::new_err("one name a tile is needed"));
        }
        let header = TileHeader {
            width: lattice.width,
            height: lattice.height,
            sample,
            band_names,
            nodata: nodata_text,
            geo_keys: geo_keys(crs).map_err(to_python)?,
        };
        let plan = CutPlan {
            lattice,
            header,
            transform,
            nodata,
            max_nodata,
        };
        let (height, width) = shape;
        let spec = SceneSpec {
            sources,
            mask,
            sample,
            width,
            height,
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .build();
        let pool = Arc::new(pool.map_err(|e| PyRuntimeError::new_err(e.to_string()))?);
        let cancel = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&cancel);
        let cutter = py.detach(|| SceneCutter::new(spec, plan, first, pool, flag));
        Ok(Self {
            inner: Mutex::new(cutter.map_err(to_python)?),
            cancel,
            names,
        })
    }

    /// Move tiles into a tar until it would grow beyond `limit`, at most one row of tiles.
    ///
    /// Return the tiles' columns, whether the tar is full, and whether the scene is done.
    fn fill<'py>(
        &self,
        py: Python<'py>,
        tar: &PyTarWriter,
        limit: u64,
    ) -> PyResult<(Bound<'py, PyDict>, bool, bool)> {
        let work = || {
            let mut cutter = self.inner.lock().map_err(|_| Error::Cancelled)?;
            let (mut tiles, mut cut) = (Vec::new(), true);
            let mut full = self.drain(&mut cutter, tar, limit, &mut tiles)?;
            if !full && tiles.is_empty() {
                cut = cutter.advance()?;
                full = self.drain(&mut cutter, tar, limit, &mut tiles)?;
            }
            Ok::<_, Error>((tiles, full, !cut))
        };
        let (tiles, full, done) = interruptible(py, &self.cancel, work)?.map_err(to_python)?;
        Ok((columns(py, &tiles)?, full, done))
    }

    /// How many tiles were left out so far.
    #[getter]
    fn dropped(&self) -> PyResult<usize> {
        let cutter = self.inner.lock();
        Ok(cutter
            .map_err(|_| PyRuntimeError::new_err("a worker panicked"))?
            .dropped())
    }
}

/// One number of a band's statistics.
type Pick = fn(&BandStats) -> f64;

/// A tile in the tar: itself without its bytes, offset, length.
type Placed = (CutTile, u64, u64);

impl PySceneCutter {
    fn drain(
        &self,
        cutter: &mut SceneCutter,
        tar: &PyTarWriter,
        limit: u64,
        placed: &mut Vec<Placed>,
    ) -> Result<bool, Error> {
        while let Some(mut tile) = cutter.pop() {
            let bytes = std::mem::take(&mut tile.encoded.bytes);
            let length = bytes.len() as u64;
            let add = |tar: &mut TarWriter| {
                let fits = tar.position() == 0 || tar.position() + 512 + length <= limit;
                if fits {
                    tar.add(&self.names[tile.number], &bytes).map(Some)
                } else {
                    Ok(None)
                }
            };
            if let Some(offset) = tar.with_core(add)? {
                placed.push((tile, offset, length));
            } else {
                tile.encoded.bytes = bytes;
                cutter.push_back(tile);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn columns<'py>(py: Python<'py>, tiles: &[Placed]) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let each = |pick: fn(&Placed) -> u64| tiles.iter().map(pick).collect::<Vec<u64>>();
    dict.set_item("number", each(|t| t.0.number as u64).into_pyarray(py))?;
    dict.set_item("row", each(|t| t.0.cell.row as u64).into_pyarray(py))?;
    dict.set_item("col", each(|t| t.0.cell.col as u64).into_pyarray(py))?;
    dict.set_item("offset", each(|t| t.1).into_pyarray(py))?;
    dict.set_item("length", each(|t| t.2).into_pyarray(py))?;
    let fractions: Vec<f64> = tiles.iter().map(|t| t.0.nodata_fraction).collect();
    dict.set_item("nodata_fraction", fractions.into_pyarray(py))?;
    let transforms: Vec<f64> = tiles.iter().flat_map(|t| t.0.transform).collect();
    dict.set_item(
        "transform",
        transforms.into_pyarray(py).reshape([tiles.len(), 6])?,
    )?;
    let offsets: Vec<u64> = tiles
        .iter()
        .flat_map(|t| t.0.encoded.band_offsets.iter().copied())
        .collect();
    let width = tiles.first().map_or(1, |t| t.0.encoded.band_offsets.len());
    dict.set_item(
        "band_offsets",
        offsets.into_pyarray(py).reshape([tiles.len(), width])?,
    )?;
    let picks: [(&str, Pick); 5] = [
        ("band_min", |s| s.min),
        ("band_max", |s| s.max),
        ("band_mean", |s| s.mean),
        ("band_m2", |s| s.m2),
        #[allow(clippy::cast_precision_loss)] // far fewer than 2^53 pixels
        ("band_count", |s| s.count as f64),
    ];
    for (name, pick) in picks {
        let values: Vec<f64> = tiles
            .iter()
            .flat_map(|t| t.0.stats.iter().map(pick))
            .collect();
        let bands = tiles.first().map_or(0, |t| t.0.stats.len());
        dict.set_item(name, values.into_pyarray(py).reshape([tiles.len(), bands])?)?;
    }
    Ok(dict)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PySceneCutter>()?;
    module.add_function(wrap_pyfunction!(tile_lattice, module)?)
}
