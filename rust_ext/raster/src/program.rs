//! The worker of one cut: decodes, cuts and sends batch by batch.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::buffers::Buffers;
use crate::cut::{CutTile, Cutter};
use crate::error::{Error, Result};
use crate::plan::Batch;
use crate::store::{Decoded, Store, decode};
use crate::working::Working;

/// Finished batches that may wait for the caller.
const WAITING: usize = 1;

/// Tiles of a batch, and how many were left out.
pub(crate) type Cut = (Vec<CutTile>, usize);

/// What the worker sends: a batch, an error, or `None` once all are sent. One that breaks down
/// sends nothing more, which must not look like the end.
pub(crate) type Sent = Result<Option<Cut>>;

/// What the worker needs.
pub(crate) struct Program {
    pub(crate) cutter: Cutter,
    pub(crate) order: Vec<usize>,
    pub(crate) first: usize,
    pub(crate) batches: Vec<Batch>,
    /// Most bytes of decoded blocks that are held at a time.
    pub(crate) peak: usize,
    pub(crate) pool: ThreadPool,
    pub(crate) buffers: Buffers,
    pub(crate) cancel: Arc<AtomicBool>,
}

impl Program {
    /// Starts the worker; what it sends is received here.
    pub(crate) fn start(self) -> Result<Receiver<Sent>> {
        let (sender, receiver) = sync_channel(WAITING);
        let run = move || {
            let working = Working::begin();
            let last = self.run(&sender).map(|()| None);
            // files are closed and memory is free before the caller goes on
            drop(self);
            drop(working);
            // a caller who is gone needs no word
            let _ = sender.send(last);
        };
        let builder = std::thread::Builder::new().name("gair-cutter".to_owned());
        let thread = builder.spawn(run);
        thread.map_err(|error| Error::Unusable(format!("no thread can be started: {error}")))?;
        Ok(receiver)
    }

    fn run(&self, sender: &SyncSender<Sent>) -> Result<()> {
        let mut store = Store::default();
        let mut ahead: Option<Decoded> = None;
        for (number, batch) in self.batches.iter().enumerate() {
            store.drop(&batch.evict, &self.buffers);
            let decoded = match ahead.take() {
                Some(decoded) => decoded,
                None => self.pool.install(|| self.decode(batch))?,
            };
            store.insert(decoded);
            let next = self.batches.get(number + 1).filter(|next| next.ahead);
            self.buffers.keep(self.peak.saturating_sub(store.bytes()));
            let (cut, next) = self.pool.install(|| {
                rayon::join(
                    || self.cut(batch, &store),
                    || next.map(|next| self.decode(next)).transpose(),
                )
            });
            store.drop(&batch.drop, &self.buffers);
            let cut = cut?;
            ahead = next?;
            if sender.send(Ok(Some(cut))).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn decode(&self, batch: &Batch) -> Result<Decoded> {
        let (layers, pieces) = (&self.cutter.layers, &self.cutter.pieces);
        decode(layers, pieces, &batch.reads, &self.buffers, &self.cancel)
    }

    fn cut(&self, batch: &Batch, store: &Store) -> Result<Cut> {
        let one = |position: usize| {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            let position = self.first + position;
            self.cutter.cut(position, self.order[position], store)
        };
        let tiles = batch.tiles.clone().into_par_iter().with_max_len(1);
        let cut: Result<Vec<Option<CutTile>>> = tiles.map(one).collect();
        let tiles: Vec<CutTile> = cut?.into_iter().flatten().collect();
        let dropped = batch.tiles.len() - tiles.len();
        Ok((tiles, dropped))
    }
}
