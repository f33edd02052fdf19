//! What is paired with what, and how: everything that does not change from batch to batch.
use crate::columns::Columns;
use crate::filters::Filters;
use gair_core::pairing::{Choice, TileFinder};
use std::collections::HashMap;
use std::sync::Arc;

/// Texts one behind the other, which many look-ups in random order can do with.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    bytes: String,
    ends: Vec<u32>,
}

impl Texts {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a text, whose number is how many there were.
    pub fn push(&mut self, text: &str) {
        self.bytes.push_str(text);
        // 4 GB of ids would be 250 million tiles
        let end = u32::try_from(self.bytes.len());
        self.ends.push(end.unwrap_or(u32::MAX));
    }

    /// The text with a number.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> &str {
        let at = number as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start as usize..self.ends[at] as usize]
    }
}

/// What pairs tell of the tiles, by the tiles' numbers.
#[derive(Debug, Clone, Default)]
pub struct Tiles {
    /// The ids.
    pub ids: Texts,
    /// The names of blocks.
    pub block_names: Vec<String>,
    /// The block of each tile, as a position in `block_names`.
    pub blocks: Vec<u32>,
    /// The split of each tile, as a position in [`PairPlan::splits`].
    pub splits: Vec<u16>,
}

/// Where the split of a pair comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum SplitSource {
    /// The tile's block.
    Tile,
    /// The photos' column `split`.
    Column,
    /// A column of blocks; a split is drawn for each by hash, against borders between 0 and 1 that
    /// lie below the second, third... split.
    Blocks {
        /// The column, a text.
        column: String,
        /// Of the draw.
        seed: String,
        /// Ascending.
        borders: Vec<f64>,
    },
}

/// How photos of a tile are limited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cap {
    /// At most so many; None keeps all.
    pub most: Option<usize>,
    /// Of the draw.
    pub seed: String,
    /// Photos of a tile are numbered in groups of at most so many.
    pub group: Option<u32>,
}

/// What is paired with what, and how.
#[derive(Debug)]
pub struct PairPlan {
    /// The tiles.
    pub finder: Arc<TileFinder>,
    /// Which of several tiles are taken.
    pub choice: Choice,
    /// What pairs tell of them.
    pub tiles: Tiles,
    /// The photo table's columns.
    pub columns: Columns,
    /// The columns of the pair table, in order.
    pub output: Vec<String>,
    /// What is asked of photos.
    pub filters: Filters,
    /// Where splits come from.
    pub split_source: SplitSource,
    /// The names of splits known from the start; others are added as they come.
    pub splits: Vec<String>,
    /// How photos of a tile are limited.
    pub cap: Cap,
}

/// Names and their numbers, in the order in which they first came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    numbers: HashMap<String, u32>,
    pub(crate) names: Vec<String>,
}

impl Names {
    pub(crate) fn new(names: &[String]) -> Self {
        let mut all = Self::default();
        for name in names {
            all.number(name);
        }
        all
    }

    /// The number of a name, a new one if it has none.
    pub(crate) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX); // memory ends before
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }
}

impl SplitSource {
    /// The split drawn for a block: which interval between borders its hash falls into.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    pub(crate) fn draw(block: &str, seed: &str, borders: &[f64]) -> u16 {
        let digits = gair_core::hash::hash16(&[seed, block]);
        let share = u64::from_str_radix(&digits, 16).unwrap_or(0) as f64 / 2.0_f64.powi(64);
        borders.iter().filter(|border| **border <= share).count() as u16
    }
}
