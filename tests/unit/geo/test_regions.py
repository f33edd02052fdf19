"""Which tiles belong to a region: those whose footprint shares area with it, and no others."""

from __future__ import annotations

import itertools

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gair_cli.errors import DataError, InputError, UsageError
from gair_cli.geo.coordinates import to_lonlat
from gair_cli.geo.footprints import footprints
from gair_cli.geo.layouts import crossed
from gair_cli.geo.regions import box_region, read_region, region_of
from gair_cli.geo.scene import Grid
from gair_cli.geo.wkb import polygon_wkb, polygons_of

WEST, NORTH = 384_000.0, 5_820_000.0


def lattice(rows=6, cols=8, *, crs="EPSG:32633", west=WEST, north=NORTH, step=320.0):
    """Tiles of 32 pixels, side by side."""
    grid = Grid(crs, (step / 32, 0.0, west, 0.0, -step / 32, north), 32 * cols, 32 * rows)
    tops, lefts = [32 * row for row in range(rows)], [32 * col for col in range(cols)]
    return crossed("made", grid, size=(32, 32), stride=(32, 32), tops=tops, lefts=lefts)


def kept(region, layout):
    chosen = layout.only(region.shares_area(layout))
    return set(zip(chosen.rows.tolist(), chosen.cols.tolist(), strict=True))


def by_shapely(polygons, layout):
    sizes = np.tile([[32, 32]], (len(layout), 1))
    outlines = shapely.from_wkb(footprints(layout.transforms, sizes, layout.grid.crs).geometry)
    area = shapely.area(shapely.intersection(outlines, shapely.union_all(polygons)))
    return {
        (int(row), int(col))
        for row, col, one in zip(layout.rows, layout.cols, area, strict=True)
        if one > 1e-14
    }


CORNERS = st.tuples(st.floats(13.28, 13.34), st.floats(52.48, 52.53))


@given(CORNERS, CORNERS)
@settings(max_examples=50, deadline=None)
def test_box_keeps_the_tiles_that_share_area_with_it(first, second):
    west, east = sorted((first[0], second[0]))
    south, north = sorted((first[1], second[1]))
    if east - west < 1e-5 or north - south < 1e-5:
        return
    layout = lattice()
    box = shapely.box(west, south, east, north)
    assert kept(box_region((west, south, east, north)), layout) == by_shapely([box], layout)


def test_common_edges_are_not_area():
    layout = lattice(crs="EPSG:4326", west=10.0, north=50.0, step=0.5)
    assert kept(box_region((10.5, 49.0, 11.0, 49.5)), layout) == {(1, 1)}
    assert kept(box_region((10.5, 49.0, 11.01, 49.5)), layout) == {(1, 1), (1, 2)}


def test_box_over_the_antimeridian_keeps_tiles_on_both_sides():
    layout = lattice(3, 8, crs="EPSG:4326", west=178.0, north=0.0, step=0.5)
    assert {col for _, col in kept(box_region((179.1, -1.0, -178.9, -0.2)), layout)} == {
        2,
        3,
        4,
        5,
        6,
    }
    other = lattice(3, 8, crs="EPSG:4326", west=-180.0, north=0.0, step=0.5)
    assert {col for _, col in kept(box_region((179.1, -1.0, -178.9, -0.2)), other)} == {0, 1, 2}
    fiji = lattice(4, 4, crs="EPSG:32701", west=170_000.0, north=8_200_000.0, step=3200.0)
    lon = to_lonlat([[170_000.0, 8_200_000.0]], "EPSG:32701")[0, 0]
    assert lon > 179.9  # the zone's western neighbourhood lies across the antimeridian
    assert kept(box_region((179.0, -18.0, -179.0, -16.0)), fiji)


def write_region(path, polygons, crs):
    frame = gpd.GeoDataFrame(geometry=polygons, crs=crs)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_file(path)


@pytest.mark.parametrize(
    ("name", "crs"),
    [
        ("a.geojson", "EPSG:4326"),
        *itertools.product(
            ["a.gpkg", "a.shp", "a.parquet"], ["EPSG:4326", "EPSG:32633", "EPSG:3857", "EPSG:3035"]
        ),
    ],
)
def test_polygons_of_any_file_in_any_crs_choose_the_same_tiles(tmp_path, name, crs):
    shapes = gpd.GeoSeries(
        [
            shapely.Polygon(
                [(WEST + 100, NORTH - 100), (WEST + 900, NORTH - 500), (WEST + 200, NORTH - 1500)]
            ),
            shapely.Point(WEST + 2000, NORTH - 1200).buffer(300),
        ],
        crs="EPSG:32633",
    )
    write_region(tmp_path / name, shapes.to_crs(crs).tolist(), crs)
    layout = lattice()
    expected = by_shapely(shapes.to_crs("EPSG:4326").tolist(), layout)
    assert 4 < len(expected) < 30
    assert kept(read_region(tmp_path / name), layout) == expected


