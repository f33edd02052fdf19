//! Unsafe calls for geometries: prepared ones, which answer many questions fast, and curves.
use std::ptr;

use gdal::vector::Geometry;
use gdal_sys::OGRPreparedGeometryH;

use crate::error::{Error, Result};

/// A geometry that was prepared for many predicates; belongs to one thread.
pub(crate) struct Prepared {
    handle: OGRPreparedGeometryH,
    geometry: Geometry,
}

impl Prepared {
    /// Prepares a geometry.
    ///
    /// # Errors
    /// [`Error::Unusable`] when GDAL has no GEOS, or the geometry is too bad for it.
    pub(crate) fn new(geometry: Geometry) -> Result<Self> {
        // SAFETY: the geometry lives as long as the handle, since both are in this value
        let handle = unsafe { gdal_sys::OGRCreatePreparedGeometry(geometry.c_geometry()) };
        if handle.is_null() {
            return Err(Error::Unusable(
                "a polygon of the region cannot be used".to_owned(),
            ));
        }
        Ok(Self { handle, geometry })
    }

    pub(crate) fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    pub(crate) fn intersects(&self, other: &Geometry) -> bool {
        // SAFETY: both handles are alive and not null
        unsafe { gdal_sys::OGRPreparedGeometryIntersects(self.handle, other.c_geometry()) != 0 }
    }

    pub(crate) fn contains(&self, other: &Geometry) -> bool {
        // SAFETY: both handles are alive and not null
        unsafe { gdal_sys::OGRPreparedGeometryContains(self.handle, other.c_geometry()) != 0 }
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // SAFETY: made by `new`, freed once
        unsafe { gdal_sys::OGRDestroyPreparedGeometry(self.handle) };
    }
}

/// A geometry with chords instead of curves, as GDAL's own default draws them.
pub(crate) fn linear(geometry: &Geometry) -> Option<Geometry> {
    // SAFETY: a new geometry is returned, which the WKB copies and the call after it frees
    unsafe {
        let made = gdal_sys::OGR_G_GetLinearGeometry(geometry.c_geometry(), 0.0, ptr::null_mut());
        if made.is_null() {
            return None;
        }
        let size = usize::try_from(gdal_sys::OGR_G_WkbSize(made)).unwrap_or(0);
        let mut wkb = vec![0; size];
        let order = gdal_sys::OGRwkbByteOrder::wkbNDR;
        gdal_sys::OGR_G_ExportToWkb(made, order, wkb.as_mut_ptr());
        gdal_sys::OGR_G_DestroyGeometry(made);
        Geometry::from_wkb(&wkb).ok()
    }
}
