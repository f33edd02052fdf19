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
    /// Someone asked to stop.
    #[error("interrupted")]
    Cancelled,
    /// A tile or a shard could not be made.
    #[error(transparent)]
    Core(#[from] gair_core::Error),
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
