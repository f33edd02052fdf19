//! Long work on a thread of its own, while the calling one listens for Ctrl-C.
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// How often signals are looked for.
const LISTEN_EVERY: Duration = Duration::from_millis(40);

/// Runs `work` without the interpreter lock; a signal whose handler raises sets `cancel`.
///
/// The handler's exception is returned once `work` has ended.
pub(crate) fn interruptible<T: Send>(
    py: Python<'_>,
    cancel: &AtomicBool,
    work: impl FnOnce() -> T + Send,
) -> PyResult<T> {
    py.detach(|| {
        std::thread::scope(|scope| {
            let (sender, receiver) = channel();
            // the receiver outlives the worker, so sending cannot fail
            scope.spawn(move || sender.send(work()).is_ok());
            let mut raised = None;
            loop {
                match receiver.recv_timeout(LISTEN_EVERY) {
                    Ok(value) => return raised.map_or(Ok(value), Err),
                    Err(RecvTimeoutError::Disconnected) => {
                        return Err(PyRuntimeError::new_err("a worker thread panicked"));
                    }
                    Err(RecvTimeoutError::Timeout) if raised.is_none() => {
                        #[allow(clippy::redundant_closure_for_method_calls)] // lifetimes
                        let signal = Python::attach(|py| py.check_signals());
                        raised = signal.err();
                        if raised.is_some() {
                            cancel.store(true, Ordering::Relaxed);
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                }
            }
        })
    })
}
