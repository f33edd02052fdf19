//! Pixels between Rust's bytes and numpy's arrays.
use gair_core::shard::{DecodedTile, SampleType};
use numpy::{IntoPyArray, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

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

/// The type, shape and bytes of an array (C, H, W) in any layout.
pub(crate) fn from_array<'py>(
    array: &Bound<'py, PyUntypedArray>,
) -> PyResult<(SampleType, [usize; 3], Bound<'py, PyBytes>)> {
    let shape: [usize; 3] = array.shape().try_into().map_err(|_| {
        PyValueError::new_err(format!(
            "an array (C, H, W) is needed, not {:?}",
            array.shape()
        ))
    })?;
    let name: String = array.dtype().getattr("name")?.extract()?;
    let sample = SampleType::from_name(&name).map_err(crate::error::to_python)?;
    let little = array.dtype().call_method1("newbyteorder", ("<",))?;
    let bytes = array
        .call_method1("astype", (little,))?
        .call_method0("tobytes")?;
    Ok((sample, shape, bytes.cast_into()?))
}
