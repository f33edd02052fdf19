//! Which tile holds a point, and where inside it: builder -> immutable index -> query.
//!
//! Everything happens in the tiles' own CRS, where a tile is an exact parallelogram; quadrilaterals
//! in longitude and latitude would be metres off. One [`TileIndex`] holds the tiles of one CRS.
mod affine;
mod builder;
mod index;
mod lattice;
mod metric;

pub use affine::Affine;
pub use builder::{TileIndexBuilder, TileShape};
pub use index::{Located, TileIndex};
pub use metric::Metric;
