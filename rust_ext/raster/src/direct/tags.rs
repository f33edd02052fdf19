//! The few tags that say how a TIFF's blocks are stored, read without trusting any of them.
use std::fs::File;

use gair_core::shard::{Predictor, SampleType};

use super::file::read_at;
use super::inflate::Codec;
use crate::info::RasterInfo;

/// No directory of a raster has more entries; a larger number is taken for damage.
const MOST_ENTRIES: u64 = 4096;

/// How an image of a TIFF is stored; what a tag leaves out has TIFF's own default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tags {
    pub(super) big_endian: bool,
    pub(super) width: u64,
    pub(super) height: u64,
    pub(super) bits: u64,
    pub(super) compression: u64,
    pub(super) photometric: u64,
    pub(super) fill_order: u64,
    pub(super) samples: u64,
    pub(super) planar: u64,
    pub(super) predictor: u64,
    pub(super) format: u64,
    /// Columns and rows of a tile; of a strip, which spans all columns, where there are no tiles.
    pub(super) block: (u64, u64),
    pub(super) tiled: bool,
}

/// How numbers are written in a file.
#[derive(Clone, Copy)]
struct Style {
    big_endian: bool,
    /// `BigTIFF`, whose offsets have eight bytes.
    wide: bool,
}

impl Style {
    fn of(file: &File) -> Option<Self> {
        let mut header = [0; 4];
        read_at(file, &mut header, 0).ok()?;
        let (big_endian, wide) = match &header {
            b"II\x2a\0" => (false, false),
            b"MM\0\x2a" => (true, false),
            b"II\x2b\0" => (false, true),
            b"MM\0\x2b" => (true, true),
            _ => return None,
        };
        Some(Self { big_endian, wide })
    }

    /// A number of as many bytes as `bytes` has, eight at most.
    fn number(self, bytes: &[u8]) -> u64 {
        let add = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
        if self.big_endian {
            bytes.iter().fold(0, add)
        } else {
            bytes.iter().rev().fold(0, add)
        }
    }

    /// Bytes of the number of entries, of an entry, and of an offset.
    fn sizes(self) -> (usize, usize, usize) {
        if self.wide { (8, 20, 8) } else { (2, 12, 4) }
    }
}

impl Tags {
    /// Reads the directory at byte `at`; `None` where it is damaged or of an unknown kind.
    pub(super) fn read(file: &File, at: u64) -> Option<Self> {
        let style = Style::of(file)?;
        let entries = entries(file, style, at)?;
        let first = |tag: u16| -> Option<Option<u64>> {
            match entries.iter().find(|entry| entry.0 == tag) {
                Some((_, value)) => value.map(Some),
                None => Some(None),
            }
        };
        let (width, height) = (first(256)??, first(257)??);
        let tiled = first(322)?.is_some();
        let block = if tiled {
            (first(322)??, first(323)??)
        } else {
            (width, first(278)?.unwrap_or(height).min(height))
        };
        Some(Self {
            big_endian: style.big_endian,
            width,
            height,
            bits: first(258)?.unwrap_or(1),
            compression: first(259)?.unwrap_or(1),
            photometric: first(262)?.unwrap_or(1),
            fill_order: first(266)?.unwrap_or(1),
            samples: first(277)?.unwrap_or(1),
            planar: first(284)?.unwrap_or(1),
            predictor: first(317)?.unwrap_or(1),
            format: first(339)?.unwrap_or(1),
            block,
            tiled,
        })
    }

    /// What was done to the values before they were compressed.
    pub(super) fn predictor_of(&self, codec: Codec) -> Option<Predictor> {
        match codec {
            // without compression there is nothing to predict, whatever the tag says
            Codec::Plain => Some(Predictor::None),
            _ => Predictor::from_code(u16::try_from(self.predictor).ok()?),
        }
    }

    /// Whether the file's own tags say what GDAL says, and nothing out of the ordinary.
    pub(super) fn fit(&self, info: &RasterInfo, sample: SampleType) -> bool {
        let wide = |value: usize| value as u64;
        let format = (8 * wide(sample.size()), u64::from(sample.tiff_format()));
        (self.width, self.height) == (wide(info.width), wide(info.height))
            && self.samples == wide(info.bands.len())
            && self.block == (wide(info.block.0), wide(info.block.1))
            && (self.bits, self.format) == format
            && (1..=2).contains(&self.planar)
            && self.fill_order == 1
            && self.photometric <= 3
            && (self.predictor != 3 || sample.is_float())
    }
}

/// Every tag with its first value, which is `None` where it is not a whole number.
fn entries(file: &File, style: Style, at: u64) -> Option<Vec<(u16, Option<u64>)>> {
    let (head, entry, _) = style.sizes();
    let mut count = [0; 8];
    read_at(file, &mut count[..head], at).ok()?;
    let count = style.number(&count[..head]);
    if count > MOST_ENTRIES {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(count).ok()? * entry];
    read_at(file, &mut bytes, at.checked_add(head as u64)?).ok()?;
    let tag = |bytes: &[u8]| u16::try_from(style.number(&bytes[..2])).ok();
    bytes
        .chunks_exact(entry)
        .map(|bytes| Some((tag(bytes)?, first_value(file, style, bytes))))
        .collect()
}

fn first_value(file: &File, style: Style, entry: &[u8]) -> Option<u64> {
    let (_, _, pointer) = style.sizes();
    let size = match style.number(&entry[2..4]) {
        3 => 2_usize,
        4 => 4,
        16 => 8,
        _ => return None,
    };
    let count = style.number(&entry[4..4 + pointer]);
    let value = &entry[4 + pointer..];
    if count == 0 {
        return None;
    }
    if count <= (pointer / size) as u64 {
        return Some(style.number(&value[..size]));
    }
    let mut bytes = [0; 8];
    read_at(file, &mut bytes[..size], style.number(value)).ok()?;
    Some(style.number(&bytes[..size]))
}
