//! A map of the Earth in cells, each with the lattices whose tiles may lie in it.
//!
//! Two levels: whole degrees, then the cells within those that have tiles. Cells with the same
//! lattices share one class, so that hundreds of thousands of tiles need less than a megabyte.
use super::outline::{self, Reach};
use super::{System, place};
use rayon::prelude::*;
use std::collections::HashMap;

/// Columns and rows of whole degrees.
const DEGREES: [usize; 2] = [360, 180];
/// Cells a degree, as a power of two: for tiles of less than half a degree, and for larger ones.
const FINE: u32 = 3;
const COARSE: u32 = 0;
const LARGE_TILE: f64 = 0.5;

/// Which lattices of one CRS to look into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) system: u32,
    /// Few of them by number; None asks all of the CRS, by its tree.
    pub(super) lattices: Option<Box<[u32]>>,
}

impl Route {
    /// Up to this many lattices a scan over them is faster than a tree.
    pub(super) const MOST: usize = 8;
}

/// The map.
#[derive(Debug)]
pub(super) struct Mask {
    /// Cells a degree as a power of two.
    bits: u32,
    /// For each whole degree: which block of cells it has, 0 for one without tiles.
    degrees: Vec<u16>,
    /// The class of each cell, block by block.
    cells: Vec<u32>,
    /// For each class: its first route; the next class's first is where it ends.
    classes: Vec<u32>,
    routes: Vec<Route>,
}

impl Mask {
    /// Marks the cells that tiles may lie in.
    pub(super) fn of(systems: &[System]) -> Self {
        let bits = if outline::largest(systems) > LARGE_TILE {
            COARSE
        } else {
            FINE
        };
        let mut marks = Marks::default();
        let reached: Vec<(u32, u32, Vec<Reach>)> = (0_u32..)
            .zip(systems)
            .flat_map(|(s, system)| (0_u32..).zip(&system.lattices).map(move |(l, _)| (s, l)))
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|(s, l)| {
                (
                    s,
                    l,
                    outline::reaches(&systems[s as usize], l as usize, 1 << bits),
                )
            })
            .collect();
        for (system, lattice, reaches) in reached {
            for reach in reaches {
                match reach {
                    Reach::Unknown => marks.everywhere.push((system, lattice)),
                    Reach::Box(bounds) => marks.add(bounds, bits, (system, lattice)),
                }
            }
        }
        marks.finish(bits)
    }

    /// The numbers of the routes to the tiles near a point.
    #[inline]
    pub(super) fn routes(&self, point: [f64; 2]) -> std::ops::Range<u32> {
        let Some(place) = place(point) else {
            return 0..0;
        };
        let (degree, cell) = cell_of(place, self.bits);
        let block = usize::from(self.degrees[degree]) << (2 * self.bits);
        let class = self.cells[block + cell] as usize;
        self.classes[class]..self.classes[class + 1]
    }

    #[inline]
    pub(super) fn route(&self, number: u32) -> &Route {
        &self.routes[number as usize]
    }
}

/// The whole degree of a place, and the cell within it.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a place is on the map
#[inline]
fn cell_of([lon, lat]: [f64; 2], bits: u32) -> (usize, usize) {
    let (n, scale) = (1 << bits, f64::from(1_u32 << bits));
    let col = (((lon + 180.0) * scale) as usize).min(DEGREES[0] * n - 1);
    let row = (((lat + 90.0) * scale) as usize).min(DEGREES[1] * n - 1);
    let (degree_col, degree_row) = (col >> bits, row >> bits);
    let cell = ((row & (n - 1)) << bits) + (col & (n - 1));
    (degree_row * DEGREES[0] + degree_col, cell)
}

/// What is marked, before cells are sorted into classes.
#[derive(Default)]
struct Marks {
    /// (degree, cell, system, lattice)
    cells: Vec<(u32, u32, u32, u32)>,
    everywhere: Vec<(u32, u32)>,
}

