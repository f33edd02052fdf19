//! Unit-sphere coordinates: the plainest encoding without a seam at the antimeridian.
use super::check_output;
use crate::Result;
use rayon::prelude::*;

/// Fills `output` (N x 3) with the point of the unit sphere at each longitude and latitude.
///
/// x points to (0, 0), y to (90 E, 0) and z to the north pole.
///
/// # Errors
/// [`crate::Error::InvalidArgument`] where `output` is not N x 3.
pub fn unit_sphere_xyz(lonlat: &[[f64; 2]], output: &mut [f64]) -> Result<()> {
    check_output(lonlat, output, 3)?;
    output
        .par_chunks_exact_mut(3)
        .zip(lonlat)
        .with_min_len(1024)
        .for_each(|(xyz, point)| {
            let (sin_lon, cos_lon) = point[0].to_radians().sin_cos();
            let (sin_lat, cos_lat) = point[1].to_radians().sin_cos();
            xyz.copy_from_slice(&[cos_lat * cos_lon, cos_lat * sin_lon, sin_lat]);
        });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_point_where_the_text_says() {
        let mut xyz = [0.0; 9];
        unit_sphere_xyz(&[[0.0, 0.0], [90.0, 0.0], [12.0, 90.0]], &mut xyz).expect("3 x 3");
        let wanted = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        assert!(xyz.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-15));
    }

    #[test]
    fn an_output_of_another_size_is_refused() {
        assert!(unit_sphere_xyz(&[[0.0, 0.0]], &mut [0.0; 2]).is_err());
    }
}
