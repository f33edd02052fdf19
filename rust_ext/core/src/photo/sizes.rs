//! Columns and rows of pictures that are no JPEG, from their first bytes; the XMP packet of a `WebP`.
use std::io::{Read, Result, Seek, SeekFrom};

/// Longest XMP packet that is read.
const LONGEST_PACKET: u64 = 1 << 20;
/// Chunks of a `WebP` that are looked at.
const MOST_CHUNKS: usize = 1000;

/// The size of a PNG (W3C PNG, `IHDR`).
pub(super) fn png(bytes: &[u8]) -> Option<[u32; 2]> {
    if !bytes.starts_with(b"\x89PNG") {
        return None;
    }
    Some([big_endian(bytes, 16)?, big_endian(bytes, 20)?])
}

/// The largest picture of a HEIF file (ISO 23008-12, `ispe`): tiles and previews are smaller.
pub(super) fn heif(bytes: &[u8]) -> Option<[u32; 2]> {
    if bytes.get(4..8)? != b"ftyp" {
        return None;
    }
    let boxes = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, name)| name == b"ispe");
    boxes
        .filter_map(|(at, _)| Some([big_endian(bytes, at + 8)?, big_endian(bytes, at + 12)?]))
        .max_by_key(|[width, height]| u64::from(*width) * u64::from(*height))
}

/// The size of a `WebP` (RFC 9649): extended, lossy or lossless.
pub(super) fn webp(bytes: &[u8]) -> Option<[u32; 2]> {
    if bytes.get(8..12)? != b"WEBP" {
        return None;
    }
    let data = bytes.get(20..)?;
    let number = |at: usize, length: usize| {
        let part = data.get(at..at + length)?;
        Some(
            part.iter()
                .rev()
                .fold(0, |sum, byte| (sum << 8) | u32::from(*byte)),
        )
    };
    match bytes.get(12..16)? {
        b"VP8X" => Some([number(4, 3)? + 1, number(7, 3)? + 1]),
        b"VP8 " => Some([number(6, 2)? & 0x3FFF, number(8, 2)? & 0x3FFF]),
        b"VP8L" => {
            let sides = number(1, 4)?;
            Some([(sides & 0x3FFF) + 1, ((sides >> 14) & 0x3FFF) + 1])
        }
        _ => None,
    }
}

/// The XMP packet of a `WebP`, which stands behind the pixels.
pub(super) fn webp_xmp<R: Read + Seek>(reader: &mut R) -> Result<Option<Vec<u8>>> {
    let mut at = 12;
    for _ in 0..MOST_CHUNKS {
        reader.seek(SeekFrom::Start(at))?;
        let mut head = Vec::new();
        reader.by_ref().take(8).read_to_end(&mut head)?;
        let (Some(name), Some(size)) = (head.get(..4), head.get(4..8)) else {
            return Ok(None);
        };
        let size = size
            .iter()
            .rev()
            .fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        if name == b"XMP " {
            let mut packet = Vec::new();
            reader
                .by_ref()
                .take(size.min(LONGEST_PACKET))
                .read_to_end(&mut packet)?;
            return Ok(Some(packet));
        }
        at += 8 + size + size % 2;
    }
    Ok(None)
}

fn big_endian(bytes: &[u8], at: usize) -> Option<u32> {
    let part = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes(part.try_into().ok()?))
}
