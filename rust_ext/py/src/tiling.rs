//! Glue of `gair_raster::SceneCutter`.
#![allow(clippy::needless_pass_by_value)] // pyo3 hands arguments over by value

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use gair_core::shard::TarWriter;
use gair_raster::{BandStats, CutOptions, CutTile, Error, Lattice, Partial, Received, SceneCutter};
use numpy::{IntoPyArray, PyArray1, PyArrayMethods};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::interrupt::{LISTEN_EVERY, interruptible, listen, stop};
use crate::raster::to_python;
use crate::scene::{PyLayout, PyScene};
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
    bands: usize,
    /// What went wrong behind tiles that were handed out.
    failed: Mutex<Option<Error>>,
}

/// Tiles are handed to Python after so much time, or when they are so many.
const GATHER_FOR: Duration = Duration::from_millis(400);
const GATHER: usize = 8192;

/// How far the writing has come.
enum Step {
    /// There may be more.
    On,
    /// The tar would grow beyond its limit.
    Full,
    /// There are no more.
    End,
}

#[pymethods]
impl PySceneCutter {
    /// Open a scene and plan the cut; nothing is decoded yet.
    #[new]
    #[pyo3(signature = (scene, layout, *, names, nodata_text, max_nodata, max_cloud, level, first, threads, memory))]
    #[allow(clippy::too_many_arguments)] // each is a keyword in Python
    fn new(
        py: Python<'_>,
        scene: PyScene,
        layout: PyLayout<'_>,
        names: Vec<String>,
        nodata_text: Option<String>,
        max_nodata: f64,
        max_cloud: f64,
        level: Option<i32>,
        first: usize,
        threads: usize,
        memory: Option<usize>,
    ) -> PyResult<Self> {
        let (spec, request) = (scene.into_core()?, layout.into_core()?);
        if names.len() != request.len() {
            return Err(PyValueError::new_err("one name a tile is needed"));
        }
        let options = CutOptions {
            nodata_text,
            max_nodata,
            max_cloud,
            level,
            first,
            threads: threads.max(1),
            memory,
        };
        let bands = spec.bands.len();
        let cancel = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&cancel);
        let open = move || SceneCutter::new(spec, request, options, flag);
        Ok(Self {
            inner: Mutex::new(interruptible(py, open)?.map_err(to_python)?),
            cancel,
            names,
            bands,
            failed: Mutex::default(),
        })
    }

    /// Move tiles into a tar until it would grow beyond `limit`, or for a moment.
    ///
    /// Return the tiles' columns, whether the tar is full, and whether the scene is done.
    fn fill<'py>(
        &self,
        py: Python<'py>,
        tar: &PyTarWriter,
        limit: u64,
    ) -> PyResult<(Bound<'py, PyDict>, bool, bool)> {
        let (tiles, full, done) = py.detach(|| self.next_batch(tar, limit))?;
        Ok((columns(py, &tiles, self.bands)?, full, done))
    }

    /// Take tiles out of the cutter instead of moving them into a tar, at most one batch.
    ///
    /// Return the tiles' columns, their files, and whether the scene is done.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Taken<'py>> {
        let (mut tiles, done) = py.detach(|| self.next_tiles())?;
        let bytes = |tile: &mut Placed| std::mem::take(&mut tile.0.encoded.bytes);
        let files = tiles
            .iter_mut()
            .map(|tile| bytes(tile).into_pyarray(py))
            .collect();
        Ok((columns(py, &tiles, self.bands)?, files, done))
    }

    /// What the cut costs: `tiles`, `blocks`, `redecoded_blocks`, `decoded_bytes`, `peak_bytes`.
    #[getter]
    fn plan<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let cost = self.cutter()?.cost();
        let dict = PyDict::new(py);
        dict.set_item("tiles", cost.tiles)?;
        dict.set_item("blocks", cost.blocks)?;
        dict.set_item("redecoded_blocks", cost.redecoded_blocks)?;
        dict.set_item("decoded_bytes", cost.decoded_bytes)?;
        dict.set_item("peak_bytes", cost.peak_bytes)?;
        Ok(dict)
    }

    /// How many tiles were left out so far.
    #[getter]
    fn dropped(&self) -> PyResult<usize> {
        Ok(self.cutter()?.dropped())
    }
}

/// One number of a band's statistics.
type Pick = fn(&BandStats) -> f64;

/// A tile in the tar: itself without its bytes, offset, length.
type Placed = (CutTile, u64, u64);

/// Columns of tiles, the file of each, and whether there are no more.
type Taken<'py> = (Bound<'py, PyDict>, Vec<Bound<'py, PyArray1<u8>>>, bool);

