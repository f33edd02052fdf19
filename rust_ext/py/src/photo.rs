//! Glue of `gair_core::photo`: paths in, one header each out.
use gair_core::photo::{self, PhotoHeader as Header};
use pyo3::prelude::*;

/// What a photo file says of itself; None where it does not say.
#[pyclass(frozen, get_all, module = "gair_cli._rust")]
struct PhotoHeader {
    /// Longitude in degrees.
    lon: Option<f64>,
    /// Latitude in degrees.
    lat: Option<f64>,
    /// Degrees clockwise from true north.
    heading: Option<f64>,
    /// Why a position that is there cannot be used.
    fault: Option<&'static str>,
    /// Degrees of the view's centre above the horizon.
    pitch: Option<f64>,
    /// Field of view across the longer side in degrees.
    fov: Option<f64>,
    /// Metres above sea level.
    altitude: Option<f64>,
    /// Horizontal accuracy in metres.
    h_accuracy_m: Option<f64>,
    /// Milliseconds since 1970, UTC.
    captured_at_ms: Option<i64>,
    /// The camera's date and time, in a time zone that may be unknown.
    captured_local: Option<String>,
    /// EXIF orientation, 1 to 8.
    orientation: u8,
    /// Stored columns.
    width: Option<u32>,
    /// Stored rows.
    height: Option<u32>,
    /// The picture calls itself an equirectangular panorama.
    panorama: bool,
    /// Why the file could not be read; the other fields are None then.
    error: Option<String>,
}

impl PhotoHeader {
    fn new(header: Header, error: Option<String>) -> Self {
        Self {
            lon: header.lonlat.map(|point| point[0]),
            lat: header.lonlat.map(|point| point[1]),
            heading: header.heading,
            fault: header.fault.map(photo::Fault::words),
            pitch: header.pitch,
            fov: header.fov,
            altitude: header.altitude,
            h_accuracy_m: header.h_accuracy_m,
            captured_at_ms: header.captured_at_ms,
            captured_local: header.captured_local,
            orientation: header.orientation,
            width: header.size.map(|size| size[0]),
            height: header.size.map(|size| size[1]),
            panorama: header.panorama,
            error,
        }
    }
}

/// Read the headers of photo files, in their order; an unreadable one carries its error.
#[pyfunction]
fn read_photo_headers(py: Python<'_>, paths: Vec<String>) -> Vec<PhotoHeader> {
    let headers = py.detach(|| photo::read_headers(&paths));
    headers
        .into_iter()
        .map(|header| match header {
            Ok(header) => PhotoHeader::new(header, None),
            Err(error) => PhotoHeader::new(Header::default(), Some(error.to_string())),
        })
        .collect()
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PhotoHeader>()?;
    module.add_function(wrap_pyfunction!(read_photo_headers, module)?)
}
