//! Pixels of a raster without their values, and rectangles of them that may lie outside.
use crate::ffi::Window;

/// The pixels of a raster.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// `EPSG:n` or WKT2.
    pub crs: String,
    /// Pixels to CRS: a, b, c, d, e, f as in rasterio.
    pub transform: [f64; 6],
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Grid {
    /// The transform of the part that begins at a pixel.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // rasters have fewer than 2^53 columns
    pub fn transform_at(&self, col: i64, row: i64) -> [f64; 6] {
        let [a, b, west, d, e, north] = self.transform;
        let (col, row) = (col as f64, row as f64);
        [
            a,
            b,
            a * col + b * row + west,
            d,
            e,
            d * col + e * row + north,
        ]
    }
}

/// A rectangle of a grid's pixels that may begin before it or end behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// First column.
    pub col: i64,
    /// First row.
    pub row: i64,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Frame {
    /// The same rectangle seen from a grid whose pixel (0, 0) is at (-`col`, -`row`) of this one.
    #[must_use]
    pub fn moved(self, col: i64, row: i64) -> Self {
        Self {
            col: self.col.saturating_add(col),
            row: self.row.saturating_add(row),
            ..self
        }
    }

    /// The part inside a raster of `width` x `height` pixels; `None` where there is none.
    #[must_use]
    pub fn inside(self, width: usize, height: usize) -> Option<Window> {
        let (col, columns) = overlap(self.col, self.width, width)?;
        let (row, rows) = overlap(self.row, self.height, height)?;
        Some(Window {
            col,
            row,
            width: columns,
            height: rows,
        })
    }
}

/// Start and length of what `start..start + length` has of `0..limit`.
fn overlap(start: i64, length: usize, limit: usize) -> Option<(usize, usize)> {
    let end = start.saturating_add(i64::try_from(length).ok()?);
    let end = usize::try_from(end.min(i64::try_from(limit).ok()?)).ok()?;
    let start = usize::try_from(start.max(0)).ok()?;
    (end > start).then(|| (start, end - start))
}

#[cfg(test)]
mod tests {
    use super::{Frame, Grid};

    #[test]
    fn a_frame_is_clipped_on_every_side() {
        let frame = Frame {
            col: -3,
            row: 8,
            width: 10,
            height: 5,
        };
        let window = frame.inside(20, 10).unwrap();
        assert_eq!(
            (window.col, window.row, window.width, window.height),
            (0, 8, 7, 2)
        );
        assert!(frame.moved(-7, 0).inside(20, 10).is_none());
        assert!(frame.moved(0, i64::MAX).inside(20, 10).is_none());
    }

    #[test]
    #[allow(clippy::float_cmp)] // whole numbers
    fn a_part_has_the_transform_of_its_first_pixel() {
        let grid = Grid {
            crs: "EPSG:32633".to_owned(),
            transform: [10.0, 0.0, 5e5, 0.0, -10.0, 5e6],
            width: 9,
            height: 9,
        };
        let moved = grid.transform_at(-1, 3);
        assert_eq!(moved, [10.0, 0.0, 499_990.0, 0.0, -10.0, 4_999_970.0]);
    }
}
