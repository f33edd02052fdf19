//! EXIF fields of a photo, after CIPA DC-008 (EXIF 2.32).
use super::{Fault, PhotoHeader, time};
use exif::{Exif, In, Tag, Value};

/// Adds what the EXIF block says, if there is a readable one.
pub(crate) fn apply(block: Option<Exif>, header: &mut PhotoHeader) {
    let Some(block) = block else { return };
    let fields = Fields(&block);
    if fields.value(GEO_KEYS).is_some() {
        header.fault = Some(Fault::Raster);
        return;
    }
    match fields.lonlat() {
        Some(Ok(lonlat)) => header.lonlat = Some(lonlat),
        Some(Err(fault)) => header.fault = Some(fault),
        None => {}
    }
    header.heading = fields.heading().or_else(|| fields.described_heading());
    header.altitude = fields.altitude();
    header.h_accuracy_m = fields
        .number(Tag::GPSHPositioningError)
        .filter(|v| *v >= 0.0);
    header.captured_local = fields.local_time();
    header.captured_at_ms = fields.captured_at_ms();
    header.orientation = fields.orientation();
    header.fov = fields.fov();
    let sides = [
        (Tag::ImageWidth, Tag::ImageLength),
        (Tag::PixelXDimension, Tag::PixelYDimension),
    ];
    for (width, height) in sides {
        let size = fields.whole(width).zip(fields.whole(height));
        header.size = header.size.or(size.map(<[u32; 2]>::from));
    }
}

/// The `GeoKeyDirectoryTag` of OGC `GeoTIFF` 1.1.
const GEO_KEYS: Tag = Tag(exif::Context::Tiff, 34_735);
/// Width of a 35 mm film frame.
const FILM_WIDTH_MM: f64 = 36.0;

fn sign(letter: Option<char>, positive: char, negative: char) -> Option<f64> {
    match letter? {
        letter if letter == positive => Some(1.0),
        letter if letter == negative => Some(-1.0),
        _ => None,
    }
}

struct Fields<'a>(&'a Exif);

impl Fields<'_> {
    fn value(&self, tag: Tag) -> Option<&Value> {
        self.0.get_field(tag, In::PRIMARY).map(|field| &field.value)
    }

    fn text(&self, tag: Tag) -> Option<String> {
        let Value::Ascii(lines) = self.value(tag)? else {
            return None;
        };
        let line = String::from_utf8_lossy(lines.first()?)
            .trim_matches(['\0', ' '])
            .to_owned();
        (!line.is_empty()).then_some(line)
    }

    fn whole(&self, tag: Tag) -> Option<u32> {
        self.value(tag)?.get_uint(0)
    }

    /// The first `N` rationals, all finite.
    fn rationals<const N: usize>(&self, tag: Tag) -> Option<[f64; N]> {
        let Value::Rational(parts) = self.value(tag)? else {
            return None;
        };
        let numbers: Vec<f64> = parts.iter().take(N).map(exif::Rational::to_f64).collect();
        <[f64; N]>::try_from(numbers)
            .ok()
            .filter(|all| all.iter().all(|v| v.is_finite()))
    }

    fn number(&self, tag: Tag) -> Option<f64> {
        self.rationals::<1>(tag).map(|[number]| number)
    }

    /// Degrees of degrees, minutes and seconds.
    fn degrees(&self, tag: Tag) -> Option<f64> {
        let [degrees, minutes, seconds] = self.rationals::<3>(tag)?;
        Some(degrees + minutes / 60.0 + seconds / 3600.0)
    }

    /// The hemisphere: its first letter in capitals.
    fn hemisphere(&self, tag: Tag) -> Option<char> {
        Some(self.text(tag)?.chars().next()?.to_ascii_uppercase())
    }

    /// The position, or why it cannot be used; none where there is none.
    fn lonlat(&self) -> Option<Result<[f64; 2], Fault>> {
        let lon = self.degrees(Tag::GPSLongitude)?;
        let lat = self.degrees(Tag::GPSLatitude)?;
        let east = self.hemisphere(Tag::GPSLongitudeRef);
        let north = self.hemisphere(Tag::GPSLatitudeRef);
        let is_swapped = matches!(east, Some('N' | 'S')) || matches!(north, Some('E' | 'W'));
        Some(match (sign(east, 'E', 'W'), sign(north, 'N', 'S')) {
            _ if is_swapped => Err(Fault::SwappedReferences),
            (None, _) | (_, None) => Err(Fault::NoReferences),
            _ if lat > 90.0 => Err(Fault::BeyondLatitude),
            _ if lon > 180.0 => Err(Fault::BeyondLongitude),
            (Some(east), Some(north)) => Ok([east * lon, north * lat]),
        })
    }

    /// The field of view across the longer side.
    fn fov(&self) -> Option<f64> {
        let focal = f64::from(self.whole(Tag::FocalLengthIn35mmFilm)?);
        (focal > 0.0).then(|| 2.0 * (FILM_WIDTH_MM / 2.0 / focal).atan().to_degrees())
    }

    /// The image direction from true north; a magnetic one is not, and is left out.
    fn heading(&self) -> Option<f64> {
        let magnetic = self
            .text(Tag::GPSImgDirectionRef)
            .is_some_and(|letter| letter == "M");
        let heading = self.number(Tag::GPSImgDirection)?;
        (!magnetic).then(|| heading.rem_euclid(360.0))
    }

    /// The true heading of the JSON that Mapillary's apps write into the description.
    fn described_heading(&self) -> Option<f64> {
        let text = self.text(Tag::ImageDescription)?;
        let description: serde_json::Value = serde_json::from_str(&text).ok()?;
        let heading = description
            .get("MAPCompassHeading")?
            .get("TrueHeading")?
            .as_f64()?;
        (0.0..=360.0)
            .contains(&heading)
            .then(|| heading.rem_euclid(360.0))
    }

    fn altitude(&self) -> Option<f64> {
        let below = match self.value(Tag::GPSAltitudeRef) {
            Some(Value::Byte(bytes)) => bytes.first() == Some(&1),
            _ => false,
        };
        self.number(Tag::GPSAltitude)
            .map(|metres| if below { -metres } else { metres })
    }

    fn local_time(&self) -> Option<String> {
        [Tag::DateTimeOriginal, Tag::DateTimeDigitized, Tag::DateTime]
            .iter()
            .filter_map(|tag| self.text(*tag))
            .find(|text| time::date_time_ms(text).is_some())
    }

    /// The camera's time by its offset, else the time of the GPS, which is UTC.
    fn captured_at_ms(&self) -> Option<i64> {
        let pairs = [
            (Tag::DateTimeOriginal, Tag::OffsetTimeOriginal),
            (Tag::DateTimeDigitized, Tag::OffsetTimeDigitized),
            (Tag::DateTime, Tag::OffsetTime),
        ];
        let by_offset = pairs.iter().find_map(|(date, offset)| {
            let local = time::date_time_ms(&self.text(*date)?)?;
            Some(local - time::offset_ms(&self.text(*offset)?)?)
        });
        by_offset.or_else(|| {
            time::gps_ms(
                &self.text(Tag::GPSDateStamp)?,
                self.rationals(Tag::GPSTimeStamp)?,
            )
        })
    }

    fn orientation(&self) -> u8 {
        let stored = self
            .whole(Tag::Orientation)
            .and_then(|number| u8::try_from(number).ok());
        stored
            .filter(|number| (1..=8).contains(number))
            .unwrap_or(1)
    }
}
