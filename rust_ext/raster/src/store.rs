//! Decoded pieces in memory, as the program wants them, and windows copied out of them.
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use crate::buffers::{Buffer, Buffers};
use crate::error::{Error, Result};
use crate::ffi::Window;
use crate::pieces::Pieces;
use crate::plan::{Key, Read};
use crate::source::Layers;

/// The bytes of a piece, one buffer a source of its layer.
type Piece = Vec<Buffer>;

/// Pieces that were just decoded, not in the store yet.
pub(crate) type Decoded = Vec<(Key, Piece)>;

/// The pieces that are held.
#[derive(Default)]
pub(crate) struct Store {
    held: HashMap<Key, Piece>,
}

/// Decodes units in parallel, every source of each by itself.
///
/// # Errors
/// [`Error::Unreadable`] when one cannot be decoded, [`Error::Cancelled`] when asked to stop.
pub(crate) fn decode(
    layers: &Layers,
    pieces: &[Pieces],
    reads: &[Read],
    buffers: &Buffers,
    cancel: &AtomicBool,
) -> Result<Decoded> {
    let jobs: Vec<(usize, usize)> = (0..reads.len())
        .flat_map(|read| (0..layers.layers[reads[read].need].sources.len()).map(move |s| (read, s)))
        .collect();
    let one = |&(number, source): &(usize, usize)| {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        let read = &reads[number];
        let (pieces, source) = (
            &pieces[read.need],
            &layers.layers[read.need].sources[source],
        );
        let keep: Vec<Window> = read
            .keep
            .iter()
            .map(|place| pieces.window(*place))
            .collect();
        let unit = pieces.unit_window(read.unit);
        layers.datasets.decode(source, unit, &keep, buffers)
    };
    let decoded: Result<Vec<Vec<Buffer>>> = jobs.par_iter().with_max_len(1).map(one).collect();
    let mut all = Vec::new();
    for (&(number, source), kept) in jobs.iter().zip(decoded?) {
        let read = &reads[number];
        if source == 0 {
            let keys = read.keep.iter().map(|place| (read.need, *place));
            all.extend(keys.map(|key| (key, Vec::new())));
        }
        let start = all.len() - read.keep.len();
        for ((_, piece), buffer) in all[start..].iter_mut().zip(kept) {
            piece.push(buffer);
        }
    }
    Ok(all)
}

impl Store {
    /// Bytes that are held.
    pub(crate) fn bytes(&self) -> usize {
        let buffers = self.held.values().flatten();
        buffers.map(|buffer| buffer.len()).sum()
    }

    pub(crate) fn insert(&mut self, decoded: Decoded) {
        self.held.extend(decoded);
    }

    /// Drops pieces; their memory is used again.
    pub(crate) fn drop(&mut self, keys: &[Key], buffers: &Buffers) {
        for piece in keys.iter().filter_map(|key| self.held.remove(key)) {
            for buffer in piece {
                buffers.give_back(buffer);
            }
        }
    }

    /// Copies a window of one source into planes, the first pixel to `origin` (row, column).
    ///
    /// `planes` are those of the source's bands, `width` columns wide each.
    pub(crate) fn copy(
        &self,
        (layer, source): (usize, usize),
        pieces: &Pieces,
        window: Window,
        size: usize,
        (planes, width, origin): (&mut [&mut [u8]], usize, (usize, usize)),
    ) {
        for place in pieces.touching(window) {
            // the program decodes every piece before a tile that touches it
            let Some(piece) = self.held.get(&(layer, place)) else {
                debug_assert!(false, "piece {place:?} of layer {layer} is not held");
                continue;
            };
            let from = pieces.window(place);
            let shared = Overlap::of(from, window, origin);
            shared.copy(&piece[source], from, size, planes, width);
        }
    }
}

/// What a piece and a window share: first row and column in each, rows and columns.
struct Overlap {
    from: (usize, usize),
    to: (usize, usize),
    rows: usize,
    cols: usize,
}

impl Overlap {
    fn of(piece: Window, window: Window, origin: (usize, usize)) -> Self {
        let (top, left) = (piece.row.max(window.row), piece.col.max(window.col));
        let bottom = (piece.row + piece.height).min(window.row + window.height);
        let right = (piece.col + piece.width).min(window.col + window.width);
        Self {
            from: (top - piece.row, left - piece.col),
            to: (top - window.row + origin.0, left - window.col + origin.1),
            rows: bottom - top,
            cols: right - left,
        }
    }

    fn copy(&self, data: &[u8], piece: Window, size: usize, out: &mut [&mut [u8]], width: usize) {
        let length = self.cols * size;
        let planes = data.chunks_exact(piece.width * piece.height * size);
        for (plane, target) in planes.zip(out.iter_mut()) {
            let from = plane.chunks_exact(piece.width * size).skip(self.from.0);
            let to = target.chunks_exact_mut(width * size).skip(self.to.0);
            for (to, from) in to.zip(from).take(self.rows) {
                let (start, end) = (self.from.1 * size, self.to.1 * size);
                to[end..end + length].copy_from_slice(&from[start..start + length]);
            }
        }
    }
}
