//! A scene as it is read: bands from one file or many, decoded in units of whole blocks.
use std::collections::HashMap;
use std::sync::Mutex;

use gair_core::shard::SampleType;
use gdal::Dataset;

use crate::error::{Error, Result};
use crate::ffi::{self, Window};
use crate::info::{self, RasterInfo};
use crate::setup;

/// Strips and small blocks are read together until a unit has this many rows and columns.
const LEAST_ROWS: usize = 64;
const LEAST_COLS: usize = 256;

/// What a scene is made of.
#[derive(Debug, Clone)]
pub struct SceneSpec {
    /// File and band number (from 1) of each band.
    pub sources: Vec<(String, usize)>,
    /// File whose mask or alpha band says which pixels are valid.
    pub mask: Option<String>,
    /// Type of all bands.
    pub sample: SampleType,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Bands that are decoded together.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    path: String,
    /// Band numbers in the file; none stands for the mask.
    numbers: Vec<usize>,
    /// Which bands of the scene they are.
    pub(crate) bands: Vec<usize>,
    /// Rows and columns of a unit.
    pub(crate) unit: (usize, usize),
    pub(crate) sample: SampleType,
}

impl Group {
    pub(crate) fn is_mask(&self) -> bool {
        self.numbers.is_empty()
    }

    pub(crate) fn count(&self) -> usize {
        self.numbers.len().max(1)
    }
}

/// A scene that many threads read at once, each with datasets of its own.
pub(crate) struct Scene {
    pub(crate) spec: SceneSpec,
    pub(crate) groups: Vec<Group>,
    idle: Mutex<HashMap<String, Vec<Dataset>>>,
}

impl Scene {
    /// Opens a scene for `threads` readers.
    pub(crate) fn open(spec: SceneSpec, threads: usize) -> Result<Self> {
        setup();
        let mut infos: HashMap<String, RasterInfo> = HashMap::new();
        for (path, _) in &spec.sources {
            if !infos.contains_key(path) {
                infos.insert(path.clone(), info::describe(path)?);
            }
        }
        let mut groups = Vec::new();
        for (band, (path, number)) in spec.sources.iter().enumerate() {
            let info = &infos[path];
            check(&spec, path, *number, info)?;
            let together: Option<&mut Group> = groups
                .iter_mut()
                .find(|g: &&mut Group| info.pixel_interleaved && g.path == *path);
            match together {
                Some(group) => {
                    group.numbers.push(*number);
                    group.bands.push(band);
                }
                None => groups.push(Group {
                    path: path.clone(),
                    numbers: vec![*number],
                    bands: vec![band],
                    unit: unit(info),
                    sample: spec.sample,
                }),
            }
        }
        if let Some(path) = &spec.mask {
            let unit = unit(&info::describe(path)?);
            let (numbers, bands) = (Vec::new(), Vec::new());
            let sample = SampleType::UInt8;
            groups.push(Group {
                path: path.clone(),
                numbers,
                bands,
                unit,
                sample,
            });
        }
        setup::reserve_cache(cache_bytes(&infos, threads));
        Ok(Self {
            spec,
            groups,
            idle: Mutex::new(HashMap::new()),
        })
    }

    /// Decodes one unit of a group: (bands of the group, rows, columns), cut at the scene's edge.
    pub(crate) fn decode(&self, group: &Group, window: Window) -> Result<Vec<u8>> {
        let dataset = self.borrow(&group.path)?;
        let length = group.count() * window.width * window.height * group.sample.size();
        let mut data = vec![0; length];
        let read = if group.is_mask() {
            ffi::read_mask(&dataset, window, &mut data)
        } else {
            ffi::read(&dataset, &group.numbers, window, group.sample, &mut data)
        };
        read.map_err(|message| Error::unreadable(&group.path, info::short(&message, &group.path)))?;
        if let Ok(mut idle) = self.idle.lock() {
            idle.entry(group.path.clone()).or_default().push(dataset);
        }
        Ok(data)
    }

    fn borrow(&self, path: &str) -> Result<Dataset> {
        let idle = self
            .idle
            .lock()
            .ok()
            .and_then(|mut idle| idle.get_mut(path)?.pop());
        idle.map_or_else(|| info::open(path), Ok)
    }
}

fn check(spec: &SceneSpec, path: &str, number: usize, info: &RasterInfo) -> Result<()> {
    if (info.width, info.height) != (spec.width, spec.height) {
        return Err(Error::Unusable(format!(
            "{path} has {} x {} pixels, the scene {} x {}",
            info.width, info.height, spec.width, spec.height
        )));
    }
    let band = number
        .checked_sub(1)
        .and_then(|index| info.bands.get(index));
    match band.map(|band| band.sample) {
        Some(sample) if sample == Some(spec.sample) => Ok(()),
        Some(_) => Err(Error::Unusable(format!(
            "{path}: band {number} has another type"
        ))),
        None => Err(Error::Unusable(format!("{path} has no band {number}"))),
    }
}

fn unit(info: &RasterInfo) -> (usize, usize) {
    let (width, height) = (info.block.0.max(1), info.block.1.max(1));
    (
        height * LEAST_ROWS.div_ceil(height),
        width * LEAST_COLS.div_ceil(width),
    )
}

/// A pixel-interleaved block decodes once only if all its bands fit the cache of every thread.
fn cache_bytes(infos: &HashMap<String, RasterInfo>, threads: usize) -> usize {
    let one = |info: &RasterInfo| {
        let bands = if info.pixel_interleaved {
            info.bands.len()
        } else {
            1
        };
        let size = info
            .bands
            .iter()
            .filter_map(|b| b.sample)
            .map(SampleType::size)
            .max();
        let cols = unit(info).1.min(info.width + info.block.0);
        cols * info.block.1 * bands * size.unwrap_or(8)
    };
    infos.values().map(one).max().unwrap_or(0) * 2 * threads
}
