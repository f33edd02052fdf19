use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{Schedule, schedule};
use crate::error::Error;
use crate::ffi::Window;
use crate::grid::Frame;
use crate::pieces::Pieces;
use crate::plan::{Key, Need};

/// A raster that tiles need: its size, its units, its bytes a pixel, and how far it is shifted.
#[derive(Debug, Clone)]
struct Raster {
    size: (usize, usize),
    unit: (usize, usize),
    pixel_bytes: usize,
    shift: (i64, i64),
}

impl Raster {
    fn need(&self, frames: &[Frame]) -> Need {
        let window = |frame: &Frame| {
            let there = frame.moved(self.shift.0, self.shift.1);
            there.inside(self.size.1, self.size.0)
        };
        let windows: Vec<Option<Window>> = frames.iter().map(window).collect();
        Need {
            pieces: Pieces::new(self.size, self.unit, &windows),
            unit: self.unit,
            pixel_bytes: self.pixel_bytes,
            sources: 2,
            windows,
        }
    }
}

fn raster() -> impl Strategy<Value = Raster> {
    let size = (1..200_usize, 1..300_usize);
    let unit = (1..70_usize, 1..90_usize);
    let shift = (-20..20_i64, -20..20_i64);
    (size, unit, 1..5_usize, shift).prop_map(|(size, unit, pixel_bytes, shift)| Raster {
        size,
        unit,
        pixel_bytes,
        shift,
    })
}

/// Tiles of one size: anywhere, beyond every edge too, on each other, in any order.
fn frames() -> impl Strategy<Value = Vec<Frame>> {
    let places = prop::collection::vec((-40..320_i64, -40..220_i64), 1..40);
    ((1..60_usize, 1..60_usize), places).prop_map(|((height, width), places)| {
        let frame = |(col, row)| Frame {
            col,
            row,
            width,
            height,
        };
        places.into_iter().map(frame).collect()
    })
}

/// What runs a program: follows what is held, as the store does.
struct Run<'a> {
    needs: &'a [Need],
    held: BTreeMap<Key, usize>,
    decoded: BTreeMap<Key, usize>,
    peak: usize,
}

impl Run<'_> {
    fn evict(&mut self, keys: &[Key]) {
        for key in keys {
            assert!(self.held.remove(key).is_some(), "{key:?} was not held");
        }
    }

    fn read(&mut self, batch: &crate::plan::Batch) {
        for read in &batch.reads {
            *self.decoded.entry((read.need, read.unit)).or_default() += 1;
            let need = &self.needs[read.need];
            for place in &read.keep {
                let window = need.pieces.window(*place);
                let bytes = window.width * window.height * need.pixel_bytes;
                let twice = self.held.insert((read.need, *place), bytes);
                assert!(twice.is_none(), "{place:?} was held already");
                assert_eq!(need.pieces.unit_of(*place), read.unit);
            }
        }
        self.peak = self.peak.max(self.held.values().sum());
    }

    /// Every pixel of every window is in exactly one held piece.
    fn cut(&self, tile: usize) {
        for (number, need) in self.needs.iter().enumerate() {
            let Some(window) = need.windows[tile] else {
                continue;
            };
            let mut pixels = 0;
            for place in need.pieces.touching(window) {
                assert!(self.held.contains_key(&(number, place)));
                let piece = need.pieces.window(place);
                let rows = (piece.row + piece.height).min(window.row + window.height)
                    - piece.row.max(window.row);
                let cols = (piece.col + piece.width).min(window.col + window.width)
                    - piece.col.max(window.col);
                pixels += rows * cols;
            }
            assert_eq!(pixels, window.width * window.height);
        }
    }
}

/// Runs a program in the worker's order and returns what was decoded how often, and the peak.
fn run(needs: &[Need], found: &Schedule, first: usize) -> (BTreeMap<Key, usize>, usize) {
    let mut run = Run {
        needs,
        held: BTreeMap::new(),
        decoded: BTreeMap::new(),
        peak: 0,
    };
    let batches = &found.plan.batches;
    for (number, batch) in batches.iter().enumerate() {
        if !batch.ahead {
            run.evict(&batch.evict);
            run.read(batch);
        }
        if let Some(next) = batches.get(number + 1).filter(|next| next.ahead) {
            assert!(next.evict.is_empty());
            run.read(next);
        }
        for position in batch.tiles.clone() {
            run.cut(found.order[first + position]);
        }
        run.evict(&batch.drop);
    }
    assert!(run.held.is_empty(), "something is left: {:?}", run.held);
    (run.decoded, run.peak)
}

