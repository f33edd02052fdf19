//! The multi-scale encodings of Mai et al., "`Sphere2Vec`: A general-purpose location representation
//! learning over a spherical surface for large-scale geospatial predictions", ISPRS Journal 202,
//! 2023: sphereC, sphereC+, sphereM, sphereM+ and dfs, each without the network behind it.
//!
//! With longitude `x`, latitude `y` in radians and `x_s = x / r_s`, `y_s = y / r_s`, where
//! `r_s = r_min (r_max / r_min)^(s / (S - 1))` for s = 0 to S - 1, the forms are the unions over s of
//!
//! | form | terms of scale s |
//! |---|---|
//! | sphereC | sin `y_s`, cos `y_s` cos `x_s`, cos `y_s` sin `x_s` |
//! | sphereM | sin `y_s`, cos `y_s` cos x, cos y cos `x_s`, cos `y_s` sin x, cos y sin `x_s` |
//! | sphereC+, sphereM+ | sin `y_s`, cos `y_s`, sin `x_s`, cos `x_s`, then the products of C or M |
//! | dfs | all sin `y_n`, cos `y_n`, sin `x_m`, cos `x_m`, and for all n, m the four products |
//!
//! What differs: angles are reduced modulo one turn in float64; a union holds a term once, so that
//! sphereC+ has 6 S terms and sphereM+ 8 S; the order of terms is the one of this table.
use super::waves::fraction;
use super::{Encoding, Precision, place};
use crate::{Error, Result};

const MAX_SCALES: usize = 1024;
/// dfs has 4 S^2 + 4 S terms.
const MAX_DFS_SCALES: usize = 128;
/// A radius below this would leave longitudes without a phase in float64.
const MIN_RADIUS: f64 = 1e-9;

/// Which terms an encoding of this family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SphereForm {
    /// sphereC: 3 terms a scale.
    C,
    /// sphereC+: 6 terms a scale.
    CPlus,
    /// sphereM: 5 terms a scale.
    M,
    /// sphereM+: 8 terms a scale.
    MPlus,
    /// The double Fourier sphere: 4 S^2 + 4 S terms.
    Dfs,
}

/// Sines and cosines of longitude and latitude at several scales, and their products.
#[derive(Debug, Clone)]
pub struct Sphere2Vec {
    form: SphereForm,
    /// Turns a degree at each scale.
    rates: Vec<f64>,
}

/// The waves of one point by scale, and those of scale 1.
struct Waves<T> {
    sin_lon: Vec<T>,
    cos_lon: Vec<T>,
    sin_lat: Vec<T>,
    cos_lat: Vec<T>,
    own: [T; 3],
}

impl Sphere2Vec {
    /// Prepares `scales` radii from `min_radius` to `max_radius`, in equal ratios.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where there are no scales or too many, or the radii are not
    /// 1e-9 <= `min_radius` <= `max_radius`.
    pub fn new(form: SphereForm, scales: usize, min_radius: f64, max_radius: f64) -> Result<Self> {
        let most = if form == SphereForm::Dfs {
            MAX_DFS_SCALES
        } else {
            MAX_SCALES
        };
        if !(1..=most).contains(&scales) {
            return Err(Error::InvalidArgument(format!(
                "1 to {most} scales, got {scales}"
            )));
        }
        let ordered = MIN_RADIUS <= min_radius && min_radius <= max_radius;
        if !ordered || !max_radius.is_finite() {
            return Err(Error::InvalidArgument(format!(
                "radii must be 1e-9 <= min <= max, got {min_radius} and {max_radius}"
            )));
        }
        let rate = |scale| 1.0 / (360.0 * radius(scale, scales, min_radius, max_radius));
        Ok(Self {
            form,
            rates: (0..scales).map(rate).collect(),
        })
    }
}

#[allow(clippy::cast_precision_loss)] // at most 1024 scales
fn radius(scale: usize, scales: usize, min_radius: f64, max_radius: f64) -> f64 {
    let share = scale as f64 / (scales.max(2) - 1) as f64;
    min_radius * (max_radius / min_radius).powf(share)
}

impl<T: Precision> Waves<T> {
    fn new(scales: usize) -> Self {
        let none = vec![T::default(); scales];
        Self {
            sin_lon: none.clone(),
            cos_lon: none.clone(),
            sin_lat: none.clone(),
            cos_lat: none,
            own: [T::default(); 3],
        }
    }

