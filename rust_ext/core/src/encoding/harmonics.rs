//! Real spherical harmonics, as Russwurm et al., "Geographic Location Encoding with Spherical
//! Harmonics and Sinusoidal Representation Networks", ICLR 2024, use them.
//!
//! What differs: instead of one closed form a harmonic there is one recurrence over the fully
//! normalised Legendre functions (Holmes and Featherstone, Journal of Geodesy 76, 2002, equation
//! 11), stable to degrees in the hundreds. It takes eight orders at a time from degree to degree;
//! each result makes a cosine to the right of the degree's middle and a sine to the left of it.
use super::waves::fraction;
use super::{Encoding, Precision, place, sin_cos_degrees};
use crate::{Error, Result};
use std::f64::consts::{PI, SQRT_2};

const MAX_DEGREE: usize = 500;
/// Orders that are worked on side by side.
const LANES: usize = 8;

/// The orthonormal real harmonics of all degrees from 0 to `degree`, both included.
///
/// Column `l * l + l + m` holds order m of degree l: cosines for m > 0, sines for m < 0, without
/// the Condon-Shortley sign.
#[derive(Debug, Clone)]
pub struct SphericalHarmonics {
    degree: usize,
    /// Where the sectoral functions start: `P(m, m) = sectoral[m] * ring * P(m - 1, m - 1)`.
    sectoral: Vec<f64>,
    /// The recurrence of eight orders each, degree by degree.
    steps: Vec<Step>,
}

/// Factors of `P(l, m) = rise z P(l - 1, m) - fall P(l - 2, m)` for eight orders.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Step {
    rise: [f64; LANES],
    fall: [f64; LANES],
}

/// Eight orders of one point: the last two Legendre functions, and the waves along its parallel.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct Orders {
    newer: [f64; LANES],
    older: [f64; LANES],
    cosines: [f64; LANES],
    /// In falling order, as a row holds them.
    sines: [f64; LANES],
}

impl SphericalHarmonics {
    /// Prepares the recurrence.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where `degree` exceeds 500.
    pub fn new(degree: usize) -> Result<Self> {
        if degree > MAX_DEGREE {
            return Err(Error::InvalidArgument(format!(
                "degrees go to {MAX_DEGREE}, got {degree}"
            )));
        }
        let starts = |l| (0..=l).step_by(LANES).map(move |m| (l, m));
        Ok(Self {
            degree,
            sectoral: (0..=degree).map(sectoral).collect(),
            steps: (0..=degree)
                .flat_map(starts)
                .map(|(l, m)| Step::new(l, m))
                .collect(),
        })
    }

    /// Writes one row, and at most `LANES - 1` numbers behind it.
    #[allow(clippy::inline_always)] // part of a kernel
    #[inline(always)]
    fn fill_row<T: Precision>(&self, point: [f64; 2], orders: &mut [Orders], row: &mut [T]) {
        let [lon, lat] = place(point);
        let (z, ring): (f64, f64) = sin_cos_degrees(lat);
        start(orders, &self.sectoral, z, ring);
        turn(orders, lon);
        let mut steps = &self.steps[..];
        for l in 0..=self.degree {
            let now;
            (now, steps) = steps.split_at(l / LANES + 1);
            let middle = l * l + l;
            for (number, (step, orders)) in now.iter().zip(&mut *orders).enumerate() {
                let values = orders.advance(step, z);
                let m = number * LANES;
                write_sines(values, &orders.sines, row, middle - m.min(middle), l - m);
                write_cosines(values, &orders.cosines, &mut row[middle + m..]);
            }
        }
    }
}

impl Encoding for SphericalHarmonics {
    fn width(&self) -> usize {
        (self.degree + 1) * (self.degree + 1)
    }

