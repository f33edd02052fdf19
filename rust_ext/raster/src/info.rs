//! What a raster says of itself, and windows of its pixels.
use gair_core::shard::SampleType;
use gdal::raster::{ColorInterpretation, RasterBand};
use gdal::{Dataset, DatasetOptions, GdalOpenFlags, Metadata};

use crate::crs;
use crate::error::{Error, Result};
use crate::ffi::{self, Window};
use crate::setup::{self, WithoutSiblings};

/// One band of a raster.
#[derive(Debug, Clone)]
pub struct BandInfo {
    /// Its description, empty where it has none.
    pub description: String,
    /// Type of its values; `None` for complex numbers.
    pub sample: Option<SampleType>,
    /// The value that means "no data".
    pub nodata: Option<f64>,
    /// What stored values are multiplied by to get units.
    pub scale: Option<f64>,
    /// What is added to scaled values to get units.
    pub offset: Option<f64>,
    /// Whether it is the raster's alpha band.
    pub alpha: bool,
}

/// What a raster says of itself.
#[derive(Debug, Clone)]
pub struct RasterInfo {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Its bands in order.
    pub bands: Vec<BandInfo>,
    /// `EPSG:n`, or WKT2, or nothing.
    pub crs: Option<String>,
    /// a, b, c, d, e, f as in rasterio.
    pub transform: Option<[f64; 6]>,
    /// Columns and rows of a block.
    pub block: (usize, usize),
    /// Whether a block holds all bands.
    pub pixel_interleaved: bool,
    /// Whether a mask band (not nodata, not alpha) says which pixels are valid.
    pub masked: bool,
    /// Default metadata, in the file's order.
    pub tags: Vec<(String, String)>,
}

impl RasterInfo {
    /// The band of a number, counted from 1; `path` is for the message.
    pub(crate) fn band(&self, path: &str, number: usize) -> Result<&BandInfo> {
        let band = number
            .checked_sub(1)
            .and_then(|index| self.bands.get(index));
        band.ok_or_else(|| Error::Unusable(format!("{path} has no band {number}")))
    }

    /// How many bands one block holds.
    pub(crate) fn block_bands(&self) -> usize {
        if self.pixel_interleaved {
            self.bands.len()
        } else {
            1
        }
    }

    /// Bytes of the widest value.
    pub(crate) fn sample_bytes(&self) -> usize {
        let sizes = self.bands.iter().filter_map(|band| band.sample);
        sizes.map(SampleType::size).max().unwrap_or(8)
    }
}

/// Opens a raster for reading.
pub(crate) fn open(path: &str) -> Result<Dataset> {
    setup::setup();
    ffi::forget_errors();
    let _without = WithoutSiblings::for_remote(path);
    let options = DatasetOptions {
        open_flags: GdalOpenFlags::GDAL_OF_RASTER
            | GdalOpenFlags::GDAL_OF_READONLY
            | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR,
        ..DatasetOptions::default()
    };
    Dataset::open_ex(path, options).map_err(|error| {
        let message = ffi::last_failure().unwrap_or_else(|| error.to_string());
        Error::unreadable(path, short(&message, path))
    })
}

/// GDAL often begins its message with the file's name, which our errors say already.
pub(crate) fn short(message: &str, path: &str) -> String {
    let rest = message
        .strip_prefix(&format!("`{path}' "))
        .unwrap_or(message);
    let rest = rest.strip_prefix(path).unwrap_or(rest);
    rest.trim_start_matches([':', ',', ' ']).to_owned()
}

/// Describes a raster.
///
/// # Errors
/// [`Error::Unreadable`] when GDAL cannot open it.
pub fn describe(path: &str) -> Result<RasterInfo> {
    describe_open(&open(path)?, path)
}

pub(crate) fn describe_open(dataset: &Dataset, path: &str) -> Result<RasterInfo> {
    let (width, height) = dataset.raster_size();
    let bands: Vec<RasterBand<'_>> = dataset
        .rasterbands()
        .collect::<gdal::errors::Result<_>>()
        .map_err(|error| Error::unreadable(path, error.to_string()))?;
    let first = bands
        .first()
        .ok_or_else(|| Error::unreadable(path, "it has no raster bands"))?;
    let flags = first
        .mask_flags()
        .map_err(|error| Error::unreadable(path, error.to_string()))?;
    let crs = dataset
        .spatial_ref()
        .ok()
        .map(|system| crs::name_of(&system))
        .transpose()?;
    Ok(RasterInfo {
        width,
        height,
        crs,
        transform: ffi::transform_of(dataset),
        block: first.block_size(),
        pixel_interleaved: bands.len() > 1 && is_pixel_interleaved(dataset),
        masked: flags.is_per_dataset() && !flags.is_alpha(),
        tags: tags(dataset),
        bands: bands.iter().map(band_info).collect(),
    })
}

/// Whether a block holds all bands.
///
/// GDAL 3.6 may walk the boxes of a damaged JPEG 2000 file in a circle for ever when it is asked
/// for the structure of the image; all components of such a file are decoded together anyway.
fn is_pixel_interleaved(dataset: &Dataset) -> bool {
    let order = || dataset.metadata_item("INTERLEAVE", "IMAGE_STRUCTURE");
    dataset.driver().short_name().starts_with("JP2") || order().as_deref() == Some("PIXEL")
}

/// Metadata of the default domain; asking for all domains would ask for the image's structure.
fn tags(dataset: &Dataset) -> Vec<(String, String)> {
    let entries = dataset.metadata_domain("").unwrap_or_default();
    let pairs = entries.iter().filter_map(|entry| entry.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn band_info(band: &RasterBand<'_>) -> BandInfo {
    let signed = band
        .metadata_item("PIXELTYPE", "IMAGE_STRUCTURE")
        .as_deref()
        == Some("SIGNEDBYTE");
    BandInfo {
        description: band.description().unwrap_or_default(),
        sample: ffi::sample_of(band.band_type() as u32, signed),
        nodata: band.no_data_value(),
        scale: band.scale(),
        offset: band.offset(),
        alpha: band.color_interpretation() == ColorInterpretation::AlphaBand,
    }
}

/// Reads a window of some bands (numbered from 1) as (C, h, w) little-endian bytes.
///
/// Every band is converted to the type of the first one asked for, which is returned too.
///
/// # Errors
/// [`Error::Unreadable`] when GDAL cannot open or decode it, [`Error::Unusable`] when the window
/// or a band lies outside the raster or its values are complex.
pub fn read_window(
    path: &str,
    bands: &[usize],
    window: Option<Window>,
) -> Result<(SampleType, [usize; 3], Vec<u8>)> {
    let dataset = open(path)?;
    let info = describe_open(&dataset, path)?;
    let all: Vec<usize> = (1..=info.bands.len()).collect();
    let bands = if bands.is_empty() { &all } else { bands };
    let whole = Window {
        col: 0,
        row: 0,
        width: info.width,
        height: info.height,
    };
    let window = window.unwrap_or(whole);
    let outside = || Error::Unusable(format!("{path}: band {bands:?} is not there"));
    let first = bands
        .first()
        .and_then(|band| band.checked_sub(1))
        .ok_or_else(outside)?;
    let sample = info.bands.get(first).ok_or_else(outside)?.sample;
    let sample = sample.ok_or_else(|| Error::Unusable(format!("{path}: complex values")))?;
    let mut data = vec![0; bands.len() * window.width * window.height * sample.size()];
    ffi::read(&dataset, bands, window, sample, &mut data)
        .map_err(|message| Error::unreadable(path, short(&message, path)))?;
    Ok((sample, [bands.len(), window.height, window.width], data))
}
