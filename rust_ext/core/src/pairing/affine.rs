//! The affine between a raster's pixels and its CRS, in rasterio's order a, b, c, d, e, f.
#![allow(clippy::many_single_char_names)] // the six letters are rasterio's
use crate::{Error, Result};

/// `X = a col + b row + c`, `Y = d col + e row + f`, with a non-zero determinant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    coefficients: [f64; 6],
    determinant: f64,
}

impl Affine {
    /// Makes an affine.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where a coefficient is not finite or pixels have no area.
    pub fn new(coefficients: [f64; 6]) -> Result<Self> {
        let [a, b, _, d, e, _] = coefficients;
        let determinant = a * e - b * d;
        if coefficients.iter().all(|c| c.is_finite()) && determinant != 0.0 {
            return Ok(Self {
                coefficients,
                determinant,
            });
        }
        Err(Error::InvalidArgument(format!(
            "a transform needs six finite numbers and pixels with an area, got {coefficients:?}"
        )))
    }

    /// The CRS point of a (column, row) position.
    #[must_use]
    pub fn apply(&self, col: f64, row: f64) -> (f64, f64) {
        let [a, b, c, d, e, f] = self.coefficients;
        (a * col + b * row + c, d * col + e * row + f)
    }

    /// The (column, row) position of a CRS point.
    #[must_use]
    #[inline]
    pub fn invert(&self, x: f64, y: f64) -> (f64, f64) {
        let [a, b, c, d, e, f] = self.coefficients;
        let (dx, dy) = (x - c, y - f);
        (
            (e * dx - b * dy) / self.determinant,
            (a * dy - d * dx) / self.determinant,
        )
    }

    /// The offset of a CRS point from the origin.
    #[inline]
    pub(super) fn offset(&self, x: f64, y: f64) -> (f64, f64) {
        (x - self.coefficients[2], y - self.coefficients[5])
    }

    /// What takes offsets from the origin to columns and rows: `col = a dx + b dy`,
    /// `row = d dx + e dy`.
    pub(super) fn inverse(&self) -> [f64; 4] {
        let [a, b, d, e] = self.pixel();
        [e, -b, -d, a].map(|c| c / self.determinant)
    }

    /// The same pixels with the origin moved to a (column, row) position.
    #[must_use]
    pub fn moved(&self, col: f64, row: f64) -> Self {
        let [a, b, _, d, e, _] = self.coefficients;
        let (c, f) = self.apply(col, row);
        Self {
            coefficients: [a, b, c, d, e, f],
            ..*self
        }
    }

    /// The four numbers that shape a pixel: a, b, d, e.
    #[must_use]
    #[inline]
    pub fn pixel(&self) -> [f64; 4] {
        let [a, b, _, d, e, _] = self.coefficients;
        [a, b, d, e]
    }

    /// The box (min x, min y, max x, max y) around a raster of `width` x `height` pixels.
    #[must_use]
    pub fn bounds(&self, width: f64, height: f64) -> [f64; 4] {
        let corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)]
            .map(|(col, row)| self.apply(col, row));
        corners.iter().fold(
            [
                f64::INFINITY,
                f64::INFINITY,
                f64::NEG_INFINITY,
                f64::NEG_INFINITY,
            ],
            |b, (x, y)| [b[0].min(*x), b[1].min(*y), b[2].max(*x), b[3].max(*y)],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pixels_without_area_are_refused() {
        assert!(Affine::new([1.0, 2.0, 0.0, 2.0, 4.0, 0.0]).is_err());
        assert!(Affine::new([1.0, 0.0, f64::NAN, 0.0, 1.0, 0.0]).is_err());
    }

    #[test]
    fn bounds_of_a_rotated_raster_hold_all_corners() {
        let rotated = Affine::new([0.0, 2.0, 10.0, 3.0, 0.0, 20.0]).expect("has an area");
        let bounds = rotated.bounds(4.0, 5.0);
        assert!(
            bounds
                .iter()
                .zip([10.0, 20.0, 20.0, 32.0])
                .all(|(a, b)| (a - b).abs() < 1e-12)
        );
    }

    proptest! {
        #[test]
        fn invert_undoes_apply(col in -1e4..1e4_f64, row in -1e4..1e4_f64, turn in 0.0..std::f64::consts::TAU) {
            let (sin, cos) = turn.sin_cos();
            let affine = Affine::new([10.0 * cos, 9.0 * sin, 5e5, 10.0 * sin, -9.0 * cos, 4e6]);
            let affine = affine.expect("has an area");
            let (x, y) = affine.apply(col, row);
            let (col2, row2) = affine.invert(x, y);
            prop_assert!((col - col2).abs() < 1e-6 && (row - row2).abs() < 1e-6);
        }
    }
}