def test_holes_and_multipolygons_are_seen(tmp_path):
    ring = shapely.box(13.28, 52.48, 13.34, 52.53) - shapely.box(13.295, 52.505, 13.315, 52.52)
    far = shapely.box(20, 40, 21, 41)
    write_region(tmp_path / "a.gpkg", [shapely.MultiPolygon([ring, far])], "EPSG:4326")
    layout = lattice()
    found = kept(read_region(tmp_path / "a.gpkg"), layout)
    assert found == by_shapely([ring], layout)
    assert len(found) < len(layout)


def test_polygon_around_the_pole_holds_it(tmp_path):
    cap = shapely.Point(0, 0).buffer(1_000_000)
    write_region(tmp_path / "cap.gpkg", [cap], "EPSG:3031")
    region = read_region(tmp_path / "cap.gpkg")
    layout = lattice(2, 4, crs="EPSG:4326", west=100.0, north=-80.0, step=4.0)
    assert kept(region, layout) == {(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3)}
    assert not kept(region, lattice(2, 4, crs="EPSG:4326", west=100.0, north=-70.0, step=4.0))


def test_real_land_cover_polygons_choose_tiles_of_their_scene(shared_data):
    path = shared_data / "s2-scene" / "landcover" / "rcr_landcover.shp"
    region = read_region(path)
    frame = gpd.read_file(path).to_crs("EPSG:4326")
    layout = lattice(20, 20, crs="EPSG:4326", west=-76.72, north=34.73, step=0.008)
    assert kept(region, layout) == by_shapely(
        [shapely.make_valid(g) for g in frame.geometry], layout
    )


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326"])
def test_the_same_polygons_have_the_same_digest_wherever_they_lie(tmp_path, crs):
    box = gpd.GeoSeries([shapely.box(13.2, 52.4, 13.3, 52.5)], crs="EPSG:4326").to_crs(crs)
    for name in ("a.gpkg", "b.gpkg"):
        write_region(tmp_path / name, box.tolist(), crs)
    assert read_region(tmp_path / "a.gpkg").digest == read_region(tmp_path / "b.gpkg").digest


@pytest.mark.parametrize("box", [(0, 0, 0, 1), (0, -91, 1, 0), (0, 5, 1, 5), (-400, 0, 1, 1)])
def test_boxes_without_area_or_off_the_earth_are_refused(box):
    with pytest.raises(UsageError, match="no box"):
        box_region(box)


def test_files_that_are_no_regions_are_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_region(tmp_path / "none.geojson")
    (tmp_path / "bad.geojson").write_text("{")
    with pytest.raises(InputError, match=r"bad\.geojson"):
        read_region(tmp_path / "bad.geojson")
    write_region(tmp_path / "points.gpkg", [shapely.Point(1, 2)], "EPSG:4326")
    with pytest.raises(DataError, match="no polygons"):
        read_region(tmp_path / "points.gpkg")
    write_region(tmp_path / "a.shp", [shapely.box(0, 0, 1, 1)], "EPSG:32633")
    (tmp_path / "a.prj").unlink()
    with pytest.raises(DataError, match="CRS"):
        read_region(tmp_path / "a.shp")
    with pytest.raises(UsageError, match="both"):
        region_of((0, 0, 1, 1), tmp_path / "a.shp")


RINGS = st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)), min_size=3, max_size=9)


@given(st.lists(RINGS, min_size=1, max_size=3))
def test_rings_come_back_from_wkb_in_every_flavour(rings):
    closed = [np.array([*ring, ring[0]]) for ring in rings]
    data = polygon_wkb(closed)
    shape = shapely.from_wkb(data)
    flat = [np.array(r.coords) for r in [shape.exterior, *shape.interiors]]
    high = shapely.force_3d(shape, 7.0)
    for made in (
        data,
        shapely.to_wkb(shape, byte_order=0),
        shapely.to_wkb(high),
        shapely.to_wkb(high, flavor="iso"),
        shapely.to_wkb(shapely.set_srid(shape, 4326), include_srid=True),
        shapely.to_wkb(shapely.MultiPolygon([shape])),
    ):
        (found,) = polygons_of(made)
        assert all((a == b).all() for a, b in zip(found, flat, strict=True))


def test_bytes_that_are_no_geometry_are_refused():
    whole = polygon_wkb([np.array([[0, 0], [1, 0], [1, 1], [0, 0]], np.float64)])
    for length in range(len(whole)):
        with pytest.raises(DataError):
            polygons_of(whole[:length])
