//! The one directory of a classic little-endian TIFF: written whole, read with every bound checked.
use crate::{Error, Result};

pub(super) const SHORT: u16 = 3;
pub(super) const LONG: u16 = 4;
const ASCII: u16 = 2;
const DOUBLE: u16 = 12;
const HEADER: usize = 8;
const ENTRY: usize = 12;

/// One tag with its values as little-endian bytes.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) tag: u16,
    kind: u16,
    count: u32,
    bytes: Vec<u8>,
}

impl Field {
    pub(super) fn shorts(tag: u16, values: &[u16]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self {
            tag,
            kind: SHORT,
            count: count(values.len()),
            bytes,
        }
    }

    pub(super) fn longs(tag: u16, values: &[u32]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self {
            tag,
            kind: LONG,
            count: count(values.len()),
            bytes,
        }
    }

    pub(super) fn doubles(tag: u16, values: &[f64]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self {
            tag,
            kind: DOUBLE,
            count: count(values.len()),
            bytes,
        }
    }

    /// Text with its closing NUL, which is added where it is missing.
    pub(super) fn text(tag: u16, text: &[u8]) -> Self {
        let mut bytes = text.to_vec();
        if bytes.last() != Some(&0) {
            bytes.push(0);
        }
        Self {
            tag,
            kind: ASCII,
            count: count(bytes.len()),
            bytes,
        }
    }
}

// more than 2^32 values never fit the file, which `write` refuses by its length
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Length in bytes of the header, the directory and the values outside it.
pub(super) fn written_length(fields: &[Field]) -> usize {
    let outside: usize = fields
        .iter()
        .map(|field| outside_length(field.bytes.len()))
        .sum();
    HEADER + 2 + ENTRY * fields.len() + 4 + outside
}

fn outside_length(length: usize) -> usize {
    if length > 4 { length + length % 2 } else { 0 }
}

/// Writes the directory at the start of a file; `fields` stand in ascending order of tags.
pub(super) fn write(fields: &[Field]) -> Result<Vec<u8>> {
    let total = written_length(fields);
    let mut values_at = HEADER + 2 + ENTRY * fields.len() + 4;
    let mut out = Vec::with_capacity(total);
    out.extend_from_slice(b"II*\0\x08\0\0\0");
    out.extend_from_slice(&to_u16(fields.len())?.to_le_bytes());
    for field in fields {
        out.extend_from_slice(&field.tag.to_le_bytes());
        out.extend_from_slice(&field.kind.to_le_bytes());
        out.extend_from_slice(&field.count.to_le_bytes());
        let mut inline = [0; 4];
        if field.bytes.len() > 4 {
            inline = to_u32(values_at)?.to_le_bytes();
            values_at += outside_length(field.bytes.len());
        } else {
            inline[..field.bytes.len()].copy_from_slice(&field.bytes);
        }
        out.extend_from_slice(&inline);
    }
    out.extend_from_slice(&[0; 4]);
    for field in fields.iter().filter(|field| field.bytes.len() > 4) {
        out.extend_from_slice(&field.bytes);
        out.resize(out.len() + field.bytes.len() % 2, 0);
    }
    Ok(out)
}

pub(super) fn to_u32(value: usize) -> Result<u32> {
    u32::try_from(value)
        .map_err(|_| Error::InvalidArgument(format!("{value} bytes do not fit a classic TIFF")))
}

pub(super) fn to_u16(value: usize) -> Result<u16> {
    u16::try_from(value).map_err(|_| {
        Error::InvalidArgument(format!(
            "{value} does not fit the 65,535 that TIFF counts to"
        ))
    })
}

/// The directory of a file that somebody else may have written.
pub(super) struct Directory<'a> {
    file: &'a [u8],
    entries: &'a [u8],
}

impl<'a> Directory<'a> {
    /// Finds the first directory of a classic little-endian TIFF.
    pub(super) fn open(file: &'a [u8]) -> Result<Self> {
        if file.get(..4) != Some(b"II*\0") {
            return Err(malformed(
                "it does not begin like a classic little-endian TIFF",
            ));
        }
        let at = u32_at(file, 4)? as usize;
        let entries = usize::from(u16_at(file, at)?);
        let start = at + 2;
        let entries = file
            .get(start..start + entries * ENTRY)
            .ok_or_else(|| malformed("its directory is cut off"))?;
        Ok(Self { file, entries })
    }

    /// The bytes of a tag and its TIFF type, or `None` where the tag is absent.
    fn find(&self, tag: u16) -> Result<Option<(u16, &'a [u8])>> {
        let Some(entry) = self
            .entries
            .chunks_exact(ENTRY)
            .find(|entry| entry[..2] == tag.to_le_bytes())
        else {
            return Ok(None);
        };
        let kind = u16_at(entry, 2)?;
        let size = match kind {
            1 | ASCII => 1,
            SHORT => 2,
            LONG => 4,
            DOUBLE => 8,
            _ => return Err(malformed(&format!("tag {tag} has the unknown type {kind}"))),
        };
        let length = (u32_at(entry, 4)? as usize)
            .checked_mul(size)
            .ok_or_else(|| malformed(&format!("tag {tag} is too long")))?;
        if length <= 4 {
            return Ok(Some((kind, &entry[8..8 + length])));
        }
        let at = u32_at(entry, 8)? as usize;
        let bytes = at
            .checked_add(length)
            .and_then(|end| self.file.get(at..end));
        Ok(Some((
            kind,
            bytes.ok_or_else(|| malformed(&format!("tag {tag} is cut off")))?,
        )))
    }

    /// All values of a tag of shorts or longs; empty where the tag is absent.
    pub(super) fn integers(&self, tag: u16) -> Result<Vec<u32>> {
        match self.find(tag)? {
            None => Ok(Vec::new()),
            Some((SHORT, bytes)) => Ok(bytes
                .chunks_exact(2)
                .map(|b| u32::from(u16::from_le_bytes([b[0], b[1]])))
                .collect()),
            Some((LONG, bytes)) => Ok(bytes
                .chunks_exact(4)
                .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect()),
            Some((kind, _)) => Err(malformed(&format!("tag {tag} has the type {kind}"))),
        }
    }

    /// The one integer of a tag.
    pub(super) fn integer(&self, tag: u16) -> Result<u32> {
        self.integers(tag)?
            .first()
            .copied()
            .ok_or_else(|| malformed(&format!("tag {tag} is missing")))
    }

    pub(super) fn doubles(&self, tag: u16) -> Result<Vec<f64>> {
        let bytes = self.find(tag)?.map_or(&[][..], |(_, bytes)| bytes);
        Ok(bytes
            .chunks_exact(8)
            .map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
            .collect())
    }

    pub(super) fn text(&self, tag: u16) -> Result<Vec<u8>> {
        Ok(self
            .find(tag)?
            .map_or_else(Vec::new, |(_, bytes)| bytes.to_vec()))
    }
}

pub(super) fn malformed(what: &str) -> Error {
    Error::Malformed(format!("not a tile: {what}"))
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16> {
    match bytes.get(at..at.saturating_add(2)) {
        Some(b) => Ok(u16::from_le_bytes([b[0], b[1]])),
        None => Err(malformed("it is cut off")),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    match bytes.get(at..at.saturating_add(4)) {
        Some(b) => Ok(u32::from_le_bytes([b[0], b[1], b[2], b[3]])),
        None => Err(malformed("it is cut off")),
    }
}
