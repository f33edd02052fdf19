//! What a photo file says of itself: EXIF position, heading and date, XMP heading, size.
//!
//! Of a JPEG is read what comes before its pixels, in growing steps; of the other formats what their
//! tables of contents point to. No picture is decoded.
mod exif_fields;
mod jpeg;
mod sizes;
mod time;
mod xmp;

use crate::{Error, Result};
use rayon::prelude::*;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

/// How much of a file is read at first, and where it is no JPEG.
const STEPS: [usize; 3] = [8 << 10, 64 << 10, 4 << 20];
const HEADER_BYTES: usize = STEPS[1];
/// TIFF files above this size, which the EXIF reader takes whole, are read to it.
const TIFF_BYTES: u64 = 256 << 20;

/// What is known of a photo; `None` where the file does not say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PhotoHeader {
    /// Longitude and latitude in degrees.
    pub lonlat: Option<[f64; 2]>,
    /// Why a position that is there cannot be used.
    pub fault: Option<Fault>,
    /// Viewing direction in degrees clockwise from true north, [0, 360).
    pub heading: Option<f64>,
    /// Degrees of the view's centre above the horizon.
    pub pitch: Option<f64>,
    /// Field of view across the longer side in degrees, from the focal length at 35 mm film.
    pub fov: Option<f64>,
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

/// Why a position that is there cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The latitude is called east or west, or the longitude north or south.
    SwappedReferences,
    /// No hemisphere is given, or one that there is not.
    NoReferences,
    /// The latitude is beyond 90 degrees.
    BeyondLatitude,
    /// The longitude is beyond 180 degrees.
    BeyondLongitude,
    /// The file is a map or scene (`GeoTIFF`), no photo.
    Raster,
}

impl Fault {
    /// The fault in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::SwappedReferences => "swapped GPS references",
            Self::NoReferences => "no GPS hemisphere",
            Self::BeyondLatitude => "latitude beyond 90",
            Self::BeyondLongitude => "longitude beyond 180",
            Self::Raster => "georeferenced raster",
        }
    }
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
    let mut file = File::open(path).map_err(io_error)?;
    let mut bytes = Vec::with_capacity(STEPS[0]);
    for step in STEPS {
        let more = (step - bytes.len()) as u64;
        file.by_ref()
            .take(more)
            .read_to_end(&mut bytes)
            .map_err(io_error)?;
        let whole = bytes.len() < step;
        let done = if jpeg::is_jpeg(&bytes) {
            jpeg::segments(&bytes).size.is_some()
        } else {
            step >= HEADER_BYTES
        };
        if whole {
            return named(path, parse_header(&bytes));
        }
        if done {
            break;
        }
    }
    let header = if jpeg::is_jpeg(&bytes) {
        parse_header(&bytes)
    } else {
        read_container(file, bytes).map_err(io_error)?
    };
    named(path, header)
}

/// Adds the file to what is said of its content.
fn named(path: &Path, header: Result<PhotoHeader>) -> Result<PhotoHeader> {
    header.map_err(|error| match error {
        Error::Malformed(what) => Error::Malformed(format!("{}: {what}", path.display())),
        other => other,
    })
}

/// Reads a larger file that is no JPEG, of which `bytes` are the first.
fn read_container(mut file: File, mut bytes: Vec<u8>) -> std::io::Result<Result<PhotoHeader>> {
    if is_tiff(&bytes) {
        file.take(TIFF_BYTES).read_to_end(&mut bytes)?;
        return Ok(parse_header(&bytes));
    }
    file.rewind()?;
    let mut reader = BufReader::new(file);
    let mut header = parse_container(&bytes, &mut reader);
    if let Ok(header) = &mut header
        && bytes.starts_with(b"RIFF")
        && let Some(packet) = sizes::webp_xmp(&mut reader)?
    {
        xmp::apply(&packet, header);
    }
    Ok(header)
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
    parse_container(bytes, &mut Cursor::new(bytes))
}

/// Reads a picture that is no JPEG.
fn parse_container<R: BufRead + Seek>(bytes: &[u8], reader: &mut R) -> Result<PhotoHeader> {
    let mut header = PhotoHeader {
        orientation: 1,
        ..PhotoHeader::default()
    };
    if !is_other_picture(bytes) {
        return Err(Error::Malformed(
            "not a JPEG, PNG, WebP, HEIC or TIFF picture".into(),
        ));
    }
    header.size = sizes::png(bytes)
        .or_else(|| sizes::webp(bytes))
        .or_else(|| sizes::heif(bytes));
    let container = exif::Reader::new().read_from_container(reader);
    exif_fields::apply(container.ok(), &mut header);
    xmp::apply(&bytes[..bytes.len().min(HEADER_BYTES)], &mut header);
    Ok(header)
}

fn is_tiff(bytes: &[u8]) -> bool {
    bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*")
}

fn is_other_picture(bytes: &[u8]) -> bool {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    let at =
        |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|b| b.starts_with(magic));
    starts(b"\x89PNG\r\n\x1a\n")
        || (starts(b"RIFF") && at(8, b"WEBP"))
        || at(4, b"ftyp")
        || is_tiff(bytes)
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
