//! One map from the core's errors to Python's.
use pyo3::PyErr;
use pyo3::exceptions::{PyOSError, PyValueError};

/// Turns an error of the core into the Python exception that people catch for it.
pub(crate) fn to_python(error: gair_core::Error) -> PyErr {
    match error {
        gair_core::Error::Io { path, source } => match source.raw_os_error() {
            Some(code) => PyOSError::new_err((code, source.to_string(), path)),
            None => PyOSError::new_err(format!("{path}: {source}")),
        },
        other => PyValueError::new_err(other.to_string()),
    }
}
