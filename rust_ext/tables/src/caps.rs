//! At most so many photos a tile, drawn by seed and spread over the tile.
//!
//! A tile is parted into squares, at least as many as it may have photos. In every square photos
//! stand in the order of their hashes of seed and id; of all squares the first ones are taken, then
//! the second ones, and so on. The draw depends on the photos alone, not on their order.
use std::collections::HashMap;

/// Photos of a tile that are kept in memory, as a multiple of the cap, before the worst go.
const SPARE: usize = 4;

/// Draws for every tile.
#[derive(Debug)]
pub(crate) struct Caps {
    most: usize,
    /// Squares along each edge.
    squares: u32,
    tiles: HashMap<u32, Vec<Drawn>>,
}

/// A photo of a tile: where it stands, its hash, and its row in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Drawn {
    square: u32,
    hash: u64,
    row: u64,
}

/// The rows that were drawn for each tile, in order.
#[derive(Debug, Default)]
pub(crate) struct Selected(HashMap<u32, Vec<u64>>);

impl Caps {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss
    )]
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            squares: (most as f64).sqrt().ceil().max(1.0) as u32,
            tiles: HashMap::new(),
        }
    }

    /// Offers a photo at (x, y) of a tile, both in [-1, 1].
    pub(crate) fn offer(&mut self, tile: u32, [x, y]: [f64; 2], hash: u64, row: u64) {
        let [i, j] = [x, y].map(|v| self.square(v));
        let square = j * self.squares + i;
        let drawn = self.tiles.entry(tile).or_default();
        drawn.push(Drawn { square, hash, row });
        if drawn.len() >= SPARE * self.most {
            keep_best(drawn, self.most);
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // bounded by the squares
    fn square(&self, v: f64) -> u32 {
        let along = f64::midpoint(v, 1.0) * f64::from(self.squares);
        (along.max(0.0) as u32).min(self.squares - 1)
    }

    pub(crate) fn finish(self) -> Selected {
        let tiles = self.tiles.into_iter().map(|(tile, mut drawn)| {
            keep_best(&mut drawn, self.most);
            let mut rows: Vec<u64> = drawn.iter().map(|drawn| drawn.row).collect();
            rows.sort_unstable();
            (tile, rows)
        });
        Selected(tiles.collect())
    }
}

/// Keeps the best. What is dropped has as many better ones, which later photos cannot undo: one
/// that moves a better one back is better itself.
fn keep_best(drawn: &mut Vec<Drawn>, most: usize) {
    drawn.sort_unstable();
    let mut ranked: Vec<(usize, u64, Drawn)> = drawn
        .chunk_by(|a, b| a.square == b.square)
        .flat_map(|same| {
            same.iter()
                .enumerate()
                .map(|(rank, one)| (rank, one.hash, *one))
        })
        .collect();
    ranked.sort_unstable();
    ranked.truncate(most);
    *drawn = ranked.into_iter().map(|(_, _, one)| one).collect();
}

impl Selected {
    pub(crate) fn has(&self, tile: u32, row: u64) -> bool {
        self.0
            .get(&tile)
            .is_some_and(|rows| rows.binary_search(&row).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrambled(n: u64) -> u64 {
        (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31)
    }

    fn drawn(order: &[u64], most: usize) -> Vec<u64> {
        let mut caps = Caps::new(most);
        for row in order {
            // nine of ten photos stand in the first square
            let x = if row % 10 == 0 { 0.9 } else { -0.9 };
            caps.offer(7, [x, -0.9], scrambled(*row), *row);
        }
        let selected = caps.finish();
        (0..1000).filter(|row| selected.has(7, *row)).collect()
    }

    #[test]
    fn the_draw_does_not_depend_on_the_order_of_photos() {
        let forwards: Vec<u64> = (0..1000).collect();
        let backwards: Vec<u64> = (0..1000).rev().collect();
        let mut mixed = forwards.clone();
        mixed.sort_by_key(|row| scrambled(*row ^ 0x5555));
        for most in [1, 4, 9, 50] {
            let wanted = drawn(&forwards, most);
            assert_eq!(wanted.len(), most);
            assert_eq!(drawn(&backwards, most), wanted);
            assert_eq!(drawn(&mixed, most), wanted);
        }
    }

    #[test]
    fn squares_take_turns() {
        let rows: Vec<u64> = (0..1000).collect();
        let kept = drawn(&rows, 8);
        assert_eq!(kept.iter().filter(|row| **row % 10 == 0).count(), 4);
    }

    #[test]
    fn fewer_photos_than_the_cap_are_all_kept() {
        assert_eq!(drawn(&[3, 1, 2], 8), [1, 2, 3]);
    }
}
