//! Unit-sphere coordinates: the plainest encoding without a seam at the antimeridian.
use super::{Encoding, Precision, place, sin_cos_degrees};

/// Points that are worked on side by side.
const BLOCK: usize = 32;

/// (x, y, z) of the unit sphere at each longitude and latitude in degrees.
///
/// x points to (0, 0), y to (90 E, 0) and z to the north pole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitSphere;

impl Encoding for UnitSphere {
    fn width(&self) -> usize {
        3
    }

    #[allow(clippy::inline_always)] // see Kernel
    #[inline(always)]
    fn fill<T: Precision>(&self, points: &[[f64; 2]], rows: &mut [T]) {
        for (points, rows) in points.chunks(BLOCK).zip(rows.chunks_mut(3 * BLOCK)) {
            let mut axes = [[0.0; BLOCK]; 3];
            let [xs, ys, zs] = &mut axes;
            for (((point, x), y), z) in points.iter().zip(xs).zip(ys).zip(zs) {
                let [lon, lat] = place(*point);
                let (sin_lon, cos_lon): (f64, f64) = sin_cos_degrees(lon);
                let (sin_lat, cos_lat): (f64, f64) = sin_cos_degrees(lat);
                (*x, *y, *z) = (cos_lat * cos_lon, cos_lat * sin_lon, sin_lat);
            }
            for (row, at) in rows.as_chunks_mut::<3>().0.iter_mut().zip(0..BLOCK) {
                *row = [T::of(axes[0][at]), T::of(axes[1][at]), T::of(axes[2][at])];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::encode;
    use std::sync::atomic::AtomicBool;

    fn xyz(points: &[[f64; 2]]) -> Vec<f64> {
        let mut rows = vec![0.0; 3 * points.len()];
        encode(&UnitSphere, points, &mut rows, &AtomicBool::new(false)).expect("N x 3");
        rows
    }

    #[test]
    fn axes_point_where_the_text_says() {
        let rows = xyz(&[[0.0, 0.0], [90.0, 0.0], [12.0, 90.0], [180.0, 0.0]]);
        let wanted = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0];
        assert!(rows.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-15));
    }

    #[test]
    fn what_is_no_place_is_no_number() {
        let rows = xyz(&[[f64::NAN, 0.0], [0.0, f64::INFINITY], [0.0, 90.1]]);
        assert!(rows.iter().all(|value| value.is_nan()));
    }

    #[test]
    fn an_output_of_another_size_is_refused() {
        let cancel = AtomicBool::new(false);
        assert!(encode(&UnitSphere, &[[0.0, 0.0]], &mut [0.0; 2], &cancel).is_err());
    }
}
