//! Google's photo sphere metadata (`GPano`) in an XMP packet.
use super::PhotoHeader;

const HEADING: &str = "GPano:PoseHeadingDegrees";
const PITCH: &str = "GPano:PosePitchDegrees";
const PROJECTION: &str = "GPano:ProjectionType";
const PREFIX: &[u8] = b"GPano:";

/// Adds what a packet, or bytes with one within them, say; a heading of EXIF comes first.
pub(crate) fn apply(packet: &[u8], header: &mut PhotoHeader) {
    if !packet.windows(PREFIX.len()).any(|bytes| bytes == PREFIX) {
        return;
    }
    let text = String::from_utf8_lossy(packet);
    header.panorama |= value(&text, PROJECTION) == Some("equirectangular");
    header.pitch = header.pitch.or_else(|| {
        let pitch = value(&text, PITCH)?.parse::<f64>().ok()?;
        (-90.0..=90.0).contains(&pitch).then_some(pitch)
    });
    if header.heading.is_none() {
        header.heading = value(&text, HEADING)
            .and_then(|number| number.parse::<f64>().ok())
            .filter(|heading| heading.is_finite())
            .map(|heading| heading.rem_euclid(360.0));
    }
}

/// The value of a property, written as an attribute or as an element.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let after = &text[text.find(name)? + name.len()..];
    let after = after.trim_start();
    if let Some(element) = after.strip_prefix('>') {
        return Some(element.split('<').next()?.trim());
    }
    let quoted = after.strip_prefix('=')?.trim_start();
    let quote = quoted.chars().next().filter(|c| ['"', '\''].contains(c))?;
    Some(quoted[1..].split(quote).next()?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading(packet: &str) -> (Option<f64>, bool) {
        let mut header = PhotoHeader::default();
        apply(packet.as_bytes(), &mut header);
        (header.heading, header.panorama)
    }

    #[test]
    fn attributes_and_elements_are_read() {
        let attributes =
            r#"<x GPano:ProjectionType="equirectangular" GPano:PoseHeadingDegrees="-10.5"/>"#;
        assert_eq!(heading(attributes), (Some(349.5), true));
        let element = "<GPano:PoseHeadingDegrees> 12 </GPano:PoseHeadingDegrees>";
        assert_eq!(heading(element), (Some(12.0), false));
    }

    #[test]
    fn nonsense_is_no_heading() {
        assert_eq!(heading("GPano:PoseHeadingDegrees=\"north\""), (None, false));
        assert_eq!(heading("GPano:PoseHeadingDegrees"), (None, false));
    }
}
