//! Tiles of any number of CRSs, ready to be asked which of them hold a point.
//!
//! A mask of the Earth says which lattices lie near a point, so that it is projected into few CRSs
//! and looked up in few lattices. The mask is made from the tiles' own footprints: no rule about
//! zones or hemispheres could lose a tile that reaches beyond its zone.
mod mask;
mod outline;

use super::builder::{TileShape, into_lattices};
use super::lattice::{EMPTY, Hit, Lattice};
use super::{Choice, Scale};
use crate::projection::{Projection, wrap_degrees};
use crate::simd::{self, InstructionSet, Kernel};
use crate::{Error, Result};
use geo_index::rtree::sort::HilbertSort;
use geo_index::rtree::{RTree, RTreeBuilder, RTreeIndex};
use mask::{Mask, Route};
use rayon::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Points a thread looks up at once: their coordinates stay in the second-level cache.
const CHUNK: usize = 2048;
/// What stands for a tile where there is none.
const OUTSIDE: i64 = -1;

/// The tiles of one CRS.
pub struct TileSystem {
    /// How longitudes and latitudes become the CRS's coordinates.
    pub projection: Arc<dyn Projection + Send + Sync>,
    /// Whether these coordinates are longitude and latitude in degrees.
    pub geographic: bool,
    /// Each tile with its number, which no other tile of the finder has.
    pub tiles: Vec<(u32, TileShape)>,
}

/// The tiles of any number of CRSs.
pub struct TileFinder {
    systems: Vec<System>,
    scales: Vec<Scale>,
    mask: Mask,
}

/// The lattices of one CRS.
struct System {
    projection: Arc<dyn Projection + Send + Sync>,
    lattices: Vec<Lattice>,
    /// The middle of each lattice along x, about which longitudes are wrapped.
    middles: Vec<f64>,
    tree: Option<RTree<f64>>,
    /// A full turn about the Earth, where x goes on round it.
    turn: Option<f64>,
}

/// Where points lie: one value a point, -1 and NaN outside all tiles.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Located {
    /// Number of the tile.
    pub tile: Vec<i64>,
    /// Position (x along the columns, y along the rows), -1 left or top to 1 right or bottom.
    pub xy: Vec<[f64; 2]>,
    /// Metres to the nearest edge of the tile.
    pub edge_m: Vec<f64>,
}

/// What became of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Fate {
    /// A tile was found.
    Found,
    /// No tile holds it.
    Outside,
    /// Only tiles hold it whose edge is too close.
    NearEdge,
    /// It, or every tile that holds it, has no date, and one is needed.
    NoDate,
    /// The tiles that hold it are of another time.
    OtherTime,
}

/// The tiles that were chosen for points: rows in the order of the points, the best tile first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matches {
    /// Which point, by its position in the arrays asked for.
    pub point: Vec<u32>,
    /// Number of the tile.
    pub tile: Vec<u32>,
    /// Position along the columns, -1 left to 1 right.
    pub x: Vec<f64>,
    /// Position along the rows, -1 top to 1 bottom.
    pub y: Vec<f64>,
    /// Metres to the nearest edge of the tile.
    pub edge_m: Vec<f32>,
}

impl TileFinder {
    /// Sorts tiles into lattices and marks where they lie.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a tile without pixels, or a number that two tiles have.
    pub fn new(systems: Vec<TileSystem>) -> Result<Self> {
        let scales = scales_of(&systems)?;
        let systems: Vec<System> = systems.into_par_iter().map(System::new).collect();
        let mask = Mask::of(&systems);
        Ok(Self {
            systems,
            scales,
            mask,
        })
    }

    /// How many lattices the tiles form; tiles off any lattice count as one each.
    #[must_use]
    pub fn lattice_count(&self) -> usize {
        self.systems
            .iter()
            .map(|system| system.lattices.len())
            .sum()
    }

