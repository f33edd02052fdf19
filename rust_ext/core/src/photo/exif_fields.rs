//! EXIF fields of a photo, after CIPA DC-008 (EXIF 2.32).
use super::{PhotoHeader, time};
use exif::{Exif, In, Tag, Value};

/// Adds what the EXIF block says, if there is a readable one.
pub(crate) fn apply(block: Option<Exif>, header: &mut PhotoHeader) {
    let Some(block) = block else { return };
    let fields = Fields(&block);
    header.lonlat = fields.lonlat();
    header.heading = fields.heading().or_else(|| fields.described_heading());
    header.altitude = fields.altitude();
    header.h_accuracy_m = fields
        .number(Tag::GPSHPositioningError)
        .filter(|v| *v >= 0.0);
    header.captured_local = fields.local_time();
    header.captured_at_ms = fields.captured_at_ms();
    header.orientation = fields.orientation();
    if header.size.is_none() {
        header.size = fields
            .whole(Tag::PixelXDimension)
            .zip(fields.whole(Tag::PixelYDimension))
            .map(<[u32; 2]>::from);
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

    /// Degrees, minutes and seconds with the sign of their hemisphere; none without one.
    fn angle(&self, tag: Tag, reference: Tag, letters: [&str; 2], limit: f64) -> Option<f64> {
        let [degrees, minutes, seconds] = self.rationals::<3>(tag)?;
        let angle = degrees + minutes / 60.0 + seconds / 3600.0;
        let letter = self.text(reference)?.to_ascii_uppercase();
        let sign = match letters.iter().position(|known| letter.starts_with(known))? {
            0 => 1.0,
            _ => -1.0,
        };
        (angle <= limit).then_some(sign * angle)
    }

    fn lonlat(&self) -> Option<[f64; 2]> {
        let lon = self.angle(Tag::GPSLongitude, Tag::GPSLongitudeRef, ["E", "W"], 180.0)?;
        let lat = self.angle(Tag::GPSLatitude, Tag::GPSLatitudeRef, ["N", "S"], 90.0)?;
        Some([lon, lat])
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
