//! Decode one unit of a source into the pieces of it that are kept.
use std::collections::HashMap;
use std::sync::Mutex;

use gdal::Dataset;

use crate::buffers::{Buffer, Buffers};
use crate::direct::DirectReader;
use crate::error::{Error, Result};
use crate::ffi::{self, Window};
use crate::info;
use crate::source::{Role, Source};

/// Most idle datasets that stay open, over all files.
const OPEN_FILES: usize = 128;

/// Most files that are read past GDAL, each of which stays open: many systems allow 1024.
const DIRECT_FILES: usize = 128;

/// Open datasets that no thread is using, by path, and the files that are read past GDAL.
#[derive(Default)]
pub(crate) struct Datasets {
    idle: Mutex<HashMap<String, Vec<Dataset>>>,
    direct: HashMap<String, DirectReader>,
}

impl Datasets {
    fn borrow(&self, path: &str) -> Result<Dataset> {
        let idle = self.idle.lock();
        let idle = idle.ok().and_then(|mut idle| idle.get_mut(path)?.pop());
        idle.map_or_else(|| info::open(path), Ok)
    }

    /// From now on a file's blocks are read without GDAL where that can be; of many files, the
    /// first ones.
    pub(crate) fn read_directly(&mut self, path: &str, reader: DirectReader) {
        if self.direct.len() < DIRECT_FILES {
            self.direct.insert(path.to_owned(), reader);
        }
    }

    /// Keeps an open dataset for the next reader; with many open, it is closed.
    pub(crate) fn give_back(&self, path: &str, dataset: Dataset) {
        if let Ok(mut idle) = self.idle.lock()
            && idle.values().map(Vec::len).sum::<usize>() < OPEN_FILES
        {
            idle.entry(path.to_owned()).or_default().push(dataset);
        }
    }

    /// Decodes the unit `unit` of a source; returns the pieces `keep`, (bands, rows, columns) each.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when GDAL cannot open or decode it.
    pub(crate) fn decode(
        &self,
        source: &Source,
        unit: Window,
        keep: &[Window],
        buffers: &Buffers,
    ) -> Result<Vec<Buffer>> {
        let dataset = self.borrow(&source.path)?;
        let pixel_bytes = source.pixel_bytes();
        let mut whole = buffers.take(unit.width * unit.height * pixel_bytes);
        let direct = self.direct.get(&source.path);
        let native = matches!(source.role, Role::Bands(_));
        let done = native
            && direct.is_some_and(|file| file.read(&dataset, &source.numbers, unit, &mut whole));
        if !done {
            read(&dataset, source, unit, &mut whole)?;
        }
        self.give_back(&source.path, dataset);
        if keep == [unit] {
            return Ok(vec![whole]);
        }
        let mut pieces = Vec::with_capacity(keep.len());
        for piece in keep {
            let mut out = buffers.take(piece.width * piece.height * pixel_bytes);
            copy_piece(&whole, unit, *piece, source.sample.size(), &mut out);
            pieces.push(out);
        }
        buffers.give_back(whole);
        Ok(pieces)
    }
}

fn read(dataset: &Dataset, source: &Source, unit: Window, out: &mut [u8]) -> Result<()> {
    let read = if source.numbers.is_empty() {
        ffi::read_mask(dataset, unit, out)
    } else {
        ffi::read(dataset, &source.numbers, unit, source.sample, out)
    };
    let fail = |message: String| info::short(&message, &source.path);
    read.map_err(|message| Error::unreadable(&source.path, fail(message)))
}

/// Copies a part of every plane of a unit.
fn copy_piece(whole: &[u8], unit: Window, piece: Window, size: usize, out: &mut [u8]) {
    let planes = whole.chunks_exact(unit.width * unit.height * size);
    let parts = out.chunks_exact_mut(piece.width * piece.height * size);
    let left = (piece.col - unit.col) * size;
    let length = piece.width * size;
    for (plane, part) in planes.zip(parts) {
        let rows = plane.chunks_exact(unit.width * size);
        for (to, from) in part
            .chunks_exact_mut(length)
            .zip(rows.skip(piece.row - unit.row))
        {
            to.copy_from_slice(&from[left..left + length]);
        }
    }
}
