//! Write one tile: a `GeoTIFF` with one ZSTD block a band, the same bytes at any time and place.
use std::fmt::Write;

use super::geo::{GeoKeys, transform_fields};
use super::ifd::{self, Field, to_u16, to_u32};
use super::predictor::Predictor;
use super::sample::SampleType;
use crate::{Error, Result};

/// TIFF's number of ZSTD.
pub(super) const ZSTD: u16 = 50000;

/// What all tiles of a scene share.
#[derive(Debug, Clone)]
pub struct TileHeader {
    /// Columns of a tile.
    pub width: usize,
    /// Rows of a tile.
    pub height: usize,
    /// Type of every band.
    pub sample: SampleType,
    /// One name a band.
    pub band_names: Vec<String>,
    /// The value that means "no data", as `GDAL_NODATA` spells it.
    pub nodata: Option<String>,
    /// The coordinate reference system.
    pub geo_keys: GeoKeys,
}

/// A finished tile and where its bands are.
#[derive(Debug, Clone)]
pub struct EncodedTile {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// N + 1 offsets relative to the file's start: band `i` is at `[i]..[i + 1]`.
    pub band_offsets: Vec<u64>,
}

/// Encodes tiles with one reused ZSTD context; keep one a thread.
pub struct TileEncoder {
    zstd: zstd::bulk::Compressor<'static>,
}

impl TileEncoder {
    /// Makes an encoder of a ZSTD level (1 is the default of tile sets).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when ZSTD refuses the level.
    pub fn new(level: i32) -> Result<Self> {
        let zstd = zstd::bulk::Compressor::new(level)
            .map_err(|error| Error::InvalidArgument(format!("ZSTD level {level}: {error}")))?;
        Ok(Self { zstd })
    }

    /// Encodes one tile; `pixels` (C, H, W) in little-endian bytes are left as residuals.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when `pixels` has not the length that the header wants, or the
    /// tile does not fit the 4 GiB of a classic TIFF.
    pub fn encode(
        &mut self,
        header: &TileHeader,
        transform: &[f64; 6],
        pixels: &mut [u8],
    ) -> Result<EncodedTile> {
        let bands = header.band_names.len();
        let block = header.width * header.height * header.sample.size();
        if block == 0 || bands == 0 || pixels.len() != block * bands {
            return Err(Error::InvalidArgument(format!(
                "a tile of {bands} bands with {block} bytes each was given {} bytes",
                pixels.len()
            )));
        }
        let fields = fields(header, transform, &vec![0; bands + 1])?;
        let mut bytes = vec![0; ifd::written_length(&fields)];
        let mut offsets = vec![to_u32(bytes.len())?];
        let predictor = Predictor::of(header.sample);
        for band in pixels.chunks_exact_mut(block) {
            predictor.apply(band, header.width, header.sample.size());
            self.append(band, &mut bytes)?;
            offsets.push(to_u32(bytes.len())?);
        }
        let directory = ifd::write(&self::fields(header, transform, &offsets)?)?;
        bytes[..directory.len()].copy_from_slice(&directory);
        Ok(EncodedTile {
            bytes,
            band_offsets: offsets.into_iter().map(u64::from).collect(),
        })
    }

    fn append(&mut self, block: &[u8], bytes: &mut Vec<u8>) -> Result<()> {
        let start = bytes.len();
        bytes.resize(start + zstd::zstd_safe::compress_bound(block.len()), 0);
        let written = self
            .zstd
            .compress_to_buffer(block, &mut bytes[start..])
            .map_err(|error| Error::InvalidArgument(format!("ZSTD: {error}")))?;
        bytes.truncate(start + written);
        Ok(())
    }
}

fn fields(header: &TileHeader, transform: &[f64; 6], offsets: &[u32]) -> Result<Vec<Field>> {
    let bands = header.band_names.len();
    let height = to_u32(header.height)?;
    let counts: Vec<u32> = offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let bits = to_u16(header.sample.size() * 8)?;
    let mut fields = vec![
        Field::longs(256, &[to_u32(header.width)?]),
        Field::longs(257, &[height]),
        Field::shorts(258, &vec![bits; bands]),
        Field::shorts(259, &[ZSTD]),
        Field::shorts(262, &[1]),
        Field::longs(273, &offsets[..bands]),
        Field::shorts(277, &[to_u16(bands)?]),
        Field::longs(278, &[height]),
        Field::longs(279, &counts),
        Field::shorts(284, &[2]),
        Field::shorts(317, &[Predictor::of(header.sample).code()]),
    ];
    if bands > 1 {
        fields.push(Field::shorts(338, &vec![0; bands - 1]));
    }
    fields.push(Field::shorts(
        339,
        &vec![header.sample.tiff_format(); bands],
    ));
    fields.extend(transform_fields(transform));
    fields.extend(header.geo_keys.fields());
    fields.push(Field::text(
        42112,
        descriptions(&header.band_names).as_bytes(),
    ));
    if let Some(nodata) = &header.nodata {
        fields.push(Field::text(42113, nodata.as_bytes()));
    }
    Ok(fields)
}

/// Band names as the XML of GDAL's own metadata tag.
fn descriptions(names: &[String]) -> String {
    let mut xml = String::from("<GDALMetadata>\n");
    for (index, name) in names.iter().enumerate() {
        let name = name
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        // writing to a String cannot fail
        let _ = writeln!(
            xml,
            "  <Item name=\"DESCRIPTION\" sample=\"{index}\" role=\"description\">{name}</Item>"
        );
    }
    xml.push_str("</GDALMetadata>\n");
    xml
}