    #[allow(clippy::inline_always)] // part of a kernel
    #[inline(always)]
    fn fill(&mut self, point: [f64; 2], rates: &[f64]) {
        let [lon, lat] = place(point);
        turn(lon, rates, &mut self.sin_lon, &mut self.cos_lon);
        turn(lat, rates, &mut self.sin_lat, &mut self.cos_lat);
        let (sin_lon, cos_lon) = T::of(fraction(lon * (1.0 / 360.0))).sin_cos_turns();
        let (_, cos_lat) = T::of(fraction(lat * (1.0 / 360.0))).sin_cos_turns();
        self.own = [sin_lon, cos_lon, cos_lat];
    }
}

/// Fills the sine and cosine of an angle at every scale.
#[allow(clippy::inline_always)] // part of a kernel
#[inline(always)]
fn turn<T: Precision>(degrees: f64, rates: &[f64], sines: &mut [T], cosines: &mut [T]) {
    for ((sine, cosine), rate) in sines.iter_mut().zip(cosines).zip(rates) {
        (*sine, *cosine) = T::of(fraction(degrees * rate)).sin_cos_turns();
    }
}

impl Encoding for Sphere2Vec {
    fn width(&self) -> usize {
        let scales = self.rates.len();
        match self.form {
            SphereForm::C => 3 * scales,
            SphereForm::CPlus => 6 * scales,
            SphereForm::M => 5 * scales,
            SphereForm::MPlus => 8 * scales,
            SphereForm::Dfs => 4 * scales * (scales + 1),
        }
    }

    #[allow(clippy::inline_always)] // see Kernel
    #[inline(always)]
    fn fill<T: Precision>(&self, points: &[[f64; 2]], rows: &mut [T]) {
        let mut waves = Waves::new(self.rates.len());
        for (point, row) in points.iter().zip(rows.chunks_exact_mut(self.width())) {
            waves.fill(*point, &self.rates);
            match self.form {
                SphereForm::C => fill_scales(&waves, row, &own_terms_c),
                SphereForm::CPlus => fill_scales(&waves, row, &terms_c_plus),
                SphereForm::M => fill_scales(&waves, row, &own_terms_m),
                SphereForm::MPlus => fill_scales(&waves, row, &terms_m_plus),
                SphereForm::Dfs => fill_dfs(&waves, row),
            }
        }
    }
}

#[allow(clippy::inline_always)] // part of a kernel
#[inline(always)]
fn fill_scales<T: Precision, const N: usize>(
    waves: &Waves<T>,
    row: &mut [T],
    terms: &impl Fn(&Waves<T>, usize) -> [T; N],
) {
    for (scale, place) in row.as_chunks_mut::<N>().0.iter_mut().enumerate() {
        *place = terms(waves, scale);
    }
}

fn own_terms_c<T: Precision>(waves: &Waves<T>, s: usize) -> [T; 3] {
    let [cos_cos, cos_sin] = products_c(waves, s);
    [waves.sin_lat[s], cos_cos, cos_sin]
}

fn products_c<T: Precision>(waves: &Waves<T>, s: usize) -> [T; 2] {
    let cos_lat = waves.cos_lat[s];
    [
        cos_lat.times(waves.cos_lon[s]),
        cos_lat.times(waves.sin_lon[s]),
    ]
}

fn own_terms_m<T: Precision>(waves: &Waves<T>, s: usize) -> [T; 5] {
    joined([waves.sin_lat[s]], products_m(waves, s))
}

/// One array behind another: A + B numbers.
fn joined<T: Copy, const A: usize, const B: usize, const N: usize>(
    first: [T; A],
    second: [T; B],
) -> [T; N] {
    std::array::from_fn(|at| if at < A { first[at] } else { second[at - A] })
}

fn products_m<T: Precision>(waves: &Waves<T>, s: usize) -> [T; 4] {
    let [sin_lon, cos_lon, cos_lat] = waves.own;
    [
        waves.cos_lat[s].times(cos_lon),
        cos_lat.times(waves.cos_lon[s]),
        waves.cos_lat[s].times(sin_lon),
        cos_lat.times(waves.sin_lon[s]),
    ]
}

fn grid<T: Precision>(waves: &Waves<T>, s: usize) -> [T; 4] {
    [
        waves.sin_lat[s],
        waves.cos_lat[s],
        waves.sin_lon[s],
        waves.cos_lon[s],
    ]
}

