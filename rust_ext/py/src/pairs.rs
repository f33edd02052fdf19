//! Glue of `gair_tables`: a plan in, passes over a table, counts and batches out.
use crate::encodings::until_interrupted;
use crate::pairing::TileFinder;
use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use gair_core::pairing::Choice;
use gair_tables::{
    Cap, ColumnSpec, Columns, Description, Engine, Error, Filters, Heading, Kind, PairPlan, Phase,
    Reason, SplitSource, Texts, Tiles, Used,
};
use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use pyo3_arrow::{PyChunkedArray, PyTable};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

/// Numbers of tiles (T,), and the name of the split of each.
type TilesInUse<'py> = (Bound<'py, PyArray1<u32>>, Vec<Bound<'py, PyString>>);

fn to_python(error: Error) -> PyErr {
    match error {
        Error::File { path, message } => PyOSError::new_err(format!("{path}: {message}")),
        Error::Cancelled => PyKeyboardInterrupt::new_err("interrupted"),
        Error::Broken => PyRuntimeError::new_err(error.to_string()),
        other => PyValueError::new_err(other.to_string()),
    }
}

fn kind_of(name: &str) -> PyResult<Kind> {
    Ok(match name {
        "id" => Kind::Id,
        "path" => Kind::Path,
        "text" => Kind::Text,
        "float64" => Kind::Float64,
        "float32" => Kind::Float32,
        "time" => Kind::Time,
        "own" => Kind::Own,
        "wkb_x" => Kind::WkbX,
        "wkb_y" => Kind::WkbY,
        other => {
            return Err(PyValueError::new_err(format!(
                "no kind of column {other:?}"
            )));
        }
    })
}

/// An error of the core, or one that Python code raised meanwhile.
struct Raised(PyErr);

impl From<Error> for Raised {
    fn from(error: Error) -> Self {
        Self(to_python(error))
    }
}

impl From<PyErr> for Raised {
    fn from(error: PyErr) -> Self {
        Self(error)
    }
}

impl From<Raised> for PyErr {
    fn from(raised: Raised) -> Self {
        raised.0
    }
}

/// One pairing of one table of photos with tiles.
#[pyclass(frozen, module = "gair_cli._rust")]
struct PairEngine {
    engine: Mutex<Engine>,
}

/// What the tiles are, by their numbers.
#[derive(FromPyObject)]
struct TilesGiven<'py> {
    #[pyo3(item)]
    ids: PyChunkedArray,
    #[pyo3(item)]
    dates: PyReadonlyArray1<'py, i64>,
    #[pyo3(item)]
    blocks: PyReadonlyArray1<'py, u32>,
    #[pyo3(item)]
    block_names: Vec<String>,
    #[pyo3(item)]
    splits: PyReadonlyArray1<'py, u16>,
}

/// What is asked of photos and pairs.
#[derive(FromPyObject)]
struct OptionsGiven {
    #[pyo3(item)]
    tiles_a_photo: usize,
    #[pyo3(item)]
    margin_m: f64,
    #[pyo3(item)]
    days: Option<f64>,
    #[pyo3(item)]
    nearest_date: bool,
    #[pyo3(item)]
    heading: Option<(f32, f32)>,
    #[pyo3(item)]
    heading_known: bool,
    #[pyo3(item)]
    max_accuracy_m: Option<f32>,
    #[pyo3(item)]
    min_distance_m: Option<f64>,
    #[pyo3(item)]
    max_photos: Option<usize>,
    #[pyo3(item)]
    group: Option<u32>,
    #[pyo3(item)]
    seed: String,
    #[pyo3(item)]
    own_split: bool,
    #[pyo3(item)]
    block_column: Option<String>,
    #[pyo3(item)]
    borders: Vec<f64>,
    #[pyo3(item)]
    split_names: Vec<String>,
}

impl OptionsGiven {
    fn filters(&self) -> Filters {
        let heading = match (self.heading, self.heading_known) {
            (Some((from, to)), _) => Heading::Between(from, to),
            (None, true) => Heading::Known,
            (None, false) => Heading::Any,
        };
        Filters {
            heading,
            max_accuracy_m: self.max_accuracy_m,
            min_distance_m: self.min_distance_m,
        }
    }

    fn split_source(&self) -> SplitSource {
        match &self.block_column {
            Some(column) => SplitSource::Blocks {
                column: column.clone(),
                seed: self.seed.clone(),
                borders: self.borders.clone(),
            },
            None if self.own_split => SplitSource::Column,
            None => SplitSource::Tile,
        }
    }
}

