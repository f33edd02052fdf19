//! Long work on a thread of its own, while the calling one listens for Ctrl-C.
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use gair_raster::{Working, workers_running};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// How often signals are looked for.
pub(crate) const LISTEN_EVERY: Duration = Duration::from_millis(20);
/// How long workers may take to notice that they are to stop, before they are left behind.
const GRACE: Duration = Duration::from_millis(50);

/// Runs `work` without the interpreter lock; a signal whose handler raises ends the wait.
///
/// The work owns what it touches: where it does not end soon after the signal, it is left behind.
pub(crate) fn interruptible<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> T + Send + 'static,
) -> PyResult<T> {
    py.detach(|| {
        let (sender, receiver) = channel();
        let working = Working::begin();
        std::thread::spawn(move || {
            // nobody is there to take the result where the wait was ended
            let _ = sender.send(work());
            drop(working);
        });
        loop {
            match receiver.recv_timeout(LISTEN_EVERY) {
                Ok(value) => return Ok(value),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(PyRuntimeError::new_err("a worker thread panicked"));
                }
                Err(RecvTimeoutError::Timeout) => listen()?,
            }
        }
    })
}

/// Runs Python's signal handlers; returns what one raises.
#[allow(clippy::redundant_closure_for_method_calls)] // lifetimes
pub(crate) fn listen() -> PyResult<()> {
    Python::attach(|py| py.check_signals())
}

/// Tells workers to stop and waits a moment for them.
pub(crate) fn stop(cancel: &AtomicBool) {
    cancel.store(true, Ordering::Relaxed);
    let start = Instant::now();
    while workers_running() > 0 && start.elapsed() < GRACE {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How many threads still work, those left behind by an interrupted call among them.
#[pyfunction(name = "workers_running")]
fn running() -> usize {
    workers_running()
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(running, module)?)
}
