//! What a photo file says of itself: EXIF position, heading and date, XMP heading, size.
//!
//! Only the first 64 KB of a file are read, where cameras put all of it; a picture is never decoded.
mod exif_fields;
mod jpeg;
mod time;
mod xmp;

use crate::{Error, Result};
use rayon::prelude::*;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

/// How much of a file is read.
pub const HEADER_BYTES: u64 = 65_536;

/// What is known of a photo; `None` where the file does not say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PhotoHeader {
    /// Longitude and latitude in degrees.
    pub lonlat: Option<[f64; 2]>,
    /// Viewing direction in degrees clockwise from true north, [0, 360).
    pub heading: Option<f64>,
    /// Metres above sea level.
    pub altitude: Option<f64>,
    /// Horizontal accuracy in metres.
    pub h_accuracy_m: Option<f64>,
    /// Milliseconds since 1970 in UTC, where the file tells the offset or the GPS time.
    pub captured_at_ms: Option<i64>,
    /// The camera's own date and time, whose time zone may be unknown.
    pub captured_local: Option<String>,
    /// EXIF orientation, 1 to 8; 1 is upright.
    pub orientation: u8,
    /// Stored columns and rows, before the orientation is applied.
    pub size: Option<[u32; 2]>,
    /// The picture calls itself an equirectangular panorama.
    pub panorama: bool,
}

/// Reads the header of one photo.
///
/// # Errors
/// [`Error::Io`] where the file cannot be read, [`Error::Malformed`] where it is no picture.
pub fn read_header(path: &Path) -> Result<PhotoHeader> {
    let io_error = |source| Error::Io {
        path: path.display().to_string(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(io_error)?;
    file.take(HEADER_BYTES)
        .read_to_end(&mut bytes)
        .map_err(io_error)?;
    parse_header(&bytes).map_err(|error| match error {
        Error::Malformed(what) => Error::Malformed(format!("{}: {what}", path.display())),
        other => other,
    })
}

/// Reads the headers of many photos at once, in their order.
#[must_use]
pub fn read_headers(paths: &[String]) -> Vec<Result<PhotoHeader>> {
    paths
        .par_iter()
        .map(|path| read_header(Path::new(path)))
        .collect()
}

/// Reads what the first bytes of a photo say.
///
/// # Errors
/// [`Error::Malformed`] where the bytes are of no known picture format.
pub fn parse_header(bytes: &[u8]) -> Result<PhotoHeader> {
    let mut header = PhotoHeader {
        orientation: 1,
        ..PhotoHeader::default()
    };
    if jpeg::is_jpeg(bytes) {
        let segments = jpeg::segments(bytes);
        header.size = segments.size;
        if let Some(block) = segments.exif {
            exif_fields::apply(
                exif::Reader::new().read_raw(block.to_vec()).ok(),
                &mut header,
            );
        }
        if let Some(packet) = segments.xmp {
            xmp::apply(packet, &mut header);
        }
        return Ok(header);
    }
    if !is_other_picture(bytes) {
        return Err(Error::Malformed(
            "not a JPEG, PNG, WebP, HEIC or TIFF picture".into(),
        ));
    }
    header.size = png_size(bytes);
    let container = exif::Reader::new().read_from_container(&mut Cursor::new(bytes));
    exif_fields::apply(container.ok(), &mut header);
    Ok(header)
}

fn is_other_picture(bytes: &[u8]) -> bool {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    let at =
        |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|b| b.starts_with(magic));
    starts(b"\x89PNG\r\n\x1a\n")
        || (starts(b"RIFF") && at(8, b"WEBP"))
        || at(4, b"ftyp")
        || starts(b"II*\0")
        || starts(b"MM\0*")
}

fn png_size(bytes: &[u8]) -> Option<[u32; 2]> {
    if !bytes.starts_with(b"\x89PNG") {
        return None;
    }
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    Some([number(16)?, number(20)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_no_picture() {
        assert!(matches!(
            parse_header(b"lon,lat\n1,2\n"),
            Err(Error::Malformed(_))
        ));
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_header(Path::new("/no/such/photo.jpg")).expect_err("it is missing");
        assert!(error.to_string().contains("/no/such/photo.jpg"));
    }

    #[test]
    fn a_picture_without_exif_has_its_size_only() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\0\0\0\x80\x08\x02\0\0\0";
        let header = parse_header(png).expect("a PNG");
        assert_eq!(
            (header.size, header.lonlat, header.orientation),
            (Some([256, 128]), None, 1)
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail_hard(mut bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse_header(&bytes);
            bytes.splice(0..0, *b"\xff\xd8\xff\xe1\x00\x40Exif\0\0II*\0\x08\0\0\0");
            let _ = parse_header(&bytes);
        }
    }
}
