//! Blocks of plain TIFF files read past GDAL: its word on where they are, our own decompression.
//!
//! Only what is certain is read here: local `GeoTIFF` files whose blocks are stored whole, deflated
//! or as ZSTD, with whole numbers of 8 to 64 bits or IEEE floats. Everything else, missing blocks
//! and damaged ones too, is left to GDAL, so that its answer or its message is the one that counts.

mod file;
mod inflate;
mod part;
mod tags;

use std::fs::File;

use gair_core::shard::{Predictor, SampleType};
use gdal::{Dataset, Metadata};

use crate::ffi::Window;
use crate::info::RasterInfo;
use inflate::{Codec, unpack, with_plain};
use part::{Blocks, Part};
use tags::Tags;

/// No block of ours is larger; GDAL reads those that are.
const LARGEST_BLOCK: usize = 1 << 30;

/// Reads windows of one file's bands; shared by threads, each with a dataset of its own.
#[derive(Debug)]
pub struct DirectReader {
    file: File,
    length: u64,
    /// Columns, rows, bands.
    raster: (usize, usize, usize),
    blocks: Blocks,
    /// Values of a block's pixel: all bands, or one.
    samples: usize,
    /// Bytes of a value.
    size: usize,
    codec: Codec,
    predictor: Predictor,
    big_endian: bool,
}

impl DirectReader {
    /// Looks whether a file is one that can be read here; `dataset` is the same file in GDAL.
    #[must_use]
    pub fn open(dataset: &Dataset, path: &str, info: &RasterInfo) -> Option<Self> {
        if dataset.driver().short_name() != "GTiff" || !std::fs::metadata(path).ok()?.is_file() {
            return None;
        }
        let file = File::open(path).ok()?;
        let band = dataset.rasterband(1).ok()?;
        let directory = band.metadata_item("IFD_OFFSET", "TIFF")?.parse().ok()?;
        let tags = Tags::read(&file, directory)?;
        let sample = sample_of(info)?;
        let codec = Codec::from_code(tags.compression)?;
        let reader = Self {
            length: file.metadata().ok()?.len(),
            file,
            raster: (info.width, info.height, info.bands.len()),
            blocks: Blocks {
                size: info.block,
                tiled: tags.tiled,
                height: info.height,
            },
            samples: if tags.planar == 1 {
                info.bands.len()
            } else {
                1
            },
            size: sample.size(),
            codec,
            predictor: tags.predictor_of(codec)?,
            big_endian: tags.big_endian,
        };
        (tags.fit(info, sample) && reader.is_certain()).then_some(reader)
    }

    fn is_certain(&self) -> bool {
        let (width, height) = self.blocks.size;
        let bytes = product([width, height, self.samples, self.size]);
        let regrouped = self.predictor == Predictor::FloatingPoint && self.samples > 1;
        bytes.is_some_and(|bytes| (1..=LARGEST_BLOCK).contains(&bytes)) && !regrouped
    }

    /// Reads a window of some bands (numbered from 1) into (C, h, w) little-endian values.
    ///
    /// `false` leaves the window to GDAL: a block is missing or damaged, or an argument lies
    /// outside the raster; `out` then holds anything.
    #[must_use]
    pub fn read(&self, dataset: &Dataset, bands: &[usize], window: Window, out: &mut [u8]) -> bool {
        self.covers(bands, window, out.len())
            && self
                .blocks
                .parts(window)
                .all(|part| self.read_part(dataset, bands, &part, out).is_some())
    }

    fn covers(&self, bands: &[usize], window: Window, length: usize) -> bool {
        let (width, height, count) = self.raster;
        let inside = |start: usize, length: usize, limit: usize| {
            length > 0 && start.checked_add(length).is_some_and(|end| end <= limit)
        };
        let wanted = product([bands.len(), window.width, window.height, self.size]);
        inside(window.col, window.width, width)
            && inside(window.row, window.height, height)
            && bands.iter().all(|band| (1..=count).contains(band))
            && wanted == Some(length)
    }

    fn read_part(
        &self,
        dataset: &Dataset,
        bands: &[usize],
        part: &Part,
        out: &mut [u8],
    ) -> Option<()> {
        let plane = out.len() / bands.len().max(1);
        if self.samples > 1 {
            return self.read_interleaved(dataset, bands, part, out);
        }
        for (band, plane) in bands.iter().zip(out.chunks_exact_mut(plane.max(1))) {
            self.read_plane(dataset, *band, part, plane)?;
        }
        Some(())
    }

