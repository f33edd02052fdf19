//! The one error type of this crate: what was found, what was wanted, and where.

/// What can go wrong in this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An argument is outside what the function is defined for.
    #[error("{0}")]
    InvalidArgument(String),
    /// A file, or a part of one, is not what it claims to be.
    #[error("{0}")]
    Malformed(String),
    /// The operating system refused a read or a write.
    #[error("{path}: {source}")]
    Io {
        /// The file concerned.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
