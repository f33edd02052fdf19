//! The one error type of this crate.

/// What can go wrong with tables.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The table is not what it should be; the message names column or row.
    #[error("{0}")]
    Data(String),
    /// An id stands for two rows that differ.
    #[error("photo_id '{id}' stands for different rows: {first} and {second}")]
    SameId {
        /// The id.
        id: String,
        /// Its first row in the table, counted from 0.
        first: u64,
        /// Another of its rows.
        second: u64,
    },
    /// A file cannot be read or written.
    #[error("{path}: {message}")]
    File {
        /// The file.
        path: String,
        /// What the system, or the Parquet library, said.
        message: String,
    },
    /// Someone asked to stop.
    #[error("interrupted")]
    Cancelled,
    /// A thread ended in the middle of its work, which is a fault of ours.
    #[error("a worker thread broke down")]
    Broken,
    /// Arrow could not build or convert an array.
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
    /// The core could not find tiles.
    #[error(transparent)]
    Core(#[from] gair_core::Error),
}

impl Error {
    pub(crate) fn file(path: &std::path::Path, message: impl std::fmt::Display) -> Self {
        Self::File {
            path: path.display().to_string(),
            message: message.to_string(),
        }
    }
}

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
