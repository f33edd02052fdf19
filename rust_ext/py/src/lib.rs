//! `gair_cli._rust`: the wall between Python and Rust.
//!
//! Every function does four things: check, release the interpreter, call the core, convert.
use pyo3::prelude::*;

mod arrays;
mod coordinates;
mod error;
mod hash;
mod pairing;
mod photo;
#[cfg(feature = "gdal")]
mod raster;
mod shard;

/// The extension module.
#[pymodule]
fn _rust(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("HAS_GDAL", cfg!(feature = "gdal"))?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    hash::register(module)?;
    coordinates::register(module)?;
    pairing::register(module)?;
    photo::register(module)?;
    shard::register(module)?;
    #[cfg(feature = "gdal")]
    raster::register(module)?;
    Ok(())
}