    #[allow(clippy::inline_always)] // see Kernel
    #[inline(always)]
    fn fill<T: Precision>(&self, points: &[[f64; 2]], rows: &mut [T]) {
        let width = self.width();
        let mut orders = vec![Orders::default(); self.degree / LANES + 1];
        let mut last = vec![T::default(); width + LANES];
        for (number, point) in points.iter().enumerate() {
            let start = number * width;
            if let Some(row) = rows.get_mut(start..start + width + LANES) {
                self.fill_row(*point, &mut orders, row); // the next row writes over what is behind
            } else {
                self.fill_row(*point, &mut orders, &mut last);
                rows[start..start + width].copy_from_slice(&last[..width]);
            }
        }
    }
}

impl Step {
    /// The factors of degree l for the orders from `first` on.
    fn new(l: usize, first: usize) -> Self {
        let pairs: [_; LANES] = std::array::from_fn(|lane| factors(l, first + lane));
        Self {
            rise: pairs.map(|pair| pair.0),
            fall: pairs.map(|pair| pair.1),
        }
    }
}

impl Orders {
    /// Takes P(l - 1, m) and P(l - 2, m) to P(l, m).
    #[allow(clippy::inline_always)] // part of a kernel
    #[inline(always)]
    fn advance(&mut self, step: &Step, z: f64) -> [f64; LANES] {
        let (newer, older) = (self.newer, self.older);
        let mut values = [0.0; LANES];
        for lane in 0..LANES {
            values[lane] = step.rise[lane] * z * newer[lane] - step.fall[lane] * older[lane];
        }
        (self.older, self.newer) = (newer, values);
        values
    }
}

/// Writes P(l, m) cos(m lon) from order m on; what lies beyond order l is written over later.
#[allow(clippy::inline_always)] // part of a kernel
#[inline(always)]
fn write_cosines<T: Precision>(values: [f64; LANES], cosines: &[f64; LANES], row: &mut [T]) {
    if let Some(place) = row.first_chunk_mut::<LANES>() {
        for lane in 0..LANES {
            place[lane] = T::of(values[lane] * cosines[lane]);
        }
    }
}

/// Writes P(l, m) sin(m lon) leftwards from `end`, for eight orders or the `beyond + 1` there are.
#[allow(clippy::inline_always)] // part of a kernel
#[inline(always)]
fn write_sines<T: Precision>(
    values: [f64; LANES],
    sines: &[f64; LANES],
    row: &mut [T],
    end: usize,
    beyond: usize,
) {
    let products: [T; LANES] =
        std::array::from_fn(|lane| T::of(values[LANES - 1 - lane] * sines[lane]));
    if beyond >= LANES - 1 {
        row[end + 1 - LANES..=end].copy_from_slice(&products);
    } else {
        for (place, product) in row[..=end]
            .iter_mut()
            .rev()
            .zip(products.iter().rev())
            .take(beyond + 1)
        {
            *place = *product;
        }
    }
}

/// Sets every order's first Legendre function, P(m, m), which waits there for its degree.
#[allow(clippy::inline_always)] // part of a kernel
#[inline(always)]
fn start(orders: &mut [Orders], sectoral: &[f64], z: f64, ring: f64) {
    let mut sector = if z.is_nan() { z } else { 1.0 };
    for (m, factor) in sectoral.iter().enumerate() {
        sector *= if m == 0 { *factor } else { factor * ring };
        let orders = &mut orders[m / LANES];
        orders.newer[m % LANES] = sector;
        orders.older[m % LANES] = sector;
    }
}

/// Sets every order's cosine and sine along a parallel, times sqrt(2) but for order 0.
#[allow(clippy::inline_always, clippy::cast_precision_loss)] // orders are below 508
#[inline(always)]
fn turn(orders: &mut [Orders], lon: f64) {
    let turns = fraction(lon * (1.0 / 360.0));
    for (number, orders) in orders.iter_mut().enumerate() {
        let mut waves = [(0.0, 0.0); LANES];
        for (lane, wave) in waves.iter_mut().enumerate() {
            *wave = fraction((number * LANES + lane) as f64 * turns).sin_cos_turns();
        }
        orders.cosines = waves.map(|wave| SQRT_2 * wave.1);
        orders.sines = std::array::from_fn(|lane| SQRT_2 * waves[LANES - 1 - lane].0);
    }
    orders[0].cosines[0] = 1.0;
}

