//! Coordinate reference systems: their names, their `GeoTIFF` keys, and points between them.
use std::sync::atomic::{AtomicU64, Ordering};

use gair_core::shard::{GeoKeys, SampleType, geo_keys_of};
use gdal::spatial_ref::{AxisMappingStrategy, CoordTransform, SpatialRef};

use crate::error::{Error, Result};
use crate::{ffi, setup};

/// Names a system: `EPSG:n` where it has that code, else its WKT2.
///
/// # Errors
/// [`Error::Unusable`] when PROJ does not know the definition.
pub fn crs_name(definition: &str) -> Result<String> {
    setup();
    name_of(&parse(definition)?)
}

pub(crate) fn name_of(system: &SpatialRef) -> Result<String> {
    match (system.auth_name().as_deref(), system.auth_code()) {
        (Some("EPSG"), Ok(code)) => Ok(format!("EPSG:{code}")),
        _ => ffi::wkt2(system).map_err(Error::Unusable),
    }
}

/// Reads a definition (`EPSG:n`, WKT, PROJ); its axes are x (longitude) before y (latitude).
pub(crate) fn parse(definition: &str) -> Result<SpatialRef> {
    let mut system = SpatialRef::from_definition(definition)
        .map_err(|_| Error::Unusable(format!("{definition} is not a known CRS")))?;
    system.set_axis_mapping_strategy(AxisMappingStrategy::TraditionalGisOrder);
    Ok(system)
}

/// Transforms points from one system to another in place; longitude is always before latitude.
///
/// A point that cannot be transformed becomes NaN.
///
/// # Errors
/// [`Error::Unusable`] when a system is unknown or there is no way between the two.
pub fn transform_points(x: &mut [f64], y: &mut [f64], source: &str, target: &str) -> Result<()> {
    setup();
    let (from, to) = (parse(source)?, parse(target)?);
    let transform = CoordTransform::new(&from, &to)
        .map_err(|error| Error::Unusable(format!("{source} to {target}: {error}")))?;
    ffi::transform(&transform, x, y).map_err(Error::Unusable)
}

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// The `GeoKey` tags that GDAL writes for a system, taken from a TIFF of one pixel in memory.
///
/// # Errors
/// [`Error::Unusable`] when the system is unknown or a `GeoTIFF` cannot hold it.
pub fn geo_keys(definition: &str) -> Result<GeoKeys> {
    setup();
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let path = format!("/vsimem/gair-keys-{number}.tif");
    let system = parse(definition)?;
    let mut dataset =
        ffi::create("GTiff", &path, (1, 1, 1), SampleType::UInt8, &[]).map_err(Error::Unusable)?;
    dataset
        .set_spatial_ref(&system)
        .map_err(|error| Error::Unusable(error.to_string()))?;
    dataset
        .set_geo_transform(&[0.0, 1.0, 0.0, 0.0, 0.0, -1.0])
        .map_err(|error| Error::Unusable(error.to_string()))?;
    drop(dataset);
    let bytes = gdal::vsi::get_vsi_mem_file_bytes_owned(&path)
        .map_err(|error| Error::Unusable(error.to_string()))?;
    Ok(geo_keys_of(&bytes)?)
}