#[pymethods]
impl PairEngine {
    /// Plan the pairing of a table whose columns are (name, name of the photo table, kind).
    #[new]
    #[pyo3(signature = (finder, tiles, columns, output, options, *, photos_root, folder))]
    fn new(
        finder: &Bound<'_, TileFinder>,
        tiles: TilesGiven<'_>,
        columns: Vec<(String, String, String)>,
        output: Vec<String>,
        options: OptionsGiven,
        photos_root: PathBuf,
        folder: Option<PathBuf>,
    ) -> PyResult<Self> {
        let specs = columns.into_iter().map(|(source, target, kind)| {
            let kind = kind_of(&kind)?;
            Ok(ColumnSpec {
                source,
                target,
                kind,
            })
        });
        let plan = PairPlan {
            finder: Arc::clone(&finder.get().finder),
            choice: Choice {
                most: options.tiles_a_photo,
                margin_m: options.margin_m,
                days: options.days,
                nearest_date: options.nearest_date,
                tile_dates: tiles.dates.as_array().to_vec(),
            },
            tiles: Tiles {
                ids: texts_of(&tiles.ids)?,
                block_names: tiles.block_names,
                blocks: tiles.blocks.as_array().to_vec(),
                splits: tiles.splits.as_array().to_vec(),
            },
            columns: Columns::new(specs.collect::<PyResult<_>>()?, photos_root, folder),
            output,
            filters: options.filters(),
            split_source: options.split_source(),
            splits: options.split_names.clone(),
            cap: Cap {
                most: options.max_photos,
                seed: options.seed.clone(),
                group: options.group,
            },
        };
        Ok(Self {
            engine: Mutex::new(Engine::new(plan)),
        })
    }

    /// Write pairs and rejected photos as Parquet; what has no file is handed out.
    fn write_to(&self, pairs: Option<PathBuf>, rejected: Option<PathBuf>) {
        self.locked(|engine| engine.write_to(pairs, rejected));
    }

    /// Start a pass: `look`, `look_hard`, `compare`, `survey` or `write`.
    fn begin(&self, phase: &str) -> PyResult<()> {
        let phase = match phase {
            "look" => Phase::Look(false),
            "look_hard" => Phase::Look(true),
            "compare" => Phase::Compare,
            "survey" => Phase::Survey,
            "write" => Phase::Write,
            other => return Err(PyValueError::new_err(format!("no pass {other:?}"))),
        };
        self.locked(|engine| engine.begin(phase));
        Ok(())
    }

    /// Hand some rows to the pass: any table that exports an Arrow stream.
    fn add(&self, py: Python<'_>, rows: PyTable) -> PyResult<()> {
        let (batches, _) = rows.into_inner();
        let cancel = AtomicBool::new(false);
        let work = || self.locked(|engine| batches.iter().try_for_each(|batch| engine.add(batch)));
        until_interrupted(py, &cancel, work)?.map_err(to_python)
    }

    /// Hand the rows of a Parquet or Arrow file to the pass; `progress` is told how many are done.
    #[pyo3(signature = (path, *, limit=None, progress=None))]
    fn read(
        &self,
        py: Python<'_>,
        path: PathBuf,
        limit: Option<u64>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let cancel = AtomicBool::new(false);
        let mut told = 0;
        let mut tell = |rows: u64| {
            let (more, progress) = (rows - told, progress.as_ref());
            told = rows;
            progress
                .filter(|_| more > 0)
                .map_or(Ok(()), |call| {
                    Python::attach(|py| call.call1(py, (more,)).map(drop))
                })
                .map_err(Raised)
        };
        until_interrupted(py, &cancel, || {
            self.locked(|engine| engine.read(&path, limit, &cancel, &mut tell))
        })?
        .map_err(PyErr::from)
    }