    /// [`Self::locate_into`] with arrays of its own.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where a CRS's transformation fails.
    pub fn locate(&self, lonlat: &[[f64; 2]], cancel: &AtomicBool) -> Result<Located> {
        // zeros need no writing: fresh memory is first touched by the thread that fills it
        let mut located = Located {
            tile: vec![0; lonlat.len()],
            xy: vec![[0.0; 2]; lonlat.len()],
            edge_m: vec![0.0; lonlat.len()],
        };
        let Located { tile, xy, edge_m } = &mut located;
        self.locate_into(lonlat, tile, xy, edge_m, cancel)?;
        Ok(located)
    }

    /// Finds the tile of each point; where tiles overlap, the one with the nearest centre.
    ///
    /// A point on an edge that two tiles share belongs to the right or lower one in array order, so
    /// to one tile; a point on an outer edge is inside. A NaN coordinate is outside. The arrays get
    /// what [`Located`] says.
    ///
    /// When `cancel` is set by another thread, it returns early and the rest is not looked up.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where an array differs in length, or a CRS's transformation
    /// fails.
    pub fn locate_into(
        &self,
        lonlat: &[[f64; 2]],
        tile: &mut [i64],
        xy: &mut [[f64; 2]],
        edge_m: &mut [f64],
        cancel: &AtomicBool,
    ) -> Result<()> {
        if [tile.len(), xy.len(), edge_m.len()] != [lonlat.len(); 3] {
            return Err(Error::InvalidArgument(
                "points and what is told of them differ in number".into(),
            ));
        }
        tile.par_chunks_mut(CHUNK)
            .zip(xy.par_chunks_mut(CHUNK))
            .zip(edge_m.par_chunks_mut(CHUNK))
            .zip(lonlat.par_chunks(CHUNK))
            .for_each_init(Scratch::default, |scratch, (((tile, xy), edge), points)| {
                if cancel.load(Ordering::Relaxed) {
                    return;
                }
                for (k, best) in self.best(points, scratch).iter().enumerate() {
                    (tile[k], xy[k], edge[k]) = match best {
                        Some(hit) => (i64::from(hit.tile), [hit.x, hit.y], hit.edge_m),
                        None => (OUTSIDE, [f64::NAN; 2], f64::NAN),
                    };
                }
            });
        self.check()
    }

    /// Chooses tiles for points, on the calling thread.
    ///
    /// Returns the matches, and what became of each point.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where dates and points differ in number, or a CRS's
    /// transformation fails.
    pub fn choose(
        &self,
        lonlat: &[[f64; 2]],
        dates: Option<&[i64]>,
        choice: &Choice,
    ) -> Result<(Matches, Vec<Fate>)> {
        if dates.is_some_and(|dates| dates.len() != lonlat.len()) {
            return Err(Error::InvalidArgument(
                "points and dates differ in number".into(),
            ));
        }
        let mut matches = Matches::with_capacity(lonlat.len());
        let mut fates = vec![Fate::Outside; lonlat.len()];
        if choice.is_plain() {
            self.choose_plainly(lonlat, &mut matches, &mut fates);
        } else {
            self.choose_among_all(lonlat, dates, choice, &mut matches, &mut fates);
        }
        self.check()?;
        Ok((matches, fates))
    }

    /// The nearest centre for each point: what is asked for as a rule.
    fn choose_plainly(&self, lonlat: &[[f64; 2]], matches: &mut Matches, fates: &mut [Fate]) {
        let mut scratch = Scratch::default();
        let starts = (0..).step_by(CHUNK);
        let chunks = lonlat.chunks(CHUNK).zip(fates.chunks_mut(CHUNK));
        for (start, (points, fates)) in starts.zip(chunks) {
            for (k, best) in self.best(points, &mut scratch).iter().enumerate() {
                if let Some(hit) = best {
                    fates[k] = Fate::Found;
                    matches.push(index(start + k), hit);
                }
            }
        }
    }

