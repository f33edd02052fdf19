//! Points between two coordinate systems, on many threads.
use std::sync::Mutex;

use gdal::spatial_ref::{CoordTransform, SpatialRef};

use crate::error::{Error, Result};
use crate::{crs, ffi, setup};

/// A transformation that one thread at a time uses.
struct Transform(CoordTransform);

// SAFETY: nothing in it belongs to a thread: OGR gives its PROJ objects the context of the calling
// thread before it uses or destroys them. It is not Sync, so no two threads use it at once.
unsafe impl Send for Transform {}

/// Takes points from one system to another; every thread that does has a transformation of its own.
pub(crate) struct Projector {
    from: String,
    to: String,
    idle: Mutex<Vec<Transform>>,
    /// Length of the circle of longitudes and the middle of those that results are given in.
    circle: Option<(f64, f64)>,
}

impl std::fmt::Debug for Projector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Projector({} to {})", self.from, self.to)
    }
}

impl Projector {
    /// Finds the way between two systems.
    ///
    /// # Errors
    /// [`Error::Unusable`] when a system is unknown or there is no way between the two.
    pub(crate) fn new(from: &str, to: &str) -> Result<Self> {
        let projector = Self {
            from: from.to_owned(),
            to: to.to_owned(),
            idle: Mutex::new(Vec::new()),
            circle: full_turn(&parse(to)?).map(|turn| (turn, 0.0)),
        };
        let first = projector.borrow()?;
        projector.give_back(first);
        Ok(projector)
    }

    /// Gives longitudes within half a turn of `middle`, not of 0, from now on.
    #[must_use]
    pub(crate) fn around(mut self, middle: f64) -> Self {
        if middle.is_finite() {
            self.circle = self.turn().map(|turn| (turn, middle));
        }
        self
    }

    /// A full turn in units of the longitudes that come out, if longitudes do.
    pub(crate) fn turn(&self) -> Option<f64> {
        self.circle.map(|(turn, _)| turn)
    }

    /// Transforms one point; NaN where that cannot be done.
    ///
    /// # Errors
    /// As [`Projector::transform`].
    pub(crate) fn point(&self, (x, y): (f64, f64)) -> Result<(f64, f64)> {
        let (mut x, mut y) = ([x], [y]);
        self.transform(&mut x, &mut y)?;
        Ok((x[0], y[0]))
    }

    /// Transforms points in place; one that cannot be transformed becomes NaN.
    ///
    /// # Errors
    /// [`Error::Unusable`] when PROJ cannot be set up for this thread.
    pub(crate) fn transform(&self, x: &mut [f64], y: &mut [f64]) -> Result<()> {
        let transform = self.borrow()?;
        let done = ffi::transform(&transform.0, x, y).map_err(Error::Unusable);
        self.give_back(transform);
        for (x, y) in x.iter_mut().zip(y) {
            if !(x.is_finite() && y.is_finite()) {
                (*x, *y) = (f64::NAN, f64::NAN);
            }
            if let Some((turn, middle)) = self.circle {
                *x -= turn * ((*x - middle) / turn).round();
            }
        }
        done
    }

    fn borrow(&self) -> Result<Transform> {
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        idle.map_or_else(|| connect(&self.from, &self.to), Ok)
    }

    fn give_back(&self, transform: Transform) {
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(transform);
        }
    }
}

fn parse(definition: &str) -> Result<SpatialRef> {
    setup();
    crs::parse(definition)
}

fn connect(from: &str, to: &str) -> Result<Transform> {
    let (source, target) = (parse(from)?, parse(to)?);
    CoordTransform::new(&source, &target)
        .map(Transform)
        .map_err(|error| Error::Unusable(format!("{from} to {to}: {error}")))
}

/// Units in a full turn of longitude, for a geographic system.
fn full_turn(system: &SpatialRef) -> Option<f64> {
    let unit = system.angular_units();
    (system.is_geographic() && unit > 0.0).then(|| {
        let turn = std::f64::consts::TAU / unit;
        // degrees come as a rounded number of radians
        if (turn - 360.0).abs() < 1e-6 {
            360.0
        } else {
            turn
        }
    })
}

/// A full turn in the units of a geographic system; nothing for any other.
///
/// # Errors
/// [`Error::Unusable`] when the system is unknown.
pub(crate) fn turn(definition: &str) -> Result<Option<f64>> {
    Ok(full_turn(&parse(definition)?))
}

/// Whether two definitions mean the same system.
///
/// # Errors
/// [`Error::Unusable`] when one is unknown.
pub(crate) fn same(first: &str, second: &str) -> Result<bool> {
    Ok(first == second || parse(first)? == parse(second)?)
}
