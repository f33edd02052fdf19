//! Which tiles a scene has: a lattice anchored at its first pixel.
use crate::error::{Error, Result};

/// What becomes of tiles that reach over the scene's edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partial {
    /// They are left out.
    Skip,
    /// They are filled up with nodata.
    Pad,
    /// They are moved back until they end at the edge.
    Shift,
}

impl Partial {
    /// Finds a way by its name: `skip`, `pad` or `shift`.
    ///
    /// # Errors
    /// [`Error::Unusable`] for any other name.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "skip" => Ok(Self::Skip),
            "pad" => Ok(Self::Pad),
            "shift" => Ok(Self::Shift),
            _ => Err(Error::Unusable(format!(
                "partial tiles: {name} is not skip, pad or shift"
            ))),
        }
    }
}

/// One tile to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Row on the lattice.
    pub row: usize,
    /// Column on the lattice.
    pub col: usize,
    /// First row of pixels.
    pub top: usize,
    /// First column of pixels.
    pub left: usize,
}

/// The tiles of a scene, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lattice {
    /// Rows of a tile.
    pub height: usize,
    /// Columns of a tile.
    pub width: usize,
    /// First pixel row of each row of tiles.
    pub tops: Vec<usize>,
    /// First pixel column of each column of tiles.
    pub lefts: Vec<usize>,
}

impl Lattice {
    /// Lays tiles of `size` (rows, columns) every `stride` pixels over a scene.
    ///
    /// # Errors
    /// [`Error::Unusable`] when a size or a stride is 0.
    pub fn new(
        scene: (usize, usize),
        size: (usize, usize),
        stride: (usize, usize),
        partial: Partial,
    ) -> Result<Self> {
        if size.0 == 0 || size.1 == 0 || stride.0 == 0 || stride.1 == 0 {
            return Err(Error::Unusable(
                "tile size and stride are at least one pixel".to_owned(),
            ));
        }
        Ok(Self {
            height: size.0,
            width: size.1,
            tops: starts(scene.0, size.0, stride.0, partial),
            lefts: starts(scene.1, size.1, stride.1, partial),
        })
    }

    /// Number of tiles.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tops.len() * self.lefts.len()
    }

    /// Whether the scene is too small for a single tile.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tile of a number, counted row by row.
    #[must_use]
    pub fn cell(&self, number: usize) -> Cell {
        let (row, col) = (number / self.lefts.len(), number % self.lefts.len());
        Cell {
            row,
            col,
            top: self.tops[row],
            left: self.lefts[col],
        }
    }
}

fn starts(length: usize, size: usize, stride: usize, partial: Partial) -> Vec<usize> {
    let whole = if length >= size {
        (length - size) / stride + 1
    } else {
        0
    };
    let mut starts: Vec<usize> = (0..whole).map(|index| index * stride).collect();
    let covered = starts.last().map_or(0, |last| last + size);
    match partial {
        // with strides beyond the size the next tile may begin behind the edge
        Partial::Pad if covered < length && whole * stride < length => starts.push(whole * stride),
        Partial::Shift if covered < length && length >= size && whole * stride < length => {
            starts.push(length - size);
        }
        _ => {}
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::{Lattice, Partial, starts};

    #[test]
    fn skipped_edges_leave_whole_tiles_only() {
        assert_eq!(
            starts(800, 96, 96, Partial::Skip),
            [0, 96, 192, 288, 384, 480, 576, 672]
        );
        assert_eq!(starts(95, 96, 96, Partial::Skip), [0; 0]);
        assert_eq!(starts(96, 96, 48, Partial::Skip), [0]);
    }

    #[test]
    fn padded_and_shifted_edges_cover_every_pixel() {
        assert_eq!(starts(200, 96, 96, Partial::Pad), [0, 96, 192]);
        assert_eq!(starts(200, 96, 96, Partial::Shift), [0, 96, 104]);
        assert_eq!(starts(50, 96, 96, Partial::Pad), [0]);
        assert_eq!(starts(192, 96, 96, Partial::Pad), [0, 96]);
        assert_eq!(starts(50, 96, 96, Partial::Shift), [0; 0]);
    }

    #[test]
    fn numbers_run_row_by_row() {
        let lattice = Lattice::new((20, 30), (10, 10), (10, 10), Partial::Skip).unwrap();
        let cell = lattice.cell(4);
        assert_eq!(
            (lattice.len(), cell.row, cell.col, cell.top, cell.left),
            (6, 1, 1, 10, 10)
        );
        assert!(Lattice::new((20, 30), (0, 10), (1, 1), Partial::Skip).is_err());
    }
}
