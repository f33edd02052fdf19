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

/// Silences GDAL and sets its options; every entry of this crate calls it first.
pub fn setup() {
    ONCE.call_once(|| {
        for (key, value) in OPTIONS {
            // only a NUL inside the text could make this fail
            let _ = gdal::config::set_config_option(key, value);
        }
        ffi::silence();
    });
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