    fn choose_among_all(
        &self,
        lonlat: &[[f64; 2]],
        dates: Option<&[i64]>,
        choice: &Choice,
        matches: &mut Matches,
        fates: &mut [Fate],
    ) {
        let mut work = Work::default();
        let mut hits: Vec<(u32, Hit)> = Vec::new();
        for (start, points) in (0..).step_by(CHUNK).zip(lonlat.chunks(CHUNK)) {
            hits.clear();
            self.visit(points, &mut work, |point, hit| {
                hits.push((index(point), hit));
            });
            hits.sort_by_key(|(point, _)| *point);
            for same in hits.chunk_by_mut(|a, b| a.0 == b.0) {
                let point = start + same[0].0 as usize;
                let date = dates.map(|dates| dates[point]);
                let take = |hit: &Hit| matches.push(index(point), hit);
                fates[point] = choice.pick(same, date, take);
            }
        }
    }

    /// The tile with the nearest centre for each point.
    fn best<'a>(&self, points: &[[f64; 2]], scratch: &'a mut Scratch) -> &'a [Option<Hit>] {
        let Scratch { work, best } = scratch;
        best.clear();
        best.resize(points.len(), None);
        self.visit(points, work, |point, hit| {
            let best = &mut best[point];
            if best.is_none_or(|other| hit.beats(&other)) {
                *best = Some(hit);
            }
        });
        best
    }

    /// Hands on every tile that holds each of some points.
    fn visit(&self, points: &[[f64; 2]], work: &mut Work, mut found: impl FnMut(usize, Hit)) {
        work.route(self, points);
        let routed = std::mem::take(&mut work.routed);
        for (system, routed) in self.systems.iter().zip(&routed) {
            work.lons.clear();
            work.lats.clear();
            for (point, _) in routed {
                let [lon, lat] = points[*point as usize];
                work.lons.push(lon);
                work.lats.push(lat);
            }
            system
                .projection
                .forward_all(&mut work.lons, &mut work.lats);
            let lookup = Lookup {
                finder: self,
                system,
                routed,
                xs: &work.lons,
                ys: &work.lats,
                probes: &mut work.probes,
                found: &mut found,
            };
            simd::run(InstructionSet::best(), lookup);
        }
        work.routed = routed;
    }

    fn check(&self) -> Result<()> {
        let fault = self.systems.iter().find_map(|s| s.projection.fault());
        fault.map_or(Ok(()), |fault| Err(Error::InvalidArgument(fault)))
    }
}

impl std::fmt::Debug for TileFinder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TileFinder({} tiles)", self.scales.len())
    }
}

impl Matches {
    /// Room for some matches; growing would copy them again and again.
    #[must_use]
    pub fn with_capacity(count: usize) -> Self {
        Self {
            point: Vec::with_capacity(count),
            tile: Vec::with_capacity(count),
            x: Vec::with_capacity(count),
            y: Vec::with_capacity(count),
            edge_m: Vec::with_capacity(count),
        }
    }

    fn push(&mut self, point: u32, hit: &Hit) {
        self.point.push(point);
        self.tile.push(hit.tile);
        self.x.push(hit.x);
        self.y.push(hit.y);
        self.edge_m.push(narrow(hit.edge_m));
    }
}

/// A cell of a lattice that may hold a point.
#[derive(Debug, Clone, Copy)]
struct Probe {
    point: u32,
    lattice: u32,
    cell: u32,
    /// The tile in the cell.
    tile: u32,
    scale: Scale,
    /// Column and row of the point within the tile.
    local: [f64; 2],
    y: f64,
}

/// The look-up of projected points in one system's lattices; with newer instructions a floor costs
/// one of them, not a call.
///
/// Cells, tiles and scales are fetched in loops of their own, each so short that the processor
/// waits for many of them at once.
struct Lookup<'a, F> {
    finder: &'a TileFinder,
    system: &'a System,
    routed: &'a [(u32, u32)],
    xs: &'a [f64],
    ys: &'a [f64],
    probes: &'a mut Vec<Probe>,
    found: &'a mut F,
}

