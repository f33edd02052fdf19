//! The dataclasses of `gair_cli.geo.scene` and `gair_cli.geo.layouts`, read by attribute.
use gair_core::shard::SampleType;
use gair_raster::{BandSpec, CloudSpec, Grid, Request, SceneSpec};
use numpy::PyReadonlyArray1;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error;

/// `gair_cli.geo.scene.Grid`.
#[derive(FromPyObject)]
pub(crate) struct PyGrid {
    crs: String,
    transform: [f64; 6],
    width: usize,
    height: usize,
}

#[derive(FromPyObject)]
struct PyBand {
    name: String,
    path: String,
    number: usize,
    nodata: Option<f64>,
    resampling: String,
    offset: f64,
}

#[derive(FromPyObject)]
struct PyCloudBand {
    path: String,
    number: usize,
    tests: Vec<(u32, u32)>,
}

/// `gair_cli.geo.scene.Scene`, as far as pixels go.
#[derive(FromPyObject)]
pub(crate) struct PyScene {
    bands: Vec<PyBand>,
    dtype: String,
    grid: PyGrid,
    nodata: Option<f64>,
    mask: Option<String>,
    clouds: Vec<PyCloudBand>,
}

/// `gair_cli.geo.layouts.Layout`, as far as windows go.
#[derive(FromPyObject)]
pub(crate) struct PyLayout<'py> {
    grid: PyGrid,
    size: (usize, usize),
    tops: PyReadonlyArray1<'py, i64>,
    lefts: PyReadonlyArray1<'py, i64>,
}

impl PyGrid {
    pub(crate) fn into_core(self) -> Grid {
        Grid {
            crs: self.crs,
            transform: self.transform,
            width: self.width,
            height: self.height,
        }
    }
}

impl PyScene {
    /// Checks and converts.
    ///
    /// # Errors
    /// `ValueError` when no tile can hold the type, or there is no band.
    pub(crate) fn into_core(self) -> PyResult<SceneSpec> {
        if self.bands.is_empty() {
            return Err(PyValueError::new_err("a scene has at least one band"));
        }
        Ok(SceneSpec {
            bands: self.bands.into_iter().map(band).collect(),
            mask: self.mask,
            clouds: self.clouds.into_iter().map(cloud).collect(),
            sample: SampleType::from_name(&self.dtype).map_err(error::to_python)?,
            nodata: self.nodata,
            grid: self.grid.into_core(),
        })
    }
}

fn band(band: PyBand) -> BandSpec {
    BandSpec {
        name: band.name,
        path: band.path,
        number: band.number,
        resampling: band.resampling,
        nodata: band.nodata,
        offset: band.offset,
    }
}

fn cloud(cloud: PyCloudBand) -> CloudSpec {
    CloudSpec {
        path: cloud.path,
        number: cloud.number,
        tests: cloud.tests,
    }
}

impl PyLayout<'_> {
    /// Checks and converts.
    ///
    /// # Errors
    /// `ValueError` when there are not as many tops as lefts, or tiles have no pixels.
    pub(crate) fn into_core(self) -> PyResult<Request> {
        let (tops, lefts) = (
            self.tops.as_array().to_vec(),
            self.lefts.as_array().to_vec(),
        );
        if tops.len() != lefts.len() || self.size.0 == 0 || self.size.1 == 0 {
            return Err(PyValueError::new_err(
                "a layout has one top and one left a tile, and tiles of at least one pixel",
            ));
        }
        Ok(Request {
            target: self.grid.into_core(),
            size: self.size,
            tops,
            lefts,
        })
    }
}