proptest! {
    #[test]
    fn every_tile_is_cut_once_and_every_unit_decoded_once_where_memory_allows(
        rasters in prop::collection::vec(raster(), 1..4), frames in frames(),
    ) {
        let needs: Vec<Need> = rasters.iter().map(|raster| raster.need(&frames)).collect();
        let found = schedule(&needs, &frames, 1000, None, 0).unwrap();
        let cut: Vec<usize> = found.plan.batches.iter().flat_map(|b| b.tiles.clone()).collect();
        prop_assert_eq!(cut, (0..frames.len()).collect::<Vec<_>>());
        let once: BTreeSet<usize> = found.order.iter().copied().collect();
        prop_assert_eq!(once.len(), frames.len());
        let (decoded, peak) = run(&needs, &found, 0);
        prop_assert!(decoded.values().all(|times| *times == 1));
        prop_assert_eq!(found.plan.redecoded, 0);
        prop_assert_eq!(found.plan.blocks, 2 * decoded.len());
        prop_assert_eq!(found.plan.peak, peak);
    }

    #[test]
    fn memory_is_kept_and_what_is_decoded_again_is_counted(
        rasters in prop::collection::vec(raster(), 1..4), frames in frames(), share in 0.0..1.2_f64,
    ) {
        let needs: Vec<Need> = rasters.iter().map(|raster| raster.need(&frames)).collect();
        let free = schedule(&needs, &frames, 1000, None, 0).unwrap();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let memory = (free.plan.peak as f64 * share) as usize;
        match schedule(&needs, &frames, 1000, Some(memory), 0) {
            Err(Error::Memory { needed, given }) => {
                prop_assert!(needed > given && given == memory);
            }
            found => {
                let found = found.unwrap();
                prop_assert_eq!(&found.order, &free.order);
                let (decoded, peak) = run(&needs, &found, 0);
                prop_assert!(peak <= memory);
                prop_assert_eq!(found.plan.peak, peak);
                let again: usize = decoded.values().map(|times| 2 * (times - 1)).sum();
                prop_assert_eq!(found.plan.redecoded, again);
            }
        }
    }

    #[test]
    fn going_on_from_any_tile_keeps_the_order(
        raster in raster(), frames in frames(), share in 0.0..1.0_f64,
    ) {
        let needs = [raster.need(&frames)];
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let first = (frames.len() as f64 * share) as usize;
        let whole = schedule(&needs, &frames, 1000, None, 0).unwrap();
        let rest = schedule(&needs, &frames, 1000, None, first).unwrap();
        prop_assert_eq!(&whole.order, &rest.order);
        run(&needs, &rest, first);
        let left: usize = rest.plan.batches.iter().map(|batch| batch.tiles.len()).sum();
        prop_assert_eq!(left, frames.len() - first);
    }
}

fn lattice(count: usize, size: usize, stride: usize) -> Vec<Frame> {
    let place = |index: usize| i64::try_from(index * stride).unwrap();
    (0..count * count)
        .map(|tile| Frame {
            col: place(tile % count),
            row: place(tile / count),
            width: size,
            height: size,
        })
        .collect()
}

fn blocks(side: usize, unit: (usize, usize)) -> Raster {
    Raster {
        size: (side, side),
        unit,
        pixel_bytes: 20,
        shift: (0, 0),
    }
}

#[test]
fn tiles_that_fit_blocks_are_cut_block_by_block_in_little_memory() {
    let frames = lattice(20, 256, 256);
    let needs = [blocks(5120, (512, 512)).need(&frames)];
    let found = schedule(&needs, &frames, 256 * 256 * 20, None, 0).unwrap();
    assert_eq!(found.order[..5], [0, 1, 20, 21, 2]);
    assert_eq!((found.plan.blocks, found.plan.redecoded), (200, 0));
    assert!(found.plan.peak <= 8 * 512 * 512 * 20, "{}", found.plan.peak);
}

#[test]
fn overlapping_tiles_keep_only_the_tails_of_blocks() {
    let frames = lattice(39, 256, 128);
    let needs = [blocks(5120, (512, 512)).need(&frames)];
    let found = schedule(&needs, &frames, 256 * 256 * 20, None, 0).unwrap();
    let row_of_blocks = 512 * 5120 * 20;
    assert_eq!(found.plan.redecoded, 0);
    assert!(found.plan.peak < row_of_blocks, "{}", found.plan.peak);
}

#[test]
fn very_wide_strips_are_decoded_at_most_twice_within_the_default() {
    let frames = lattice(78, 256, 256);
    let strips = |pixel_bytes| Raster {
        pixel_bytes,
        ..blocks(20_000, (64, 20_000))
    };
    for (pixel_bytes, most) in [(12, 0), (20, 1)] {
        let needs = [strips(pixel_bytes).need(&frames)];
        let plan = schedule(&needs, &frames, 256 * 256 * pixel_bytes, None, 0);
        let plan = plan.unwrap().plan;
        assert!(plan.redecoded <= most * plan.blocks / 2, "{plan:?}");
        assert!(plan.peak <= 72 << 20, "{}", plan.peak);
    }
}

#[test]
fn a_tile_that_does_not_fit_is_refused_with_what_it_needs() {
    let frames = lattice(1, 256, 256);
    // two bands' blocks of 2.6 MB each: not even one may be decoded
    let needs = [blocks(512, (512, 512)).need(&frames)];
    let error = schedule(&needs, &frames, 1, Some(1_000_000), 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "one tile needs 2.7 MB of decoded blocks, but 1 MB are allowed"
    );
}
