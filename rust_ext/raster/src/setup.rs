//! Settings of GDAL that hold for the whole process, made once.
use std::sync::Once;

use crate::ffi;

static ONCE: Once = Once::new();

const OPTIONS: [(&str, &str); 3] = [
    // more threads of GDAL's own print false errors on band-interleaved files
    ("GDAL_NUM_THREADS", "1"),
    // no .aux.xml beside anyone's files
    ("GDAL_PAM_ENABLED", "NO"),
    // a block is read once, so a large cache only costs memory
    ("GDAL_CACHEMAX", "16"),
];

/// For rasters on the web; what the user's environment says of these wins.
const REMOTE_OPTIONS: [(&str, &str); 5] = [
    // seconds to connect, and for one answer: 503 and what takes longer is asked for again. GDAL's
    // own watch for slow transfers gives up at once, so it is not used
    ("GDAL_HTTP_CONNECTTIMEOUT", "10"),
    ("GDAL_HTTP_TIMEOUT", "15"),
    ("GDAL_HTTP_MAX_RETRY", "3"),
    // seconds before the first retry; it grows from one to the next
    ("GDAL_HTTP_RETRY_DELAY", "0.5"),
    // neighbouring ranges in one request
    ("GDAL_HTTP_MERGE_CONSECUTIVE_RANGES", "YES"),
];

const LISTING: &str = "GDAL_DISABLE_READDIR_ON_OPEN";

/// Silences GDAL and sets its options; every entry of this crate calls it first.
pub fn setup() {
    ONCE.call_once(|| {
        for (key, value) in OPTIONS {
            // only a NUL inside the text could make this fail
            let _ = gdal::config::set_config_option(key, value);
        }
        for (key, value) in REMOTE_OPTIONS {
            if is_unset(key) {
                let _ = gdal::config::set_config_option(key, value);
            }
        }
        ffi::silence();
    });
}

fn is_unset(key: &str) -> bool {
    gdal::config::get_config_option(key, "").is_ok_and(|value| value.is_empty())
}

/// While it lives, this thread opens rasters without a look at the files beside them.
pub(crate) struct WithoutSiblings(());

impl WithoutSiblings {
    /// Begins if `path` is remote, where each such look costs a request, and the user says nothing.
    pub(crate) fn for_remote(path: &str) -> Option<Self> {
        let remote = ["/vsicurl", "/vsis3", "/vsigs", "/vsiaz"];
        if !remote.iter().any(|handler| path.contains(handler)) || !is_unset(LISTING) {
            return None;
        }
        let set = gdal::config::set_thread_local_config_option(LISTING, "EMPTY_DIR");
        set.is_ok().then_some(Self(()))
    }
}

impl Drop for WithoutSiblings {
    fn drop(&mut self) {
        let _ = gdal::config::clear_thread_local_config_option(LISTING);
    }
}

/// Grows GDAL's block cache to `bytes` where it is smaller; it never shrinks.
pub(crate) fn reserve_cache(bytes: usize) {
    ffi::grow_cache(bytes);
}

/// The version of the linked GDAL, such as `3.6.2`.
#[must_use]
pub fn gdal_version() -> String {
    gdal::version::VersionInfo::release_name()
}