impl Marks {
    /// Marks the cells of a box west, south, east, north, whose east may be beyond 180 degrees.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // bounded by the map
    fn add(&mut self, bounds: [f64; 4], bits: u32, (system, lattice): (u32, u32)) {
        let (n, scale) = (1_i64 << bits, f64::from(1_u32 << bits));
        let [west, south, east, north] = bounds;
        let first = [(west + 180.0) * scale, (south + 90.0) * scale].map(|v| v.floor() as i64);
        let last = [(east + 180.0) * scale, (north + 90.0) * scale].map(|v| v.floor() as i64);
        let cols = 360 * n;
        let last_col = last[0].min(first[0] + cols - 1);
        for row in first[1].max(0)..=last[1].min(180 * n - 1) {
            for col in first[0]..=last_col {
                let col = col.rem_euclid(cols);
                let degree = ((row / n) * 360 + col / n) as u32;
                let cell = ((row % n) * n + col % n) as u32;
                self.cells.push((degree, cell, system, lattice));
            }
        }
    }

    fn finish(mut self, bits: u32) -> Mask {
        self.cells.sort_unstable();
        self.cells.dedup();
        self.everywhere.sort_unstable();
        self.everywhere.dedup();
        let block = 1 << (2 * bits);
        let mut classes = Classes::default();
        let nothing = classes.number(self.everywhere.clone());
        let mut mask = Mask {
            bits,
            degrees: vec![0; DEGREES[0] * DEGREES[1]],
            cells: vec![nothing; block],
            classes: Vec::new(),
            routes: Vec::new(),
        };
        for same in self.cells.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let (degree, cell) = (same[0].0 as usize, same[0].1 as usize);
            if mask.degrees[degree] == 0 {
                let used = mask.cells.len() / block;
                mask.degrees[degree] = u16::try_from(used).unwrap_or(u16::MAX); // 64,800 at most
                mask.cells.resize(mask.cells.len() + block, nothing);
            }
            let mut here = self.everywhere.clone();
            here.extend(same.iter().map(|mark| (mark.2, mark.3)));
            here.sort_unstable();
            here.dedup();
            let start = usize::from(mask.degrees[degree]) * block;
            mask.cells[start + cell] = classes.number(here);
        }
        (mask.classes, mask.routes) = (classes.starts, classes.routes);
        mask.classes
            .push(u32::try_from(mask.routes.len()).unwrap_or(u32::MAX));
        mask
    }
}

/// Numbers different sets of lattices.
#[derive(Default)]
struct Classes {
    numbers: HashMap<Vec<(u32, u32)>, u32>,
    starts: Vec<u32>,
    routes: Vec<Route>,
}

impl Classes {
    /// The number of a sorted set of (system, lattice).
    fn number(&mut self, set: Vec<(u32, u32)>) -> u32 {
        if let Some(number) = self.numbers.get(&set) {
            return *number;
        }
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX); // far fewer than tiles
        let number = count(self.starts.len());
        self.starts.push(count(self.routes.len()));
        for same in set.chunk_by(|a, b| a.0 == b.0) {
            let few = same.len() <= Route::MOST;
            self.routes.push(Route {
                system: same[0].0,
                lattices: few.then(|| same.iter().map(|(_, lattice)| *lattice).collect()),
            });
        }
        self.numbers.insert(set, number);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_over_the_antimeridian_marks_both_sides() {
        let mut marks = Marks::default();
        marks.add([179.5, 0.1, 180.5, 0.2], COARSE, (0, 0));
        let mask = marks.finish(COARSE);
        for (lon, found) in [(179.7, 1), (-179.7, 1), (180.0, 1), (178.9, 0), (-178.9, 0)] {
            assert_eq!(mask.routes([lon, 0.5]).len(), found, "{lon}");
        }
    }

    #[test]
    fn the_poles_and_what_is_no_place_are_looked_up_safely() {
        let mut marks = Marks::default();
        marks.add([-180.0, 89.0, 180.0, 95.0], FINE, (0, 3));
        let mask = marks.finish(FINE);
        assert_eq!(mask.routes([12.0, 90.0]).len(), 1);
        assert_eq!(mask.routes([372.0, 90.0]).len(), 1);
        for nowhere in [
            [0.0, 90.1],
            [f64::NAN, 0.0],
            [0.0, f64::NAN],
            [f64::INFINITY, 0.0],
        ] {
            assert_eq!(mask.routes(nowhere).len(), 0);
        }
    }
}
