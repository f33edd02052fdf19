//! The one error type of this crate.

/// What can go wrong with rasters.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// GDAL cannot open or read a raster.
    #[error("{path}: {message}")]
    Unreadable {
        /// The raster concerned.
        path: String,
        /// What GDAL said.
        message: String,
    },
    /// GDAL cannot write a raster.
    #[error("{path}: {message}")]
    Unwritable {
        /// The raster concerned.
        path: String,
        /// What GDAL said.
        message: String,
    },
    /// The raster can be read, but not used; or an argument makes no sense.
    #[error("{0}")]
    Unusable(String),
    /// What a single tile needs does not fit the memory allowed.
    #[error("one tile needs {} of decoded blocks, but {} are allowed", megabytes(*needed), megabytes(*given))]
    Memory {
        /// Bytes needed.
        needed: usize,
        /// Bytes allowed.
        given: usize,
    },
    /// Someone asked to stop.
    #[error("interrupted")]
    Cancelled,
    /// A thread ended in the middle of its work, which is a fault of ours.
    #[error("a worker thread broke down")]
    Broken,
    /// A tile or a shard could not be made.
    #[error(transparent)]
    Core(#[from] gair_core::Error),
}

#[allow(clippy::cast_precision_loss)] // for people
fn megabytes(bytes: usize) -> String {
    format!("{} MB", bytes.div_ceil(100_000) as f64 / 10.0)
}

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn unreadable(path: &str, message: impl Into<String>) -> Self {
        Self::Unreadable {
            path: path.to_owned(),
            message: message.into(),
        }
    }

    pub(crate) fn unwritable(path: &str, message: impl Into<String>) -> Self {
        Self::Unwritable {
            path: path.to_owned(),
            message: message.into(),
        }
    }
}
