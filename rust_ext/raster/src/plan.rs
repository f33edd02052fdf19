//! The program of a cut: batches of tiles, what is decoded before each, what is dropped after it.
//!
//! Nothing is read here. The bytes of decoded pieces are followed exactly, so that the program
//! never holds more than it may: where all that later tiles need does not fit, what is needed
//! last goes first (Belady 1966) and is decoded again when its turn comes.
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use crate::error::{Error, Result};
use crate::ffi::Window;
use crate::pieces::{Pieces, Place};

/// A batch ends with the tile that brings it to so many bytes of pixels, or to so many tiles.
const BATCH_BYTES: usize = 8 << 20;
const BATCH_TILES: usize = 64;

/// What tiles need of rasters that have the same grid and blocks.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    /// How its units are kept.
    pub(crate) pieces: Pieces,
    /// Rows and columns of a unit.
    pub(crate) unit: (usize, usize),
    /// Bytes of one pixel in all its rasters together.
    pub(crate) pixel_bytes: usize,
    /// How many decodings a unit takes.
    pub(crate) sources: usize,
    /// The window that each tile needs, by its number.
    pub(crate) windows: Vec<Option<Window>>,
}

/// A piece of one need: number of the need, row and column.
pub(crate) type Key = (usize, Place);

/// A unit to decode, and which of its pieces to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) need: usize,
    pub(crate) unit: Place,
    pub(crate) keep: Vec<Place>,
}

/// Consecutive tiles that are cut together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Positions in the order.
    pub(crate) tiles: Range<usize>,
    /// Whether its units may be decoded while the batch before it is cut.
    pub(crate) ahead: bool,
    /// What has to go before its units are decoded.
    pub(crate) evict: Vec<Key>,
    /// What is decoded for it.
    pub(crate) reads: Vec<Read>,
    /// What nobody needs once it is cut.
    pub(crate) drop: Vec<Key>,
}

/// A whole program and what it costs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) batches: Vec<Batch>,
    /// Decodings.
    pub(crate) blocks: usize,
    /// Those of units that had been decoded before.
    pub(crate) redecoded: usize,
    /// Bytes that are decoded.
    pub(crate) decoded_bytes: usize,
    /// Most bytes held at a time.
    pub(crate) peak: usize,
}

/// All pieces that tiles touch, by numbers of their own.
pub(crate) struct Touched {
    keys: Vec<Key>,
    bytes: Vec<usize>,
    unit_of: Vec<usize>,
    units: Vec<Unit>,
    /// Pieces of each tile, by its number.
    tiles: Vec<Vec<u32>>,
    tile_bytes: usize,
}

struct Unit {
    need: usize,
    place: Place,
    pieces: Vec<usize>,
    bytes: usize,
    sources: usize,
}

impl Touched {
    /// Finds what each of `count` tiles of `tile_bytes` touches.
    pub(crate) fn new(needs: &[Need], count: usize, tile_bytes: usize) -> Self {
        let mut touched = Self {
            keys: Vec::new(),
            bytes: Vec::new(),
            unit_of: Vec::new(),
            units: Vec::new(),
            tiles: vec![Vec::new(); count],
            tile_bytes,
        };
        let (mut known, mut units) = (HashMap::new(), HashMap::new());
        for (number, need) in needs.iter().enumerate() {
            for (tile, window) in need.windows.iter().enumerate() {
                for place in window.iter().flat_map(|w| need.pieces.touching(*w)) {
                    let key = (number, place);
                    let piece = *known
                        .entry(key)
                        .or_insert_with(|| touched.add(need, key, &mut units));
                    touched.tiles[tile].push(piece);
                }
            }
        }
        touched
    }

    /// Bytes of the largest unit of one raster, all of which is decoded at once.
    pub(crate) fn largest_block(&self) -> usize {
        let bytes = self
            .units
            .iter()
            .map(|unit| unit.bytes / unit.sources.max(1));
        bytes.max().unwrap_or(0)
    }

