//! A scene's files as they are read: rasters of the same grid and blocks make a layer.
use std::collections::HashMap;

use gair_core::shard::SampleType;

use crate::decode::Datasets;
use crate::direct::DirectReader;
use crate::error::{Error, Result};
use crate::ffi::Window;
use crate::grid::{Frame, Grid};
use crate::info::{self, RasterInfo};
use crate::resample::{Kernel, Placement};
use crate::setup;
use crate::spec::SceneSpec;

/// Strips and small blocks are read together until a unit has this many rows and columns.
const LEAST_ROWS: usize = 64;
const LEAST_COLS: usize = 256;
/// Strips are not read together beyond so many bytes of a unit.
const WIDE_BYTES: usize = 4 << 20;

/// What a source is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// Bands of the scene, by their place in it.
    Bands(Vec<usize>),
    /// 0 where a pixel is invalid.
    Mask,
    /// 0 where a pixel of the same layer is of no use to a kernel.
    Usable,
    /// The cloud band of that number.
    Cloud(usize),
}

/// Bands of one file that are decoded together.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: String,
    /// Band numbers in the file; none stands for the mask.
    pub(crate) numbers: Vec<usize>,
    pub(crate) role: Role,
    pub(crate) sample: SampleType,
}

impl Source {
    /// How many planes it decodes to.
    pub(crate) fn count(&self) -> usize {
        self.numbers.len().max(1)
    }

    /// Bytes of a pixel in all its planes.
    pub(crate) fn pixel_bytes(&self) -> usize {
        self.count() * self.sample.size()
    }
}

/// Sources that have the same grid and blocks and are taken to the tiles alike.
#[derive(Debug)]
pub(crate) struct Layer {
    /// Rows and columns.
    pub(crate) size: (usize, usize),
    /// Rows and columns of a unit.
    pub(crate) unit: (usize, usize),
    pub(crate) placement: Placement,
    pub(crate) kernel: Kernel,
    pub(crate) sources: Vec<Source>,
    grid: Grid,
}

impl Layer {
    /// The pixels that a frame of the target needs; `None` where it lies outside.
    ///
    /// # Errors
    /// [`Error::Unusable`] when PROJ cannot be set up for this thread.
    pub(crate) fn window(&self, frame: Frame) -> Result<Option<Window>> {
        self.placement.source_window(frame, self.kernel)
    }

    /// Bytes of a pixel in all its sources.
    pub(crate) fn pixel_bytes(&self) -> usize {
        self.sources.iter().map(Source::pixel_bytes).sum()
    }

    /// Whether its pixels are those of the target, so that no kernel matters.
    pub(crate) fn is_shifted(&self) -> bool {
        matches!(self.placement, Placement::Shifted(_))
    }

    /// The place of its own mask, which says which of its pixels a kernel may use.
    pub(crate) fn mask(&self) -> Option<usize> {
        let is_mask = |source: &Source| source.role == Role::Usable;
        self.sources.iter().position(is_mask)
    }
}

/// A scene's layers, and its files opened for as many threads as read them.
pub(crate) struct Layers {
    pub(crate) layers: Vec<Layer>,
    pub(crate) datasets: Datasets,
}

/// Collects sources into layers.
struct Builder<'a> {
    spec: &'a SceneSpec,
    target: &'a Grid,
    layers: Vec<Layer>,
    infos: HashMap<String, RasterInfo>,
    datasets: Datasets,
}

impl Layers {
    /// Opens a scene's files for `threads` readers.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when a file cannot be opened, [`Error::Unusable`] when a band is
    /// missing, has another type, or there is no way from its grid to the target.
    pub(crate) fn open(spec: &SceneSpec, target: &Grid, threads: usize) -> Result<Self> {
        setup();
        let mut builder = Builder {
            spec,
            target,
            layers: Vec::new(),
            infos: HashMap::new(),
            datasets: Datasets::default(),
        };
        for number in 0..spec.bands.len() {
            builder.band(number)?;
        }
        if let Some(path) = &spec.mask {
            builder.mask(path)?;
        }
        for (number, cloud) in spec.clouds.iter().enumerate() {
            let (path, role) = (&cloud.path, Role::Cloud(number));
            builder.info(path)?.band(path, cloud.number)?;
            let numbers = vec![cloud.number];
            builder.add(path, numbers, role, SampleType::UInt32, Kernel::Nearest)?;
        }
        setup::reserve_cache(cache_bytes(&builder.infos, threads));
        Ok(Self {
            layers: builder.layers,
            datasets: builder.datasets,
        })
    }
}

