//! Read any window of a scene on a grid: what the tiles of `SceneCutter` are, before encoding.
use std::sync::atomic::AtomicBool;

use rayon::ThreadPool;

use crate::buffers::Buffers;
use crate::cut::{Cutter, Workspace};
use crate::engine::{header, need, pool};
use crate::error::{Error, Result};
use crate::grid::{Frame, Grid};
use crate::pieces::Pieces;
use crate::plan::Need;
use crate::schedule::schedule;
use crate::source::Layers;
use crate::spec::{CutOptions, Request, SceneSpec};
use crate::store::{Store, decode};

/// A scene whose files stay open.
pub struct SceneReader {
    cutter: Cutter,
    memory: Option<usize>,
    pool: ThreadPool,
    buffers: Buffers,
}

/// Pixels of a window.
#[derive(Debug)]
pub struct Pixels {
    /// (C, h, w) little-endian values of the scene's type; invalid ones hold its nodata value.
    pub values: Vec<u8>,
    /// C, h, w.
    pub shape: [usize; 3],
}

impl SceneReader {
    /// Opens a scene; windows are those of `target`.
    ///
    /// # Errors
    /// As [`crate::SceneCutter::new`].
    pub fn new(
        spec: SceneSpec,
        target: Grid,
        threads: usize,
        memory: Option<usize>,
    ) -> Result<Self> {
        let request = Request {
            target,
            size: (1, 1),
            tops: Vec::new(),
            lefts: Vec::new(),
        };
        let options = CutOptions {
            nodata_text: None,
            max_nodata: 1.0,
            max_cloud: 1.0,
            level: None,
            first: 0,
            threads,
            memory,
        };
        let header = header(&spec, &request, &options)?;
        let layers = Layers::open(&spec, &request.target, threads)?;
        Ok(Self {
            cutter: Cutter::new(spec, request, layers, Vec::new(), header, options)?,
            memory,
            pool: pool(threads.max(1))?,
            buffers: Buffers::default(),
        })
    }

    /// Reads a window, which may begin before the grid or end behind it.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when a block cannot be decoded, [`Error::Unusable`] when something
    /// is outside and there is no nodata value, [`Error::Memory`] as in a cut,
    /// [`Error::Cancelled`] when asked to stop.
    pub fn read(&self, frame: Frame, cancel: &AtomicBool) -> Result<Pixels> {
        let spec = &self.cutter.spec;
        let shape = [spec.bands.len(), frame.height, frame.width];
        let product = shape
            .iter()
            .try_fold(spec.sample.size(), |all, one| all.checked_mul(*one));
        let bytes = product
            .filter(|bytes| *bytes > 0)
            .ok_or_else(|| Error::Unusable(format!("{frame:?} is no window")))?;
        let needs: Result<Vec<Need>> = self
            .cutter
            .layers
            .layers
            .iter()
            .map(|layer| need(layer, &[frame]))
            .collect();
        let needs = needs?;
        let plan = schedule(&needs, &[frame], bytes, self.memory, 0)?.plan;
        let pieces: Vec<Pieces> = needs.into_iter().map(|need| need.pieces).collect();
        let (mut store, mut space) = (Store::default(), Workspace::default());
        for batch in &plan.batches {
            let (layers, reads) = (&self.cutter.layers, &batch.reads);
            let decode = || decode(layers, &pieces, reads, &self.buffers, cancel);
            store.insert(self.pool.install(decode)?);
            self.buffers.keep(0);
            self.cutter.pixels(&mut space, frame, (&store, &pieces))?;
            store.drop(&batch.drop, &self.buffers);
        }
        Ok(Pixels {
            values: space.pixels,
            shape,
        })
    }
}
