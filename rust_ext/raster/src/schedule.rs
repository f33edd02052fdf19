//! In which order tiles are cut: that one of a few which holds the least and decodes the least.
use crate::error::{Error, Result};
use crate::grid::Frame;
use crate::plan::{Need, Plan, Touched};

/// What is allowed where nobody says so: enough for most scenes, then some more before decoding
/// twice, so that a whole run stays below 256 MB.
const USUAL: usize = 64 << 20;
const GENEROUS: usize = 72 << 20;
/// No single block may need more where nobody says so: beyond lie files that claim absurd sizes.
const ABSURD: usize = 2 << 30;

/// An order of tiles and the program for all of them.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// Tile numbers in the order they are cut.
    pub(crate) order: Vec<usize>,
    /// The program for those from the first one asked for.
    pub(crate) plan: Plan,
}

/// Chooses an order for the tiles and plans those from position `first` on.
///
/// The order depends on tiles and needs alone, so that a run may go on with another `memory`.
/// Without a `memory` there is enough for any tile.
///
/// # Errors
/// [`Error::Memory`] when what one tile or one block needs does not fit into `memory`.
pub(crate) fn schedule(
    needs: &[Need],
    frames: &[Frame],
    tile_bytes: usize,
    memory: Option<usize>,
    first: usize,
) -> Result<Schedule> {
    let touched = Touched::new(needs, frames.len(), tile_bytes);
    let (needed, given) = (touched.largest_block(), memory.unwrap_or(ABSURD));
    if needed > given {
        return Err(Error::Memory { needed, given });
    }
    let order = best(&touched, orders(needs, frames))?;
    let rest = &order[first.min(order.len())..];
    let plan = match memory {
        Some(memory) => touched.plan(rest, memory)?,
        None => unlimited(&touched, rest)?,
    };
    Ok(Schedule { order, plan })
}

/// The program under the least of our own limits that fits.
fn unlimited(touched: &Touched, order: &[usize]) -> Result<Plan> {
    match touched.plan(order, USUAL) {
        Ok(plan) if plan.redecoded == 0 => return Ok(plan),
        Ok(_) | Err(Error::Memory { .. }) => {}
        Err(other) => return Err(other),
    }
    match touched.plan(order, GENEROUS) {
        Err(Error::Memory { needed, .. }) => unlimited_by(touched, order, needed),
        found => found,
    }
}

/// The program for tiles of which one needs more than our limits.
fn unlimited_by(touched: &Touched, order: &[usize], needed: usize) -> Result<Plan> {
    match touched.plan(order, needed) {
        Err(Error::Memory { needed: more, .. }) if more > needed => {
            unlimited_by(touched, order, more)
        }
        found => found,
    }
}

/// The order that holds least if nothing is decoded twice; the first of equals.
fn best(touched: &Touched, orders: Vec<Vec<usize>>) -> Result<Vec<usize>> {
    let mut best: Option<(usize, Vec<usize>)> = None;
    for order in orders {
        let peak = touched.plan(&order, usize::MAX)?.peak;
        if best.as_ref().is_none_or(|(least, _)| peak < *least) {
            best = Some((peak, order));
        }
    }
    Ok(best.map_or_else(Vec::new, |(_, order)| order))
}

/// Row by row; and for every kind of unit by the unit of a tile's last pixel, along both axes.
fn orders(needs: &[Need], frames: &[Frame]) -> Vec<Vec<usize>> {
    let by = |key: &dyn Fn(usize) -> (usize, usize)| {
        let mut order: Vec<usize> = (0..frames.len()).collect();
        order.sort_by_cached_key(|tile| (key(*tile), frames[*tile].row, frames[*tile].col, *tile));
        order
    };
    let mut orders = vec![by(&|_| (0, 0))];
    for need in needs {
        let unit = |tile: usize| {
            need.windows[tile].map_or((0, 0), |window| {
                let (bottom, right) = (window.row + window.height, window.col + window.width);
                ((bottom - 1) / need.unit.0, (right - 1) / need.unit.1)
            })
        };
        orders.push(by(&unit));
        orders.push(by(&|tile| (unit(tile).1, unit(tile).0)));
    }
    let mut different: Vec<Vec<usize>> = Vec::new();
    for order in orders {
        if !different.contains(&order) {
            different.push(order);
        }
    }
    different
}

#[cfg(test)]
mod tests;
