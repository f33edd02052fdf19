//! What is to be cut: bands from files, each with a grid of its own, and what says which pixels hold.
use gair_core::shard::SampleType;

use crate::grid::{Frame, Grid};

/// One band of a scene.
#[derive(Debug, Clone)]
pub struct BandSpec {
    /// What the tiles call it.
    pub name: String,
    /// What GDAL opens.
    pub path: String,
    /// Its number in the file, from 1.
    pub number: usize,
    /// `nearest`, `bilinear`, `cubic` or `average`, where its grid is not the tiles'.
    pub resampling: String,
    /// The file's value of a pixel that is none.
    pub nodata: Option<f64>,
    /// Added to valid pixels; integers are then at least 1.
    pub offset: f64,
}

/// A band that says where clouds are.
#[derive(Debug, Clone)]
pub struct CloudSpec {
    /// What GDAL opens.
    pub path: String,
    /// Its number in the file, from 1.
    pub number: usize,
    /// A pixel is cloudy if `pixel & mask == value` for any pair (mask, value).
    pub tests: Vec<(u32, u32)>,
}

/// What a scene is made of.
#[derive(Debug, Clone)]
pub struct SceneSpec {
    /// The bands in the tiles' order.
    pub bands: Vec<BandSpec>,
    /// File whose mask or alpha band says which pixels are valid.
    pub mask: Option<String>,
    /// Bands that say where clouds are.
    pub clouds: Vec<CloudSpec>,
    /// Type of all bands.
    pub sample: SampleType,
    /// The tiles' value of a pixel that is none.
    pub nodata: Option<f64>,
    /// The scene's own grid: its CRS and transform stand in where a file has none.
    pub grid: Grid,
}

/// The tiles asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The grid they are cut from.
    pub target: Grid,
    /// Rows and columns of a tile.
    pub size: (usize, usize),
    /// First pixel row of each tile; it may lie outside the grid.
    pub tops: Vec<i64>,
    /// First pixel column of each tile.
    pub lefts: Vec<i64>,
}

impl Request {
    /// The pixels of tile `number`.
    #[must_use]
    pub fn frame(&self, number: usize) -> Frame {
        Frame {
            col: self.lefts[number],
            row: self.tops[number],
            width: self.size.1,
            height: self.size.0,
        }
    }

    /// How many tiles are asked for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tops.len().min(self.lefts.len())
    }

    /// Whether no tile is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How tiles are cut and encoded.
#[derive(Debug, Clone)]
pub struct CutOptions {
    /// `nodata` as `GDAL_NODATA` spells it.
    pub nodata_text: Option<String>,
    /// Greatest share of pixels that are valid in no band.
    pub max_nodata: f64,
    /// Greatest share of cloudy pixels.
    pub max_cloud: f64,
    /// ZSTD's level; `None` leaves tiles uncompressed.
    pub level: Option<i32>,
    /// Position, in the cutter's own order, of the first tile to cut.
    pub first: usize,
    /// Threads that decode and cut.
    pub threads: usize,
    /// Most bytes of decoded blocks at any time; `None` takes what decoding once needs, within
    /// reason.
    pub memory: Option<usize>,
}
