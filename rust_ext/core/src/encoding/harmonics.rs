//! Real spherical harmonics, as Russwurm et al., "Geographic Location Encoding with Spherical
//! Harmonics and Sinusoidal Representation Networks", ICLR 2024, use them.
//!
//! What differs: instead of one closed form a harmonic there is one recurrence over the fully
//! normalised Legendre functions (Holmes and Featherstone, Journal of Geodesy 76, 2002, equation
//! 11), stable to degrees in the hundreds.
use super::check_output;
use crate::{Error, Result};
use rayon::prelude::*;

const MAX_DEGREE: usize = 500;

/// Factors of the recurrence `P(l, m) = a (z P(l-1, m) - b P(l-2, m))`, by `l * (l + 1) / 2 + m`.
struct Recurrence {
    degree: usize,
    factors: Vec<(f64, f64)>,
    sectoral: Vec<f64>,
}

/// How many harmonics there are from degree 0 to `degree`, both included.
#[must_use]
pub fn harmonic_count(degree: usize) -> usize {
    (degree + 1) * (degree + 1)
}

/// Fills `output` (N x (degree + 1)^2) with the orthonormal real harmonics at each lon, lat.
///
/// Column `l * l + l + m` holds order m of degree l: cosines for m > 0, sines for m < 0, without
/// the Condon-Shortley sign.
///
/// # Errors
/// [`Error::InvalidArgument`] where `output` has another size or `degree` exceeds 500.
pub fn spherical_harmonics(lonlat: &[[f64; 2]], degree: usize, output: &mut [f32]) -> Result<()> {
    if degree > MAX_DEGREE {
        return Err(Error::InvalidArgument(format!(
            "degrees go to {MAX_DEGREE}, got {degree}"
        )));
    }
    let width = harmonic_count(degree);
    check_output(lonlat, output, width)?;
    let recurrence = Recurrence::new(degree);
    output
        .par_chunks_exact_mut(width)
        .zip(lonlat)
        .with_min_len(16)
        .for_each(|(row, point)| recurrence.fill(*point, row));
    Ok(())
}

impl Recurrence {
    #[allow(clippy::cast_precision_loss)] // degrees stay below 501
    fn new(degree: usize) -> Self {
        let mut factors = vec![(0.0, 0.0); (degree + 1) * (degree + 2) / 2];
        let mut sectoral = vec![(1.0 / (4.0 * std::f64::consts::PI)).sqrt(); degree + 1];
        for l in 1..=degree {
            let (lf, below) = (l as f64, l as f64 - 1.0);
            sectoral[l] = ((2.0 * lf + 1.0) / (2.0 * lf)).sqrt();
            for m in 0..l {
                let m2 = (m * m) as f64;
                let a = ((4.0 * lf * lf - 1.0) / (lf * lf - m2)).sqrt();
                let b = ((below * below - m2).max(0.0) / (4.0 * below * below - 1.0).abs()).sqrt();
                factors[l * (l + 1) / 2 + m] = (a, b);
            }
        }
        Self {
            degree,
            factors,
            sectoral,
        }
    }

    /// Writes one row: the orders outside, the degrees of one order inside.
    fn fill(&self, point: [f64; 2], row: &mut [f32]) {
        let (sin_lon, cos_lon) = point[0].to_radians().sin_cos();
        let (z, ring) = point[1].to_radians().sin_cos();
        let mut sector = self.sectoral[0];
        let (mut cosine, mut sine) = (1.0, 0.0);
        for m in 0..=self.degree {
            if m > 0 {
                sector *= self.sectoral[m] * ring;
                (cosine, sine) = (
                    cosine * cos_lon - sine * sin_lon,
                    sine * cos_lon + cosine * sin_lon,
                );
            }
            self.fill_order(m, z, sector, (cosine, sine), row);
        }
    }

    #[allow(clippy::cast_possible_truncation)] // float32 is the output's precision
    fn fill_order(&self, m: usize, z: f64, sector: f64, wave: (f64, f64), row: &mut [f32]) {
        let scale = if m == 0 {
            1.0
        } else {
            std::f64::consts::SQRT_2
        };
        let (mut value, mut before) = (sector, 0.0);
        for l in m..=self.degree {
            if l > m {
                let (a, b) = self.factors[l * (l + 1) / 2 + m];
                (value, before) = (a * (z * value - b * before), value);
            }
            row[l * l + l - m] = (scale * value * wave.1) as f32;
            row[l * l + l + m] = (scale * value * wave.0) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn harmonics(lon: f64, lat: f64, degree: usize) -> Vec<f32> {
        let mut row = vec![0.0; harmonic_count(degree)];
        spherical_harmonics(&[[lon, lat]], degree, &mut row).expect("the size is right");
        row
    }

    #[test]
    fn the_first_degree_is_the_unit_sphere_times_a_constant() {
        // sqrt(3 / 4 pi) = 0.48860251; at 90 E on the equator only y is not zero.
        let row = harmonics(90.0, 0.0, 1);
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
        for (lon, lat) in [(12.0, 50.0), (-170.0, -89.5), (0.0, 90.0)] {
            let row = harmonics(lon, lat, 40);
            let sum: f64 = row[1600..].iter().map(|v| f64::from(*v).powi(2)).sum();
            assert!(
                (sum - 81.0 / (4.0 * std::f64::consts::PI)).abs() < 1e-4,
                "{lon} {lat} {sum}"
            );
        }
    }

    #[test]
    fn a_degree_beyond_the_limit_is_refused() {
        assert!(spherical_harmonics(&[], 501, &mut []).is_err());
    }
}
