//! Write `GeoTIFFs`: plain ones whole, cloud-optimised ones window by window.
use std::path::{Path, PathBuf};

use gair_core::shard::SampleType;
use gdal::{Dataset, Metadata};

use crate::error::{Error, Result};
use crate::ffi::{self, Window};
use crate::{crs, setup};

/// What a new raster is to be.
#[derive(Debug, Clone)]
pub struct RasterSpec {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Type of every band.
    pub sample: SampleType,
    /// One name a band; an empty one is left out.
    pub band_names: Vec<String>,
    /// `EPSG:n`, WKT or PROJ; nothing leaves the raster without a CRS.
    pub crs: Option<String>,
    /// a, b, c, d, e, f as in rasterio.
    pub transform: [f64; 6],
    /// The value that means "no data".
    pub nodata: Option<f64>,
    /// Metadata of the default domain.
    pub tags: Vec<(String, String)>,
}

/// How the file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Tiled, deflated, no overviews.
    Plain,
    /// Cloud-optimised: overviews, then blocks in reading order.
    CloudOptimised,
}

/// Writes windows into a raster that appears under its name when it is finished.
pub struct GeoTiffWriter {
    dataset: Option<Dataset>,
    spec: RasterSpec,
    target: PathBuf,
    layout: Layout,
}

const PLAIN: [(&str, &str); 6] = [
    ("TILED", "YES"),
    ("BLOCKXSIZE", "256"),
    ("BLOCKYSIZE", "256"),
    ("COMPRESS", "DEFLATE"),
    ("BIGTIFF", "IF_SAFER"),
    ("INTERLEAVE", "BAND"),
];

const SCRATCH: [(&str, &str); 7] = [
    ("TILED", "YES"),
    ("BLOCKXSIZE", "512"),
    ("BLOCKYSIZE", "512"),
    ("COMPRESS", "NONE"),
    ("BIGTIFF", "IF_SAFER"),
    ("INTERLEAVE", "BAND"),
    ("SPARSE_OK", "TRUE"),
];

const CLOUD_OPTIMISED: [(&str, &str); 5] = [
    ("COMPRESS", "DEFLATE"),
    ("PREDICTOR", "YES"),
    ("BLOCKSIZE", "512"),
    ("OVERVIEW_RESAMPLING", "AVERAGE"),
    ("BIGTIFF", "IF_SAFER"),
];

impl GeoTiffWriter {
    /// Creates the raster beside its final place.
    ///
    /// # Errors
    /// [`Error::Unwritable`] when the file cannot be made, [`Error::Unusable`] when the CRS is
    /// unknown.
    pub fn create(path: &Path, spec: RasterSpec, layout: Layout) -> Result<Self> {
        setup();
        let system = spec.crs.as_deref().map(crs::parse).transpose()?;
        let mut writer = Self {
            dataset: None,
            spec,
            target: path.to_owned(),
            layout,
        };
        let building = writer.building();
        let mut dataset = writer.create_dataset(&building)?;
        let fail = |error: gdal::errors::GdalError| Error::unwritable(&building, error.to_string());
        if let Some(system) = system {
            dataset.set_spatial_ref(&system).map_err(fail)?;
        }
        let [a, b, west, d, e, north] = writer.spec.transform;
        dataset
            .set_geo_transform(&[west, a, b, north, d, e])
            .map_err(fail)?;
        for (key, value) in &writer.spec.tags {
            dataset.set_metadata_item(key, value, "").map_err(fail)?;
        }
        writer.describe_bands(&mut dataset).map_err(fail)?;
        writer.dataset = Some(dataset);
        Ok(writer)
    }

    fn create_dataset(&self, building: &str) -> Result<Dataset> {
        let predictor = if self.spec.sample.is_float() {
            "3"
        } else {
            "2"
        };
        let mut options = match self.layout {
            Layout::Plain => PLAIN.to_vec(),
            Layout::CloudOptimised => SCRATCH.to_vec(),
        };
        if self.layout == Layout::Plain
            && (self.spec.sample.is_float() || self.spec.sample.size() < 8)
        {
            options.push(("PREDICTOR", predictor));
        }
        if self.spec.sample == SampleType::Int8 {
            options.push(("PIXELTYPE", "SIGNEDBYTE"));
        }
        let size = (
            self.spec.width,
            self.spec.height,
            self.spec.band_names.len(),
        );
        ffi::create("GTiff", building, size, self.spec.sample, &options)
            .map_err(|message| Error::unwritable(building, message))
    }

