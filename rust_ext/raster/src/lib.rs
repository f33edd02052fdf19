//! The only user of GDAL: plan windows, decode each block once, cut tiles, write rasters.
//!
//! GDAL runs without threads of its own; the threads are ours, each with its own open dataset.
//! Nothing is printed: GDAL's messages become part of the errors returned here.

mod blocks;
mod crs;
mod cut;
mod error;
mod ffi;
mod info;
mod plan;
mod scene;
mod setup;
mod stats;
mod write;

pub use crs::{crs_name, geo_keys, transform_points};
pub use cut::{CutPlan, CutTile, SceneCutter};
pub use error::{Error, Result};
pub use ffi::Window;
pub use info::{BandInfo, RasterInfo, describe, read_window};
pub use plan::{Cell, Lattice, Partial};
pub use scene::SceneSpec;
pub use setup::{gdal_version, setup};
pub use stats::BandStats;
pub use write::{GeoTiffWriter, Layout, RasterSpec};
