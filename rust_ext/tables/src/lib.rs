//! Tables of photos of any size, paired with tiles batch by batch.
//!
//! The only user of arrow and parquet. Memory holds the tiles and a few batches: a table of 10^9
//! photos needs no more than one of 10^6. Results do not depend on the number of threads.
#![deny(unsafe_code)]

mod caps;
mod columns;
mod engine;
mod error;
mod filters;
mod ids;
mod look;
mod marks;
mod paths;
mod place;
mod plan;
mod reader;
mod reason;
mod rows;
mod sink;
mod thinning;

pub use columns::{ColumnSpec, Columns, Kind};
pub use engine::{Engine, Phase, Used, Written};
pub use error::{Error, Result};
pub use filters::{Filters, Heading};
pub use look::Looked;
pub use plan::{Cap, PairPlan, SplitSource, Texts, Tiles};
pub use reader::{Description, describe};
pub use reason::Reason;
