//! Take what a frame of the target needs out of the store: copied, or resampled.
use crate::error::{Error, Result};
use crate::ffi::Window;
use crate::grid::Frame;
use crate::judge::mark_clouds;
use crate::pieces::Pieces;
use crate::resample::{Placement, Scratch, Source, Target, Values};
use crate::source::Layer;
use crate::store::Store;

use gair_core::shard::SampleType;

/// What one layer has of one frame.
pub(crate) struct Part<'a> {
    /// The layer's place in the store.
    pub(crate) place: usize,
    pub(crate) layer: &'a Layer,
    pub(crate) pieces: &'a Pieces,
    pub(crate) frame: Frame,
    pub(crate) store: &'a Store,
}

/// Buffers of one thread.
#[derive(Default)]
pub(crate) struct Gather {
    plane: Vec<u8>,
    source: Vec<u8>,
    usable: Vec<u8>,
    valid: Vec<u8>,
    scratch: Scratch,
}

/// No pixels at all.
const NOWHERE: Window = Window {
    col: 0,
    row: 0,
    width: 0,
    height: 0,
};

fn needs_nodata() -> Error {
    Error::Unusable("padding needs a nodata value to pad with".to_owned())
}

impl Part<'_> {
    /// Clears the flags of pixels that the mask leaves out, or that lie outside it.
    pub(crate) fn mask(&self, number: usize, mask: &mut [u8], gather: &mut Gather) -> Result<()> {
        let mut plane = std::mem::take(&mut gather.plane);
        plane.resize(mask.len(), 0);
        self.nearest(number, SampleType::UInt8, &mut plane, gather)?;
        for (flag, value) in mask.iter_mut().zip(&plane) {
            *flag &= u8::from(*value != 0);
        }
        gather.plane = plane;
        Ok(())
    }

    /// Sets the flags of pixels that pass any of the tests.
    pub(crate) fn clouds(
        &self,
        (number, tests): (usize, &[(u32, u32)]),
        cloudy: &mut [u8],
        gather: &mut Gather,
    ) -> Result<()> {
        let mut plane = std::mem::take(&mut gather.plane);
        plane.resize(cloudy.len() * 4, 0);
        self.nearest(number, SampleType::UInt32, &mut plane, gather)?;
        mark_clouds(&plane, tests, cloudy);
        gather.plane = plane;
        Ok(())
    }

    /// One plane of whole numbers by nearest neighbour; 0 outside.
    fn nearest(
        &self,
        number: usize,
        sample: SampleType,
        plane: &mut [u8],
        gather: &mut Gather,
    ) -> Result<()> {
        if self.layer.is_shifted() {
            let zero = &[0; 4][..sample.size()];
            return self.copy(number, Some(zero), &mut [plane]);
        }
        let values = Values {
            sample,
            nodata: None,
            fill: None,
        };
        self.resample(number, &values, true, &mut [plane], gather)
    }

    /// Copies planes of a layer that lies pixel on pixel; what is outside it becomes `fill`.
    ///
    /// # Errors
    /// [`Error::Unusable`] when something is outside and there is no `fill`.
    pub(crate) fn copy(
        &self,
        number: usize,
        fill: Option<&[u8]>,
        planes: &mut [&mut [u8]],
    ) -> Result<()> {
        let Placement::Shifted(shift) = &self.layer.placement else {
            return Ok(());
        };
        let there = self.frame.moved(shift.col, shift.row);
        let window = there.inside(shift.width, shift.height);
        let size = (self.frame.width, self.frame.height);
        if window.is_none_or(|window| (window.width, window.height) != size) {
            let fill = fill.ok_or_else(needs_nodata)?;
            for value in planes
                .iter_mut()
                .flat_map(|plane| plane.chunks_exact_mut(fill.len()))
            {
                value.copy_from_slice(fill);
            }
        }
        if let Some(window) = window {
            // what is inside the raster begins with it or behind it
            let skipped = |start: i64| usize::try_from(start.saturating_neg()).unwrap_or(0);
            let origin = (skipped(there.row), skipped(there.col));
            self.take((number, window), planes, (self.frame.width, origin));
        }
        Ok(())
    }

    /// Copies a window of one source out of the store.
    fn take(
        &self,
        (number, window): (usize, Window),
        planes: &mut [&mut [u8]],
        (width, origin): (usize, (usize, usize)),
    ) {
        let size = self.layer.sources[number].sample.size();
        let from = (self.place, number);
        self.store
            .copy(from, self.pieces, window, size, (planes, width, origin));
    }

    /// Resamples planes of a source; where nothing is valid there is what `values` says.
    ///
    /// # Errors
    /// [`Error::Unusable`] when a pixel is invalid and nothing could mark it (`marked`).
    pub(crate) fn resample(
        &self,
        number: usize,
        values: &Values,
        marked: bool,
        planes: &mut [&mut [u8]],
        gather: &mut Gather,
    ) -> Result<()> {
        let window = self.layer.window(self.frame)?.unwrap_or(NOWHERE);
        let usable = self.layer.mask().filter(|mask| *mask != number);
        let pixels = window.width * window.height;
        gather.usable.resize(pixels, 0);
        if let Some(mask) = usable.filter(|_| pixels > 0) {
            let mut out = [&mut gather.usable[..]];
            self.take((mask, window), &mut out, (window.width, (0, 0)));
        }
        let plane = pixels * values.sample.size();
        gather.source.resize(plane * planes.len(), 0);
        if pixels > 0 {
            let mut out: Vec<&mut [u8]> = gather.source.chunks_exact_mut(plane).collect();
            self.take((number, window), &mut out, (window.width, (0, 0)));
        }
        gather.valid.resize(self.frame.width * self.frame.height, 0);
        for (index, target) in planes.iter_mut().enumerate() {
            let source = Source {
                window,
                pixels: &gather.source[index * plane..][..plane],
                valid: usable.map(|_| &gather.usable[..]),
            };
            let mut target = Target {
                window: self.frame,
                pixels: target,
                valid: &mut gather.valid,
            };
            let (placement, kernel) = (&self.layer.placement, self.layer.kernel);
            placement.resample(kernel, values, &source, &mut target, &mut gather.scratch)?;
            if !marked && gather.valid.contains(&0) {
                return Err(needs_nodata());
            }
        }
        Ok(())
    }
}
