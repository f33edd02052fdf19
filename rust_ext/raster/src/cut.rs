//! Cut a scene into encoded tiles, one row of tiles at a time.
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use gair_core::shard::{EncodedTile, TileEncoder, TileHeader};
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::blocks::Blocks;
use crate::error::{Error, Result};
use crate::ffi::Window;
use crate::plan::{Cell, Lattice};
use crate::scene::{Group, Scene, SceneSpec};
use crate::stats::{BandStats, mark_valid, nodata_bytes, statistics};

/// ZSTD's level in tile sets: level 3 costs six times as much for 8 % less.
const LEVEL: i32 = 1;

/// What to cut.
#[derive(Debug, Clone)]
pub struct CutPlan {
    /// Where the tiles are.
    pub lattice: Lattice,
    /// What all tiles share; its size is the lattice's.
    pub header: TileHeader,
    /// The scene's transform: a, b, c, d, e, f as in rasterio.
    pub transform: [f64; 6],
    /// The value that means "no data".
    pub nodata: Option<f64>,
    /// Greatest share of invalid pixels that a tile may have.
    pub max_nodata: f64,
}

/// A finished tile.
#[derive(Debug)]
pub struct CutTile {
    /// Its number on the lattice, row by row.
    pub number: usize,
    /// Its lattice position.
    pub cell: Cell,
    /// Its pixels to CRS.
    pub transform: [f64; 6],
    /// The file.
    pub encoded: EncodedTile,
    /// One entry a band.
    pub stats: Vec<BandStats>,
    /// Share of pixels that are invalid in every band.
    pub nodata_fraction: f64,
}

/// Cuts one scene; decodes every block once, whatever the stride.
pub struct SceneCutter {
    scene: Scene,
    plan: CutPlan,
    fill: Option<Vec<u8>>,
    pool: Arc<ThreadPool>,
    cancel: Arc<AtomicBool>,
    blocks: Blocks,
    next: usize,
    ready: VecDeque<CutTile>,
    encoders: Mutex<Vec<TileEncoder>>,
    dropped: usize,
}

impl SceneCutter {
    /// Opens a scene; `first` is the number of the first tile to cut.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when a file cannot be opened, [`Error::Unusable`] when the files do
    /// not fit the spec or the type has no such nodata value.
    pub fn new(
        spec: SceneSpec,
        plan: CutPlan,
        first: usize,
        pool: Arc<ThreadPool>,
        cancel: Arc<AtomicBool>,
    ) -> Result<Self> {
        let sample = spec.sample;
        let missing = |value| Error::Unusable(format!("{} has no value {value}", sample.name()));
        let wanted = plan.nodata.or(sample.is_float().then_some(f64::NAN));
        let fill = match wanted {
            Some(value) => Some(nodata_bytes(sample, value).ok_or_else(|| missing(value))?),
            None => None,
        };
        let scene = Scene::open(spec, pool.current_num_threads())?;
        Ok(Self {
            scene,
            plan,
            fill,
            pool,
            cancel,
            blocks: Blocks::default(),
            next: first,
            ready: VecDeque::new(),
            encoders: Mutex::new(Vec::new()),
            dropped: 0,
        })
    }

    /// The next tile that is cut already; `None` asks for [`SceneCutter::advance`].
    pub fn pop(&mut self) -> Option<CutTile> {
        self.ready.pop_front()
    }

    /// Puts a tile back to be the next.
    pub fn push_back(&mut self, tile: CutTile) {
        self.ready.push_front(tile);
    }

    /// How many tiles were left out so far, being nodata only or above the limit.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// Cuts the next row of tiles; `false` when there is none.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when a block cannot be decoded, [`Error::Cancelled`] when asked to
    /// stop.
    pub fn advance(&mut self) -> Result<bool> {
        let lattice = &self.plan.lattice;
        if self.next >= lattice.len() {
            return Ok(false);
        }
        let end = (self.next / lattice.lefts.len() + 1) * lattice.lefts.len();
        let top = lattice.cell(self.next).top;
        let rows = (top, top + lattice.height);
        let (scene, blocks, cancel) = (&self.scene, &mut self.blocks, &*self.cancel);
        self.pool.install(|| blocks.advance(scene, rows, cancel))?;
        let numbers = self.next..end;
        let this = &*self;
        let cut: Result<Vec<Option<CutTile>>> = this.pool.install(|| {
            numbers
                .into_par_iter()
                .map(|number| this.cut(number))
                .collect()
        });
        let cut = cut?;
        self.dropped += cut.iter().filter(|tile| tile.is_none()).count();
        self.ready.extend(cut.into_iter().flatten());
        self.next = end;
        Ok(true)
    }

