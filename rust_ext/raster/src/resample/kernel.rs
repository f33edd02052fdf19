//! The weights of source pixels around a position, in one dimension.
use crate::error::{Error, Result};

/// Weights below this share of the greatest are rounding noise of positions and left out.
const NOISE: f64 = 1e-6;

/// Valid neighbours that weigh less than this together give no value.
pub(super) const LEAST_WEIGHT: f64 = 1e-6;

/// Ratios this close to a whole number count as that number, as they do in gdalwarp.
const NEAR_WHOLE: f64 = 0.05;

/// How a target pixel is made of the source pixels around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// The source pixel that the target pixel's centre lies in.
    Nearest,
    /// A triangle: linear between the four pixels around.
    Bilinear,
    /// Keys' cubic convolution with a = -0.5 over sixteen pixels.
    Cubic,
    /// The mean of the area that the target pixel covers.
    Average,
}

impl Kernel {
    /// Finds a kernel by its name: `nearest`, `bilinear`, `cubic` or `average`.
    ///
    /// # Errors
    /// [`Error::Unusable`] for any other name.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "nearest" => Ok(Self::Nearest),
            "bilinear" => Ok(Self::Bilinear),
            "cubic" => Ok(Self::Cubic),
            "average" => Ok(Self::Average),
            _ => Err(Error::Unusable(format!(
                "resampling: {name} is not nearest, bilinear, cubic or average"
            ))),
        }
    }

    /// How much the kernel widens where a target pixel is `ratio` source pixels wide.
    pub(super) fn stretch(self, ratio: f64) -> f64 {
        match self {
            Self::Nearest => 1.0,
            Self::Average => ratio,
            Self::Bilinear | Self::Cubic => {
                let whole = ratio.round();
                let ratio = if (ratio - whole).abs() < NEAR_WHOLE {
                    whole
                } else {
                    ratio
                };
                ratio.max(1.0)
            }
        }
    }

    /// Whether some of its weights are below zero.
    pub(super) fn overshoots(self) -> bool {
        self == Self::Cubic
    }

    /// Distance from the centre, in units of the stretch, at which the weight is zero for good.
    fn radius(self) -> f64 {
        match self {
            Self::Nearest | Self::Average => 0.5,
            Self::Bilinear => 1.0,
            Self::Cubic => 2.0,
        }
    }

    /// Weight of the pixel `index`, whose centre is at `index + 0.5`, for a kernel at `position`.
    fn weight(self, index: f64, position: f64, stretch: f64) -> f64 {
        let distance = ((index + 0.5 - position) / stretch).abs();
        match self {
            Self::Nearest => 1.0,
            Self::Bilinear => (1.0 - distance).max(0.0),
            Self::Cubic => keys(distance),
            Self::Average => {
                let half = stretch * 0.5;
                (position + half).min(index + 1.0) - (position - half).max(index)
            }
        }
    }

    /// First and one past the last source pixel that kernels at positions from `low` to `high`
    /// reach, among the `length` pixels of the source.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped to 0..=length
    #[allow(clippy::cast_precision_loss)] // rasters have fewer than 2^53 columns
    pub(super) fn support(
        self,
        (low, high): (f64, f64),
        stretch: f64,
        length: usize,
    ) -> Option<(usize, usize)> {
        let reach = self.radius() * stretch;
        let (first, end) = match self {
            Self::Nearest => ((low + NOISE).floor(), (high + NOISE).floor() + 1.0),
            Self::Average => ((low - reach).floor(), (high + reach).ceil()),
            Self::Bilinear | Self::Cubic => (
                (low - 0.5 - reach).floor() + 1.0,
                (high - 0.5 + reach).ceil(),
            ),
        };
        let last = length as f64;
        let (first, end) = (first.clamp(0.0, last), end.clamp(0.0, last));
        // also false where a position is not a number
        (first < end).then_some((first as usize, end as usize))
    }

    /// Weights of the source pixels that a target pixel at `position` is made of.
    ///
    /// Writes the weights, whose sum is 1, and returns the first pixel they belong to. There are
    /// none where the position is too far from the `length` pixels of the source.
    #[allow(clippy::cast_precision_loss)] // rasters have fewer than 2^53 columns
    pub(super) fn spread(
        self,
        position: f64,
        stretch: f64,
        length: usize,
        weights: &mut Vec<f64>,
    ) -> usize {
        weights.clear();
        let Some((first, end)) = self.support((position, position), stretch, length) else {
            return 0;
        };
        weights.extend((first..end).map(|index| self.weight(index as f64, position, stretch)));
        first + normalise(weights)
    }
}

