//! Grids of other systems or orientations: where each target pixel comes from.
use std::sync::atomic::{AtomicU64, Ordering};

use crate::affine;
use crate::error::{Error, Result};
use crate::ffi::Window;
use crate::grid::Frame;
use crate::grid::Grid;
use crate::projector::Projector;
use crate::resample::cells;
use crate::resample::kernel::Kernel;
use crate::resample::knots::{LONGEST, Positions};

/// The source is probed at one more than this many points along each axis.
const PROBES: usize = 8;

static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// How positions on the target grid are taken to the source.
#[derive(Debug)]
enum Way {
    /// Both grids are of one system: target pixels to source pixels.
    Affine([f64; 6]),
    /// Target pixels to target coordinates, to source coordinates.
    Projected { target: [f64; 6], back: Projector },
}

/// Change of a source column or row from one target column, and row, to the next.
#[derive(Debug, Clone, Copy)]
struct Slope(f64, f64);

impl Slope {
    fn length(self) -> f64 {
        self.0.hypot(self.1)
    }

    /// A side of the box between two opposite corners of a target pixel, which is what gdalwarp
    /// averages; on grids turned so far that the box is thin, the length of the slope.
    fn box_side(self) -> f64 {
        let side = (self.0 + self.1).abs();
        if side > 0.5 * self.length() {
            side
        } else {
            self.length()
        }
    }
}

/// A source of another system or orientation than the target's.
#[derive(Debug)]
pub struct Warped {
    /// Tells positions of one placement from those of another.
    number: u64,
    way: Way,
    source: [f64; 6],
    /// Columns and rows of the source.
    pub(super) size: (usize, usize),
    /// How the source's columns and rows change with the target's, in the middle of the source.
    cols: Slope,
    rows: Slope,
    /// Target pixels from one knot to the next, a power of two.
    step: i64,
}

impl Warped {
    fn new(source: &Grid, way: Way) -> Self {
        Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            way,
            source: source.transform,
            size: (source.width, source.height),
            cols: Slope(1.0, 0.0),
            rows: Slope(0.0, 1.0),
            step: LONGEST,
        }
    }

    /// A source of the target's system; `map` takes target pixels to source pixels.
    pub(super) fn affine(source: &Grid, map: [f64; 6]) -> Self {
        let mut warped = Self::new(source, Way::Affine(map));
        (warped.cols, warped.rows) = (Slope(map[0], map[1]), Slope(map[3], map[4]));
        warped
    }

    /// A source of another system than the target's.
    pub(super) fn projected(source: &Grid, target: &Grid) -> Result<Self> {
        let no_area = || Error::Unusable("a raster's pixels have no area".to_owned());
        for grid in [source, target] {
            affine::inverse_linear(&grid.transform).ok_or_else(no_area)?;
        }
        let back = Projector::new(&target.crs, &source.crs)?.around(source.centre().0);
        let way = Way::Projected {
            target: target.transform,
            back,
        };
        let mut warped = Self::new(source, way);
        let probes = probes(source, target)?;
        warped.find_slopes(&probes)?;
        while warped.step > 1 && !cells::accurate(&warped, &probes)? {
            warped.step /= 2;
        }
        Ok(warped)
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn step(&self) -> i64 {
        self.step
    }

    /// The map from target pixels to source pixels, where it is one.
    pub(super) fn map(&self) -> Option<&[f64; 6]> {
        match &self.way {
            Way::Affine(map) => Some(map),
            Way::Projected { .. } => None,
        }
    }

    /// Takes positions on the target grid to the source's, in pixels; NaN where that fails.
    ///
    /// # Errors
    /// [`Error::Unusable`] when PROJ cannot be set up for this thread.
    pub(super) fn exact(&self, x: &mut [f64], y: &mut [f64]) -> Result<()> {
        let each = |x: &mut [f64], y: &mut [f64], map: &dyn Fn(f64, f64) -> (f64, f64)| {
            for (x, y) in x.iter_mut().zip(y) {
                (*x, *y) = map(*x, *y);
            }
        };
        match &self.way {
            Way::Affine(map) => each(x, y, &|x, y| affine::apply(map, x, y)),
            Way::Projected { target, back } => {
                each(x, y, &|x, y| affine::apply(target, x, y));
                back.transform(x, y)?;
                let nowhere = (f64::NAN, f64::NAN);
                each(x, y, &|x, y| {
                    affine::pixel_of(&self.source, x, y).unwrap_or(nowhere)
                });
            }
        }
        Ok(())
    }

    /// Takes the slopes from differences at the first probe that has them.
    fn find_slopes(&mut self, probes: &[(f64, f64)]) -> Result<()> {
        for (x, y) in probes {
            let mut cols = [x - 0.5, x + 0.5, *x, *x];
            let mut rows = [*y, *y, y - 0.5, y + 0.5];
            self.exact(&mut cols, &mut rows)?;
            let slope = |at: &[f64; 4]| Slope(at[1] - at[0], at[3] - at[2]);
            let (cols, rows) = (slope(&cols), slope(&rows));
            if cols.length().is_finite() && rows.length().is_finite() {
                (self.cols, self.rows) = (cols, rows);
                return Ok(());
            }
        }
        Ok(())
    }

    /// How much a kernel widens along the source's columns and rows.
    pub(super) fn stretch(&self, kernel: Kernel) -> (f64, f64) {
        let ratio = match kernel {
            Kernel::Average => (self.cols.box_side(), self.rows.box_side()),
            _ => (self.cols.length(), self.rows.length()),
        };
        (kernel.stretch(ratio.0), kernel.stretch(ratio.1))
    }

    pub(super) fn source_window(&self, target: Frame, kernel: Kernel) -> Result<Option<Window>> {
        let mut positions = Positions::default();
        positions.prepare(self, target)?;
        Ok(self.needed(&positions, kernel))
    }

    /// The source pixels that kernels at some positions reach.
    pub(super) fn needed(&self, positions: &Positions, kernel: Kernel) -> Option<Window> {
        let stretch = self.stretch(kernel);
        let (cols, rows) = positions.bounds()?;
        let (left, right) = kernel.support(cols, stretch.0, self.size.0)?;
        let (top, bottom) = kernel.support(rows, stretch.1, self.size.1)?;
        Some(Window {
            col: left,
            row: top,
            width: right - left,
            height: bottom - top,
        })
    }
}

/// Positions on the target grid that are spread over the source; its centre is the first.
fn probes(source: &Grid, target: &Grid) -> Result<Vec<(f64, f64)>> {
    let (mut x, mut y): (Vec<f64>, Vec<f64>) = source.lattice(PROBES).unzip();
    let middle = x.len() / 2;
    x.swap(0, middle);
    y.swap(0, middle);
    let forth = Projector::new(&source.crs, &target.crs)?.around(target.centre().0);
    forth.transform(&mut x, &mut y)?;
    let pixel = |(x, y): (f64, f64)| affine::pixel_of(&target.transform, x, y);
    let points = x.into_iter().zip(y).filter_map(pixel);
    Ok(points
        .filter(|(x, y)| x.is_finite() && y.is_finite())
        .collect())
}
