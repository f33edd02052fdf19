//! Grids in other coordinate systems: where a raster lies there, and pixels that suit it.
use crate::affine;
use crate::error::{Error, Result};
use crate::grid::Grid;
use crate::projector::{self, Projector};

/// Points along each side of an outline, enough for its curve between two of them to be straight
/// within a tenth of a pixel of a scene.
const SIDE: usize = 128;

/// Points along each axis inside an outline, for systems in which the extremes are not on it.
const INSIDE: usize = 20;

impl Grid {
    /// Columns and rows as numbers to calculate with.
    #[allow(clippy::cast_precision_loss)] // rasters have fewer than 2^53 columns
    pub(crate) fn extent(&self) -> (f64, f64) {
        (self.width as f64, self.height as f64)
    }

    /// Makes sure that it has pixels.
    pub(crate) fn check(&self) -> Result<()> {
        let finite = self.transform.iter().all(|number| number.is_finite());
        if self.width > 0 && self.height > 0 && finite {
            return Ok(());
        }
        Err(Error::Unusable(format!(
            "a raster of {} x {} pixels with the transform {:?} is none",
            self.width, self.height, self.transform
        )))
    }

    /// Its middle, in CRS units.
    pub(crate) fn centre(&self) -> (f64, f64) {
        let (width, height) = self.extent();
        affine::apply(&self.transform, width / 2.0, height / 2.0)
    }

    /// The point at shares (0 to 1) of its width and height, in CRS units.
    fn at(&self, across: f64, down: f64) -> (f64, f64) {
        let (width, height) = self.extent();
        affine::apply(&self.transform, width * across, height * down)
    }

    /// `count` + 1 points along each axis from corner to corner, in CRS units; an even count has
    /// the centre in the middle.
    pub(crate) fn lattice(&self, count: usize) -> impl Iterator<Item = (f64, f64)> {
        let rows = shares(count);
        rows.flat_map(move |down| shares(count).map(move |across| self.at(across, down)))
    }

    /// Whether a point in CRS units lies on its pixels.
    fn holds(&self, (x, y): (f64, f64)) -> bool {
        let (width, height) = self.extent();
        let pixel = affine::pixel_of(&self.transform, x, y);
        pixel
            .is_some_and(|(col, row)| (0.0..=width).contains(&col) && (0.0..=height).contains(&row))
    }
}

/// Proposes a grid of another system for a raster: north up, square pixels, their edges at whole
/// multiples of the pixel size, so that scenes with equal pixels fit each other.
///
/// Without a resolution the pixel size is that of GDAL's suggestion, the source's diagonal in the
/// new system divided by its diagonal in pixels, rounded to three significant digits. A raster
/// that is north up in that system already keeps its own grid.
///
/// # Errors
/// [`Error::Unusable`] when a system is unknown, the raster does not lie in the new one, or the
/// resolution is not above 0 or makes a grid of more than 2^31 - 1 columns or rows.
pub fn suggest(source: &Grid, crs: &str, resolution: Option<f64>) -> Result<Grid> {
    let [_, b, _, d, e, _] = source.transform;
    let upright = b == 0.0 && d == 0.0 && e < 0.0 && source.transform[0] > 0.0;
    if resolution.is_none() && upright && projector::same(&source.crs, crs)? {
        return Ok(source.clone());
    }
    let bounds = bounds_in(source, crs)?;
    let pixel = match resolution {
        Some(pixel) => pixel,
        None => usual_pixel(source, crs, bounds)?,
    };
    if !(pixel.is_finite() && pixel > 0.0) {
        return Err(Error::Unusable(format!(
            "a resolution of {pixel} is no size of a pixel"
        )));
    }
    snapped(crs, bounds, pixel)
}

/// The pixel size that keeps the number of pixels along the diagonals.
fn usual_pixel(source: &Grid, crs: &str, [west, south, east, north]: [f64; 4]) -> Result<f64> {
    let (width, height) = source.extent();
    let corners = [(0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)];
    let (x, y) = in_system(
        source,
        crs,
        corners.map(|(u, v)| source.at(u, v)).into_iter(),
    )?;
    let length = |from: usize, to: usize| (x[to] - x[from]).hypot(y[to] - y[from]);
    let diagonal = f64::midpoint(length(0, 1), length(2, 3));
    let diagonal = if diagonal.is_finite() && diagonal > 0.0 {
        diagonal
    } else {
        (east - west).hypot(north - south)
    };
    let pixel = diagonal / width.hypot(height);
    let unit = 10_f64.powf(pixel.log10().floor() - 2.0);
    Ok((pixel / unit).round() * unit)
}

