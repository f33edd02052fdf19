//! Walks the marker segments of a JPEG up to the first scan.

const EXIF: &[u8] = b"Exif\0\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const APP1: u8 = 0xE1;
const START_OF_SCAN: u8 = 0xDA;

/// The parts of a JPEG's head that matter here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Segments<'a> {
    pub(crate) exif: Option<&'a [u8]>,
    pub(crate) xmp: Option<&'a [u8]>,
    pub(crate) size: Option<[u32; 2]>,
}

pub(crate) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xFF, 0xD8, 0xFF])
}

/// Finds the segments; those cut off by the end of `bytes` are left out.
pub(crate) fn segments(bytes: &[u8]) -> Segments<'_> {
    let mut found = Segments::default();
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let Some((marker, payload, after)) = next_segment(rest) {
        match marker {
            APP1 if payload.starts_with(EXIF) => {
                found.exif.get_or_insert(&payload[EXIF.len()..]);
            }
            APP1 if payload.starts_with(XMP) => {
                found.xmp.get_or_insert(&payload[XMP.len()..]);
            }
            START_OF_SCAN => break,
            marker if is_frame(marker) => found.size = found.size.or_else(|| frame_size(payload)),
            _ => {}
        }
        rest = after;
    }
    found
}

/// Start-of-frame markers, without the table and arithmetic ones between them.
fn is_frame(marker: u8) -> bool {
    (0xC0..=0xCF).contains(&marker) && ![0xC4, 0xC8, 0xCC].contains(&marker)
}

fn next_segment(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let start = bytes.iter().position(|byte| *byte != 0xFF)?;
    if start == 0 {
        return None; // a segment starts with 0xFF, possibly repeated
    }
    let length = usize::from(u16::from_be_bytes([
        *bytes.get(start + 1)?,
        *bytes.get(start + 2)?,
    ]));
    let payload = bytes.get(start + 3..start + 1 + length.max(2))?;
    Some((bytes[start], payload, &bytes[start + 1 + length.max(2)..]))
}

fn frame_size(payload: &[u8]) -> Option<[u32; 2]> {
    let number = |at: usize| {
        Some(u32::from(u16::from_be_bytes([
            *payload.get(at)?,
            *payload.get(at + 1)?,
        ])))
    };
    Some([number(3)?, number(1)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_exif_are_found_behind_other_segments() {
        let bytes =
            b"\xff\xd8\xff\xe0\0\x04JF\xff\xe1\0\x0aExif\0\0II\xff\xc0\0\x08\x08\0\x30\0\x60\x03";
        let found = segments(bytes);
        assert_eq!((found.exif, found.size), (Some(&b"II"[..]), Some([96, 48])));
    }

    #[test]
    fn a_cut_segment_is_left_out() {
        assert_eq!(
            segments(b"\xff\xd8\xff\xe1\x10\0Exif\0\0II"),
            Segments::default()
        );
    }
}
