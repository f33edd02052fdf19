//! The immutable index: a linear scan over few lattices, a packed tree over many.
use super::Metric;
use super::lattice::{Hit, Lattice};
use crate::{Error, Result};
use geo_index::rtree::sort::HilbertSort;
use geo_index::rtree::{RTree, RTreeBuilder, RTreeIndex};
use rayon::prelude::*;

/// Up to this many lattices a scan over their boxes is faster than a tree.
const SCAN_UP_TO: usize = 8;
/// Points a thread looks up at once.
const CHUNK: usize = 1024;
/// What stands for a tile where there is none.
const OUTSIDE: i64 = -1;

/// The tiles of one CRS, ready to be asked which of them holds a point.
#[derive(Debug)]
pub struct TileIndex {
    lattices: Vec<Lattice>,
    bounds: Vec<[f64; 4]>,
    metrics: Vec<Metric>,
    tree: Option<RTree<f64>>,
}

/// One value a point: the tile's number or -1 outside all tiles, and then NaN elsewhere.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Located {
    /// Number of the tile, in the order of [`super::TileIndexBuilder::add`].
    pub tile: Vec<i64>,
    /// Position along the columns, -1 left to 1 right.
    pub x: Vec<f64>,
    /// Position along the rows, -1 top to 1 bottom.
    pub y: Vec<f64>,
    /// Metres to the nearest edge of the tile.
    pub edge_m: Vec<f64>,
    /// Metres to the centre of the tile.
    pub centre_m: Vec<f64>,
}

impl TileIndex {
    pub(crate) fn new(lattices: Vec<Lattice>, metrics: Vec<Metric>) -> Self {
        let bounds: Vec<_> = lattices.iter().map(Lattice::bounds).collect();
        let tree = (bounds.len() > SCAN_UP_TO)
            .then(|| packed(&bounds))
            .flatten();
        Self {
            lattices,
            bounds,
            metrics,
            tree,
        }
    }

    /// How many lattices the tiles form; tiles off any lattice count as one each.
    #[must_use]
    pub fn lattice_count(&self) -> usize {
        self.lattices.len()
    }

    /// Finds the tile of each point; where tiles overlap, the one with the nearest centre.
    ///
    /// A point on an edge that two tiles share belongs to the right or lower one in array order, so
    /// to one tile; a point on an outer edge is inside. A NaN coordinate is outside.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the coordinates differ in length.
    pub fn locate(&self, xs: &[f64], ys: &[f64]) -> Result<Located> {
        if xs.len() != ys.len() {
            return Err(Error::InvalidArgument(format!(
                "both coordinates need equally many values, got {} and {}",
                xs.len(),
                ys.len()
            )));
        }
        let mut located = Located::outside(xs.len());
        located
            .tile
            .par_chunks_mut(CHUNK)
            .zip(located.x.par_chunks_mut(CHUNK))
            .zip(located.y.par_chunks_mut(CHUNK))
            .zip(located.edge_m.par_chunks_mut(CHUNK))
            .zip(located.centre_m.par_chunks_mut(CHUNK))
            .zip(xs.par_chunks(CHUNK).zip(ys.par_chunks(CHUNK)))
            .for_each(|(((((tile, x), y), edge), centre), (px, py))| {
                for k in 0..px.len() {
                    if let Some(hit) = self.best(px[k], py[k]) {
                        tile[k] = i64::from(hit.tile);
                        (x[k], y[k]) = (hit.x, hit.y);
                        (edge[k], centre[k]) = (hit.edge_m, hit.centre_m);
                    }
                }
            });
        Ok(located)
    }

    fn best(&self, x: f64, y: f64) -> Option<Hit> {
        if !(x.is_finite() && y.is_finite()) {
            return None;
        }
        if let Some(tree) = &self.tree {
            let near = tree.search(x, y, x, y);
            return near.into_iter().fold(None, |best, k| {
                self.lattices[k as usize].locate(x, y, &self.metrics, best)
            });
        }
        self.bounds
            .iter()
            .zip(&self.lattices)
            .fold(None, |best, (b, lattice)| {
                let inside = x >= b[0] && x <= b[2] && y >= b[1] && y <= b[3];
                if inside {
                    lattice.locate(x, y, &self.metrics, best)
                } else {
                    best
                }
            })
    }
}

impl Located {
    fn outside(count: usize) -> Self {
        let nan = || vec![f64::NAN; count];
        Self {
            tile: vec![OUTSIDE; count],
            x: nan(),
            y: nan(),
            edge_m: nan(),
            centre_m: nan(),
        }
    }
}

/// Packs boxes into a tree; none where there are too many for its 32-bit numbers.
fn packed(bounds: &[[f64; 4]]) -> Option<RTree<f64>> {
    let mut builder = RTreeBuilder::<f64>::new(u32::try_from(bounds.len()).ok()?);
    for b in bounds {
        builder.add(b[0], b[1], b[2], b[3]);
    }
    Some(builder.finish::<HilbertSort>())
}
