//! The only user of GDAL: plan windows, decode each block once, cut tiles, write rasters.
//!
//! GDAL runs without threads of its own; the threads are ours, each with its own open dataset.
//! Nothing is printed: GDAL's messages become part of the errors returned here.

mod affine;
mod buffers;
mod crs;
mod cut;
mod decode;
mod direct;
mod engine;
mod error;
mod ffi;
mod gather;
mod grid;
mod info;
mod judge;
mod lattice;
mod offset;
mod pieces;
mod plan;
mod prepared;
mod program;
mod proj;
mod projector;
mod reader;
mod region;
mod regrid;
mod resample;
mod schedule;
mod setup;
mod source;
mod spec;
mod stats;
mod store;
mod working;
mod write;

pub use crs::{crs_name, geo_keys, transform_points};
pub use cut::CutTile;
pub use direct::DirectReader;
pub use engine::{CutCost, Received, SceneCutter};
pub use error::{Error, Result};
pub use ffi::Window;
pub use grid::{Frame, Grid};
pub use info::{BandInfo, RasterInfo, describe, read_window};
pub use lattice::{Cell, Lattice, Partial};
pub use proj::ProjProjection;
pub use reader::{Pixels, SceneReader};
pub use region::{PolygonLayer, read_polygons, shares_area};
pub use regrid::{bounds_in, suggest};
pub use resample::{Kernel, Placement, Scaled, Scratch, Shift, Source, Target, Values, Warped};
pub use setup::{gdal_version, setup};
pub use spec::{BandSpec, CloudSpec, CutOptions, Request, SceneSpec};
pub use stats::BandStats;
pub use working::{Working, workers_running};
pub use write::{GeoTiffWriter, Layout, RasterSpec};
