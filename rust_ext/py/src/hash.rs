//! Glue of `gair_core::hash`.
use pyo3::prelude::*;

/// Return the first 16 hexadecimal digits of the BLAKE3 hash of a list of texts.
#[pyfunction]
fn hash16(parts: Vec<String>) -> String {
    gair_core::hash::hash16(&parts)
}

/// Return one `hash16` for each row of two equally long lists of texts.
#[pyfunction]
fn hash16_pairs(first: Vec<String>, second: Vec<String>) -> PyResult<Vec<String>> {
    if first.len() != second.len() {
        return Err(pyo3::exceptions::PyValueError::new_err(format!(
            "both lists must be equally long, got {} and {}",
            first.len(),
            second.len()
        )));
    }
    Ok(first
        .iter()
        .zip(&second)
        .map(|(a, b)| gair_core::hash::hash16(&[a, b]))
        .collect())
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(hash16, module)?)?;
    module.add_function(wrap_pyfunction!(hash16_pairs, module)?)
}
