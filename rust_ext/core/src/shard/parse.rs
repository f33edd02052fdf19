//! Read one tile back: every number in the file is checked before it is believed.
use super::encode::{PLAIN, ZSTD};
use super::ifd::{Directory, malformed};
use super::predictor::Predictor;
use super::sample::SampleType;
use crate::{Error, Result};

/// No tile of a classic TIFF holds more pixels than this many bytes.
const LARGEST: u64 = 1 << 32;

/// Where a tile's bands are and what they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileLayout {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Type of every band.
    pub sample: SampleType,
    /// Whether the blocks are ZSTD frames; otherwise they are the values themselves.
    pub compressed: bool,
    /// How the values were turned into residuals.
    pub predictor: Predictor,
    /// Start and end of each band's block in the file.
    pub blocks: Vec<(usize, usize)>,
}

/// Pixels of a tile as little-endian bytes, (C, H, W).
#[derive(Debug, Clone)]
pub struct DecodedTile {
    /// Type of a value.
    pub sample: SampleType,
    /// C, H, W.
    pub shape: [usize; 3],
    /// The bytes.
    pub data: Vec<u8>,
}

/// Reads a tile's directory.
///
/// # Errors
/// [`Error::Malformed`] when the bytes are not a tile of the fixed layout.
pub fn tile_layout(file: &[u8]) -> Result<TileLayout> {
    let directory = Directory::open(file)?;
    let compression = directory.integer(259)?;
    if compression != u32::from(ZSTD) && compression != u32::from(PLAIN) {
        return Err(malformed("its compression is neither ZSTD nor none"));
    }
    let width = directory.integer(256)? as usize;
    let height = directory.integer(257)? as usize;
    let bands = directory.integer(277)? as usize;
    if width == 0 || height == 0 || bands == 0 {
        return Err(malformed("it has no pixels"));
    }
    if bands > 1 {
        expect(&directory, 284, 2, "its bands are interleaved")?;
    }
    if (directory.integer(278)? as usize) < height {
        return Err(malformed("it has several blocks a band"));
    }
    let predictor = u16::try_from(directory.integer(317)?)
        .ok()
        .and_then(Predictor::from_code);
    Ok(TileLayout {
        width,
        height,
        sample: sample_type(&directory, bands)?,
        compressed: compression == u32::from(ZSTD),
        predictor: predictor.ok_or_else(|| malformed("its predictor is unknown"))?,
        blocks: blocks(&directory, bands, file.len())?,
    })
}

fn expect(directory: &Directory<'_>, tag: u16, wanted: u32, otherwise: &str) -> Result<()> {
    if directory.integer(tag)? == wanted {
        Ok(())
    } else {
        Err(malformed(otherwise))
    }
}

fn sample_type(directory: &Directory<'_>, bands: usize) -> Result<SampleType> {
    let (bits, formats) = (directory.integers(258)?, directory.integers(339)?);
    let same = |values: &[u32]| values.len() == bands && values.iter().all(|v| *v == values[0]);
    if !same(&bits) || !same(&formats) {
        return Err(malformed("its bands have different types"));
    }
    let short = |value: u32| u16::try_from(value).unwrap_or(0);
    SampleType::from_tiff(short(formats[0]), short(bits[0]) / 8)
        .ok_or_else(|| malformed("its pixel type is unknown"))
}

fn blocks(directory: &Directory<'_>, bands: usize, length: usize) -> Result<Vec<(usize, usize)>> {
    let (offsets, counts) = (directory.integers(273)?, directory.integers(279)?);
    if offsets.len() != bands || counts.len() != bands {
        return Err(malformed("it has not one block a band"));
    }
    let mut blocks = Vec::with_capacity(bands);
    for (offset, count) in offsets.into_iter().zip(counts) {
        let end = (offset as usize)
            .checked_add(count as usize)
            .filter(|end| *end <= length);
        blocks.push((
            offset as usize,
            end.ok_or_else(|| malformed("a block is cut off"))?,
        ));
    }
    Ok(blocks)
}

/// Decodes a tile, or some of its bands in the order asked for.
///
/// # Errors
/// [`Error::Malformed`] when the bytes are not a whole tile, [`Error::InvalidArgument`] when a
/// band is asked for that is not there.
pub fn decode_tile(file: &[u8], bands: Option<&[usize]>) -> Result<DecodedTile> {
    let layout = tile_layout(file)?;
    let all: Vec<usize> = (0..layout.blocks.len()).collect();
    let bands = bands.unwrap_or(&all);
    if let Some(missing) = bands.iter().find(|band| **band >= layout.blocks.len()) {
        return Err(Error::InvalidArgument(format!(
            "band index {missing} is not among the tile's {} bands",
            layout.blocks.len()
        )));
    }
    let (row, block) = (layout.width * layout.sample.size(), block_length(&layout)?);
    for (start, end) in bands.iter().map(|band| layout.blocks[*band]) {
        check_length(&layout, &file[start..end], block)?;
    }
    let mut data = allocate(block, bands.len())?;
    let mut zstd = zstd::bulk::Decompressor::new()
        .map_err(|error| malformed(&format!("ZSTD cannot start: {error}")))?;
    for (band, pixels) in bands.iter().zip(data.chunks_exact_mut(block.max(row))) {
        let (start, end) = layout.blocks[*band];
        if layout.compressed {
            inflate(&mut zstd, &file[start..end], pixels)?;
        } else {
            pixels.copy_from_slice(&file[start..end]);
        }
        layout
            .predictor
            .undo(pixels, layout.width, layout.sample.size());
    }
    let shape = [bands.len(), layout.height, layout.width];
    Ok(DecodedTile {
        sample: layout.sample,
        shape,
        data,
    })
}

