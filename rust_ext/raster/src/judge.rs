//! Which pixels of a tile are valid, its statistics, its shares of nodata and of clouds.
use gair_core::shard::SampleType;

use crate::offset::add_offset;
use crate::source::{Layers, Role, same_number};
use crate::spec::{BandSpec, SceneSpec};
use crate::stats::{BandStats, mark_valid, measure};

/// What became of a tile's pixels.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    /// One entry a band.
    pub(crate) stats: Vec<BandStats>,
    /// Share of pixels that are valid in no band.
    pub(crate) nodata_fraction: f64,
    /// Share of pixels that are valid in a band and cloudy; NaN without cloud bands.
    pub(crate) cloud_fraction: f64,
}

/// How the pixels of one band are judged.
#[derive(Debug, Clone)]
struct Rule {
    /// Values of pixels that are invalid.
    nodata: Vec<Option<f64>>,
    /// Whether the mask counts for it; where a kernel kept to the mask already, it does not.
    masked: bool,
    /// Whether invalid pixels hold another value than they should.
    burn: bool,
    offset: f64,
}

/// How the pixels of a scene's tiles are judged.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    sample: SampleType,
    bands: Vec<Rule>,
    clouds: bool,
}

impl Rules {
    pub(crate) fn new(spec: &SceneSpec, layers: &Layers) -> Self {
        let mut bands: Vec<Rule> = spec.bands.iter().map(|band| Rule::of(spec, band)).collect();
        for layer in layers.layers.iter().filter(|layer| !layer.is_shifted()) {
            for source in &layer.sources {
                if let Role::Bands(numbers) = &source.role {
                    for number in numbers {
                        bands[*number].resampled(spec, layer.mask().is_some());
                    }
                }
            }
        }
        Self {
            sample: spec.sample,
            bands,
            clouds: !spec.clouds.is_empty(),
        }
    }
}

impl Rule {
    /// The rule of a band whose pixels are copied.
    fn of(spec: &SceneSpec, band: &BandSpec) -> Self {
        let same = same_number(band.nodata, spec.nodata);
        let mut nodata = vec![band.nodata];
        nodata.extend((!same).then_some(spec.nodata));
        Self {
            nodata,
            masked: spec.mask.is_some(),
            burn: spec.mask.is_some() || !same,
            offset: band.offset,
        }
    }

    /// A kernel marks invalid pixels as the tiles do.
    fn resampled(&mut self, spec: &SceneSpec, by_mask: bool) {
        self.nodata = vec![spec.nodata];
        self.masked &= !by_mask;
        self.burn = self.masked;
    }
}

/// Buffers of one thread.
#[derive(Default)]
pub(crate) struct Judge {
    ones: Vec<u8>,
    valid: Vec<u8>,
    anywhere: Vec<u8>,
}

impl Judge {
    /// Judges (C, H, W) pixels under a mask: adds offsets, burns `fill` into invalid pixels.
    #[allow(clippy::cast_precision_loss)] // a tile has far fewer than 2^53 pixels
    pub(crate) fn judge(
        &mut self,
        rules: &Rules,
        fill: Option<&[u8]>,
        (pixels, mask, cloudy): (&mut [u8], &[u8], &[u8]),
    ) -> Judged {
        let plane = mask.len() * rules.sample.size();
        self.anywhere.clear();
        self.anywhere.resize(mask.len(), 0);
        self.ones.resize(mask.len(), 1);
        let mut stats = Vec::with_capacity(rules.bands.len());
        for (rule, values) in rules.bands.iter().zip(pixels.chunks_exact_mut(plane)) {
            stats.push(self.band(rules.sample, rule, fill, (values, mask)));
        }
        let valid: u64 = self.anywhere.iter().map(|flag| u64::from(*flag)).sum();
        let pairs = self.anywhere.iter().zip(cloudy);
        let cloud: u64 = pairs.map(|(any, cloud)| u64::from(any & cloud)).sum();
        let all = mask.len() as f64;
        Judged {
            stats,
            nodata_fraction: 1.0 - valid as f64 / all,
            cloud_fraction: if rules.clouds {
                cloud as f64 / all
            } else {
                f64::NAN
            },
        }
    }

    /// Judges one band; notes in `self.anywhere` where it is valid.
    fn band(
        &mut self,
        sample: SampleType,
        rule: &Rule,
        fill: Option<&[u8]>,
        (values, mask): (&mut [u8], &[u8]),
    ) -> BandStats {
        let mask = if rule.masked { mask } else { &self.ones };
        let anywhere = &mut self.anywhere;
        if let ([nodata], false, true) = (&rule.nodata[..], rule.burn, rule.offset == 0.0) {
            return measure(sample, values, *nodata, (mask, anywhere));
        }
        self.valid.clear();
        self.valid.extend_from_slice(mask);
        for nodata in &rule.nodata {
            mark_valid(sample, values, *nodata, &mut self.valid);
        }
        if rule.offset != 0.0 {
            add_offset(sample, values, (rule.offset, fill), &self.valid);
        }
        if let Some(fill) = fill.filter(|_| rule.burn) {
            burn(values, fill, &self.valid);
        }
        measure(sample, values, None, (&self.valid, anywhere))
    }
}

/// Writes `fill` where a pixel is not valid.
fn burn(values: &mut [u8], fill: &[u8], valid: &[u8]) {
    let cells = values.chunks_exact_mut(fill.len()).zip(valid);
    for (value, _) in cells.filter(|(_, flag)| **flag == 0) {
        value.copy_from_slice(fill);
    }
}

/// Marks the pixels of a plane of u32 that pass any test (mask, value).
pub(crate) fn mark_clouds(plane: &[u8], tests: &[(u32, u32)], cloudy: &mut [u8]) {
    for (cell, flag) in plane.chunks_exact(4).zip(cloudy) {
        let value = u32::from_le_bytes([cell[0], cell[1], cell[2], cell[3]]);
        let hit = tests.iter().any(|(mask, wanted)| value & mask == *wanted);
        *flag |= u8::from(hit);
    }
}
