//! Which tiles are in use, and for which splits.
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Splits that one number of bits can hold.
const BITS: u16 = 64;

/// A set of (tile, split).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The first splits of each tile, a bit each.
    bits: Vec<u64>,
    more: BTreeSet<(u32, u16)>,
}

impl Marks {
    pub(crate) fn add(&mut self, tile: u32, split: u16) {
        if split >= BITS {
            self.more.insert((tile, split));
            return;
        }
        let at = tile as usize;
        if self.bits.len() <= at {
            self.bits.resize(at + 1, 0);
        }
        self.bits[at] |= 1 << split;
    }

    pub(crate) fn has(&self, tile: u32, split: u16) -> bool {
        if split >= BITS {
            return self.more.contains(&(tile, split));
        }
        let bits = self.bits.get(tile as usize);
        bits.is_some_and(|bits| bits >> split & 1 == 1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bits.is_empty() && self.more.is_empty()
    }

    /// All of them, by tile.
    pub(crate) fn all(&self) -> Vec<(u32, u16)> {
        let mut all: Vec<(u32, u16)> = self.more.iter().copied().collect();
        for (tile, bits) in (0..).zip(&self.bits) {
            all.extend(
                (0..BITS)
                    .filter(|split| bits >> split & 1 == 1)
                    .map(|split| (tile, split)),
            );
        }
        all.sort_unstable();
        all
    }
}

/// A set of (tile, split) that many threads add to.
#[derive(Debug, Default)]
pub(crate) struct SharedMarks {
    bits: Vec<AtomicU64>,
    more: Mutex<BTreeSet<(u32, u16)>>,
}

impl SharedMarks {
    pub(crate) fn new(tiles: usize) -> Self {
        Self {
            bits: std::iter::repeat_with(AtomicU64::default)
                .take(tiles)
                .collect(),
            more: Mutex::default(),
        }
    }

    pub(crate) fn add(&self, tile: u32, split: u16) {
        if split >= BITS {
            let more = self.more.lock();
            more.unwrap_or_else(PoisonError::into_inner)
                .insert((tile, split));
            return;
        }
        let bits = &self.bits[tile as usize];
        // most tiles have been marked before: looking is cheaper than writing
        if bits.load(Ordering::Relaxed) >> split & 1 == 0 {
            bits.fetch_or(1 << split, Ordering::Relaxed);
        }
    }

    /// All of them, by tile.
    pub(crate) fn all(&self) -> Vec<(u32, u16)> {
        let bits = self.bits.iter().map(|bits| bits.load(Ordering::Relaxed));
        let more = self.more.lock().unwrap_or_else(PoisonError::into_inner);
        let marks = Marks {
            bits: bits.collect(),
            more: more.clone(),
        };
        marks.all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_splits_is_kept_apart() {
        let mut marks = Marks::default();
        let all = [(0, 0), (3, 63), (3, 64), (3, 1000), (9, 1)];
        all.iter()
            .rev()
            .for_each(|(tile, split)| marks.add(*tile, *split));
        assert_eq!(marks.all(), all);
        let shared = SharedMarks::new(10);
        for (tile, split) in all {
            shared.add(tile, split);
        }
        assert_eq!(shared.all(), all);
        assert!(marks.has(3, 64) && marks.has(9, 1) && !marks.has(9, 0) && !marks.has(99, 0));
    }
}