fn terms_c_plus<T: Precision>(waves: &Waves<T>, s: usize) -> [T; 6] {
    joined(grid(waves, s), products_c(waves, s))
}

fn terms_m_plus<T: Precision>(waves: &Waves<T>, s: usize) -> [T; 8] {
    joined(grid(waves, s), products_m(waves, s))
}

/// Every latitude wave with every longitude wave, after the waves themselves.
#[allow(clippy::inline_always)] // part of a kernel
#[inline(always)]
fn fill_dfs<T: Precision>(waves: &Waves<T>, row: &mut [T]) {
    let scales = waves.sin_lat.len();
    let (own, products) = row.split_at_mut(4 * scales);
    let (lats, lons) = own.split_at_mut(2 * scales);
    for s in 0..scales {
        [lats[2 * s], lats[2 * s + 1]] = [waves.sin_lat[s], waves.cos_lat[s]];
        [lons[2 * s], lons[2 * s + 1]] = [waves.sin_lon[s], waves.cos_lon[s]];
    }
    let waves_of_lat = waves.sin_lat.iter().zip(&waves.cos_lat);
    for (part, (sin_lat, cos_lat)) in products.chunks_exact_mut(4 * scales).zip(waves_of_lat) {
        let waves_of_lon = waves.sin_lon.iter().zip(&waves.cos_lon);
        for (place, (sin_lon, cos_lon)) in part.as_chunks_mut::<4>().0.iter_mut().zip(waves_of_lon)
        {
            *place = [
                cos_lat.times(*cos_lon),
                cos_lat.times(*sin_lon),
                sin_lat.times(*cos_lon),
                sin_lat.times(*sin_lon),
            ];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::encode;
    use std::sync::atomic::AtomicBool;

    const FORMS: [(SphereForm, usize); 5] = [
        (SphereForm::C, 3),
        (SphereForm::CPlus, 6),
        (SphereForm::M, 5),
        (SphereForm::MPlus, 8),
        (SphereForm::Dfs, 8),
    ];

    fn row(form: SphereForm, point: [f64; 2], scales: usize) -> Vec<f64> {
        let encoding = Sphere2Vec::new(form, scales, 1.0, 1.0).expect("radii");
        let mut row = vec![0.0; encoding.width()];
        encode(&encoding, &[point], &mut row, &AtomicBool::new(false)).expect("the size is right");
        row
    }

    #[test]
    fn one_scale_of_radius_one_has_the_terms_of_the_table() {
        // at 90 E, 30 N: sin y = cos 60 = 0.5, cos y = 0.866, sin x = 1, cos x = 0
        let c = 0.866_025_403_784_438_6;
        let wanted: [&[f64]; 5] = [
            &[0.5, 0.0, c],
            &[0.5, c, 1.0, 0.0, 0.0, c],
            &[0.5, 0.0, 0.0, c, c],
            &[0.5, c, 1.0, 0.0, 0.0, 0.0, c, c],
            &[0.5, c, 1.0, 0.0, 0.0, c, 0.0, 0.5],
        ];
        for ((form, width), wanted) in FORMS.into_iter().zip(wanted) {
            let row = row(form, [90.0, 30.0], 1);
            assert_eq!(row.len(), width);
            assert!(
                row.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-15),
                "{form:?} {row:?}"
            );
        }
    }

    #[test]
    fn what_is_no_place_is_no_number() {
        for (form, _) in FORMS {
            for point in [[f64::NAN, 0.0], [0.0, f64::NAN], [0.0, -90.1]] {
                assert!(
                    row(form, point, 2).iter().all(|value| value.is_nan()),
                    "{form:?}"
                );
            }
        }
    }

    #[test]
    fn radii_and_scales_that_make_no_sense_are_refused() {
        assert!(Sphere2Vec::new(SphereForm::C, 0, 0.1, 1.0).is_err());
        assert!(Sphere2Vec::new(SphereForm::C, 4, 0.0, 1.0).is_err());
        assert!(Sphere2Vec::new(SphereForm::C, 4, 2.0, 1.0).is_err());
        assert!(Sphere2Vec::new(SphereForm::C, 4, 0.1, f64::INFINITY).is_err());
        assert!(Sphere2Vec::new(SphereForm::Dfs, 129, 0.1, 1.0).is_err());
    }
}
