//! Polygons of vector files, and which outlines share area with them.
use gdal::cpl::CslStringList;
use gdal::errors::GdalError;
use gdal::vector::{Geometry, LayerAccess, OGRwkbGeometryType, geometry_type_flatten};
use gdal::{Dataset, DatasetOptions, GdalOpenFlags};
use geo_index::rtree::sort::HilbertSort;
use geo_index::rtree::{RTree, RTreeBuilder, RTreeIndex};

use crate::crs::name_of;
use crate::error::{Error, Result};
use crate::prepared::Prepared;
use crate::{ffi, info, setup};

/// A share of the smaller polygon below which an overlap is rounding, not area.
const LEAST_SHARE: f64 = 1e-9;

/// The polygons of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct PolygonLayer {
    /// `EPSG:n`, else WKT2; `None` where the layer states none.
    pub crs: Option<String>,
    /// WKB of each polygon, two-dimensional; the parts of multipolygons stand alone.
    pub polygons: Vec<Vec<u8>>,
}

/// Reads the polygons of every layer of a vector file; other geometries are passed over.
///
/// # Errors
/// [`Error::Unreadable`] when it is no vector file or breaks off.
pub fn read_polygons(path: &str) -> Result<Vec<PolygonLayer>> {
    let dataset = open(path)?;
    let broken = |error: GdalError| Error::unreadable(path, error.to_string());
    let mut layers = Vec::with_capacity(dataset.layer_count());
    for mut layer in dataset.layers() {
        let crs = layer
            .spatial_ref()
            .map(|system| name_of(&system))
            .transpose()?;
        let mut polygons = Vec::new();
        ffi::forget_errors();
        for feature in layer.features() {
            if let Some(geometry) = feature.geometry().filter(|found| found.has_gdal_ptr()) {
                gather(geometry, &mut polygons).map_err(broken)?;
            }
            ffi::forget_errors(); // a missing geometry is one to GDAL; what ends the loop counts
        }
        if let Some(message) = ffi::last_failure() {
            return Err(Error::unreadable(path, info::short(&message, path)));
        }
        layers.push(PolygonLayer { crs, polygons });
    }
    Ok(layers)
}

fn open(path: &str) -> Result<Dataset> {
    setup();
    ffi::forget_errors();
    let options = DatasetOptions {
        open_flags: GdalOpenFlags::GDAL_OF_VECTOR
            | GdalOpenFlags::GDAL_OF_READONLY
            | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR,
        ..DatasetOptions::default()
    };
    Dataset::open_ex(path, options).map_err(|error| {
        let message = ffi::last_failure().unwrap_or_else(|| error.to_string());
        Error::unreadable(path, info::short(&message, path))
    })
}

/// Adds the WKB of every polygon in a geometry; curves become chords.
fn gather(geometry: &Geometry, out: &mut Vec<Vec<u8>>) -> std::result::Result<(), GdalError> {
    match geometry_type_flatten(geometry.geometry_type()) {
        OGRwkbGeometryType::wkbPolygon | OGRwkbGeometryType::wkbTriangle => {
            let mut flat = geometry.clone();
            flat.flatten_to_2d();
            out.push(flat.wkb()?);
            Ok(())
        }
        OGRwkbGeometryType::wkbCurvePolygon => {
            crate::prepared::linear(geometry).map_or(Ok(()), |chords| gather(&chords, out))
        }
        OGRwkbGeometryType::wkbMultiPolygon
        | OGRwkbGeometryType::wkbMultiSurface
        | OGRwkbGeometryType::wkbPolyhedralSurface
        | OGRwkbGeometryType::wkbTIN
        | OGRwkbGeometryType::wkbGeometryCollection => (0..geometry.geometry_count())
            .try_for_each(|at| gather(&geometry.get_geometry(at), out)),
        _ => Ok(()),
    }
}

/// Tells which outlines share area with any polygon; a common edge or corner is not enough.
///
/// `outlines` and `polygons` are WKB in one plane. Polygons that cross themselves are mended first.
///
/// # Errors
/// [`Error::Unusable`] when something is no WKB geometry.
pub fn shares_area(outlines: &[Vec<u8>], polygons: &[Vec<u8>]) -> Result<Vec<bool>> {
    setup();
    let region = polygons
        .iter()
        .map(|wkb| Prepared::new(valid(parsed(wkb)?)))
        .collect::<Result<Vec<_>>>()?;
    let Some(index) = index_of(&region)? else {
        return Ok(vec![false; outlines.len()]);
    };
    outlines
        .iter()
        .map(|wkb| {
            let outline = parsed(wkb)?;
            let [west, south, east, north] = box_of(&outline);
            let near = index.search(west, south, east, north);
            Ok(near
                .into_iter()
                .any(|at| shares(&region[at as usize], &outline)))
        })
        .collect()
}

