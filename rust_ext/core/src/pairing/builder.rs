//! Sorts tiles into lattices: once, before any point is asked for.
use super::Affine;
use super::lattice::{Lattice, empty_cells, occupy};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Offsets between tiles of a lattice are whole pixels up to this.
const WHOLE_PIXEL: f64 = 1e-6;
/// A lattice may have this many cells a tile, and some more, before its tiles are kept apart.
const CELLS_A_TILE: usize = 16;
const SPARE_CELLS: usize = 1024;

/// One tile: its affine, its size in pixels, and the scene it was cut from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TileShape {
    /// Pixels to CRS.
    pub affine: Affine,
    /// Columns and rows.
    pub size: [u32; 2],
    /// Tiles of one scene lie on one lattice; tiles of different scenes need not.
    pub scene: u32,
}

/// What the tiles of one lattice have in common.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct LatticeKey {
    scene: u32,
    size: [u32; 2],
    pixel: [u64; 4],
}

/// Groups the numbered tiles of one CRS into lattices.
pub(super) fn into_lattices(tiles: impl IntoIterator<Item = (u32, TileShape)>) -> Vec<Lattice> {
    let mut groups: BTreeMap<LatticeKey, Vec<(u32, TileShape)>> = BTreeMap::new();
    for (number, tile) in tiles {
        let key = LatticeKey {
            scene: tile.scene,
            size: tile.size,
            pixel: tile.affine.pixel().map(f64::to_bits),
        };
        groups.entry(key).or_default().push((number, tile));
    }
    let lattices = groups.into_values().flat_map(|mut group| {
        group.sort_by(by_origin); // positions must not depend on the order of the tiles
        lattices_of(&group)
    });
    lattices.collect()
}

/// Orders tiles by where they begin.
fn by_origin(first: &(u32, TileShape), second: &(u32, TileShape)) -> Ordering {
    let (x1, y1) = first.1.affine.apply(0.0, 0.0);
    let (x2, y2) = second.1.affine.apply(0.0, 0.0);
    y1.total_cmp(&y2).then(x1.total_cmp(&x2))
}

/// One lattice for the tiles on it and one each for those beside it.
fn lattices_of(group: &[(u32, TileShape)]) -> Vec<Lattice> {
    let Some(grid) = Grid::of(group) else {
        return group.iter().map(single).collect();
    };
    let first = &group[0].1;
    let mut cells = empty_cells(grid.counts[0] * grid.counts[1]);
    let mut apart = Vec::new();
    for (entry, offset) in group.iter().zip(&grid.offsets) {
        let cell = grid.cell(*offset);
        if !occupy(&mut cells[cell], entry.0) {
            apart.push(single(entry));
        }
    }
    let [col, row] = grid.origin.map(whole);
    apart.push(Lattice::new(
        first.affine.moved(col, row),
        first.size.map(f64::from),
        grid.step.map(whole),
        grid.counts,
        cells,
    ));
    apart
}

/// A lattice of one tile.
fn single(entry: &(u32, TileShape)) -> Lattice {
    let (number, tile) = *entry;
    let size = tile.size.map(f64::from);
    Lattice::new(tile.affine, size, size, [1, 1], vec![number])
}

/// Where the tiles of a group lie, in whole pixels from the first of them.
struct Grid {
    offsets: Vec<[i64; 2]>,
    origin: [i64; 2],
    step: [i64; 2],
    counts: [usize; 2],
}

impl Grid {
    /// Finds the grid, or none where offsets are not whole pixels or far too sparse.
    fn of(group: &[(u32, TileShape)]) -> Option<Self> {
        let first = group.first()?.1;
        let offsets: Option<Vec<[i64; 2]>> = group
            .iter()
            .map(|(_, tile)| whole_offset(&first.affine, &tile.affine))
            .collect();
        let offsets = offsets?;
        let axes = [0, 1].map(|axis| {
            let along = || offsets.iter().map(move |offset| offset[axis]);
            let origin = along().min().unwrap_or(0);
            let step = along().fold(0, |step, offset| gcd(step, offset - origin));
            let step = if step == 0 {
                i64::from(first.size[axis])
            } else {
                step
            };
            let last = along().max().unwrap_or(0);
            (
                origin,
                step,
                usize::try_from((last - origin) / step + 1).unwrap_or(usize::MAX),
            )
        });
        let cells = axes[0].2.checked_mul(axes[1].2)?;
        (cells <= CELLS_A_TILE * group.len() + SPARE_CELLS).then(|| Self {
            offsets,
            origin: axes.map(|axis| axis.0),
            step: axes.map(|axis| axis.1),
            counts: axes.map(|axis| axis.2),
        })
    }

    fn cell(&self, offset: [i64; 2]) -> usize {
        let [i, j] = [0, 1].map(|axis| {
            let steps = (offset[axis] - self.origin[axis]) / self.step[axis];
            usize::try_from(steps).unwrap_or(0) // never negative: the origin is the least offset
        });
        j * self.counts[0] + i
    }
}

/// The offset of `other`'s origin in whole pixels of `first`, if it is whole.
#[allow(clippy::cast_possible_truncation)] // bounded by the comparison
fn whole_offset(first: &Affine, other: &Affine) -> Option<[i64; 2]> {
    let (x, y) = other.apply(0.0, 0.0);
    let (col, row) = first.invert(x, y);
    let is_whole = |v: f64| v.abs() < 1e15 && (v - v.round()).abs() < WHOLE_PIXEL;
    (is_whole(col) && is_whole(row)).then(|| [col.round() as i64, row.round() as i64])
}

/// Offsets are below 1e15 and so exact.
#[allow(clippy::cast_precision_loss)]
fn whole(offset: i64) -> f64 {
    offset as f64
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}
