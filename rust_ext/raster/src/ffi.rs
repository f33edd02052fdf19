//! Every unsafe call into GDAL: each function checks its arguments, so its callers are safe.
use std::ffi::{CStr, CString, c_int, c_void};
use std::ptr;

use gair_core::shard::SampleType;
use gdal::cpl::CslStringList;
use gdal::spatial_ref::SpatialRef;
use gdal::{Dataset, DriverManager};
use gdal_sys::{CPLErr, GDALDataType, GDALRWFlag};

/// GDAL's number of signed bytes, known to it from 3.7 on.
const GDT_INT8: GDALDataType::Type = 14;

/// A rectangle of pixels: first column, first row, columns, rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First column.
    pub col: usize,
    /// First row.
    pub row: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

pub(crate) fn silence() {
    // SAFETY: the handler is GDAL's own and needs no data
    unsafe { gdal_sys::CPLSetErrorHandler(Some(gdal_sys::CPLQuietErrorHandler)) };
}

pub(crate) fn grow_cache(bytes: usize) {
    let wanted = i64::try_from(bytes).unwrap_or(i64::MAX);
    // SAFETY: plain numbers into a locked setting of GDAL
    unsafe {
        if gdal_sys::GDALGetCacheMax64() < wanted {
            gdal_sys::GDALSetCacheMax64(wanted);
        }
    }
}

pub(crate) fn forget_errors() {
    // SAFETY: touches this thread's error state only
    unsafe { gdal_sys::CPLErrorReset() };
}

/// The message of this thread's last failure since [`forget_errors`].
pub(crate) fn last_failure() -> Option<String> {
    // SAFETY: the message lives until this thread's next call into GDAL and is copied at once
    unsafe {
        if gdal_sys::CPLGetLastErrorType() < CPLErr::CE_Failure {
            return None;
        }
        let message = gdal_sys::CPLGetLastErrorMsg();
        if message.is_null() {
            return Some("GDAL failed without a message".to_owned());
        }
        Some(CStr::from_ptr(message).to_string_lossy().trim().to_owned())
    }
}

fn failure() -> String {
    last_failure().unwrap_or_else(|| "GDAL failed without a message".to_owned())
}

/// The pixel type of GDAL's number; signed bytes of old files are marked in their metadata.
pub(crate) fn sample_of(kind: GDALDataType::Type, signed_byte: bool) -> Option<SampleType> {
    match kind {
        GDALDataType::GDT_Byte if signed_byte => Some(SampleType::Int8),
        GDALDataType::GDT_Byte => Some(SampleType::UInt8),
        GDALDataType::GDT_UInt16 => Some(SampleType::UInt16),
        GDALDataType::GDT_UInt32 => Some(SampleType::UInt32),
        GDALDataType::GDT_UInt64 => Some(SampleType::UInt64),
        GDT_INT8 => Some(SampleType::Int8),
        GDALDataType::GDT_Int16 => Some(SampleType::Int16),
        GDALDataType::GDT_Int32 => Some(SampleType::Int32),
        GDALDataType::GDT_Int64 => Some(SampleType::Int64),
        GDALDataType::GDT_Float32 => Some(SampleType::Float32),
        GDALDataType::GDT_Float64 => Some(SampleType::Float64),
        _ => None,
    }
}

fn kind_of(sample: SampleType) -> GDALDataType::Type {
    match sample {
        // before 3.7 a signed byte is a byte with a mark, so its bits travel as a byte
        SampleType::UInt8 | SampleType::Int8 => GDALDataType::GDT_Byte,
        SampleType::UInt16 => GDALDataType::GDT_UInt16,
        SampleType::UInt32 => GDALDataType::GDT_UInt32,
        SampleType::UInt64 => GDALDataType::GDT_UInt64,
        SampleType::Int16 => GDALDataType::GDT_Int16,
        SampleType::Int32 => GDALDataType::GDT_Int32,
        SampleType::Int64 => GDALDataType::GDT_Int64,
        SampleType::Float32 => GDALDataType::GDT_Float32,
        SampleType::Float64 => GDALDataType::GDT_Float64,
    }
}

/// The dataset's transform as (a, b, c, d, e, f), or `None` where it has none.
pub(crate) fn transform_of(dataset: &Dataset) -> Option<[f64; 6]> {
    let [west, a, b, north, d, e] = dataset.geo_transform().ok()?;
    Some([a, b, west, d, e, north])
}

