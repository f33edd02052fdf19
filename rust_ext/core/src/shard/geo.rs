//! `GeoTIFF`'s own tags: the coordinate system copied from GDAL's, the transform written here.
use super::ifd::{Directory, Field};
use crate::Result;

/// The `GeoKey` tags of one coordinate reference system, as GDAL writes them.
///
/// They are taken once a scene from a small TIFF that GDAL wrote with that system, so that every
/// system GDAL can express is expressed alike here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GeoKeys {
    directory: Vec<u16>,
    doubles: Vec<f64>,
    ascii: Vec<u8>,
}

/// Reads the `GeoKey` tags of a TIFF file; without any they are empty.
///
/// # Errors
/// [`crate::Error::Malformed`] when the bytes are no classic little-endian TIFF.
pub fn geo_keys_of(tiff: &[u8]) -> Result<GeoKeys> {
    let directory = Directory::open(tiff)?;
    // GeoKeys are shorts by definition, so the conversion loses nothing
    let keys = directory
        .integers(34735)?
        .into_iter()
        .filter_map(|key| u16::try_from(key).ok());
    Ok(GeoKeys {
        directory: keys.collect(),
        doubles: directory.doubles(34736)?,
        ascii: directory.text(34737)?,
    })
}

impl GeoKeys {
    pub(super) fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        if !self.directory.is_empty() {
            fields.push(Field::shorts(34735, &self.directory));
        }
        if !self.doubles.is_empty() {
            fields.push(Field::doubles(34736, &self.doubles));
        }
        if !self.ascii.is_empty() {
            fields.push(Field::text(34737, &self.ascii));
        }
        fields
    }
}

/// The tags of a transform (a, b, c, d, e, f), rasterio's order.
///
/// North-up rasters get a pixel scale and a tie point, which every reader knows; others the full
/// matrix. GDAL reads both back to the same bits.
pub(super) fn transform_fields(transform: &[f64; 6]) -> Vec<Field> {
    let [a, b, west, d, e, north] = *transform;
    if b == 0.0 && d == 0.0 && a > 0.0 && e < 0.0 {
        return vec![
            Field::doubles(33550, &[a, -e, 0.0]),
            Field::doubles(33922, &[0.0, 0.0, 0.0, west, north, 0.0]),
        ];
    }
    let matrix = [
        a, b, 0.0, west, d, e, 0.0, north, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0,
    ];
    vec![Field::doubles(34264, &matrix)]
}