    #[allow(clippy::cast_possible_truncation)] // 2^32 pieces would not fit any memory
    fn add(&mut self, need: &Need, key: Key, units: &mut HashMap<Key, usize>) -> u32 {
        let place = need.pieces.unit_of(key.1);
        let window = need.pieces.window(key.1);
        let whole = need.pieces.unit_window(place);
        let unit = *units.entry((key.0, place)).or_insert_with(|| {
            self.units.push(Unit {
                need: key.0,
                place,
                pieces: Vec::new(),
                bytes: area(whole).saturating_mul(need.pixel_bytes),
                sources: need.sources,
            });
            self.units.len() - 1
        });
        self.units[unit].pieces.push(self.keys.len());
        self.keys.push(key);
        self.bytes
            .push(area(window).saturating_mul(need.pixel_bytes));
        self.unit_of.push(unit);
        (self.keys.len() - 1) as u32
    }

    /// Writes the program for tiles in an order, holding at most `memory` bytes.
    ///
    /// # Errors
    /// [`Error::Memory`] when what a single tile needs does not fit.
    pub(crate) fn plan(&self, order: &[usize], memory: usize) -> Result<Plan> {
        let batches = self.batches(order, memory);
        let uses = self.uses(order, &batches);
        let mut planner = Planner {
            touched: self,
            uses,
            next: vec![0; self.keys.len()],
            held: BTreeSet::new(),
            bytes: 0,
            memory,
            seen: vec![false; self.units.len()],
            plan: Plan::default(),
        };
        for (number, tiles) in batches.into_iter().enumerate() {
            planner.step(number, tiles, order)?;
        }
        Ok(planner.plan)
    }

    /// Greedy batches: what one needs takes at most half of the memory, unless it is one tile.
    fn batches(&self, order: &[usize], memory: usize) -> Vec<Range<usize>> {
        let (mut batches, mut start, mut bytes) = (Vec::new(), 0, 0);
        let mut stamps = vec![usize::MAX; self.keys.len()];
        for (position, tile) in order.iter().enumerate() {
            let new = self.stamp(*tile, start, &mut stamps);
            let count = position - start;
            let full = count >= BATCH_TILES || count * self.tile_bytes >= BATCH_BYTES;
            if count > 0 && (full || bytes + new > memory / 2) {
                batches.push(start..position);
                start = position;
                bytes = self.stamp(*tile, start, &mut stamps);
            } else {
                bytes += new;
            }
        }
        if start < order.len() {
            batches.push(start..order.len());
        }
        batches
    }

    /// Marks the pieces of a tile; returns the bytes of those that were not marked.
    fn stamp(&self, tile: usize, stamp: usize, stamps: &mut [usize]) -> usize {
        let mut bytes = 0;
        for piece in self.tiles[tile].iter().map(|piece| *piece as usize) {
            if stamps[piece] != stamp {
                stamps[piece] = stamp;
                bytes += self.bytes[piece];
            }
        }
        bytes
    }

    /// The batches that need each piece, in order.
    fn uses(&self, order: &[usize], batches: &[Range<usize>]) -> Vec<Vec<usize>> {
        let mut uses = vec![Vec::new(); self.keys.len()];
        for (number, batch) in batches.iter().enumerate() {
            for tile in &order[batch.clone()] {
                for piece in &self.tiles[*tile] {
                    let uses: &mut Vec<usize> = &mut uses[*piece as usize];
                    if uses.last() != Some(&number) {
                        uses.push(number);
                    }
                }
            }
        }
        uses
    }
}

/// Pixels of a window; those that a file claims may be more than can be counted.
fn area(window: Window) -> usize {
    window.width.saturating_mul(window.height)
}

struct Planner<'a> {
    touched: &'a Touched,
    uses: Vec<Vec<usize>>,
    /// How many uses of each piece are over.
    next: Vec<usize>,
    held: BTreeSet<usize>,
    bytes: usize,
    memory: usize,
    seen: Vec<bool>,
    plan: Plan,
}

