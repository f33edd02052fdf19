//! Write one tile: a `GeoTIFF` with one ZSTD block a band, the same bytes at any time and place.
use std::fmt::Write;
use std::io::Cursor;

use super::geo::{GeoKeys, transform_fields};
use super::ifd::{self, Field, to_u16, to_u32};
use super::predictor::Predictor;
use super::sample::SampleType;
use crate::{Error, Result};

/// TIFF's number of ZSTD.
pub(super) const ZSTD: u16 = 50000;
/// TIFF's number of blocks that are not compressed.
pub(super) const PLAIN: u16 = 1;

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
    /// `None` leaves the values as they are: neither compressed nor predicted.
    zstd: Option<zstd::bulk::Compressor<'static>>,
}

impl TileEncoder {
    /// Makes an encoder of a ZSTD level (1 is the default of tile sets).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when ZSTD refuses the level.
    pub fn new(level: i32) -> Result<Self> {
        let zstd = zstd::bulk::Compressor::new(level)
            .map_err(|error| Error::InvalidArgument(format!("ZSTD level {level}: {error}")))?;
        Ok(Self { zstd: Some(zstd) })
    }

    /// Makes an encoder that does not compress.
    #[must_use]
    pub fn uncompressed() -> Self {
        Self { zstd: None }
    }

    fn codec(&self, sample: SampleType) -> (u16, Predictor) {
        match self.zstd {
            Some(_) => (ZSTD, Predictor::of(sample)),
            None => (PLAIN, Predictor::None),
        }
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
        self.encode_into(header, transform, pixels, Vec::new())
    }

    /// As [`TileEncoder::encode`], into the memory of a tile that is written already.
    ///
    /// Fresh memory costs a third of the compression itself, so who encodes many tiles hands the
    /// old ones' back.
    ///
    /// # Errors
    /// As [`TileEncoder::encode`].
    pub fn encode_into(
        &mut self,
        header: &TileHeader,
        transform: &[f64; 6],
        pixels: &mut [u8],
        mut bytes: Vec<u8>,
    ) -> Result<EncodedTile> {
        let bands = header.band_names.len();
        let block = header.width * header.height * header.sample.size();
        if block == 0 || bands == 0 || pixels.len() != block * bands {
            return Err(Error::InvalidArgument(format!(
                "a tile of {bands} bands with {block} bytes each was given {} bytes",
                pixels.len()
            )));
        }
        let codec = self.codec(header.sample);
        let length = ifd::written_length(&fields(header, codec, transform, &vec![0; bands + 1])?);
        bytes.clear();
        if self.zstd.is_none() {
            // the length is known, and growing would copy the tile again and again
            bytes.reserve_exact(length + pixels.len());
        }
        bytes.resize(length, 0);
        let mut offsets = vec![to_u32(length)?];
        for band in pixels.chunks_exact_mut(block) {
            codec.1.apply(band, header.width, header.sample.size());
            self.append(band, &mut bytes)?;
            offsets.push(to_u32(bytes.len())?);
        }
        let directory = ifd::write(&fields(header, codec, transform, &offsets)?)?;
        bytes[..length].copy_from_slice(&directory);
        Ok(EncodedTile {
            bytes,
            band_offsets: offsets.into_iter().map(u64::from).collect(),
        })
    }

    /// Where pixels begin in the file of a tile that is not compressed.
    ///
    /// # Errors
    /// As [`TileEncoder::encode`].
    pub fn plain_start(header: &TileHeader, transform: &[f64; 6]) -> Result<usize> {
        let codec = (PLAIN, Predictor::None);
        let offsets = vec![0; header.band_names.len() + 1];
        Ok(ifd::written_length(&fields(
            header, codec, transform, &offsets,
        )?))
    }

    /// Completes a tile that is not compressed: `bytes` has its pixels (C, H, W) in place already,
    /// from [`TileEncoder::plain_start`] on.
    ///
    /// # Errors
    /// As [`TileEncoder::encode`].
    pub fn complete_plain(
        header: &TileHeader,
        transform: &[f64; 6],
        mut bytes: Vec<u8>,
    ) -> Result<EncodedTile> {
        let (bands, start) = (
            header.band_names.len(),
            Self::plain_start(header, transform)?,
        );
        let block = header.width * header.height * header.sample.size();
        if block == 0 || bands == 0 || bytes.len() != start + block * bands {
            return Err(Error::InvalidArgument(format!(
                "a tile of {bands} bands with {block} bytes each was given {} bytes",
                bytes.len()
            )));
        }
        let offsets: Result<Vec<u32>> = (0..=bands).map(|n| to_u32(start + n * block)).collect();
        let offsets = offsets?;
        let codec = (PLAIN, Predictor::None);
        let directory = ifd::write(&fields(header, codec, transform, &offsets)?)?;
        bytes[..start].copy_from_slice(&directory);
        Ok(EncodedTile {
            bytes,
            band_offsets: offsets.into_iter().map(u64::from).collect(),
        })
    }

    /// Puts a block behind what is there.
    fn append(&mut self, block: &[u8], bytes: &mut Vec<u8>) -> Result<()> {
        let Some(zstd) = &mut self.zstd else {
            bytes.extend_from_slice(block);
            return Ok(());
        };
        bytes.reserve(zstd::zstd_safe::compress_bound(block.len()));
        // a cursor writes behind the end into memory that nobody has to clear first
        let mut end = Cursor::new(std::mem::take(bytes));
        end.set_position(end.get_ref().len() as u64);
        let written = zstd.compress_to_buffer(block, &mut end);
        *bytes = end.into_inner();
        let fail = |error| Error::InvalidArgument(format!("ZSTD: {error}"));
        written.map(|_| ()).map_err(fail)
    }
}

fn fields(
    header: &TileHeader,
    (compression, predictor): (u16, Predictor),
    transform: &[f64; 6],
    offsets: &[u32],
) -> Result<Vec<Field>> {
    let bands = header.band_names.len();
    let height = to_u32(header.height)?;
    let counts: Vec<u32> = offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let bits = to_u16(header.sample.size() * 8)?;
    let mut fields = vec![
        Field::longs(256, &[to_u32(header.width)?]),
        Field::longs(257, &[height]),
        Field::shorts(258, &vec![bits; bands]),
        Field::shorts(259, &[compression]),
        Field::shorts(262, &[1]),
        Field::longs(273, &offsets[..bands]),
        Field::shorts(277, &[to_u16(bands)?]),
        Field::longs(278, &[height]),
        Field::longs(279, &counts),
        Field::shorts(284, &[2]),
        Field::shorts(317, &[predictor.code()]),
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
