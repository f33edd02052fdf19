//! How a source's pixels lie against those of a target grid.
use crate::affine;
use crate::error::{Error, Result};
use crate::ffi::Window;
use crate::grid::Frame;
use crate::grid::Grid;
use crate::projector;
use crate::resample::axis::Axis;
use crate::resample::copy::copy_window;
use crate::resample::kernel::Kernel;
use crate::resample::sample::{Sample, by_sample};
use crate::resample::separable::Scaled;
use crate::resample::warp::Warped;
use crate::resample::{Scratch, Source, Target, Values};

/// Grids that agree this well at every corner of the source, in source pixels, lie exactly alike:
/// a thousandth of a pixel is what coordinates written with few digits leave.
const TOLERANCE: f64 = 1e-3;

/// How a source's pixels lie against those of a target grid.
#[derive(Debug)]
pub enum Placement {
    /// The same pixels under other numbers: values are copied, whatever the kernel.
    Shifted(Shift),
    /// The same system and axes, but another resolution or a shift by part of a pixel.
    Scaled(Scaled),
    /// Anything else: another system, or a rotated grid.
    Warped(Box<Warped>),
}

/// Target pixel (x, y) is source pixel (x + `col`, y + `row`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    /// Source column of the target's first.
    pub col: i64,
    /// Source row of the target's first.
    pub row: i64,
    /// Columns of the source.
    pub width: usize,
    /// Rows of the source.
    pub height: usize,
}

impl Placement {
    /// Finds out how a source lies against a target grid.
    ///
    /// # Errors
    /// [`Error::Unusable`] when a system is unknown, there is no way between the two, a side is 0
    /// or pixels have no area.
    pub fn between(source: &Grid, target: &Grid) -> Result<Self> {
        source.check()?;
        target.check()?;
        if !projector::same(&source.crs, &target.crs)? {
            return Ok(Self::Warped(Box::new(Warped::projected(source, target)?)));
        }
        let no_area = || Error::Unusable("a raster's pixels have no area".to_owned());
        let map = affine::between(&source.transform, &target.transform).ok_or_else(no_area)?;
        let back = affine::between(&target.transform, &source.transform).ok_or_else(no_area)?;
        let corners = Corners::new(source, back);
        if let Some(shift) = corners.shift() {
            return Ok(Self::Shifted(shift));
        }
        Ok(match corners.scale(&map) {
            Some(scaled) => Self::Scaled(scaled),
            None => Self::Warped(Box::new(Warped::affine(source, map))),
        })
    }

    /// The source pixels that a target window is made of; `None` where it is made of none.
    ///
    /// # Errors
    /// [`Error::Unusable`] when PROJ cannot be set up for this thread.
    pub fn source_window(&self, target: Frame, kernel: Kernel) -> Result<Option<Window>> {
        match self {
            Self::Shifted(shift) => Ok(shift.source_window(target)),
            Self::Scaled(scaled) => Ok(scaled.source_window(target, kernel)),
            Self::Warped(warped) => warped.source_window(target, kernel),
        }
    }

    /// Fills a target window with one band's pixels.
    ///
    /// # Errors
    /// [`Error::Unusable`] when a buffer has the wrong length or the source window lacks pixels
    /// that the target is made of.
    pub fn resample(
        &self,
        kernel: Kernel,
        values: &Values,
        source: &Source<'_>,
        target: &mut Target<'_>,
        scratch: &mut Scratch,
    ) -> Result<()> {
        source.check(values.sample)?;
        target.check(values.sample)?;
        by_sample!(
            values.sample,
            self.typed::<_>(kernel, values, source, target, scratch)
        )
    }

    fn typed<S: Sample>(
        &self,
        kernel: Kernel,
        values: &Values,
        source: &Source<'_>,
        target: &mut Target<'_>,
        scratch: &mut Scratch,
    ) -> Result<()> {
        match (self, kernel) {
            (Self::Shifted(shift), _) => shift.copy::<S>(values, source, target),
            (Self::Scaled(scaled), Kernel::Nearest) => {
                scaled.nearest::<S>(values, source, target, scratch)
            }
            (Self::Scaled(scaled), _) => scaled.blend::<S>(kernel, values, source, target, scratch),
            (Self::Warped(warped), Kernel::Nearest) => {
                warped.nearest::<S>(values, source, target, scratch)
            }
            (Self::Warped(warped), _) => warped.blend::<S>(kernel, values, source, target, scratch),
        }
    }
}

/// The corners of a source, in its own pixels and in those of the target.
struct Corners {
    source: (usize, usize),
    /// Source column, source row, target column, target row; the centre is the last.
    points: [[f64; 4]; 5],
}

impl Corners {
    /// `back` takes source pixels to target pixels.
    fn new(source: &Grid, back: [f64; 6]) -> Self {
        let (width, height) = source.extent();
        let middle = (width / 2.0, height / 2.0);
        let corners = [
            (0.0, 0.0),
            (width, 0.0),
            (0.0, height),
            (width, height),
            middle,
        ];
        Self {
            source: (source.width, source.height),
            points: corners.map(|(col, row)| {
                let (x, y) = affine::apply(&back, col, row);
                [col, row, x, y]
            }),
        }
    }

    /// The shift by whole pixels that takes every corner where it belongs.
    fn shift(&self) -> Option<Shift> {
        let [col, row, x, y] = self.points[4];
        let (right, down) = ((col - x).round(), (row - y).round());
        let fits = |[col, row, x, y]: &[f64; 4]| {
            (x + right - col).abs() < TOLERANCE && (y + down - row).abs() < TOLERANCE
        };
        // beyond 2^53 pixels no corner fits
        #[allow(clippy::cast_possible_truncation)]
        self.points.iter().all(fits).then_some(Shift {
            col: right as i64,
            row: down as i64,
            width: self.source.0,
            height: self.source.1,
        })
    }

    /// The scales along both axes that take every corner where it belongs.
    fn scale(&self, map: &[f64; 6]) -> Option<Scaled> {
        let [col, row, x, y] = self.points[4];
        let axis = |ratio: f64, source: f64, target: f64, length| Axis {
            ratio,
            offset: source - ratio * target,
            length,
        };
        let cols = axis(map[0], col, x, self.source.0);
        let rows = axis(map[4], row, y, self.source.1);
        let fits = |[col, row, x, y]: &[f64; 4]| {
            (x * cols.ratio + cols.offset - col).abs() < TOLERANCE
                && (y * rows.ratio + rows.offset - row).abs() < TOLERANCE
        };
        self.points
            .iter()
            .all(fits)
            .then_some(Scaled { cols, rows })
    }
}

impl Shift {
    fn source_window(&self, target: Frame) -> Option<Window> {
        target
            .moved(self.col, self.row)
            .inside(self.width, self.height)
    }

    fn copy<S: Sample>(
        &self,
        values: &Values,
        source: &Source<'_>,
        target: &mut Target<'_>,
    ) -> Result<()> {
        let window = self.source_window(target.window);
        let first = |start: i64, shift: i64, from: usize| {
            // where the source's pixel stands in the target window
            usize::try_from(i64::try_from(from).unwrap_or(i64::MAX) - shift - start).unwrap_or(0)
        };
        let placed = window.map(|window| {
            let col = first(target.window.col, self.col, window.col);
            (
                window,
                (col, first(target.window.row, self.row, window.row)),
            )
        });
        copy_window::<S>(values, source, target, placed)
    }
}
