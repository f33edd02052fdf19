//! Which tiles hold a point, and where inside them: builder -> immutable index -> query.
//!
//! Containment is decided in the tiles' own CRS, where a tile is an exact parallelogram;
//! quadrilaterals in longitude and latitude would be metres off. One [`TileFinder`] holds the tiles
//! of all CRSs.
mod affine;
mod builder;
mod choice;
mod finder;
mod footprints;
mod lattice;
mod scale;

pub use affine::Affine;
pub use builder::TileShape;
pub use choice::{Choice, NO_DATE};
pub use finder::{Fate, Located, Matches, TileFinder, TileSystem};
pub use footprints::{Footprint, gap_m, too_close};
pub use scale::Scale;
