//! Glue of `gair_core::hash`.
use numpy::{IntoPyArray, PyArray1};
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

/// Return a number in [0, 1) for each name: the hash of `seed` and the name as a fraction.
#[pyfunction]
fn hash_fractions<'py>(
    py: Python<'py>,
    seed: &str,
    names: Vec<String>,
) -> Bound<'py, PyArray1<f64>> {
    let fractions: Vec<f64> = py.detach(|| {
        let mut work = Vec::new();
        let fraction = |name: &String| gair_core::hash::fraction(&[seed, name], &mut work);
        names.iter().map(fraction).collect()
    });
    fractions.into_pyarray(py)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(hash16, module)?)?;
    module.add_function(wrap_pyfunction!(hash16_pairs, module)?)?;
    module.add_function(wrap_pyfunction!(hash_fractions, module)?)
}
