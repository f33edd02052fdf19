//! Positions of many target pixels on the source: PROJ at knots, straight lines between them.
//!
//! Knots stand on a lattice of the whole target grid and a cell between four of them is judged by
//! itself, so that a pixel's position is the same in every window. A cell in which straight lines
//! are not good enough, as at a pole or the antimeridian, has its pixels taken one by one.
use crate::affine;
use crate::error::Result;
use crate::grid::Frame;
use crate::resample::cells::{ACCURACY, Bounds, Cell, judge, mix, number};
use crate::resample::warp::Warped;

/// Target pixels between knots at most.
pub(super) const LONGEST: i64 = 256;

/// The positions of the pixels of one target window, kept for the next band of it.
#[derive(Debug, Default)]
pub(super) struct Positions {
    key: Option<(u64, Frame)>,
    map: Option<[f64; 6]>,
    step: i64,
    /// Numbers of the first cell.
    first: (i64, i64),
    /// Columns and rows of cells.
    count: (usize, usize),
    /// Knots and the points halfway between, row by row: 2 columns + 1 by 2 rows + 1.
    x: Vec<f64>,
    y: Vec<f64>,
    cells: Vec<Cell>,
    single_x: Vec<f64>,
    single_y: Vec<f64>,
}

/// Part of a row or column of pixels that lies in one cell: first pixel, one past the last.
type Run = (i64, i64);

impl Positions {
    fn window(&self) -> Option<Frame> {
        self.key.map(|(_, window)| window)
    }

    /// Finds the positions of a window's pixels.
    pub(super) fn prepare(&mut self, warped: &Warped, window: Frame) -> Result<()> {
        let key = Some((warped.number(), window));
        if self.key == key {
            return Ok(());
        }
        self.key = None;
        self.map = warped.map().copied();
        if self.map.is_none() {
            self.lay(warped, window)?;
        }
        self.key = key;
        Ok(())
    }

    fn lay(&mut self, warped: &Warped, window: Frame) -> Result<()> {
        let exact = warped.step() == 1;
        self.step = if exact { LONGEST } else { warped.step() };
        let across = cells(window.col, window.width, self.step);
        let down = cells(window.row, window.height, self.step);
        self.first = (across.0, down.0);
        self.count = (across.1, down.1);
        self.cells.clear();
        self.single_x.clear();
        self.single_y.clear();
        if exact {
            self.cells.resize(across.1 * down.1, Cell::Single(0));
        } else {
            self.take_knots(warped)?;
        }
        self.take_singles(warped, window)
    }

    /// Asks PROJ for the knots and judges the cells between them.
    fn take_knots(&mut self, warped: &Warped) -> Result<()> {
        let (cols, rows) = (2 * self.count.0 + 1, 2 * self.count.1 + 1);
        let half = self.step / 2;
        let place = |first: i64, index| number(2 * first * half + half * index) + 0.5;
        self.x.clear();
        self.y.clear();
        for row in (0_i64..).take(rows) {
            self.x
                .extend((0..).take(cols).map(|col| place(self.first.0, col)));
            self.y.resize(self.x.len(), place(self.first.1, row));
        }
        warped.exact(&mut self.x, &mut self.y)?;
        for row in 0..self.count.1 {
            for col in 0..self.count.0 {
                let at = |x, y| (2 * row + y) * cols + 2 * col + x;
                let point = |x, y| (self.x[at(x, y)], self.y[at(x, y)]);
                self.cells.push(judge(point, ACCURACY));
            }
        }
        Ok(())
    }

    /// Asks PROJ for the pixels of all cells that have no straight lines.
    fn take_singles(&mut self, warped: &Warped, window: Frame) -> Result<()> {
        for row in 0..self.count.1 {
            for col in 0..self.count.0 {
                let cell = row * self.count.0 + col;
                if let Cell::Single(start) = &mut self.cells[cell] {
                    *start = self.single_x.len();
                    let (xs, ys) = self.part(window, (col, row));
                    for y in ys.0..ys.1 {
                        self.single_x.extend((xs.0..xs.1).map(|x| number(x) + 0.5));
                        self.single_y.resize(self.single_x.len(), number(y) + 0.5);
                    }
                }
            }
        }
        warped.exact(&mut self.single_x, &mut self.single_y)
    }

