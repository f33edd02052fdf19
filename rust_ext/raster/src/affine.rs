//! Affine maps between pixels and coordinates, in rasterio's order a, b, c, d, e, f.
#![allow(clippy::many_single_char_names)] // the letters that these maps are written in

/// Maps a point: x' = a x + b y + c, y' = d x + e y + f.
pub(crate) fn apply(map: &[f64; 6], x: f64, y: f64) -> (f64, f64) {
    let [a, b, c, d, e, f] = *map;
    (a * x + b * y + c, d * x + e * y + f)
}

/// The map that undoes the linear part of `map`; `None` where its pixels have no area.
pub(crate) fn inverse_linear(map: &[f64; 6]) -> Option<[f64; 4]> {
    let [a, b, _, d, e, _] = *map;
    let area = a * e - b * d;
    let inverse = [e / area, -b / area, -d / area, a / area];
    inverse
        .iter()
        .all(|number| number.is_finite())
        .then_some(inverse)
}

/// The pixel (column, row) of a point in CRS units.
pub(crate) fn pixel_of(map: &[f64; 6], x: f64, y: f64) -> Option<(f64, f64)> {
    let [p, q, r, s] = inverse_linear(map)?;
    let (x, y) = (x - map[2], y - map[5]);
    Some((p * x + q * y, r * x + s * y))
}

/// The map from pixels of `target` to pixels of `source`, two grids of one coordinate system.
///
/// Origins are subtracted before anything is divided, so that far-off coordinates cost no digits.
pub(crate) fn between(source: &[f64; 6], target: &[f64; 6]) -> Option<[f64; 6]> {
    let [p, q, r, s] = inverse_linear(source)?;
    let (x, y) = (target[2] - source[2], target[5] - source[5]);
    Some([
        p * target[0] + q * target[3],
        p * target[1] + q * target[4],
        p * x + q * y,
        r * target[0] + s * target[3],
        r * target[1] + s * target[4],
        r * x + s * y,
    ])
}

#[cfg(test)]
mod tests {
    use super::{apply, between, inverse_linear};

    #[test]
    fn a_map_between_grids_keeps_every_digit_far_from_the_origin() {
        let source = [20.0, 0.0, 600_000.0, 0.0, -20.0, 9_900_040.0];
        let target = [10.0, 0.0, 600_020.0, 0.0, -10.0, 9_900_000.0];
        let map = between(&source, &target).unwrap();
        assert_eq!(format!("{map:?}"), "[0.5, 0.0, 1.0, 0.0, 0.5, 2.0]");
        assert_eq!(apply(&map, 0.5, 0.5), (1.25, 2.25));
    }

    #[test]
    fn pixels_without_area_have_no_inverse() {
        assert_eq!(inverse_linear(&[1.0, 2.0, 0.0, 2.0, 4.0, 0.0]), None);
    }
}