    /// Reads what a block of one band shares with the window; a whole block needs no copy.
    fn read_plane(
        &self,
        dataset: &Dataset,
        band: usize,
        part: &Part,
        plane: &mut [u8],
    ) -> Option<()> {
        let stored_at = self.locate(dataset, band, part.block)?;
        let row = self.blocks.size.0 * self.size;
        let length = part.stored * row;
        if part.is_whole(self.blocks.size.0) {
            let target = plane.get_mut(part.start * self.size..)?.get_mut(..length)?;
            unpack(&self.file, self.codec, stored_at, target)?;
            self.restore(target);
            return Some(());
        }
        with_plain(length, |plain| {
            unpack(&self.file, self.codec, stored_at, plain)?;
            let wanted = &mut plain[part.rows.start * row..part.rows.end * row];
            self.restore(wanted);
            for (index, values) in wanted.chunks_exact(row).enumerate() {
                part.place(index, values, self.size, plane);
            }
            Some(())
        })
    }

    /// Reads what a block of all bands shares with the window, band by band.
    fn read_interleaved(
        &self,
        dataset: &Dataset,
        bands: &[usize],
        part: &Part,
        out: &mut [u8],
    ) -> Option<()> {
        let stored_at = self.locate(dataset, 1, part.block)?;
        let row = self.blocks.size.0 * self.size;
        let plane = out.len() / bands.len().max(1);
        let mut line = vec![0; row];
        with_plain(part.stored * row * self.samples, |plain| {
            unpack(&self.file, self.codec, stored_at, plain)?;
            let rows = plain.chunks_exact(row * self.samples);
            let wanted = rows.skip(part.rows.start).take(part.rows.len());
            for (index, pixels) in wanted.enumerate() {
                for (band, plane) in bands.iter().zip(out.chunks_exact_mut(plane.max(1))) {
                    // differences are taken band by band, so they may be parted first
                    pick(pixels, (self.samples, band - 1), self.size, &mut line);
                    self.restore(&mut line);
                    part.place(index, &line, self.size, plane);
                }
            }
            Some(())
        })
    }

    /// Turns stored rows of one band into little-endian values.
    fn restore(&self, rows: &mut [u8]) {
        // the floating-point predictor has an order of bytes of its own
        if self.big_endian && self.predictor != Predictor::FloatingPoint {
            rows.chunks_exact_mut(self.size).for_each(<[u8]>::reverse);
        }
        self.predictor.undo(rows, self.blocks.size.0, self.size);
    }

    /// Asks GDAL where a block is: its first byte and its length, inside the file.
    fn locate(
        &self,
        dataset: &Dataset,
        band: usize,
        (col, row): (usize, usize),
    ) -> Option<(u64, usize)> {
        let band = dataset.rasterband(band).ok()?;
        let item = |name: &str| -> Option<u64> {
            let key = format!("BLOCK_{name}_{col}_{row}");
            band.metadata_item(&key, "TIFF")?.parse().ok()
        };
        let (offset, length) = (item("OFFSET")?, item("SIZE")?);
        let inside = offset.checked_add(length)? <= self.length;
        usize::try_from(length)
            .ok()
            .filter(|_| inside)
            .map(|length| (offset, length))
    }
}

fn product(factors: [usize; 4]) -> Option<usize> {
    factors.into_iter().try_fold(1_usize, usize::checked_mul)
}

/// The type of all bands.
fn sample_of(info: &RasterInfo) -> Option<SampleType> {
    let first = info.bands.first()?.sample;
    info.bands
        .iter()
        .all(|band| band.sample == first)
        .then_some(first)?
}

/// Takes one band's values out of a row of pixels of `samples` bands.
fn pick(pixels: &[u8], (samples, index): (usize, usize), size: usize, line: &mut [u8]) {
    fn of<const N: usize>(pixels: &[u8], samples: usize, index: usize, line: &mut [u8]) {
        let values = pixels
            .as_chunks::<N>()
            .0
            .iter()
            .skip(index)
            .step_by(samples);
        for (to, from) in line.as_chunks_mut::<N>().0.iter_mut().zip(values) {
            *to = *from;
        }
    }
    match size {
        1 => of::<1>(pixels, samples, index, line),
        2 => of::<2>(pixels, samples, index, line),
        4 => of::<4>(pixels, samples, index, line),
        _ => of::<8>(pixels, samples, index, line),
    }
}

#[cfg(test)]
mod tests;