    /// Cuts one tile; `None` when too little of it is valid.
    fn cut(&self, number: usize) -> Result<Option<CutTile>> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        let cell = self.plan.lattice.cell(number);
        let mut tile = self.gather(cell)?;
        let (stats, nodata_fraction) = self.judge(cell, &mut tile);
        let empty = stats.iter().all(|band| band.count == 0);
        if empty || nodata_fraction > self.plan.max_nodata {
            return Ok(None);
        }
        let transform = shifted(&self.plan.transform, cell);
        let encoded = self.encode(&transform, &mut tile)?;
        Ok(Some(CutTile {
            number,
            cell,
            transform,
            encoded,
            stats,
            nodata_fraction,
        }))
    }

    fn frame(&self, cell: Cell) -> Window {
        let lattice = &self.plan.lattice;
        Window {
            col: cell.left,
            row: cell.top,
            width: lattice.width,
            height: lattice.height,
        }
    }

    fn plane_length(&self) -> usize {
        self.plan.lattice.width * self.plan.lattice.height * self.scene.spec.sample.size()
    }

    /// The tile's pixels (C, H, W); those beyond the scene are nodata.
    fn gather(&self, cell: Cell) -> Result<Vec<u8>> {
        let frame = self.frame(cell);
        let spec = &self.scene.spec;
        let mut pixels = vec![0; self.plane_length() * spec.sources.len()];
        if frame.row + frame.height > spec.height || frame.col + frame.width > spec.width {
            let fill = self.fill.as_ref().ok_or_else(|| {
                Error::Unusable("padding needs a nodata value to pad with".to_owned())
            })?;
            pixels
                .chunks_exact_mut(fill.len())
                .for_each(|value| value.copy_from_slice(fill));
        }
        let mut planes: Vec<Option<&mut [u8]>> = pixels
            .chunks_exact_mut(self.plane_length())
            .map(Some)
            .collect();
        for (index, group) in self
            .scene
            .groups
            .iter()
            .enumerate()
            .filter(|(_, g)| !g.is_mask())
        {
            let mut out: Vec<&mut [u8]> = group
                .bands
                .iter()
                .filter_map(|band| planes[*band].take())
                .collect();
            self.blocks.copy(&self.scene, index, frame, &mut out);
        }
        Ok(pixels)
    }

    /// Statistics of each band and the share of pixels valid in none; burns the mask in.
    #[allow(clippy::cast_precision_loss)] // a tile has far fewer than 2^53 pixels
    fn judge(&self, cell: Cell, pixels: &mut [u8]) -> (Vec<BandStats>, f64) {
        let sample = self.scene.spec.sample;
        let mask = self.mask(cell);
        let mut anywhere = vec![0_u8; mask.len()];
        let mut stats = Vec::with_capacity(self.scene.spec.sources.len());
        for plane in pixels.chunks_exact_mut(self.plane_length()) {
            let mut valid = mask.clone();
            mark_valid(sample, plane, self.plan.nodata, &mut valid);
            stats.push(statistics(sample, plane, &valid));
            anywhere
                .iter_mut()
                .zip(&valid)
                .for_each(|(any, flag)| *any |= flag);
            if self.scene.spec.mask.is_some() {
                self.burn(plane, &mask);
            }
        }
        let valid: u64 = anywhere.iter().map(|flag| u64::from(*flag)).sum();
        (stats, 1.0 - valid as f64 / anywhere.len() as f64)
    }

    /// Writes nodata where the mask band says so, as far as there is a value for it.
    fn burn(&self, plane: &mut [u8], mask: &[u8]) {
        let Some(fill) = self.fill.as_ref() else {
            return;
        };
        for (value, _) in plane
            .chunks_exact_mut(fill.len())
            .zip(mask)
            .filter(|(_, m)| **m == 0)
        {
            value.copy_from_slice(fill);
        }
    }

    /// 1 where a pixel may be valid: inside the scene and not masked.
    fn mask(&self, cell: Cell) -> Vec<u8> {
        let frame = self.frame(cell);
        let mut mask = vec![0; frame.width * frame.height];
        if let Some(index) = self.scene.groups.iter().position(Group::is_mask) {
            self.blocks
                .copy(&self.scene, index, frame, &mut [&mut mask]);
            for flag in &mut mask {
                *flag = u8::from(*flag != 0);
            }
        } else {
            let cols = frame.width.min(self.scene.spec.width - frame.col);
            let rows = frame.height.min(self.scene.spec.height - frame.row);
            for row in mask.chunks_exact_mut(frame.width).take(rows) {
                row[..cols].fill(1);
            }
        }
        mask
    }

    fn encode(&self, transform: &[f64; 6], pixels: &mut [u8]) -> Result<EncodedTile> {
        let idle = self.encoders.lock().ok().and_then(|mut idle| idle.pop());
        let mut encoder = idle.map_or_else(|| TileEncoder::new(LEVEL), Ok)?;
        let tile = encoder.encode(&self.plan.header, transform, pixels)?;
        if let Ok(mut idle) = self.encoders.lock() {
            idle.push(encoder);
        }
        Ok(tile)
    }
}

/// The transform of a tile: the scene's, moved to the tile's first pixel.
#[allow(clippy::cast_precision_loss)] // rasters have fewer than 2^53 columns
fn shifted(transform: &[f64; 6], cell: Cell) -> [f64; 6] {
    let [a, b, west, d, e, north] = *transform;
    let (left, top) = (cell.left as f64, cell.top as f64);
    [
        a,
        b,
        a * left + b * top + west,
        d,
        e,
        d * left + e * top + north,
    ]
}