fn checked_window(dataset: &Dataset, window: Window) -> Result<[c_int; 4], String> {
    let (width, height) = dataset.raster_size();
    let fits = |start: usize, length: usize, limit: usize| {
        length > 0 && start.checked_add(length).is_some_and(|end| end <= limit)
    };
    if !fits(window.col, window.width, width) || !fits(window.row, window.height, height) {
        return Err(format!(
            "{window:?} is not inside a raster of {width} x {height} pixels"
        ));
    }
    // a raster's own sides are c_int, so what lies inside them is too
    let int = |value: usize| c_int::try_from(value).unwrap_or(c_int::MAX);
    Ok([
        int(window.col),
        int(window.row),
        int(window.width),
        int(window.height),
    ])
}

fn band_numbers(dataset: &Dataset, bands: &[usize]) -> Result<Vec<c_int>, String> {
    let count = dataset.raster_count();
    let number = |band: &usize| match c_int::try_from(*band) {
        Ok(number) if (1..=count).contains(band) => Ok(number),
        _ => Err(format!("band {band} is not among its {count} bands")),
    };
    bands.iter().map(number).collect()
}

/// Reads a window of some bands (numbered from 1) into (C, h, w) values of type `sample`.
pub(crate) fn read(
    dataset: &Dataset,
    bands: &[usize],
    window: Window,
    sample: SampleType,
    out: &mut [u8],
) -> Result<(), String> {
    let rectangle = checked_window(dataset, window)?;
    let mut numbers = band_numbers(dataset, bands)?;
    check_length(bands.len(), window, sample, out.len())?;
    let flag = GDALRWFlag::GF_Read;
    // SAFETY: window, bands and the buffer's length were checked just above
    unsafe {
        raster_io(
            dataset,
            flag,
            rectangle,
            &mut numbers,
            sample,
            out.as_mut_ptr().cast(),
        )
    }
}

/// Reads a window of the mask of the first band: 0 where a pixel is invalid.
pub(crate) fn read_mask(dataset: &Dataset, window: Window, out: &mut [u8]) -> Result<(), String> {
    let [col, row, width, height] = checked_window(dataset, window)?;
    check_length(1, window, SampleType::UInt8, out.len())?;
    forget_errors();
    let (flag, kind, data) = (
        GDALRWFlag::GF_Read,
        GDALDataType::GDT_Byte,
        out.as_mut_ptr(),
    );
    // SAFETY: a dataset has a first band, every band a mask; the window and the length are checked
    let code = unsafe {
        let band = gdal_sys::GDALGetRasterBand(dataset.c_dataset(), 1);
        let mask = gdal_sys::GDALGetMaskBand(band);
        gdal_sys::GDALRasterIOEx(
            mask,
            flag,
            col,
            row,
            width,
            height,
            data.cast(),
            width,
            height,
            kind,
            0,
            0,
            ptr::null_mut(),
        )
    };
    if code == CPLErr::CE_None {
        Ok(())
    } else {
        Err(failure())
    }
}

/// Writes (C, h, w) values of type `sample` into a window of the first C bands.
pub(crate) fn write(
    dataset: &mut Dataset,
    window: Window,
    sample: SampleType,
    pixels: &[u8],
) -> Result<(), String> {
    let rectangle = checked_window(dataset, window)?;
    let bands: Vec<usize> = (1..=dataset.raster_count()).collect();
    let mut numbers = band_numbers(dataset, &bands)?;
    check_length(bands.len(), window, sample, pixels.len())?;
    let flag = GDALRWFlag::GF_Write;
    let data = pixels.as_ptr().cast_mut().cast();
    // SAFETY: as in `read`; GDAL does not change the buffer when it writes a raster
    unsafe { raster_io(dataset, flag, rectangle, &mut numbers, sample, data) }
}

fn check_length(
    bands: usize,
    window: Window,
    sample: SampleType,
    got: usize,
) -> Result<(), String> {
    let wanted = bands * window.width * window.height * sample.size();
    if wanted == got {
        Ok(())
    } else {
        Err(format!("{wanted} bytes are needed, not {got}"))
    }
}

/// # Safety
/// `data` must hold all pixels of `rectangle` for all `bands`, and both must lie in the dataset.
unsafe fn raster_io(
    dataset: &Dataset,
    flag: GDALRWFlag::Type,
    [col, row, width, height]: [c_int; 4],
    bands: &mut [c_int],
    sample: SampleType,
    data: *mut c_void,
) -> Result<(), String> {
    let count = c_int::try_from(bands.len()).map_err(|_| "too many bands".to_owned())?;
    forget_errors();
    let (kind, map, none) = (kind_of(sample), bands.as_mut_ptr(), ptr::null_mut());
    // SAFETY: promised by the caller; zero spacings mean packed (C, h, w)
    let code = unsafe {
        gdal_sys::GDALDatasetRasterIOEx(
            dataset.c_dataset(),
            flag,
            col,
            row,
            width,
            height,
            data,
            width,
            height,
            kind,
            count,
            map,
            0,
            0,
            0,
            none,
        )
    };
    if code == CPLErr::CE_None {
        Ok(())
    } else {
        Err(failure())
    }
}

