//! Open a scene, plan its cut, and hand over what the worker sends batch by batch.
//!
//! While a batch is cut, the units of the next one are decoded by the same threads, and the
//! caller writes the one before. The worker owns all it touches, so that a caller who is
//! interrupted can leave it behind, even where GDAL waits for a network.
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use gair_core::shard::{TileEncoder, TileHeader};
use rayon::ThreadPool;

use crate::buffers::{Buffers, Files};
use crate::crs::geo_keys;
use crate::cut::{CutTile, Cutter};
use crate::error::{Error, Result};
use crate::grid::Frame;
use crate::pieces::Pieces;
use crate::plan::Need;
use crate::program::{Program, Sent};
use crate::schedule::{Schedule, schedule};
use crate::source::{Layer, Layers};
use crate::spec::{CutOptions, Request, SceneSpec};

/// What a cut costs, known before anything is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutCost {
    /// Tiles that are looked at.
    pub tiles: usize,
    /// Decodings of blocks (small ones and strips count together).
    pub blocks: usize,
    /// Those of blocks that had been decoded before.
    pub redecoded_blocks: usize,
    /// Bytes that are decoded.
    pub decoded_bytes: usize,
    /// Most bytes of decoded blocks that are held at a time.
    pub peak_bytes: usize,
}

/// What a caller who asks for tiles gets.
#[derive(Debug)]
pub enum Received {
    /// Tiles came; [`SceneCutter::pop`] hands them out.
    Tiles,
    /// Nothing came in time.
    Nothing,
    /// There are no more.
    End,
}

/// Cuts the tiles asked for out of one scene.
pub struct SceneCutter {
    program: Option<Program>,
    receiver: Option<Receiver<Sent>>,
    cancel: Arc<AtomicBool>,
    cost: CutCost,
    ready: VecDeque<CutTile>,
    files: Arc<Files>,
    dropped: usize,
}

impl SceneCutter {
    /// Opens a scene and plans the cut; nothing is decoded before the first [`receive`].
    ///
    /// [`receive`]: SceneCutter::receive
    ///
    /// # Errors
    /// [`Error::Unreadable`] when a file cannot be opened, [`Error::Unusable`] when files and
    /// spec do not fit together, [`Error::Memory`] when one tile needs more than is allowed.
    pub fn new(
        spec: SceneSpec,
        request: Request,
        options: CutOptions,
        cancel: Arc<AtomicBool>,
    ) -> Result<Self> {
        let header = header(&spec, &request, &options)?;
        if let Some(level) = options.level {
            TileEncoder::new(level)?;
        }
        let layers = Layers::open(&spec, &request.target, options.threads)?;
        let frames: Vec<Frame> = (0..request.len()).map(|n| request.frame(n)).collect();
        let needs: Result<Vec<Need>> = layers.layers.iter().map(|l| need(l, &frames)).collect();
        let needs = needs?;
        let tile_bytes = spec.bands.len() * request.size.0 * request.size.1 * spec.sample.size();
        let first = options.first.min(frames.len());
        let Schedule { order, plan } =
            schedule(&needs, &frames, tile_bytes, options.memory, first)?;
        let cost = CutCost {
            tiles: order.len() - first,
            blocks: plan.blocks,
            redecoded_blocks: plan.redecoded,
            decoded_bytes: plan.decoded_bytes,
            peak_bytes: plan.peak,
        };
        let pieces = needs.into_iter().map(|need| need.pieces).collect();
        let threads = options.threads.max(1);
        let cutter = Cutter::new(spec, request, layers, pieces, header, options)?;
        let files = Arc::clone(&cutter.files);
        let program = Program {
            cutter,
            order,
            first,
            batches: plan.batches,
            peak: plan.peak,
            pool: pool(threads)?,
            buffers: Buffers::default(),
            cancel: Arc::clone(&cancel),
        };
        Ok(Self {
            program: Some(program),
            receiver: None,
            cancel,
            cost,
            ready: VecDeque::new(),
            files,
            dropped: 0,
        })
    }

    /// What the cut costs.
    #[must_use]
    pub fn cost(&self) -> CutCost {
        self.cost
    }

    /// How many tiles were left out so far: nodata only, or above a limit.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// The next tile that was received.
    pub fn pop(&mut self) -> Option<CutTile> {
        self.ready.pop_front()
    }

    /// Puts a tile back to be the next.
    pub fn push_back(&mut self, tile: CutTile) {
        self.ready.push_front(tile);
    }

    /// Takes back the bytes of a tile that is written, for the next ones.
    pub fn reuse(&self, bytes: Vec<u8>) {
        self.files.give_back(bytes);
    }

    /// Waits for the next batch of tiles, at most as long as `patience`.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when a block cannot be decoded, [`Error::Cancelled`] when asked to
    /// stop, [`Error::Broken`] when the worker broke down.
    pub fn receive(&mut self, patience: Duration) -> Result<Received> {
        if let Some(program) = self.program.take() {
            self.receiver = Some(program.start()?);
        }
        let Some(receiver) = &self.receiver else {
            return Ok(Received::End);
        };
        let last = match receiver.recv_timeout(patience) {
            Ok(Ok(Some((tiles, dropped)))) => {
                self.dropped += dropped;
                self.ready.extend(tiles);
                return Ok(Received::Tiles);
            }
            Err(RecvTimeoutError::Timeout) => return Ok(Received::Nothing),
            Ok(Ok(None)) => Ok(Received::End),
            Ok(Err(error)) => Err(error),
            Err(RecvTimeoutError::Disconnected) => Err(Error::Broken),
        };
        self.receiver = None;
        last
    }
}

impl Drop for SceneCutter {
    fn drop(&mut self) {
        self.cancel.store(true, Ordering::Relaxed);
    }
}

/// The threads of one cut.
pub(crate) fn pool(threads: usize) -> Result<ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|number| format!("gair-{number}"))
        .build()
        .map_err(|error| Error::Unusable(format!("no threads can be started: {error}")))
}

/// What all tiles of a request share.
///
/// # Errors
/// [`Error::Unusable`] when a `GeoTIFF` cannot hold the CRS.
pub(crate) fn header(
    spec: &SceneSpec,
    request: &Request,
    options: &CutOptions,
) -> Result<TileHeader> {
    Ok(TileHeader {
        width: request.size.1,
        height: request.size.0,
        sample: spec.sample,
        band_names: spec.bands.iter().map(|band| band.name.clone()).collect(),
        nodata: options.nodata_text.clone(),
        geo_keys: geo_keys(&request.target.crs)?,
    })
}

/// What frames of the target need of a layer.
///
/// # Errors
/// [`Error::Unusable`] when PROJ cannot be set up for this thread.
pub(crate) fn need(layer: &Layer, frames: &[Frame]) -> Result<Need> {
    let windows: Result<Vec<_>> = frames.iter().map(|frame| layer.window(*frame)).collect();
    let windows = windows?;
    Ok(Need {
        pieces: Pieces::new(layer.size, layer.unit, &windows),
        unit: layer.unit,
        pixel_bytes: layer.pixel_bytes(),
        sources: layer.sources.len(),
        windows,
    })
}

#[cfg(test)]
mod tests;