fn parsed(wkb: &[u8]) -> Result<Geometry> {
    Geometry::from_wkb(wkb).map_err(|error| Error::Unusable(format!("not a geometry: {error}")))
}

fn valid(geometry: Geometry) -> Geometry {
    if geometry.is_valid() {
        return geometry;
    }
    geometry
        .make_valid(&CslStringList::new())
        .unwrap_or(geometry)
}

fn box_of(geometry: &Geometry) -> [f64; 4] {
    let around = geometry.envelope();
    [around.MinX, around.MinY, around.MaxX, around.MaxY]
}

fn index_of(region: &[Prepared]) -> Result<Option<RTree<f64>>> {
    if region.is_empty() {
        return Ok(None);
    }
    let count = u32::try_from(region.len())
        .map_err(|_| Error::Unusable("the region has too many polygons".to_owned()))?;
    let mut builder = RTreeBuilder::new(count);
    for polygon in region {
        let [west, south, east, north] = box_of(polygon.geometry());
        builder.add(west, south, east, north);
    }
    Ok(Some(builder.finish::<HilbertSort>()))
}

fn shares(polygon: &Prepared, outline: &Geometry) -> bool {
    if !polygon.intersects(outline) {
        return false;
    }
    if polygon.contains(outline) {
        return true;
    }
    let smaller = outline.area().min(polygon.geometry().area());
    // GEOS gives up on very bad shapes; one that touches counts then
    polygon
        .geometry()
        .intersection(outline)
        .is_none_or(|common| common.area() > LEAST_SHARE * smaller)
}

#[cfg(test)]
mod tests {
    use super::{parsed, read_polygons, shares_area};
    use gdal::vector::Geometry;

    fn wkb(wkt: &str) -> Vec<u8> {
        Geometry::from_wkt(wkt).unwrap().wkb().unwrap()
    }

    fn square(x: f64, y: f64, side: f64) -> Vec<u8> {
        Geometry::bbox(x, y, x + side, y + side)
            .unwrap()
            .wkb()
            .unwrap()
    }

    #[test]
    fn common_area_counts_and_a_common_edge_or_corner_does_not() {
        let outlines = [
            square(0.0, 0.0, 1.0),   // inside
            square(1.5, 1.5, 1.0),   // over the edge
            square(2.0, 0.0, 1.0),   // beside it
            square(2.0, 2.0, 1.0),   // at its corner
            square(5.0, 5.0, 1.0),   // far off
            square(-1.0, -1.0, 9.0), // around it
        ];
        let found = shares_area(&outlines, &[square(0.0, 0.0, 2.0)]).unwrap();
        assert_eq!(found, [true, true, false, false, false, true]);
        assert_eq!(shares_area(&outlines[..1], &[]).unwrap(), [false]);
    }

    #[test]
    fn a_hole_is_outside_and_a_bow_tie_is_mended() {
        let ring = wkb("POLYGON ((0 0,9 0,9 9,0 9,0 0),(3 3,6 3,6 6,3 6,3 3))");
        let tie = wkb("POLYGON ((20 0,24 4,24 0,20 4,20 0))");
        let outlines = [
            square(4.0, 4.0, 1.0),
            square(23.0, 1.9, 0.2),
            square(21.9, 3.0, 0.2),
        ];
        assert_eq!(
            shares_area(&outlines, &[ring, tie]).unwrap(),
            [false, true, false]
        );
    }

    #[test]
    fn a_tiny_polygon_in_a_large_outline_counts() {
        let found = shares_area(&[square(0.0, 0.0, 1.0)], &[square(0.5, 0.5, 1e-7)]).unwrap();
        assert_eq!(found, [true]);
    }

    #[test]
    fn polygons_of_a_file_come_flat_and_one_by_one() {
        let text = r#"{"type": "FeatureCollection", "features": [
            {"type": "Feature", "properties": {}, "geometry": null},
            {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [1, 2]}},
            {"type": "Feature", "properties": {}, "geometry": {"type": "MultiPolygon", "coordinates":
                [[[[0,0,5],[1,0,5],[1,1,5],[0,0,5]]], [[[3,3],[4,3],[4,4],[3,3]]]]}}]}"#;
        let layers = read_polygons(text).unwrap();
        assert_eq!(layers.len(), 1);
        assert_eq!(layers[0].crs.as_deref(), Some("EPSG:4326"));
        assert_eq!(layers[0].polygons.len(), 2);
        assert_eq!(layers[0].polygons[0], wkb("POLYGON ((0 0,1 0,1 1,0 0))"));
        assert!(read_polygons("/nowhere/at/all.gpkg").is_err());
        assert!(parsed(&[1, 2, 3]).is_err());
    }
}