/// The factors of degree l and order m.
///
/// An order that has not begun, or begins now, hands its waiting P(m, m) on: 0 and -1.
#[allow(clippy::cast_precision_loss)] // degrees stay below 501
fn factors(l: usize, m: usize) -> (f64, f64) {
    if m >= l {
        return (0.0, -1.0);
    }
    let (degree, below, m2) = (l as f64, l as f64 - 1.0, (m * m) as f64);
    let rise = ((4.0 * degree * degree - 1.0) / (degree * degree - m2)).sqrt();
    let before = (below * below - m2).max(0.0) / (4.0 * below * below - 1.0).abs();
    (rise, rise * before.sqrt())
}

/// P(0, 0), or what takes the sectoral function from m - 1 to m.
#[allow(clippy::cast_precision_loss)] // orders stay below 501
fn sectoral(m: usize) -> f64 {
    if m == 0 {
        return (1.0 / (4.0 * PI)).sqrt();
    }
    let m = m as f64;
    ((2.0 * m + 1.0) / (2.0 * m)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::encode;
    use std::sync::atomic::AtomicBool;

    fn harmonics(points: &[[f64; 2]], degree: usize) -> Vec<f32> {
        let encoding = SphericalHarmonics::new(degree).expect("a degree");
        let mut rows = vec![0.0; points.len() * encoding.width()];
        encode(&encoding, points, &mut rows, &AtomicBool::new(false)).expect("the size is right");
        rows
    }

    #[test]
    fn the_first_degree_is_the_unit_sphere_times_a_constant() {
        // sqrt(3 / 4 pi) = 0.48860251; at 90 E on the equator only y is not zero.
        let row = harmonics(&[[90.0, 0.0]], 1);
        let wanted = [0.282_094_8, 0.488_602_5, 0.0, 0.0];
        assert!(
            row.iter()
                .zip(wanted)
                .all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-6)
        );
    }

    #[test]
    fn the_squares_of_one_degree_add_up_to_a_constant() {
        // Unsoeld's theorem: the sum over orders is (2 l + 1) / (4 pi), everywhere.
        let points = [
            [12.0, 50.0],
            [-170.0, -89.5],
            [0.0, 90.0],
            [180.0, -90.0],
            [7.0, 0.0],
        ];
        let rows = harmonics(&points, 40);
        for row in rows.chunks_exact(1681) {
            for l in 0..=40 {
                let part = &row[l * l..(l + 1) * (l + 1)];
                let sum: f64 = part.iter().map(|v| f64::from(*v).powi(2)).sum();
                let wanted = f64::from(u32::try_from(2 * l + 1).expect("small"));
                assert!(
                    (sum - wanted / (4.0 * std::f64::consts::PI)).abs() < 1e-5,
                    "{l} {sum}"
                );
            }
        }
    }

    #[test]
    fn a_row_does_not_depend_on_the_rows_around_it() {
        let points: Vec<_> = (0..50)
            .map(|i| [f64::from(i) * 7.0 - 180.0, f64::from(i) - 25.0])
            .collect();
        let together = harmonics(&points, 9);
        for (point, row) in points.iter().zip(together.chunks_exact(100)) {
            assert_eq!(harmonics(&[*point], 9), row);
        }
    }

    #[test]
    fn what_is_no_place_is_no_number() {
        for point in [
            [f64::NAN, 0.0],
            [0.0, f64::NAN],
            [0.0, 91.0],
            [f64::INFINITY, 0.0],
        ] {
            assert!(harmonics(&[point], 3).iter().all(|value| value.is_nan()));
        }
    }

    #[test]
    fn a_degree_beyond_the_limit_is_refused() {
        assert!(SphericalHarmonics::new(501).is_err());
    }
}
