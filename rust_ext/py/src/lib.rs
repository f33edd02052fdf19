//! `gair_cli._rust`: the wall between Python and Rust.
//!
//! Every function does four things: check, release the interpreter, call the core, convert.
#![allow(clippy::needless_pass_by_value)] // pyo3 hands arguments over by value
use pyo3::prelude::*;

mod arrays;
mod coordinates;
mod encodings;
mod error;
mod footprints;
#[cfg(feature = "gdal")]
mod grids;
mod hash;
#[cfg(feature = "gdal")]
mod interrupt;
mod pairing;
mod pairs;
mod photo;
mod projections;
#[cfg(feature = "gdal")]
mod raster;
#[cfg(feature = "gdal")]
mod reading;
#[cfg(feature = "gdal")]
mod region;
#[cfg(feature = "gdal")]
mod scene;
mod shard;
#[cfg(feature = "gdal")]
mod tiling;

/// The extension module.
#[pymodule]
fn _rust(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("HAS_GDAL", cfg!(feature = "gdal"))?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    hash::register(module)?;
    coordinates::register(module)?;
    encodings::register(module)?;
    projections::register(module)?;
    pairing::register(module)?;
    pairs::register(module)?;
    footprints::register(module)?;
    photo::register(module)?;
    shard::register(module)?;
    #[cfg(feature = "gdal")]
    grids::register(module)?;
    #[cfg(feature = "gdal")]
    raster::register(module)?;
    #[cfg(feature = "gdal")]
    region::register(module)?;
    #[cfg(feature = "gdal")]
    reading::register(module)?;
    #[cfg(feature = "gdal")]
    tiling::register(module)?;
    #[cfg(feature = "gdal")]
    interrupt::register(module)?;
    module.delattr("__all__")?; // pyo3 makes one, the stub file is the list of names
    Ok(())
}
