//! Random Fourier features: Tancik et al., "Fourier Features Let Networks Learn High Frequency
//! Functions in Low Dimensional Domains", `NeurIPS` 2020, section 3.
//!
//! What differs: the turns `b . v` are taken in float64 and brought to half a turn about zero
//! before the float32 sine and cosine, so that the error is 1e-6 at every sigma.
use super::check_output;
use crate::Result;
use rayon::prelude::*;

/// Fills `output` (N x 2F) with the cosines, then the sines, of `2 pi matrix . point`.
///
/// `points` are N planar positions (already projected and scaled), `matrix` the F fixed directions.
///
/// # Errors
/// [`crate::Error::InvalidArgument`] where `output` is not N x 2F.
pub fn fourier_features(
    points: &[[f64; 2]],
    matrix: &[[f64; 2]],
    output: &mut [f32],
) -> Result<()> {
    let features = matrix.len();
    check_output(points, output, 2 * features)?;
    if features == 0 {
        return Ok(());
    }
    output
        .par_chunks_exact_mut(2 * features)
        .zip(points)
        .with_min_len(16)
        .for_each(|(row, point)| {
            let (cosines, sines) = row.split_at_mut(features);
            for ((cosine, sine), direction) in cosines.iter_mut().zip(sines).zip(matrix) {
                let turns = direction[0] * point[0] + direction[1] * point[1];
                (*sine, *cosine) = sin_cos_turns(turns);
            }
        });
    Ok(())
}

/// The sine and cosine of an angle in turns, reduced in float64.
#[allow(clippy::cast_possible_truncation)] // the reduced angle is meant to lose its last bits
fn sin_cos_turns(turns: f64) -> (f32, f32) {
    let reduced = turns - turns.round();
    ((reduced * std::f64::consts::TAU) as f32).sin_cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_turn_is_a_quarter_turn_however_many_turns_came_before() {
        for whole in [0.0, 1.0, 1e6, -1e9] {
            let (sine, cosine) = sin_cos_turns(whole + 0.25);
            assert!(
                (sine - 1.0).abs() < 1e-6 && cosine.abs() < 1e-6,
                "after {whole} turns"
            );
        }
    }

    #[test]
    fn cosines_come_before_sines() {
        let mut row = [0.0; 4];
        fourier_features(&[[0.25, 0.5]], &[[1.0, 0.0], [0.0, 1.0]], &mut row).expect("1 x 4");
        let wanted = [0.0, -1.0, 1.0, 0.0];
        assert!(
            row.iter()
                .zip(wanted)
                .all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-6)
        );
    }
}