impl PySceneCutter {
    fn cutter(&self) -> PyResult<MutexGuard<'_, SceneCutter>> {
        let broken = |_| PyRuntimeError::new_err("a worker panicked");
        self.inner.lock().map_err(broken)
    }

    /// Writes what comes within [`GATHER_FOR`], at least one batch; a signal stops the workers.
    ///
    /// An error that comes behind written tiles is kept for the next call, so that the caller
    /// knows of every tile in the tar.
    fn next_batch(&self, tar: &PyTarWriter, limit: u64) -> PyResult<(Vec<Placed>, bool, bool)> {
        let mut cutter = self.cutter()?;
        if let Some(error) = self.failed()?.take() {
            return Err(to_python(error));
        }
        let (start, mut tiles) = (Instant::now(), Vec::new());
        while tiles.is_empty() || (start.elapsed() < GATHER_FOR && tiles.len() < GATHER) {
            let step = self.step(&mut cutter, tar, limit, &mut tiles);
            listen().inspect_err(|_| stop(&self.cancel))?;
            match step {
                Ok(Step::Full) => return Ok((tiles, true, false)),
                Ok(Step::End) => return Ok((tiles, false, true)),
                Ok(Step::On) => {}
                Err(error) if tiles.is_empty() => return Err(to_python(error)),
                Err(error) => {
                    *self.failed()? = Some(error);
                    break;
                }
            }
        }
        Ok((tiles, false, false))
    }

    fn failed(&self) -> PyResult<MutexGuard<'_, Option<Error>>> {
        let broken = |_| PyRuntimeError::new_err("a worker panicked");
        self.failed.lock().map_err(broken)
    }

    /// Writes what is ready, then waits a moment for more.
    fn step(
        &self,
        cutter: &mut SceneCutter,
        tar: &PyTarWriter,
        limit: u64,
        tiles: &mut Vec<Placed>,
    ) -> Result<Step, Error> {
        if self.drain(cutter, tar, limit, tiles)? {
            return Ok(Step::Full);
        }
        match cutter.receive(LISTEN_EVERY)? {
            Received::End => Ok(Step::End),
            _ => Ok(Step::On),
        }
    }

    /// Hands out what is ready, waiting for a batch where nothing is; a signal stops the workers.
    fn next_tiles(&self) -> PyResult<(Vec<Placed>, bool)> {
        let mut cutter = self.cutter()?;
        loop {
            let ready = std::iter::from_fn(|| cutter.pop());
            let tiles: Vec<Placed> = ready
                .map(|tile| {
                    let length = tile.encoded.bytes.len() as u64;
                    (tile, 0, length)
                })
                .collect();
            if !tiles.is_empty() {
                return Ok((tiles, false));
            }
            if let Received::End = cutter.receive(LISTEN_EVERY).map_err(to_python)? {
                return Ok((tiles, true));
            }
            listen().inspect_err(|_| stop(&self.cancel))?;
        }
    }

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
                cutter.reuse(bytes);
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

fn columns<'py>(py: Python<'py>, tiles: &[Placed], bands: usize) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let each = |pick: fn(&Placed) -> u64| tiles.iter().map(pick).collect::<Vec<u64>>();
    dict.set_item("position", each(|t| t.0.position as u64).into_pyarray(py))?;
    dict.set_item("number", each(|t| t.0.number as u64).into_pyarray(py))?;
    dict.set_item("offset", each(|t| t.1).into_pyarray(py))?;
    dict.set_item("length", each(|t| t.2).into_pyarray(py))?;
    let nodata: Vec<f64> = tiles.iter().map(|t| t.0.nodata_fraction).collect();
    dict.set_item("nodata_fraction", nodata.into_pyarray(py))?;
    let cloud: Vec<f64> = tiles.iter().map(|t| t.0.cloud_fraction).collect();
    dict.set_item("cloud_fraction", cloud.into_pyarray(py))?;
    let transforms: Vec<f64> = tiles.iter().flat_map(|t| t.0.transform).collect();
    let transforms = transforms.into_pyarray(py).reshape([tiles.len(), 6])?;
    dict.set_item("transform", transforms)?;
    let offsets = tiles
        .iter()
        .flat_map(|t| t.0.encoded.band_offsets.iter().copied());
    let offsets = offsets.collect::<Vec<u64>>().into_pyarray(py);
    dict.set_item("band_offsets", offsets.reshape([tiles.len(), bands + 1])?)?;
    let picks: [(&str, Pick); 5] = [
        ("band_min", |s| s.min),
        ("band_max", |s| s.max),
        ("band_mean", |s| s.mean),
        ("band_m2", |s| s.m2),
        #[allow(clippy::cast_precision_loss)] // far fewer than 2^53 pixels
        ("band_count", |s| s.count as f64),
    ];
    for (name, pick) in picks {
        let values = tiles.iter().flat_map(|t| t.0.stats.iter().map(pick));
        let values = values.collect::<Vec<f64>>().into_pyarray(py);
        dict.set_item(name, values.reshape([tiles.len(), bands])?)?;
    }
    Ok(dict)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PySceneCutter>()?;
    module.add_function(wrap_pyfunction!(tile_lattice, module)?)
}