impl Builder<'_> {
    fn band(&mut self, number: usize) -> Result<()> {
        let spec = self.spec;
        let band = &spec.bands[number];
        let info = self.info(&band.path)?;
        if info.band(&band.path, band.number)?.sample != Some(spec.sample) {
            return Err(Error::Unusable(format!(
                "{}: band {} has another type",
                band.path, band.number
            )));
        }
        let together = info.pixel_interleaved;
        let kernel = Kernel::from_name(&band.resampling)?;
        for layer in self.layers.iter_mut().filter(|_| together) {
            let same_kernel = layer.kernel == kernel || layer.is_shifted();
            let shifted = layer.is_shifted();
            let mut sources = layer.sources.iter_mut().filter(|_| same_kernel);
            if let Some(source) = sources.find(|source| source.path == band.path)
                && let Role::Bands(bands) = &mut source.role
                && (shifted || same_number(spec.bands[bands[0]].nodata, band.nodata))
            {
                source.numbers.push(band.number);
                bands.push(number);
                return Ok(());
            }
        }
        let (role, numbers) = (Role::Bands(vec![number]), vec![band.number]);
        self.add(&band.path, numbers, role, spec.sample, kernel)
    }

    fn info(&mut self, path: &str) -> Result<&RasterInfo> {
        if !self.infos.contains_key(path) {
            let dataset = info::open(path)?;
            let info = info::describe_open(&dataset, path)?;
            if let Some(direct) = DirectReader::open(&dataset, path, &info) {
                self.datasets.read_directly(path, direct);
            }
            self.datasets.give_back(path, dataset);
            self.infos.insert(path.to_owned(), info);
        }
        Ok(&self.infos[path])
    }

    /// Adds the mask to every layer of its grid that is resampled, and once by itself if need be.
    fn mask(&mut self, path: &str) -> Result<()> {
        let scene = &self.spec.grid;
        let info = self.info(path)?;
        let (grid, unit) = (grid_of(info, scene, path)?, unit(info));
        let sample = SampleType::UInt8;
        let mut left = false;
        for layer in &mut self.layers {
            if layer.is_shifted() || layer.grid != grid || layer.unit != unit {
                left = true;
                continue;
            }
            layer.sources.push(Source {
                path: path.to_owned(),
                numbers: Vec::new(),
                role: Role::Usable,
                sample,
            });
        }
        if left {
            self.add(path, Vec::new(), Role::Mask, sample, Kernel::Nearest)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        path: &str,
        numbers: Vec<usize>,
        role: Role,
        sample: SampleType,
        kernel: Kernel,
    ) -> Result<()> {
        let scene = &self.spec.grid;
        let info = self.info(path)?;
        let (grid, unit) = (grid_of(info, scene, path)?, unit(info));
        let source = Source {
            path: path.to_owned(),
            numbers,
            role,
            sample,
        };
        let same = |layer: &&mut Layer| {
            let kernels = layer.kernel == kernel || layer.is_shifted();
            layer.unit == unit && kernels && layer.grid == grid
        };
        if let Some(layer) = self.layers.iter_mut().find(same) {
            layer.sources.push(source);
            return Ok(());
        }
        self.layers.push(Layer {
            size: (grid.height, grid.width),
            unit,
            placement: Placement::between(&grid, self.target)?,
            kernel,
            sources: vec![source],
            grid,
        });
        Ok(())
    }
}

/// Whether two nodata values are the same, NaN being the same as NaN.
pub(crate) fn same_number(one: Option<f64>, two: Option<f64>) -> bool {
    one.map(f64::to_bits) == two.map(f64::to_bits)
}

/// A file's own grid; what it does not say is the scene's.
fn grid_of(info: &RasterInfo, scene: &Grid, path: &str) -> Result<Grid> {
    let same_size = (info.width, info.height) == (scene.width, scene.height);
    let transform = info.transform.or(same_size.then_some(scene.transform));
    Ok(Grid {
        crs: info.crs.clone().unwrap_or_else(|| scene.crs.clone()),
        transform: transform
            .ok_or_else(|| Error::Unusable(format!("{path}: its pixels have no place")))?,
        width: info.width,
        height: info.height,
    })
}

/// Rows and columns of what is decoded at once: blocks, small ones and strips together.
fn unit(info: &RasterInfo) -> (usize, usize) {
    let (width, height) = (info.block.0.max(1), info.block.1.max(1));
    let cols = width * LEAST_COLS.div_ceil(width);
    let row_bytes = cols.min(info.width) * info.block_bands() * info.sample_bytes();
    let rows = LEAST_ROWS.min(WIDE_BYTES / row_bytes.max(1)).max(1);
    (height * rows.div_ceil(height), cols)
}

/// A pixel-interleaved block decodes once only if all its bands fit the cache of every thread.
fn cache_bytes(infos: &HashMap<String, RasterInfo>, threads: usize) -> usize {
    let one = |info: &RasterInfo| {
        let cols = unit(info).1.min(info.width + info.block.0);
        let sides = cols.saturating_mul(info.block.1);
        sides.saturating_mul(info.block_bands() * info.sample_bytes())
    };
    let largest = infos.values().map(one).max().unwrap_or(0);
    largest.saturating_mul(2 * threads)
}
