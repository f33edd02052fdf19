//! Which part of which block a window of pixels needs.
use std::ops::Range;

use crate::ffi::Window;

/// How a raster is cut into blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks {
    /// Columns and rows of a block.
    pub(super) size: (usize, usize),
    /// Tiles are stored whole; the last strip ends with the raster.
    pub(super) tiled: bool,
    /// Rows of the raster.
    pub(super) height: usize,
}

/// What a block and a window share.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Column and row among the blocks.
    pub(super) block: (usize, usize),
    /// Rows that the block holds.
    pub(super) stored: usize,
    /// Shared columns, counted inside the block.
    pub(super) cols: Range<usize>,
    /// Shared rows, counted inside the block.
    pub(super) rows: Range<usize>,
    /// Where the first shared pixel lies in the window.
    pub(super) start: usize,
    /// Pixels from row to row of the window.
    pub(super) pitch: usize,
}

impl Blocks {
    /// The parts of all blocks that a window inside the raster touches, row by row.
    pub(super) fn parts(self, window: Window) -> impl Iterator<Item = Part> {
        let (width, height) = self.size;
        let (right, bottom) = (window.col + window.width, window.row + window.height);
        let cols = window.col / width..right.div_ceil(width);
        (window.row / height..bottom.div_ceil(height))
            .flat_map(move |row| cols.clone().map(move |col| self.part(window, (col, row))))
    }

    fn part(self, window: Window, block: (usize, usize)) -> Part {
        let (left, top) = (block.0 * self.size.0, block.1 * self.size.1);
        let cols = shared((left, self.size.0), (window.col, window.width));
        let rows = shared((top, self.size.1), (window.row, window.height));
        let below = left + cols.start - window.col;
        let above = top + rows.start - window.row;
        Part {
            block,
            stored: if self.tiled {
                self.size.1
            } else {
                self.size.1.min(self.height - top)
            },
            cols,
            rows,
            start: above * window.width + below,
            pitch: window.width,
        }
    }
}

/// What two stretches of (start, length) share, counted from the start of the first.
fn shared(block: (usize, usize), window: (usize, usize)) -> Range<usize> {
    let end = (block.0 + block.1).min(window.0 + window.1);
    window.0.max(block.0) - block.0..end - block.0
}

impl Part {
    /// Whether the window holds the block as it is stored, row after row.
    pub(super) fn is_whole(&self, width: usize) -> bool {
        self.pitch == width && self.cols == (0..width) && self.rows == (0..self.stored)
    }

    /// Puts the shared columns of a block's row into a plane of the window, `size` bytes a value.
    ///
    /// `index` counts the shared rows.
    pub(super) fn place(&self, index: usize, row: &[u8], size: usize, plane: &mut [u8]) {
        let values = &row[self.cols.start * size..self.cols.end * size];
        let at = (self.start + index * self.pitch) * size;
        plane[at..at + values.len()].copy_from_slice(values);
    }
}
