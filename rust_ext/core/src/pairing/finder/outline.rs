//! Boxes in longitude and latitude that hold the tiles of a lattice: generous, never too small.
use super::super::lattice::{EMPTY, Lattice, as_float};
use super::System;
use crate::projection::{Projection, wrap_degrees};

/// Points along each edge of a block of tiles, and of one whose edges are nearly straight.
const EDGE_POINTS: u32 = 8;
const FEW_POINTS: u32 = 2;
/// Up to this many degrees, and away from the poles, a block's edges are nearly straight: between
/// two of its few points one bends by a thousandth of its length, far less than [`SHARE`].
const STRAIGHT: f64 = 1.0;
const STEEP: f64 = 75.0;
/// A box is widened by this share of its size, and this much: edges are curves between points.
const SHARE: f64 = 0.03;
const DEGREES: f64 = 1e-3;
/// Beyond this latitude a block is given all longitudes.
const POLAR: f64 = 88.0;
/// Blocks are halved until they are this many cells wide and high.
const CELLS: f64 = 2.0;

/// Where a block of tiles lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reach {
    /// West, south, east, north in degrees; east may be beyond 180.
    Box([f64; 4]),
    /// A corner is outside the projection's domain.
    Unknown,
}

/// A block of cells of a lattice: first column and row, columns and rows.
#[derive(Debug, Clone, Copy)]
struct Block {
    first: [usize; 2],
    counts: [usize; 2],
}

/// The height in degrees of the largest tile, by the first tile of each lattice.
pub(super) fn largest(systems: &[System]) -> f64 {
    let heights = systems.iter().flat_map(|system| {
        system.lattices.iter().map(|lattice| {
            let first = lattice
                .cells
                .iter()
                .position(|cell| *cell != EMPTY)
                .unwrap_or(0);
            let [cols, _] = lattice.counts;
            let one = Block {
                first: [first % cols, first / cols],
                counts: [1, 1],
            };
            match reach(&*system.projection, lattice, one, EDGE_POINTS) {
                Reach::Box([_, south, _, north]) => north - south,
                Reach::Unknown => 180.0,
            }
        })
    });
    heights.fold(0.0, f64::max)
}

/// Boxes that together hold all tiles of a lattice, each about as large as cells of the mask.
pub(super) fn reaches(system: &System, lattice: usize, cells_a_degree: usize) -> Vec<Reach> {
    let lattice = &system.lattices[lattice];
    let most = CELLS / as_float(cells_a_degree);
    let mut found = Vec::new();
    let whole = Block {
        first: [0, 0],
        counts: lattice.counts,
    };
    let mut open = vec![(whole, EDGE_POINTS)];
    while let Some((block, edge_points)) = open.pop() {
        if !occupied(lattice, block) {
            continue;
        }
        let reach = reach(&*system.projection, lattice, block, edge_points);
        let small = match reach {
            Reach::Box([west, south, east, north]) => (east - west).max(north - south) <= most,
            Reach::Unknown => false,
        };
        if small || block.counts == [1, 1] {
            found.push(reach);
        } else {
            let points = reach.points_of_parts();
            open.extend(block.halves().map(|half| (half, points)));
        }
    }
    found
}

impl Reach {
    /// How many points along each edge do for the parts of a block.
    fn points_of_parts(self) -> u32 {
        match self {
            Self::Box([west, south, east, north])
                if (east - west).max(north - south) <= STRAIGHT && north.max(-south) <= STEEP =>
            {
                FEW_POINTS
            }
            _ => EDGE_POINTS,
        }
    }
}

impl Block {
    /// Two blocks, cut across the longer side.
    fn halves(self) -> [Self; 2] {
        let axis = usize::from(self.counts[1] > self.counts[0]);
        let half = self.counts[axis] / 2;
        let (mut low, mut high) = (self, self);
        low.counts[axis] = half;
        high.first[axis] += half;
        high.counts[axis] -= half;
        [low, high]
    }
}

fn occupied(lattice: &Lattice, block: Block) -> bool {
    let [col, row] = block.first;
    (row..row + block.counts[1]).any(|row| {
        let start = row * lattice.counts[0] + col;
        let cells = &lattice.cells[start..start + block.counts[0]];
        cells.iter().any(|cell| *cell != EMPTY)
    })
}

/// The box around the outline of a block.
fn reach(projection: &dyn Projection, lattice: &Lattice, block: Block, edge_points: u32) -> Reach {
    let outline = outline(lattice, block, edge_points);
    let (mut lons, mut lats): (Vec<f64>, Vec<f64>) = outline.unzip();
    projection.inverse_all(&mut lons, &mut lats);
    if lons.iter().chain(&lats).any(|value| !value.is_finite()) {
        return Reach::Unknown;
    }
    let round_the_pole = unwrap(&mut lons);
    let span = |values: &[f64]| {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let margin = SHARE * (high - low) + DEGREES;
        [low - margin, high + margin]
    };
    let ([west, east], [mut south, mut north]) = (span(&lons), span(&lats));
    if round_the_pole {
        // a pole lies within: the one on the side of most of the outline
        if south + north >= 0.0 {
            north = 90.0;
        } else {
            south = -90.0;
        }
    }
    if round_the_pole || south < -POLAR || north > POLAR {
        return Reach::Box([-180.0, south, 180.0, north]);
    }
    Reach::Box([west, south, east, north])
}

/// Points of the CRS around a block, in order.
fn outline(lattice: &Lattice, block: Block, edge_points: u32) -> impl Iterator<Item = (f64, f64)> {
    let low = [0, 1].map(|axis| as_float(block.first[axis]) * lattice.step[axis]);
    let size = [0, 1]
        .map(|axis| as_float(block.counts[axis] - 1) * lattice.step[axis] + lattice.size[axis]);
    let corners = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
    (0..4).flat_map(move |side| {
        let (from, to) = (corners[side], corners[(side + 1) % 4]);
        (0..edge_points).map(move |step| {
            let t = f64::from(step) / f64::from(edge_points);
            let [u, v] = [0, 1].map(|axis| from[axis] + t * (to[axis] - from[axis]));
            lattice
                .affine
                .apply(low[0] + u * size[0], low[1] + v * size[1])
        })
    })
}

/// Makes longitudes around a ring continuous; tells whether the ring goes round a pole.
fn unwrap(lons: &mut [f64]) -> bool {
    let first = lons[0];
    for k in 1..lons.len() {
        lons[k] = lons[k - 1] + wrap_degrees(lons[k] - lons[k - 1]);
    }
    let back = lons[lons.len() - 1] + wrap_degrees(first - lons[lons.len() - 1]);
    (back - first).abs() > 180.0
}
