//! Cells between four knots: whether straight lines are good enough there, and where they lie.
use crate::error::Result;
use crate::resample::warp::Warped;

/// How far, in source pixels, a position between knots may be from PROJ's.
pub(super) const ACCURACY: f64 = 0.002;

/// How near they are where the distance between knots is chosen: cells that are not tried then are
/// a little worse, and none of them should need its pixels one by one.
const PLANNED: f64 = 0.001;

/// Bounds are widened by this part of a pixel, far more than rounding could take.
const MARGIN: f64 = 1e-3;

/// How the pixels of a cell find their positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    /// Between its corners.
    Smooth,
    /// One by one; the first is this entry of `single`.
    Single(usize),
    /// Nowhere: PROJ can transform none of its knots.
    Empty,
}

/// Below this distance some cells may need their pixels one by one: those across which positions
/// jump, as at the antimeridian, do at any distance.
const SHORT: i64 = 16;

/// Whether straight lines between knots are good enough in the cells that hold a probe.
pub(super) fn accurate(warped: &Warped, probes: &[(f64, f64)]) -> Result<bool> {
    let step = number(warped.step());
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for (col, row) in probes {
        let start = |place: f64| (place / step).floor() * step + 0.5;
        for (right, down) in CELL {
            x.push(start(*col) + step / 2.0 * right);
            y.push(start(*row) + step / 2.0 * down);
        }
    }
    warped.exact(&mut x, &mut y)?;
    let cells = x.chunks_exact(CELL.len()).zip(y.chunks_exact(CELL.len()));
    let smooth = cells.filter(|(x, y)| {
        let point = |col, row| (x[3 * row + col], y[3 * row + col]);
        judge(point, PLANNED) == Cell::Smooth
    });
    let rough = probes.len() - smooth.count();
    Ok(rough == 0 || (warped.step() <= SHORT && rough * 4 <= probes.len()))
}

/// The nine points of a cell in half steps, row by row.
const CELL: [(f64, f64); 9] = [
    (0.0, 0.0),
    (1.0, 0.0),
    (2.0, 0.0),
    (0.0, 1.0),
    (1.0, 1.0),
    (2.0, 1.0),
    (0.0, 2.0),
    (1.0, 2.0),
    (2.0, 2.0),
];

/// Compares PROJ's points of a cell (column and row in half steps) with those between its corners.
///
/// The middle alone would not do: between two conformal maps it agrees whatever the sides do.
pub(super) fn judge(point: impl Fn(usize, usize) -> (f64, f64), accuracy: f64) -> Cell {
    let all = || (0..3).flat_map(|row| (0..3).map(move |col| (col, row)));
    let known = all()
        .filter(|(col, row)| !point(*col, *row).0.is_nan())
        .count();
    if known == 0 {
        return Cell::Empty;
    }
    let halfway = |a: (f64, f64), b: (f64, f64)| mix(a, b, 0.5);
    let (top, bottom) = (
        halfway(point(0, 0), point(2, 0)),
        halfway(point(0, 2), point(2, 2)),
    );
    let near = |expected: (f64, f64), (x, y): (f64, f64)| {
        (expected.0 - x).hypot(expected.1 - y) < accuracy
    };
    let smooth = near(top, point(1, 0))
        && near(bottom, point(1, 2))
        && near(halfway(point(0, 0), point(0, 2)), point(0, 1))
        && near(halfway(point(2, 0), point(2, 2)), point(2, 1))
        && near(halfway(top, bottom), point(1, 1));
    if smooth {
        Cell::Smooth
    } else {
        Cell::Single(0)
    }
}

pub(super) fn mix(a: (f64, f64), b: (f64, f64), share: f64) -> (f64, f64) {
    (a.0 + (b.0 - a.0) * share, a.1 + (b.1 - a.1) * share)
}

#[allow(clippy::cast_precision_loss)] // grids have fewer than 2^53 pixels a side
pub(super) fn number(value: i64) -> f64 {
    value as f64
}

/// Least and greatest column, least and greatest row of some positions.
pub(super) struct Bounds([f64; 4]);

impl Default for Bounds {
    fn default() -> Self {
        let (most, least) = (f64::INFINITY, f64::NEG_INFINITY);
        Self([most, least, most, least])
    }
}

impl Bounds {
    pub(super) fn add(&mut self, places: &[(f64, f64)]) {
        let [left, right, top, bottom] = &mut self.0;
        // neither min nor max takes a NaN
        for (x, y) in places {
            (*left, *right) = (left.min(*x), right.max(*x));
            (*top, *bottom) = (top.min(*y), bottom.max(*y));
        }
    }

    pub(super) fn widened(&self) -> Option<((f64, f64), (f64, f64))> {
        let [left, right, top, bottom] = self.0;
        (left <= right && top <= bottom).then_some((
            (left - MARGIN, right + MARGIN),
            (top - MARGIN, bottom + MARGIN),
        ))
    }
}