    fn describe_bands(&self, dataset: &mut Dataset) -> gdal::errors::Result<()> {
        for (index, name) in self.spec.band_names.iter().enumerate() {
            let mut band = dataset.rasterband(index + 1)?;
            if !name.is_empty() {
                band.set_description(name)?;
            }
            if let Some(nodata) = self.spec.nodata {
                set_nodata(&mut band, self.spec.sample, nodata)?;
            }
        }
        Ok(())
    }

    /// Writes a window of all bands, (C, h, w) in little-endian bytes.
    ///
    /// # Errors
    /// [`Error::Unwritable`] when the window does not fit or the system refuses the write.
    pub fn write(&mut self, window: Window, pixels: &[u8]) -> Result<()> {
        let path = self.building();
        let dataset = self.dataset.as_mut();
        let dataset = dataset.ok_or_else(|| Error::unwritable(&path, "it is closed already"))?;
        ffi::write(dataset, window, self.spec.sample, pixels)
            .map_err(|message| Error::unwritable(&path, message))
    }

    /// Finishes the raster and gives it its name.
    ///
    /// # Errors
    /// [`Error::Unwritable`] when the system refuses a write; nothing is left under the name.
    pub fn finish(mut self) -> Result<()> {
        let path = self.building();
        let dataset = self.dataset.take();
        let mut dataset =
            dataset.ok_or_else(|| Error::unwritable(&path, "it is closed already"))?;
        ffi::forget_errors();
        // what a flush reports, `last_failure` reports too
        let _ = dataset.flush_cache();
        fail_if_any(&path)?;
        let finished = match self.layout {
            Layout::Plain => {
                drop(dataset);
                fail_if_any(&path)?;
                path
            }
            Layout::CloudOptimised => self.optimise(&dataset)?,
        };
        self.publish(&finished).map_err(|error| {
            Error::Core(gair_core::Error::Io {
                path: self.target.display().to_string(),
                source: error,
            })
        })
    }

    fn optimise(&self, dataset: &Dataset) -> Result<String> {
        let path = self.sibling("cog");
        ffi::create_copy("COG", &path, dataset, &CLOUD_OPTIMISED)
            .map_err(|message| Error::unwritable(&path, message))?;
        Ok(path)
    }

    fn publish(&self, finished: &str) -> std::io::Result<()> {
        std::fs::File::open(finished)?.sync_all()?;
        std::fs::rename(finished, &self.target)
    }

    fn building(&self) -> String {
        self.sibling("building")
    }

    fn sibling(&self, what: &str) -> String {
        let name = self
            .target
            .file_name()
            .map_or_else(String::new, |n| n.to_string_lossy().into());
        let hidden = format!(".{name}.{}.{what}.tif", std::process::id());
        self.target.with_file_name(hidden).display().to_string()
    }
}

impl Drop for GeoTiffWriter {
    fn drop(&mut self) {
        self.dataset = None;
        for path in [self.building(), self.sibling("cog")] {
            // neither may be there, and nobody is left to tell
            let _ = std::fs::remove_file(path);
        }
    }
}

fn fail_if_any(path: &str) -> Result<()> {
    ffi::last_failure().map_or(Ok(()), |message| Err(Error::unwritable(path, message)))
}

fn set_nodata(
    band: &mut gdal::raster::RasterBand<'_>,
    sample: SampleType,
    nodata: f64,
) -> gdal::errors::Result<()> {
    // a float cast saturates, and a nodata value beyond the type could mark no pixel anyway
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    match sample {
        SampleType::Int64 => band.set_no_data_value_i64(Some(nodata as i64)),
        SampleType::UInt64 => band.set_no_data_value_u64(Some(nodata as u64)),
        _ => band.set_no_data_value(Some(nodata)),
    }
}
