//! Tiles that share a pixel grid, size and step: the cell under a point is one floor division away.
#![allow(clippy::inline_always, clippy::many_single_char_names)] // kernels; affines have six letters
use super::Affine;

/// Marks a cell of the lattice without a tile.
pub(super) const EMPTY: u32 = u32::MAX;

/// A point this close to an edge, in pixels, lies on it: rounding of coordinates, micrometres.
const ON_EDGE_PX: f64 = 1e-7;

/// One set of equally large tiles at multiples of a step from one origin.
#[derive(Debug)]
pub(crate) struct Lattice {
    pub(crate) affine: Affine,
    pub(crate) size: [f64; 2],
    pub(crate) step: [f64; 2],
    pub(crate) counts: [usize; 2],
    /// The number of the tile in each cell, row by row, or [`EMPTY`].
    pub(crate) cells: Vec<u32>,
    /// Divisions made once: the affine's way back, and 1 / step.
    inverse: [f64; 4],
    cells_a_pixel: [f64; 2],
}

/// A tile that holds a point, with what ranks it against others that do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hit {
    pub(crate) tile: u32,
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) edge_m: f64,
    pub(crate) centre_m: f64,
    /// The point lies on the right or lower edge, which a neighbour owns if there is one.
    pub(crate) on_far_edge: bool,
}

impl Hit {
    /// Whether this tile is to be taken before `other`: own edges, then centre, then order.
    pub(super) fn beats(&self, other: &Self) -> bool {
        let key = |hit: &Self| (hit.on_far_edge, hit.centre_m, hit.tile);
        key(self) < key(other)
    }
}

impl Lattice {
    /// Puts a lattice together.
    pub(crate) fn new(
        affine: Affine,
        size: [f64; 2],
        step: [f64; 2],
        counts: [usize; 2],
        cells: Vec<u32>,
    ) -> Self {
        Self {
            inverse: affine.inverse(),
            cells_a_pixel: step.map(f64::recip),
            affine,
            size,
            step,
            counts,
            cells,
        }
    }

    /// The box around all cells, in the CRS.
    pub(crate) fn bounds(&self) -> [f64; 4] {
        let [cols, rows] = self.counts.map(as_float);
        let width = (cols - 1.0) * self.step[0] + self.size[0];
        let height = (rows - 1.0) * self.step[1] + self.size[1];
        let margin = ON_EDGE_PX;
        self.affine
            .moved(-margin, -margin)
            .bounds(width + 2.0 * margin, height + 2.0 * margin)
    }

    /// Hands on every cell whose extent holds the point (x, y) of the CRS: its number in `cells`,
    /// and the column and row of the point within it.
    #[inline(always)]
    pub(crate) fn probe(&self, x: f64, y: f64, mut found: impl FnMut(usize, [f64; 2])) {
        // a division less exact, which is far below what counts as on an edge
        let (dx, dy) = self.affine.offset(x, y);
        let [a, b, d, e] = self.inverse;
        let (col, row) = (a * dx + b * dy, d * dx + e * dy);
        let Some((first_i, last_i)) = self.candidates(col, 0) else {
            return;
        };
        let Some((first_j, last_j)) = self.candidates(row, 1) else {
            return;
        };
        for j in first_j..=last_j {
            for i in first_i..=last_i {
                let local = [
                    col - as_float(i) * self.step[0],
                    row - as_float(j) * self.step[1],
                ];
                found(j * self.counts[0] + i, local);
            }
        }
    }

    /// The first and last cell along `axis` whose closed extent holds the pixel position.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // checked against the counts
    #[inline(always)]
    fn candidates(&self, position: f64, axis: usize) -> Option<(usize, usize)> {
        let (size, cells) = (self.size[axis], self.cells_a_pixel[axis]);
        let first = ((position - size - ON_EDGE_PX) * cells).ceil().max(0.0);
        let last = ((position + ON_EDGE_PX) * cells)
            .floor()
            .min(as_float(self.counts[axis]) - 1.0);
        (first <= last).then_some((first as usize, last as usize))
    }

    /// What there is to say of a tile and a point at a column and row of it.
    #[inline(always)]
    pub(crate) fn hit(&self, tile: u32, local: [f64; 2], [mx, my]: [f64; 2]) -> Hit {
        let [width, height] = self.size;
        let (col, row) = (local[0].clamp(0.0, width), local[1].clamp(0.0, height));
        let [a, b, d, e] = self.affine.pixel();
        let [a, b, d, e] = [a * mx, b * mx, d * my, e * my];
        let (dc, dr) = (col - width / 2.0, row - height / 2.0);
        let [across, along] = if b == 0.0 && d == 0.0 {
            [a.abs(), e.abs()]
        } else {
            let area = (a * e - b * d).abs();
            [area / length(b, e), area / length(a, d)]
        };
        let (edge_col, edge_row) = (col.min(width - col) * across, row.min(height - row) * along);
        Hit {
            tile,
            x: 2.0 * col / width - 1.0,
            y: 2.0 * row / height - 1.0,
            edge_m: edge_col.min(edge_row),
            centre_m: length(a * dc + b * dr, d * dc + e * dr),
            on_far_edge: local[0] >= width
                || local[1] >= height
                || local[0] < 0.0
                || local[1] < 0.0,
        }
    }
}

/// Length of a vector of metres, which are far from where their squares would overflow.
#[inline(always)]
fn length(x: f64, y: f64) -> f64 {
    (x * x + y * y).sqrt()
}

/// Cells and pixels are far below 2^52.
#[allow(clippy::cast_precision_loss)]
#[inline(always)]
pub(super) fn as_float(count: usize) -> f64 {
    count as f64
}

/// An array of `count` cells without a tile.
pub(crate) fn empty_cells(count: usize) -> Vec<u32> {
    vec![EMPTY; count]
}

/// Puts a tile into an empty cell; false where another tile is there already.
pub(crate) fn occupy(cell: &mut u32, tile: u32) -> bool {
    let free = *cell == EMPTY;
    if free {
        *cell = tile;
    }
    free
}