    /// The pixels of a window that lie in a cell.
    fn part(&self, window: Frame, (col, row): (usize, usize)) -> (Run, Run) {
        let run = |cell: i64, start: i64, length: usize| {
            let first = cell * self.step;
            (
                first.max(start),
                (first + self.step).min(start + signed(length)),
            )
        };
        (
            run(self.first.0 + signed(col), window.col, window.width),
            run(self.first.1 + signed(row), window.row, window.height),
        )
    }

    /// The positions of one row of the window's pixels; NaN where there are none.
    pub(super) fn row(&self, row: usize, out: &mut Vec<(f64, f64)>) {
        out.clear();
        let Some(window) = self.window() else { return };
        let y = window.row + signed(row);
        if let Some(map) = &self.map {
            let place = |x| affine::apply(map, number(x) + 0.5, number(y) + 0.5);
            out.extend((window.col..).take(window.width).map(place));
            return;
        }
        let down = y.div_euclid(self.step) - self.first.1;
        let down = usize::try_from(down).unwrap_or(0);
        for col in 0..self.count.0 {
            self.run(window, (col, down), y, out);
        }
    }

    /// Appends the positions of the pixels of row `y` that lie in one cell.
    fn run(&self, window: Frame, (col, row): (usize, usize), y: i64, out: &mut Vec<(f64, f64)>) {
        let ((left, right), (top, _)) = self.part(window, (col, row));
        match self.cells[row * self.count.0 + col] {
            Cell::Smooth => {
                let share = |pixel: i64| number(pixel.rem_euclid(self.step)) / number(self.step);
                let [start, end] = self.ends((col, row), share(y));
                let between = |x| mix(start, end, share(x));
                out.extend((left..right).map(between));
            }
            Cell::Single(first) => {
                let index = |offset: i64| usize::try_from(offset).unwrap_or(0);
                let first = first + index((y - top) * (right - left));
                let range = first..first + index(right - left);
                let places = self.single_x[range.clone()]
                    .iter()
                    .zip(&self.single_y[range]);
                out.extend(places.map(|(x, y)| (*x, *y)));
            }
            Cell::Empty => out.extend((left..right).map(|_| (f64::NAN, f64::NAN))),
        }
    }

    /// The positions at both sides of a cell, `share` of the way down.
    fn ends(&self, (col, row): (usize, usize), share: f64) -> [(f64, f64); 2] {
        let width = 2 * self.count.0 + 1;
        let point = |col: usize, row: usize| {
            let at = 2 * row * width + 2 * col;
            (self.x[at], self.y[at])
        };
        [col, col + 1].map(|col| mix(point(col, row), point(col, row + 1), share))
    }

    /// Least and greatest position of the window's pixels, as columns and as rows.
    pub(super) fn bounds(&self) -> Option<((f64, f64), (f64, f64))> {
        let window = self.window()?;
        let mut bounds = Bounds::default();
        let mut places = Vec::new();
        for row in self.telling_rows(window) {
            self.row(row, &mut places);
            bounds.add(&places);
        }
        bounds.widened()
    }

    /// Rows that hold the extremes: a straight patch has them at its corners.
    fn telling_rows(&self, window: Frame) -> Vec<usize> {
        let last = window.height.saturating_sub(1);
        if self.map.is_some() {
            return vec![0, last];
        }
        if self
            .cells
            .iter()
            .any(|cell| matches!(cell, Cell::Single(_)))
        {
            return (0..window.height).collect();
        }
        let (first, step) = (window.row, self.step);
        let telling = |row: &usize| {
            let place = (first + signed(*row)).rem_euclid(step);
            place == 0 || place == step - 1 || *row == 0 || *row == last
        };
        (0..window.height).filter(telling).collect()
    }
}

/// The number of the first cell of a run of pixels, and how many cells it touches.
fn cells(start: i64, length: usize, step: i64) -> (i64, usize) {
    let first = start.div_euclid(step);
    let last = (start + signed(length.max(1)) - 1).div_euclid(step);
    (first, usize::try_from(last - first + 1).unwrap_or(0))
}

fn signed(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