impl<F: FnMut(usize, Hit)> Kernel for Lookup<'_, F> {
    #[allow(clippy::inline_always)] // see Kernel
    #[inline(always)]
    fn run(self) {
        let Self {
            finder,
            system,
            probes,
            ..
        } = self;
        probes.clear();
        let points = self.xs.iter().zip(self.ys);
        for ((point, route), (x, y)) in self.routed.iter().zip(points) {
            if x.is_finite() && y.is_finite() {
                let route = finder.mask.route(*route);
                system.probe(route, *point, [*x, *y], probes);
            }
        }
        for probe in probes.iter_mut() {
            probe.tile = system.lattices[probe.lattice as usize].cells[probe.cell as usize];
        }
        probes.retain(|probe| probe.tile != EMPTY);
        for probe in probes.iter_mut() {
            probe.scale = finder.scales[probe.tile as usize];
        }
        for probe in probes.iter() {
            let lattice = &system.lattices[probe.lattice as usize];
            let hit = lattice.hit(probe.tile, probe.local, probe.scale.at(probe.y));
            (self.found)(probe.point as usize, hit);
        }
    }
}

/// Memory that a thread uses again for the next points.
#[derive(Default)]
struct Scratch {
    work: Work,
    best: Vec<Option<Hit>>,
}

#[derive(Default)]
struct Work {
    /// For each system: points near its tiles, with the route to these.
    routed: Vec<Vec<(u32, u32)>>,
    lons: Vec<f64>,
    lats: Vec<f64>,
    probes: Vec<Probe>,
}

impl Work {
    /// Sorts points by the systems that have tiles near them.
    fn route(&mut self, finder: &TileFinder, points: &[[f64; 2]]) {
        self.routed.resize_with(finder.systems.len(), Vec::new);
        self.routed.iter_mut().for_each(Vec::clear);
        for (k, point) in (0_u32..).zip(points) {
            for route in finder.mask.routes(*point) {
                self.routed[finder.mask.route(route).system as usize].push((k, route));
            }
        }
    }
}

impl System {
    fn new(system: TileSystem) -> Self {
        let lattices = into_lattices(system.tiles);
        let bounds: Vec<_> = lattices.iter().map(Lattice::bounds).collect();
        let tree = (bounds.len() > Route::MOST)
            .then(|| packed(&bounds))
            .flatten();
        Self {
            turn: system.projection.turn(),
            projection: system.projection,
            lattices,
            middles: bounds.iter().map(|b| f64::midpoint(b[0], b[2])).collect(),
            tree,
        }
    }

    /// Adds the cells that may hold a point.
    #[allow(clippy::inline_always)] // part of a kernel
    #[inline(always)]
    fn probe(&self, route: &Route, point: u32, xy: [f64; 2], probes: &mut Vec<Probe>) {
        match (&route.lattices, &self.tree) {
            (Some(few), _) => {
                for lattice in few {
                    self.look(*lattice, point, self.on_turn(*lattice, xy), probes);
                }
            }
            (None, Some(tree)) => {
                for shift in self.shifts() {
                    let [x, y] = [xy[0] + shift, xy[1]];
                    for lattice in tree.search(x, y, x, y) {
                        self.look(lattice, point, [x, y], probes);
                    }
                }
            }
            (None, None) => {
                for lattice in 0..index(self.lattices.len()) {
                    self.look(lattice, point, self.on_turn(lattice, xy), probes);
                }
            }
        }
    }

