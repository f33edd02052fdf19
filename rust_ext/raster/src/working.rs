//! How many threads work, those that were left behind among them.
use std::sync::atomic::{AtomicUsize, Ordering};

static WORKERS: AtomicUsize = AtomicUsize::new(0);

/// How many workers run, those that were left behind among them.
///
/// A process that ends while this is not 0 should end at once, without running destructors of
/// libraries that a worker may be using.
#[must_use]
pub fn workers_running() -> usize {
    WORKERS.load(Ordering::SeqCst)
}

/// Counts a thread that works for as long as it lives.
pub struct Working(());

impl Working {
    /// Counts one more.
    #[must_use]
    pub fn begin() -> Self {
        WORKERS.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        WORKERS.fetch_sub(1, Ordering::SeqCst);
    }
}