impl Planner<'_> {
    fn next_use(&self, piece: usize) -> Option<usize> {
        self.uses[piece].get(self.next[piece]).copied()
    }

    fn step(&mut self, number: usize, tiles: Range<usize>, order: &[usize]) -> Result<()> {
        let needed = self.needed(&order[tiles.clone()]);
        let mut incoming = self.incoming(&needed);
        let coming = self.size(&incoming);
        let ended = self.ended();
        let mut batch = Batch {
            tiles,
            ahead: number > 0 && self.bytes + coming <= self.memory,
            ..Batch::default()
        };
        if !batch.ahead {
            self.forget(&ended);
        }
        batch.evict = self.make_room(number, &needed, &mut incoming)?;
        batch.reads = self.reads(&incoming);
        self.bytes += self.size(&incoming);
        self.held.extend(&incoming);
        self.plan.peak = self.plan.peak.max(self.bytes);
        if batch.ahead {
            self.forget(&ended);
        }
        for piece in &needed {
            self.next[*piece] += 1;
        }
        batch.drop = self.ended().iter().map(|p| self.touched.keys[*p]).collect();
        self.plan.batches.push(batch);
        Ok(())
    }

    /// The pieces that some tiles need, each once.
    fn needed(&self, tiles: &[usize]) -> Vec<usize> {
        let all = tiles.iter().flat_map(|tile| &self.touched.tiles[*tile]);
        let mut needed: Vec<usize> = all.map(|piece| *piece as usize).collect();
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    /// What decoding for a batch brings: of each unit all pieces that have a use ahead.
    fn incoming(&self, needed: &[usize]) -> Vec<usize> {
        let missing = needed.iter().filter(|piece| !self.held.contains(piece));
        let mut units: Vec<usize> = missing.map(|piece| self.touched.unit_of[*piece]).collect();
        units.sort_unstable();
        units.dedup();
        let pieces = units
            .iter()
            .flat_map(|unit| &self.touched.units[*unit].pieces);
        pieces
            .copied()
            .filter(|piece| !self.held.contains(piece) && self.next_use(*piece).is_some())
            .collect()
    }

    /// Held pieces that nobody needs any more.
    fn ended(&self) -> Vec<usize> {
        let held = self.held.iter().copied();
        held.filter(|piece| self.next_use(*piece).is_none())
            .collect()
    }

    fn size(&self, pieces: &[usize]) -> usize {
        pieces.iter().map(|piece| self.touched.bytes[*piece]).sum()
    }

    fn forget(&mut self, pieces: &[usize]) {
        for piece in pieces {
            if self.held.remove(piece) {
                self.bytes -= self.touched.bytes[*piece];
            }
        }
    }

    /// Gives up what is needed last, until what comes fits; returns what was held.
    fn make_room(
        &mut self,
        number: usize,
        needed: &[usize],
        incoming: &mut Vec<usize>,
    ) -> Result<Vec<Key>> {
        let mut total = self.bytes + self.size(incoming);
        if total <= self.memory {
            return Ok(Vec::new());
        }
        let held = self.held.iter().chain(incoming.iter());
        let mut optional: Vec<(usize, usize)> = held
            .filter_map(|piece| Some((self.next_use(*piece)?, *piece)))
            .filter(|(next, _)| *next > number)
            .collect();
        optional.sort_unstable();
        let mut evicted = Vec::new();
        while total > self.memory {
            let Some((_, piece)) = optional.pop() else {
                return Err(Error::Memory {
                    needed: self.size(needed),
                    given: self.memory,
                });
            };
            total -= self.touched.bytes[piece];
            evicted.push(piece);
        }
        let gone: Vec<usize> = evicted
            .iter()
            .copied()
            .filter(|p| self.held.contains(p))
            .collect();
        self.forget(&gone);
        evicted.sort_unstable();
        incoming.retain(|piece| evicted.binary_search(piece).is_err());
        Ok(gone.iter().map(|piece| self.touched.keys[*piece]).collect())
    }

    /// What has to be decoded, unit by unit, counted.
    fn reads(&mut self, incoming: &[usize]) -> Vec<Read> {
        let mut units: BTreeMap<usize, Vec<Place>> = BTreeMap::new();
        for piece in incoming {
            let unit = self.touched.unit_of[*piece];
            units
                .entry(unit)
                .or_default()
                .push(self.touched.keys[*piece].1);
        }
        for number in units.keys() {
            let unit = &self.touched.units[*number];
            self.plan.blocks += unit.sources;
            self.plan.decoded_bytes += unit.bytes;
            let again = std::mem::replace(&mut self.seen[*number], true);
            self.plan.redecoded += if again { unit.sources } else { 0 };
        }
        let read = |(number, mut keep): (usize, Vec<Place>)| {
            keep.sort_unstable();
            let unit = &self.touched.units[number];
            Read {
                need: unit.need,
                unit: unit.place,
                keep,
            }
        };
        units.into_iter().map(read).collect()
    }
}