    #[allow(clippy::inline_always)] // part of a kernel
    #[inline(always)]
    fn look(&self, lattice: u32, point: u32, [x, y]: [f64; 2], probes: &mut Vec<Probe>) {
        self.lattices[lattice as usize].probe(x, y, |cell, local| {
            probes.push(Probe {
                point,
                lattice,
                cell: index(cell),
                tile: EMPTY,
                scale: Scale::GEOGRAPHIC,
                local,
                y,
            });
        });
    }

    /// A point on the turn about the Earth that a lattice is on.
    #[allow(clippy::inline_always)] // part of a kernel
    #[inline(always)]
    fn on_turn(&self, lattice: u32, [x, y]: [f64; 2]) -> [f64; 2] {
        let Some(turn) = self.turn else {
            return [x, y];
        };
        let away = (x - self.middles[lattice as usize]) / turn;
        [x - turn * away.round(), y]
    }

    /// Whole turns about the Earth at which tiles may lie.
    fn shifts(&self) -> impl Iterator<Item = f64> {
        let turn = self.turn;
        let all = turn.map_or([0.0; 3], |turn| [0.0, turn, -turn]);
        all.into_iter().take(if turn.is_some() { 3 } else { 1 })
    }
}

/// Measures the scale of every tile, by its number.
fn scales_of(systems: &[TileSystem]) -> Result<Vec<Scale>> {
    let numbers = systems.iter().flat_map(|s| s.tiles.iter().map(|t| t.0));
    let count = numbers.max().map_or(0, |most| most as usize + 1);
    let mut scales: Vec<Option<Scale>> = vec![None; count];
    for system in systems {
        let measured: Vec<(u32, Scale)> = system
            .tiles
            .par_iter()
            .map(|(number, tile)| scale_of(system, tile).map(|scale| (*number, scale)))
            .collect::<Result<_>>()?;
        for (number, scale) in measured {
            if scales[number as usize].replace(scale).is_some() {
                return Err(Error::InvalidArgument(format!(
                    "two tiles have number {number}"
                )));
            }
        }
    }
    Ok(scales
        .into_iter()
        .map(|scale| scale.unwrap_or(Scale::GEOGRAPHIC))
        .collect())
}

fn scale_of(system: &TileSystem, tile: &TileShape) -> Result<Scale> {
    if tile.size.contains(&0) {
        return Err(Error::InvalidArgument(format!(
            "a tile needs pixels, got {:?}",
            tile.size
        )));
    }
    if system.geographic {
        return Ok(Scale::GEOGRAPHIC);
    }
    let [width, height] = tile.size.map(f64::from);
    let centre = tile.affine.apply(width / 2.0, height / 2.0);
    let [a, _, d, _] = tile.affine.pixel();
    Ok(Scale::measured(
        &*system.projection,
        centre.into(),
        a.hypot(d),
    ))
}

/// Packs boxes into a tree; none where there are too many for its 32-bit numbers.
fn packed(bounds: &[[f64; 4]]) -> Option<RTree<f64>> {
    let mut builder = RTreeBuilder::<f64>::new(u32::try_from(bounds.len()).ok()?);
    for b in bounds {
        builder.add(b[0], b[1], b[2], b[3]);
    }
    Some(builder.finish::<HilbertSort>())
}

/// A longitude in [-180, 180) and a latitude; none for what is no place.
#[inline]
fn place([lon, lat]: [f64; 2]) -> Option<[f64; 2]> {
    if !(lat.abs() <= 90.0 && lon.is_finite()) {
        return None;
    }
    let on_map = (-180.0..180.0).contains(&lon);
    Some([if on_map { lon } else { wrap_degrees(lon) }, lat])
}

/// Points of a batch, lattices and their cells are fewer than 2^32: more do not fit into memory.
#[allow(clippy::cast_possible_truncation)]
fn index(position: usize) -> u32 {
    position as u32
}

/// A distance in a tile needs no more than float32.
#[allow(clippy::cast_possible_truncation)]
fn narrow(metres: f64) -> f32 {
    metres as f32
}