fn snapped(crs: &str, [west, south, east, north]: [f64; 4], pixel: f64) -> Result<Grid> {
    // an outline that touches a multiple but for rounding does not need one pixel more
    let floor = |value: f64| (value / pixel + 1e-6).floor();
    let ceil = |value: f64| (value / pixel - 1e-6).ceil();
    let (left, top) = (floor(west), ceil(north));
    let count = |pixels: f64| {
        let most = f64::from(i32::MAX);
        let fits = (1.0..=most).contains(&pixels);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // checked just above
        fits.then_some(pixels as usize).ok_or_else(|| {
            Error::Unusable(format!(
                "pixels of {pixel} make {pixels} columns or rows in {crs}"
            ))
        })
    };
    Ok(Grid {
        crs: crs.to_owned(),
        transform: [pixel, 0.0, left * pixel, 0.0, -pixel, top * pixel],
        width: count(ceil(east) - left)?,
        height: count(top - floor(south))?,
    })
}

/// The bounds (west, south, east, north) of a raster in another system.
///
/// The outline is followed in small steps, for straight lines become curved. Longitudes are
/// continuous: a raster across the antimeridian has an east above 180 or a west below -180. One
/// that holds a pole has all longitudes. Parts that the system cannot hold are left out.
///
/// # Errors
/// [`Error::Unusable`] when a system is unknown or no part of the raster lies in the other one.
pub fn bounds_in(source: &Grid, crs: &str) -> Result<[f64; 4]> {
    let outline = outline().map(|(across, down)| source.at(across, down));
    let (mut x, mut y) = in_system(source, crs, outline.chain(source.lattice(INSIDE)))?;
    if let Some(turn) = projector::turn(crs)? {
        add_poles(source, crs, turn, (&mut x, &mut y))?;
    }
    let range = |values: &[f64]| {
        let finite = values.iter().filter(|value| value.is_finite());
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(*value), high.max(*value))
        })
    };
    let ((west, east), (south, north)) = (range(&x), range(&y));
    if west < east && south < north {
        Ok([west, south, east, north])
    } else {
        Err(Error::Unusable(format!("the raster does not lie in {crs}")))
    }
}

/// Takes points of a raster's own system to another, their longitudes near its middle's.
fn in_system(
    source: &Grid,
    crs: &str,
    points: impl Iterator<Item = (f64, f64)>,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let (mut x, mut y): (Vec<f64>, Vec<f64>) = points.unzip();
    if !projector::same(&source.crs, crs)? {
        let projector = Projector::new(&source.crs, crs)?;
        let middle = projector.point(source.centre())?.0;
        projector.around(middle).transform(&mut x, &mut y)?;
    }
    Ok((x, y))
}

/// Adds all longitudes at a pole that lies in the raster; its outline does not tell of it.
fn add_poles(
    source: &Grid,
    crs: &str,
    turn: f64,
    (x, y): (&mut Vec<f64>, &mut Vec<f64>),
) -> Result<()> {
    if projector::same(&source.crs, crs)? {
        return Ok(());
    }
    let back = Projector::new(crs, &source.crs)?.around(source.centre().0);
    for pole in [turn / 4.0, turn / -4.0] {
        if source.holds(back.point((0.0, pole))?) {
            for lon in x.iter_mut() {
                *lon -= turn * (*lon / turn).round();
            }
            x.extend([turn / -2.0, turn / 2.0]);
            y.extend([pole, pole]);
        }
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss)] // small numbers
fn shares(count: usize) -> impl Iterator<Item = f64> + Clone {
    (0..=count).map(move |index| index as f64 / count as f64)
}

fn outline() -> impl Iterator<Item = (f64, f64)> {
    shares(SIDE).flat_map(|share| [(share, 0.0), (1.0, share), (share, 1.0), (0.0, share)])
}