fn block_length(layout: &TileLayout) -> Result<usize> {
    let pixels = (layout.width as u64).checked_mul(layout.height as u64);
    pixels
        .and_then(|count| count.checked_mul(layout.sample.size() as u64))
        .filter(|bytes| *bytes <= LARGEST)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(|| malformed("it claims more pixels than a tile can hold"))
}

fn allocate(block: usize, bands: usize) -> Result<Vec<u8>> {
    let total = block
        .checked_mul(bands)
        .filter(|bytes| *bytes as u64 <= LARGEST);
    let total = total.ok_or_else(|| malformed("it claims more pixels than a tile can hold"))?;
    let mut data = Vec::new();
    data.try_reserve_exact(total)
        .map_err(|_| malformed("its pixels do not fit the memory"))?;
    data.resize(total, 0);
    Ok(data)
}

/// Compares what a block says of its length with that of its pixels, before memory is taken.
fn check_length(layout: &TileLayout, block: &[u8], wanted: usize) -> Result<()> {
    let claimed = if layout.compressed {
        let length = zstd::zstd_safe::get_frame_content_size(block);
        length.ok().flatten().unwrap_or(wanted as u64)
    } else {
        block.len() as u64
    };
    if claimed == wanted as u64 {
        Ok(())
    } else {
        Err(malformed("a block holds another number of pixels"))
    }
}

fn inflate(zstd: &mut zstd::bulk::Decompressor<'_>, block: &[u8], pixels: &mut [u8]) -> Result<()> {
    match zstd.decompress_to_buffer(block, pixels) {
        Ok(length) if length == pixels.len() => Ok(()),
        Ok(_) => Err(malformed("a block holds too few pixels")),
        Err(error) => Err(malformed(&format!("a block does not decompress: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::{decode_tile, tile_layout};
    use crate::shard::{GeoKeys, Predictor, SampleType, TileEncoder, TileHeader};

    fn tile() -> (Vec<u8>, Vec<u8>) {
        tile_by(TileEncoder::new(1).unwrap())
    }

    fn tile_by(mut encoder: TileEncoder) -> (Vec<u8>, Vec<u8>) {
        let header = TileHeader {
            width: 5,
            height: 3,
            sample: SampleType::Int16,
            band_names: vec!["B2".to_owned(), "B<3>".to_owned()],
            nodata: Some("-9999".to_owned()),
            geo_keys: GeoKeys::default(),
        };
        let pixels: Vec<u8> = (0..=255).cycle().step_by(7).take(2 * 5 * 3 * 2).collect();
        let transform = [10.0, 0.0, 5e5, 0.0, -10.0, 5e6];
        let tile = encoder
            .encode(&header, &transform, &mut pixels.clone())
            .unwrap();
        assert_eq!(tile.band_offsets.last(), Some(&(tile.bytes.len() as u64)));
        (tile.bytes, pixels)
    }

    #[test]
    fn a_tile_comes_back_whole_and_by_bands() {
        let (bytes, pixels) = tile();
        let whole = decode_tile(&bytes, None).unwrap();
        assert_eq!((whole.shape, whole.sample), ([2, 3, 5], SampleType::Int16));
        assert_eq!(whole.data, pixels);
        assert_eq!(decode_tile(&bytes, Some(&[1])).unwrap().data, pixels[30..]);
        assert!(decode_tile(&bytes, Some(&[2])).is_err());
    }

    #[test]
    fn an_uncompressed_tile_holds_its_values_and_comes_back() {
        let (bytes, pixels) = tile_by(TileEncoder::uncompressed());
        let layout = tile_layout(&bytes).unwrap();
        assert!(!layout.compressed && layout.predictor == Predictor::None);
        assert_eq!(bytes[layout.blocks[1].0..layout.blocks[1].1], pixels[30..]);
        assert_eq!(decode_tile(&bytes, None).unwrap().data, pixels);
        assert!(decode_tile(&bytes[..bytes.len() - 1], None).is_err());
    }

    #[test]
    fn a_used_buffer_leaves_no_trace_in_the_next_tile() {
        let header = TileHeader {
            width: 4,
            height: 4,
            sample: SampleType::UInt16,
            band_names: vec!["B2".to_owned()],
            nodata: None,
            geo_keys: GeoKeys::default(),
        };
        let transform = [10.0, 0.0, 5e5, 0.0, -10.0, 5e6];
        let pixels: Vec<u8> = (0..32).collect();
        for mut encoder in [TileEncoder::new(1).unwrap(), TileEncoder::uncompressed()] {
            let fresh = encoder.encode(&header, &transform, &mut pixels.clone());
            let used = vec![255; 9999];
            let again = encoder.encode_into(&header, &transform, &mut pixels.clone(), used);
            assert_eq!(fresh.unwrap().bytes, again.unwrap().bytes);
        }
    }

    #[test]
    fn a_tile_cut_off_anywhere_is_refused() {
        let (bytes, _) = tile();
        for length in 0..bytes.len() {
            assert!(decode_tile(&bytes[..length], None).is_err(), "{length}");
        }
    }

    #[test]
    fn claimed_pixels_beyond_the_block_are_refused_before_memory_is_taken() {
        let (mut bytes, _) = tile();
        for tag in [256_u16, 257, 278] {
            let at = (0..bytes.len() - 12)
                .find(|at| bytes[*at..*at + 4] == [tag.to_le_bytes(), 4_u16.to_le_bytes()].concat())
                .unwrap();
            bytes[at + 8..at + 12].copy_from_slice(&30_000_u32.to_le_bytes());
        }
        let error = decode_tile(&bytes, None).unwrap_err().to_string();
        assert!(error.contains("another number"), "{error}");
    }
}
