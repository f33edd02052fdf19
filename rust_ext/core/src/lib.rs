//! What loops over points and bytes: coordinates, pairing, encodings, shards and photos.
//!
//! No Python and no GDAL: `cargo test -p gair-core` runs alone. Every function takes longitude
//! before latitude, in degrees, and every position inside a tile is (x along columns, y along
//! rows), both in [-1, 1].
#![deny(unsafe_code)]

pub mod encoding;
pub mod error;
pub mod hash;
pub mod pairing;
pub mod photo;
pub mod projection;
pub mod shard;
pub mod simd;

pub use error::{Error, Result};