/// Creates a raster of `count` bands with a driver's options.
pub(crate) fn create(
    driver: &str,
    path: &str,
    (width, height, count): (usize, usize, usize),
    sample: SampleType,
    options: &[(&str, &str)],
) -> Result<Dataset, String> {
    let int = |value: usize| c_int::try_from(value).map_err(|_| format!("{value} is too large"));
    let (width, height, count) = (int(width)?, int(height)?, int(count)?);
    let driver = DriverManager::get_driver_by_name(driver).map_err(|error| error.to_string())?;
    let name = CString::new(path).map_err(|error| error.to_string())?;
    let list = string_list(options)?;
    forget_errors();
    // SAFETY: all pointers outlive the call; the dataset returned has no other owner
    unsafe {
        let kind = kind_of(sample);
        let c_driver = driver.c_driver();
        let made = gdal_sys::GDALCreate(
            c_driver,
            name.as_ptr(),
            width,
            height,
            count,
            kind,
            list.as_ptr(),
        );
        if made.is_null() {
            Err(failure())
        } else {
            Ok(Dataset::from_c_dataset(made))
        }
    }
}

fn string_list(options: &[(&str, &str)]) -> Result<CslStringList, String> {
    let mut list = CslStringList::new();
    for (key, value) in options {
        list.add_name_value(key, value)
            .map_err(|error| error.to_string())?;
    }
    Ok(list)
}

/// Copies a raster with a driver that can only copy, such as COG.
pub(crate) fn create_copy(
    driver: &str,
    path: &str,
    source: &Dataset,
    options: &[(&str, &str)],
) -> Result<(), String> {
    let driver = DriverManager::get_driver_by_name(driver).map_err(|error| error.to_string())?;
    let name = CString::new(path).map_err(|error| error.to_string())?;
    let list = string_list(options)?;
    forget_errors();
    // SAFETY: all pointers outlive the call; the dataset returned has no other owner
    let copy = unsafe {
        let (c_driver, c_source) = (driver.c_driver(), source.c_dataset());
        let made = gdal_sys::GDALCreateCopy(
            c_driver,
            name.as_ptr(),
            c_source,
            0,
            list.as_ptr(),
            None,
            ptr::null_mut(),
        );
        if made.is_null() {
            return Err(failure());
        }
        Dataset::from_c_dataset(made)
    };
    drop(copy);
    last_failure().map_or(Ok(()), Err)
}

/// The system as one line of WKT2.
pub(crate) fn wkt2(system: &SpatialRef) -> Result<String, String> {
    let options = string_list(&[("FORMAT", "WKT2_2019"), ("MULTILINE", "NO")])?;
    let mut text = ptr::null_mut();
    // SAFETY: GDAL allocates the text, which is copied and freed with GDAL's own function
    unsafe {
        let list = options.as_ptr().cast_const().cast();
        let code = gdal_sys::OSRExportToWktEx(system.to_c_hsrs(), &raw mut text, list);
        let copy = (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned());
        gdal_sys::VSIFree(text.cast());
        copy.filter(|_| code == gdal_sys::OGRErr::OGRERR_NONE)
            .ok_or_else(failure)
    }
}

/// Transforms points in place; where that fails a point becomes NaN.
pub(crate) fn transform(
    transform: &gdal::spatial_ref::CoordTransform,
    x: &mut [f64],
    y: &mut [f64],
) -> Result<(), String> {
    let count = c_int::try_from(x.len()).map_err(|_| "too many points at once".to_owned())?;
    if x.len() != y.len() {
        return Err("x and y must be equally long".to_owned());
    }
    let mut success = vec![0; x.len()];
    // SAFETY: x, y and success hold `count` values each, z may be null
    unsafe {
        let (xs, ys, flags) = (x.as_mut_ptr(), y.as_mut_ptr(), success.as_mut_ptr());
        gdal_sys::OCTTransformEx(transform.to_c_hct(), count, xs, ys, ptr::null_mut(), flags);
    }
    for (index, _) in success.iter().enumerate().filter(|(_, flag)| **flag == 0) {
        (x[index], y[index]) = (f64::NAN, f64::NAN);
    }
    Ok(())
}