/// The pixel that a position lies in, as [`Kernel::Nearest`] has it.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // not below 0
pub(super) fn nearest(position: f64, length: usize) -> Option<usize> {
    let position = position + NOISE;
    // also false where the position is not a number
    let pixel = (position >= 0.0).then_some(position as usize)?;
    (pixel < length).then_some(pixel)
}

/// Drops the weights at both ends that are noise and makes the rest sum to 1; returns how many
/// were dropped at the front.
fn normalise(weights: &mut Vec<f64>) -> usize {
    let least = NOISE * weights.iter().fold(0.0, |most: f64, w| most.max(w.abs()));
    let counts = |weight: &f64| weight.abs() > least;
    let Some(end) = weights.iter().rposition(counts) else {
        weights.clear();
        return 0;
    };
    weights.truncate(end + 1);
    let front = weights.iter().position(counts).unwrap_or(0);
    weights.drain(..front);
    let total: f64 = weights.iter().sum();
    if total > LEAST_WEIGHT {
        for weight in weights.iter_mut() {
            *weight /= total;
        }
    } else {
        weights.clear();
    }
    front
}

/// Keys' cubic convolution kernel with a = -0.5 (IEEE Trans. ASSP 29, 1981, eq. 4).
fn keys(distance: f64) -> f64 {
    let d = distance;
    if d < 1.0 {
        (1.5 * d - 2.5) * d * d + 1.0
    } else if d < 2.0 {
        ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::Kernel;

    fn spread(kernel: Kernel, position: f64, stretch: f64) -> (usize, Vec<f64>) {
        let mut weights = Vec::new();
        let first = kernel.spread(position, stretch, 10, &mut weights);
        (first, weights)
    }

    #[test]
    fn weights_follow_the_distance_between_centres() {
        assert_eq!(spread(Kernel::Bilinear, 3.25, 1.0), (2, vec![0.25, 0.75]));
        assert_eq!(spread(Kernel::Bilinear, 3.5, 1.0), (3, vec![1.0]));
        assert_eq!(spread(Kernel::Nearest, 3.99, 1.0), (3, vec![1.0]));
        assert_eq!(
            spread(Kernel::Cubic, 4.0, 1.0),
            (2, vec![-0.0625, 0.5625, 0.5625, -0.0625])
        );
        assert_eq!(
            spread(Kernel::Average, 4.0, 3.0),
            (2, vec![0.5 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.5 / 3.0])
        );
    }

    #[test]
    fn a_wider_kernel_covers_more_pixels() {
        let (first, weights) = spread(Kernel::Bilinear, 4.0, 2.0);
        assert_eq!((first, weights), (2, vec![0.125, 0.375, 0.375, 0.125]));
    }

    #[test]
    fn pixels_beyond_the_edge_do_not_count() {
        assert_eq!(spread(Kernel::Bilinear, 0.25, 1.0), (0, vec![1.0]));
        assert_eq!(spread(Kernel::Bilinear, -0.25, 1.0), (0, vec![1.0]));
        assert_eq!(spread(Kernel::Bilinear, -0.6, 1.0).1, [0.0; 0]);
        assert_eq!(spread(Kernel::Nearest, -0.25, 1.0).1, [0.0; 0]);
        assert_eq!(spread(Kernel::Nearest, 10.25, 1.0).1, [0.0; 0]);
        assert_eq!(spread(Kernel::Cubic, f64::NAN, 1.0).1, [0.0; 0]);
        assert_eq!(spread(Kernel::Cubic, f64::INFINITY, 1.0).1, [0.0; 0]);
    }

    #[test]
    fn ratios_near_a_whole_number_widen_by_that_number() {
        assert!((Kernel::Bilinear.stretch(1.04) - 1.0).abs() < 1e-12);
        assert!((Kernel::Cubic.stretch(2.51) - 2.51).abs() < 1e-12);
        assert!((Kernel::Average.stretch(0.5) - 0.5).abs() < 1e-12);
        assert!((Kernel::Bilinear.stretch(0.5) - 1.0).abs() < 1e-12);
    }
}
