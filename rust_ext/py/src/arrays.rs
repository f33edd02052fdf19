//! Pixels from Rust's bytes to numpy's arrays.
use gair_core::shard::{DecodedTile, SampleType};
use numpy::IntoPyArray;
use pyo3::prelude::*;

/// Views little-endian bytes as an array (C, H, W) of `sample`, without a copy.
pub(crate) fn to_array(
    py: Python<'_>,
    sample: SampleType,
    shape: [usize; 3],
    data: Vec<u8>,
) -> PyResult<Bound<'_, PyAny>> {
    let flat = data
        .into_pyarray(py)
        .call_method1("view", (sample.name(),))?;
    flat.call_method1("reshape", (shape,))
}

pub(crate) fn tile_array(py: Python<'_>, tile: DecodedTile) -> PyResult<Bound<'_, PyAny>> {
    to_array(py, tile.sample, tile.shape, tile.data)
}
