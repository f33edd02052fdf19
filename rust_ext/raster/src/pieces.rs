//! How decoded units are kept: as pieces, so that what later tiles need can outlive the rest.
//!
//! A unit is what is decoded at once: a block, or small blocks and strips together. Lines cut
//! every unit where tiles begin that reach over its edge, and very wide ones every few hundred
//! pixels. A piece is kept from its unit's decoding to the last tile that needs it.
use std::collections::HashMap;
use std::ops::Range;

use crate::ffi::Window;

/// Units of more pixels a side are kept in pieces of half that.
const WIDE: usize = 1024;

/// The lines between pieces along one axis of a raster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cuts {
    lines: Vec<usize>,
    unit: usize,
}

impl Cuts {
    /// Lays lines over an axis of `length` pixels in units of `unit`, for windows `(start, end)`.
    pub(crate) fn new(length: usize, unit: usize, windows: &[(usize, usize)]) -> Self {
        let mut lines: Vec<usize> = (0..length).step_by(unit).collect();
        let mut tails: HashMap<usize, usize> = HashMap::new();
        for &(start, end) in windows {
            for edge in start / unit + 1..end.div_ceil(unit) {
                let tail = tails.entry(edge).or_insert(edge * unit);
                *tail = start.max((edge - 1) * unit).min(*tail);
            }
        }
        lines.extend(tails.into_values());
        if unit > WIDE {
            let inside = |start: usize| (start..(start + unit).min(length)).step_by(WIDE / 2);
            lines.extend((0..length).step_by(unit).flat_map(inside));
        }
        lines.push(length);
        lines.sort_unstable();
        lines.dedup();
        Self { lines, unit }
    }

    /// The pieces that `start..end` touches.
    pub(crate) fn touching(&self, start: usize, end: usize) -> Range<usize> {
        let first = self.lines.partition_point(|line| *line <= start);
        let last = self.lines.partition_point(|line| *line < end);
        first.saturating_sub(1)..last
    }

    /// First pixel and length of a piece.
    fn span(&self, piece: usize) -> (usize, usize) {
        (self.lines[piece], self.lines[piece + 1] - self.lines[piece])
    }

    fn unit_of(&self, piece: usize) -> usize {
        self.lines[piece] / self.unit
    }

    /// First pixel and length of a unit.
    fn unit_span(&self, unit: usize) -> (usize, usize) {
        let end = self.lines.last().copied().unwrap_or(0);
        (unit * self.unit, self.unit.min(end - unit * self.unit))
    }
}

/// Row and column of a piece or of a unit.
pub(crate) type Place = (usize, usize);

/// The pieces of a raster: the product of the lines along both axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pieces {
    pub(crate) rows: Cuts,
    pub(crate) cols: Cuts,
}

impl Pieces {
    /// Cuts a raster of `(rows, columns)` in units of `unit` for the windows that are needed.
    pub(crate) fn new(
        size: (usize, usize),
        unit: (usize, usize),
        windows: &[Option<Window>],
    ) -> Self {
        let spans = |pick: fn(&Window) -> (usize, usize)| {
            let mut spans: Vec<_> = windows.iter().flatten().map(pick).collect();
            spans.sort_unstable();
            spans.dedup();
            spans
        };
        let rows = spans(|w| (w.row, w.row + w.height));
        let cols = spans(|w| (w.col, w.col + w.width));
        Self {
            rows: Cuts::new(size.0, unit.0, &rows),
            cols: Cuts::new(size.1, unit.1, &cols),
        }
    }

    /// The pieces that a window touches, row by row.
    pub(crate) fn touching(&self, window: Window) -> impl Iterator<Item = Place> + '_ {
        let cols = self.cols.touching(window.col, window.col + window.width);
        self.rows
            .touching(window.row, window.row + window.height)
            .flat_map(move |row| cols.clone().map(move |col| (row, col)))
    }

    /// The pixels of a piece.
    pub(crate) fn window(&self, piece: Place) -> Window {
        let (row, height) = self.rows.span(piece.0);
        let (col, width) = self.cols.span(piece.1);
        Window {
            col,
            row,
            width,
            height,
        }
    }

    /// The unit that a piece is part of.
    pub(crate) fn unit_of(&self, piece: Place) -> Place {
        (self.rows.unit_of(piece.0), self.cols.unit_of(piece.1))
    }

    /// The pixels of a unit.
    pub(crate) fn unit_window(&self, unit: Place) -> Window {
        let (row, height) = self.rows.unit_span(unit.0);
        let (col, width) = self.cols.unit_span(unit.1);
        Window {
            col,
            row,
            width,
            height,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cuts;

    #[test]
    fn tiles_that_fit_the_blocks_leave_them_whole() {
        let cuts = Cuts::new(20, 8, &[(0, 4), (4, 8), (8, 12), (12, 16)]);
        assert_eq!(cuts.lines, [0, 8, 16, 20]);
        assert_eq!((cuts.touching(4, 8), cuts.touching(7, 9)), (0..1, 0..2));
        assert_eq!(cuts.unit_span(2), (16, 4));
    }

    #[test]
    fn a_line_lies_where_the_first_tile_over_an_edge_begins() {
        let cuts = Cuts::new(20, 8, &[(0, 5), (5, 10), (6, 11), (10, 15), (15, 20)]);
        assert_eq!(cuts.lines, [0, 5, 8, 15, 16, 20]);
        assert_eq!((cuts.unit_of(1), cuts.unit_of(2)), (0, 1));
    }

    #[test]
    fn a_window_over_a_whole_unit_needs_all_of_it() {
        assert_eq!(Cuts::new(24, 8, &[(7, 17)]).lines, [0, 7, 8, 16, 24]);
    }

    #[test]
    fn wide_units_are_kept_in_parts() {
        assert_eq!(Cuts::new(2000, 4096, &[]).lines, [0, 512, 1024, 1536, 2000]);
    }
}
