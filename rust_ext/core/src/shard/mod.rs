//! Tar shards and the fixed-layout `GeoTIFF` tiles inside them.
//!
//! A tile is a classic little-endian TIFF with one block a band, so that any band can be read by
//! its offset alone, without GDAL, and GDAL still opens it.

mod encode;
mod geo;
mod ifd;
mod parse;
mod predictor;
mod read;
mod sample;
mod tar;

pub use encode::{EncodedTile, TileEncoder, TileHeader};
pub use geo::{GeoKeys, geo_keys_of};
pub use parse::{DecodedTile, TileLayout, decode_tile, tile_layout};
pub use predictor::Predictor;
pub use read::{read_member, read_tiles};
pub use sample::SampleType;
pub use tar::TarWriter;
