//! Cut one tile: gather its bands, judge its pixels, encode it.
use std::sync::{Arc, Mutex};

use gair_core::shard::{EncodedTile, SampleType, TileEncoder, TileHeader};

use crate::buffers::Files;
use crate::error::{Error, Result};
use crate::gather::{Gather, Part};
use crate::grid::Frame;
use crate::judge::{Judge, Judged, Rules};
use crate::pieces::Pieces;
use crate::resample::Values;
use crate::source::{Layers, Role};
use crate::spec::{CutOptions, Request, SceneSpec};
use crate::stats::{BandStats, nodata_bytes};
use crate::store::Store;

/// A finished tile.
#[derive(Debug)]
pub struct CutTile {
    /// Its place in the cutter's own order.
    pub position: usize,
    /// Its number among the tiles asked for.
    pub number: usize,
    /// Its pixels to CRS.
    pub transform: [f64; 6],
    /// The file.
    pub encoded: EncodedTile,
    /// One entry a band.
    pub stats: Vec<BandStats>,
    /// Share of pixels that are invalid in every band.
    pub nodata_fraction: f64,
    /// Share of pixels that are valid and cloudy; NaN where nothing says so.
    pub cloud_fraction: f64,
}

/// What all tiles of a request share.
pub(crate) struct Cutter {
    pub(crate) spec: SceneSpec,
    pub(crate) request: Request,
    pub(crate) layers: Layers,
    /// One entry a layer.
    pub(crate) pieces: Vec<Pieces>,
    header: TileHeader,
    options: CutOptions,
    fill: Option<Vec<u8>>,
    judged: Rules,
    idle: Mutex<Vec<Workspace>>,
    /// Memory of tiles that are written.
    pub(crate) files: Arc<Files>,
}

/// The buffers of one thread.
#[derive(Default)]
pub(crate) struct Workspace {
    /// (C, H, W) little-endian, from `start` on.
    pub(crate) pixels: Vec<u8>,
    /// Bytes that are left free for what a file begins with.
    start: usize,
    /// 1 where the mask lets a pixel be valid.
    pub(crate) mask: Vec<u8>,
    /// 1 where any cloud band says so.
    pub(crate) cloudy: Vec<u8>,
    pub(crate) judge: Judge,
    gather: Gather,
    encoder: Option<TileEncoder>,
}

impl Cutter {
    /// Puts together what was opened and planned.
    ///
    /// # Errors
    /// [`Error::Unusable`] when the type has no such nodata value.
    pub(crate) fn new(
        spec: SceneSpec,
        request: Request,
        layers: Layers,
        pieces: Vec<Pieces>,
        header: TileHeader,
        options: CutOptions,
    ) -> Result<Self> {
        let fill = fill_bytes(spec.sample, spec.nodata)?;
        let judged = Rules::new(&spec, &layers);
        Ok(Self {
            spec,
            request,
            layers,
            pieces,
            header,
            options,
            fill,
            judged,
            idle: Mutex::new(Vec::new()),
            files: Arc::default(),
        })
    }