    /// End the first look: counts, a sample of points, and whether ids may come twice.
    fn looked<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let looked = py
            .detach(|| self.locked(Engine::looked))
            .map_err(to_python)?;
        let found = PyDict::new(py);
        found.set_item("rows", looked.rows)?;
        found.set_item("missing", looked.missing)?;
        found.set_item("beyond_lat", looked.beyond_lat)?;
        found.set_item("beyond_lon", looked.beyond_lon)?;
        found.set_item("first_beyond", looked.first_beyond)?;
        let sample: Vec<(f64, f64)> = looked.sample.iter().map(|p| (p[0], p[1])).collect();
        found.set_item("sample", sample)?;
        found.set_item("unsure", looked.unsure)?;
        Ok(found)
    }

    /// End the comparison: how many rows repeat an earlier one.
    fn compared(&self, py: Python<'_>) -> PyResult<usize> {
        py.detach(|| self.locked(Engine::compared))
            .map_err(to_python)
    }

    /// End the survey: the tiles in use.
    fn surveyed<'py>(&self, py: Python<'py>) -> PyResult<TilesInUse<'py>> {
        let used = py.detach(|| self.locked(Engine::surveyed));
        Ok(in_use(py, used.map_err(to_python)?))
    }

    /// Say which pairs give way, by tile and split.
    fn give_way(&self, pairs: Vec<(u32, String)>) {
        self.locked(|engine| engine.give_way(&pairs));
    }

    /// Take the pairs and rejected photos that no file takes.
    fn take(&self) -> PyResult<Vec<(PyTable, Option<PyTable>)>> {
        let ready = self.locked(Engine::take).into_iter();
        let table = |batch: RecordBatch| {
            let schema = batch.schema();
            PyTable::try_new(vec![batch], schema)
        };
        ready
            .map(|(pairs, rejected)| Ok((table(pairs)?, rejected.map(table).transpose()?)))
            .collect()
    }

    /// Work on the last batches: counts, and the tiles in use.
    fn written<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyDict>, TilesInUse<'py>)> {
        let (written, used) = py
            .detach(|| self.locked(Engine::written))
            .map_err(to_python)?;
        let text = |reason: &Reason| (reason.text(), reason.is_bad());
        let rejected: Vec<((&str, bool), u64)> = written
            .rejected
            .iter()
            .map(|(reason, count)| (text(reason), *count))
            .collect();
        let names = used.names.iter().cloned();
        let splits: BTreeMap<String, u64> = names.zip(written.splits).collect();
        let found = PyDict::new(py);
        found.set_item("rows", written.rows)?;
        found.set_item("pairs", written.pairs)?;
        found.set_item("repeated", written.repeated)?;
        found.set_item("rejected", rejected)?;
        found.set_item("splits", splits)?;
        found.set_item("bounds", written.bounds.map(|b| (b[0], b[1], b[2], b[3])))?;
        found.set_item("blocks", written.blocks)?;
        Ok((found, in_use(py, used)))
    }

    /// End the files, with texts of the whole pair table; whether rejected photos have one.
    fn close(&self, py: Python<'_>, metadata: Vec<(String, String)>) -> PyResult<bool> {
        py.detach(|| self.locked(|engine| engine.close(&metadata)))
            .map_err(to_python)
    }

    /// Every reason a photo can be rejected for, and whether the row itself is at fault.
    #[staticmethod]
    fn reasons() -> Vec<(&'static str, bool)> {
        Reason::REJECTED
            .map(|reason| (reason.text(), reason.is_bad()))
            .to_vec()
    }
}

impl PairEngine {
    /// Works with the engine; one that panicked before is used as it was left.
    fn locked<T>(&self, work: impl FnOnce(&mut Engine) -> T) -> T {
        work(&mut self.engine.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Texts of an Arrow array, without an object for each.
fn texts_of(array: &PyChunkedArray) -> PyResult<Texts> {
    let failed = |error: ArrowError| PyValueError::new_err(error.to_string());
    let mut texts = Texts::default();
    for chunk in array.chunks() {
        let chunk = cast(chunk, &DataType::LargeUtf8).map_err(failed)?;
        for text in chunk.as_string::<i64>() {
            texts.push(text.unwrap_or_default());
        }
    }
    Ok(texts)
}

/// Hands the tiles in use to Python: names of splits are few, and each is one object.
fn in_use(py: Python<'_>, used: Used) -> TilesInUse<'_> {
    let names = used.names.iter().map(|name| PyString::new(py, name));
    let names: Vec<_> = names.collect();
    let splits = used.splits.iter();
    let splits = splits.map(|split| names[usize::from(*split)].clone());
    (PyArray1::from_vec(py, used.tiles), splits.collect())
}

/// Describe a Parquet or Arrow file: (column, kind of type), (key, text).
#[pyfunction]
fn describe_table(py: Python<'_>, path: PathBuf) -> PyResult<Description> {
    py.detach(|| gair_tables::describe(&path))
        .map_err(to_python)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(describe_table, module)?)?;
    module.add_class::<PairEngine>()
}
