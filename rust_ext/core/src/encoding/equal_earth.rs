//! Equal Earth as an encoding: the plane that location encoders take their features from.
use super::{Encoding, Precision, place};
use crate::projection::EqualEarth;

/// Points that are worked on side by side.
const BLOCK: usize = 32;

/// x and y of the Equal Earth map of a unit sphere, times a scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EqualEarthPlane {
    /// What both axes are multiplied by.
    pub scale: f64,
}

impl Encoding for EqualEarthPlane {
    fn width(&self) -> usize {
        2
    }

    #[allow(clippy::inline_always)] // see Kernel
    #[inline(always)]
    fn fill<T: Precision>(&self, points: &[[f64; 2]], rows: &mut [T]) {
        for (points, rows) in points.chunks(BLOCK).zip(rows.chunks_mut(2 * BLOCK)) {
            let mut plane = [[0.0; BLOCK]; 2];
            let [xs, ys] = &mut plane;
            for ((point, x), y) in points.iter().zip(xs).zip(ys) {
                let [lon, lat] = place(*point);
                let (east, north) = EqualEarth::plane(lon, lat);
                (*x, *y) = (east * self.scale, north * self.scale);
            }
            for (row, at) in rows.as_chunks_mut::<2>().0.iter_mut().zip(0..BLOCK) {
                *row = [T::of(plane[0][at]), T::of(plane[1][at])];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::encode;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn both_axes_are_scaled_and_what_is_no_place_is_no_number() {
        let points = [
            [180.0, 0.0],
            [0.0, 90.0],
            [0.0, -90.5],
            [f64::INFINITY, 1.0],
        ];
        let mut rows = [0.0_f64; 8];
        let encoding = EqualEarthPlane { scale: 0.5 };
        encode(&encoding, &points, &mut rows, &AtomicBool::new(false)).expect("4 x 2");
        // the map reaches 2.706630 to the east and 1.317363 to the north
        assert!((rows[0] - 1.353_315).abs() < 1e-6 && rows[1].abs() < 1e-15);
        assert!(rows[2].abs() < 1e-15 && (rows[3] - 0.658_681).abs() < 1e-6);
        assert!(rows[4..].iter().all(|value| value.is_nan()));
    }
}