    /// Cuts one tile; `None` when too little of it is valid.
    ///
    /// # Errors
    /// [`Error::Unusable`] when it reaches beyond the scene and there is no nodata value.
    pub(crate) fn cut(
        &self,
        position: usize,
        number: usize,
        store: &Store,
    ) -> Result<Option<CutTile>> {
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        let mut space = idle.unwrap_or_default();
        let tile = self.cut_in(&mut space, position, number, store);
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(space);
        }
        tile
    }

    fn cut_in(
        &self,
        space: &mut Workspace,
        position: usize,
        number: usize,
        store: &Store,
    ) -> Result<Option<CutTile>> {
        let frame = self.request.frame(number);
        let transform = self.request.target.transform_at(frame.col, frame.row);
        if self.options.level.is_none() {
            space.start = TileEncoder::plain_start(&self.header, &transform)?;
        }
        let judged = self.pixels(space, frame, (store, &self.pieces))?;
        if self.refuses(&judged) {
            return Ok(None);
        }
        let file = self.encode(space, &transform)?;
        Ok(Some(CutTile {
            position,
            number,
            transform,
            encoded: file,
            stats: judged.stats,
            nodata_fraction: judged.nodata_fraction,
            cloud_fraction: judged.cloud_fraction,
        }))
    }

    /// Makes a file of the pixels; without compression it is made around them.
    fn encode(&self, space: &mut Workspace, transform: &[f64; 6]) -> Result<EncodedTile> {
        let Some(level) = self.options.level else {
            let bytes = std::mem::replace(&mut space.pixels, self.files.take());
            return Ok(TileEncoder::complete_plain(&self.header, transform, bytes)?);
        };
        let encoder = match &mut space.encoder {
            Some(encoder) => encoder,
            None => space.encoder.insert(TileEncoder::new(level)?),
        };
        let memory = self.files.take();
        Ok(encoder.encode_into(&self.header, transform, &mut space.pixels, memory)?)
    }

    fn refuses(&self, judged: &Judged) -> bool {
        let empty = judged.stats.iter().all(|band| band.count == 0);
        empty
            || judged.nodata_fraction > self.options.max_nodata
            || judged.cloud_fraction > self.options.max_cloud
    }

    /// Leaves the pixels of a frame in `space.pixels`, invalid ones burned in, and judges them.
    ///
    /// # Errors
    /// As [`Cutter::cut`].
    pub(crate) fn pixels(
        &self,
        space: &mut Workspace,
        frame: Frame,
        (store, pieces): (&Store, &[Pieces]),
    ) -> Result<Judged> {
        let plane = frame.width * frame.height;
        let bands = self.spec.bands.len();
        let total = space.start + plane * self.spec.sample.size() * bands;
        if space.pixels.capacity() < total {
            // fresh pages are clear already
            space.pixels = vec![0; total];
        }
        space.pixels.resize(total, 0);
        space.mask.clear();
        space.mask.resize(plane, 1);
        space.cloudy.clear();
        space.cloudy.resize(plane, 0);
        let Workspace {
            pixels,
            mask,
            cloudy,
            judge,
            gather,
            start,
            ..
        } = space;
        let pixels = &mut pixels[*start..];
        for (number, layer) in self.layers.layers.iter().enumerate() {
            let part = Part {
                place: number,
                layer,
                pieces: &pieces[number],
                frame,
                store,
            };
            for (place, source) in layer.sources.iter().enumerate() {
                match &source.role {
                    Role::Bands(bands) => self.bands(&part, (place, bands), pixels, gather)?,
                    Role::Usable => {}
                    Role::Mask => part.mask(place, mask, gather)?,
                    Role::Cloud(number) => {
                        let tests = &self.spec.clouds[*number].tests;
                        part.clouds((place, tests), cloudy, gather)?;
                    }
                }
            }
        }
        Ok(judge.judge(&self.judged, self.fill.as_deref(), (pixels, mask, cloudy)))
    }

    /// Gathers the bands of one source of a layer into their planes.
    fn bands(
        &self,
        part: &Part<'_>,
        (place, bands): (usize, &[usize]),
        pixels: &mut [u8],
        gather: &mut Gather,
    ) -> Result<()> {
        let size = self.spec.sample.size() * part.frame.width * part.frame.height;
        let mut planes: Vec<Option<&mut [u8]>> = pixels.chunks_exact_mut(size).map(Some).collect();
        let mut out: Vec<&mut [u8]> = bands
            .iter()
            .filter_map(|band| planes[*band].take())
            .collect();
        if part.layer.is_shifted() {
            return part.copy(place, self.fill.as_deref(), &mut out);
        }
        let values = Values {
            sample: self.spec.sample,
            nodata: self.spec.bands[bands[0]].nodata,
            fill: self.spec.nodata,
        };
        part.resample(place, &values, self.fill.is_some(), &mut out, gather)
    }
}

/// The bytes that mark an invalid pixel in a tile, if there are such.
fn fill_bytes(sample: SampleType, nodata: Option<f64>) -> Result<Option<Vec<u8>>> {
    let wanted = nodata.or(sample.is_float().then_some(f64::NAN));
    wanted
        .map(|value| {
            nodata_bytes(sample, value)
                .ok_or_else(|| Error::Unusable(format!("{} has no value {value}", sample.name())))
        })
        .transpose()
}
