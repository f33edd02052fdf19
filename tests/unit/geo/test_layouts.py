"""Tiles of each grid lie where its definition says, whatever scene they are cut from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gair_cli.errors import DataError, UsageError
from gair_cli.geo.coordinates import from_lonlat, to_lonlat
from gair_cli.geo.grid_layouts import layouts_of
from gair_cli.geo.grid_majortom import MajorTomGrid, cell_name
from gair_cli.geo.grids import GridChoice
from gair_cli.geo.ground import round_resolution
from gair_cli.geo.reproject import reprojected
from gair_cli.geo.scene import Band, Grid, Scene
from gair_cli.geo.tile_options import TilingOptions

SNOWBIRD = (-111.6556, 40.5829)


def scene_on(grid):
    return Scene("s", "s.tif", (), (Band("B2", "s.tif"),), "uint16", grid, 0.0, None, None)


def lay_out(grid, choice="scene", **options):
    return layouts_of(scene_on(grid), TilingOptions(grid=GridChoice.parse(choice), **options))


def utm_scene(col=38447, row=582045, *, side=300, zone="EPSG:32633"):
    """A scene of 10 m pixels whose first pixel has its corner at 10 * (col, row)."""
    return Grid(zone, (10.0, 0.0, 10.0 * col, 0.0, -10.0, 10.0 * row), side, side)


def around(lon, lat, *, degrees=0.02, pixels=200):
    """A scene in degrees with a place in its middle."""
    step = 2 * degrees / pixels
    return Grid("EPSG:4326", (step, 0.0, lon - degrees, 0.0, -step, lat + degrees), pixels, pixels)


def cells(layout):
    return set(zip(layout.rows.tolist(), layout.cols.tolist(), strict=True))


def corners(layout):
    """Top left corner of each tile by its cell."""
    places = layout.transforms[:, [2, 5]].tolist()
    return dict(
        zip(zip(layout.rows.tolist(), layout.cols.tolist(), strict=True), places, strict=True)
    )


# ---- utm ----


def test_utm_tiles_of_two_overlapping_scenes_coincide():
    first, second = utm_scene(), utm_scene(38447 + 130, 582045 - 77)
    (mine,), (theirs,) = (lay_out(grid, "utm", size=32) for grid in (first, second))
    assert mine.name == theirs.name == "utm:32633"
    common = cells(mine) & cells(theirs)
    assert len(common) > 10
    for cell in common:
        assert corners(mine)[cell] == corners(theirs)[cell]


def test_utm_rows_count_southwards_and_columns_eastwards_from_the_zone_origin():
    (layout,) = lay_out(utm_scene(), "utm", size=96)
    for (row, col), (x, y) in corners(layout).items():
        assert (x, y) == (col * 960.0, -row * 960.0)
    # 384,470 m is column 400.49, so the first whole tile is column 401; 5,820,450 m row -6062.97
    assert min(layout.cols) == 401
    assert min(layout.rows) == -6062


def test_utm_scene_on_multiples_keeps_its_pixels_and_another_is_resampled():
    (kept,) = lay_out(utm_scene(), "utm", size=32)
    offset = kept.grid.transform[2]
    assert (384470.0 - offset) % 10 == 0
    landsat = Grid("EPSG:32616", (30.0, 0.0, 717345.0, 0.0, -30.0, 3776655.0), 600, 600)
    (moved,) = lay_out(landsat, "utm", size=32)
    assert moved.grid.transform[0] == 30.0
    assert all(x % 960 == 0 and y % 960 == 0 for x, y in corners(moved).values())


def test_skipped_tiles_lie_in_the_scene_and_padded_ones_cover_it():
    grid = utm_scene()
    (whole,), (padded,) = (lay_out(grid, "utm", size=32, partial=way) for way in ("skip", "pad"))
    west, north, side = 384470.0, 5820450.0, 3000.0
    for x, y in corners(whole).values():
        assert west <= x <= west + side - 320
        assert north - side + 320 <= y <= north
    inside = math.floor((west + side) / 320) - math.ceil(west / 320)
    assert len(set(whole.cols)) == inside
    columns = range(math.floor(west / 320), math.ceil((west + side) / 320))
    assert set(padded.cols) >= set(columns)
    assert cells(whole) < cells(padded)


def test_scene_in_degrees_goes_to_the_zones_it_lies_in_each_tile_to_that_of_its_centre():
    grid = around(12.0, 50.0, degrees=0.2, pixels=4000)  # zones 32 and 33 meet at 12 E
    layouts = lay_out(grid, "utm", size=64)
    assert [layout.name for layout in layouts] == ["utm:32632", "utm:32633"]
    for layout, (low, high) in zip(layouts, [(6, 12), (12, 18)], strict=True):
        res = layout.grid.transform[0]
        middle = layout.transforms[:, [2, 5]] + [32 * res, -32 * res]
        lon = to_lonlat(middle, layout.grid.crs)[:, 0]
        assert ((lon >= low) & (lon < high)).all()


def test_scene_over_the_equator_goes_to_both_hemispheres():
    layouts = lay_out(around(3.0, 0.0, degrees=0.1, pixels=1000), "utm", size=32)
    assert [layout.name for layout in layouts] == ["utm:32631", "utm:32731"]


def test_scene_over_the_antimeridian_goes_to_zones_1_and_60():
    layouts = lay_out(around(180.0, -17.0, degrees=0.1, pixels=1000), "utm", size=32)
    assert [layout.name for layout in layouts] == ["utm:32701", "utm:32760"]
    assert all(len(layout) > 50 for layout in layouts)


def test_resolution_of_the_request_stands_in_the_name_if_it_is_not_the_scenes():
    (finer,) = lay_out(utm_scene(), "utm", size=32, res=20.0)
    assert (finer.name, finer.grid.transform[0]) == ("utm:32633@20", 20.0)
    (same,) = lay_out(utm_scene(), "utm", size=32, res=10.0)
    assert same.name == "utm:32633"


@pytest.mark.parametrize(
    ("degrees", "lat", "res"), [(9e-5, 0.0, 10.0), (9e-5, 50.0, 8.0), (0.00027, 10.0, 30.0)]
)
def test_default_resolution_is_the_ground_resolution_in_round_numbers(degrees, lat, res):
    grid = Grid("EPSG:4326", (degrees, 0.0, 10.0, 0.0, -degrees, lat), 10, 10)
    assert round_resolution(grid) == res


# ---- xyz ----


def slippy(lon, lat, zoom):
    """Column and row of the slippy map, as its own pages define them."""
    phi = math.radians(lat)
    x = (lon + 180) / 360 * 2**zoom
    y = (1 - math.log(math.tan(phi) + 1 / math.cos(phi)) / math.pi) / 2 * 2**zoom
    return math.floor(x), math.floor(y)


@given(st.floats(-179, 179), st.floats(-80, 80), st.integers(8, 16))
def test_xyz_tile_of_a_place_is_that_of_the_slippy_map(lon, lat, zoom):
    degrees = 2.5 * 360 / 2**zoom
    if abs(lat) + degrees > 84 or abs(lon) + degrees > 180:
        return
    (layout,) = lay_out(around(lon, lat, degrees=degrees), f"xyz:{zoom}", size=64, partial="pad")
    col, row = slippy(lon, lat, zoom)
    assert (row, col) in cells(layout)
    x, y = corners(layout)[row, col]
    west, north = to_lonlat([[x, y]], "EPSG:3857")[0]
    assert west == pytest.approx(col / 2**zoom * 360 - 180, abs=1e-9)
    top = math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * row / 2**zoom))))
    assert north == pytest.approx(top, abs=1e-9)


def test_xyz_has_the_usual_pixels_at_256_a_side():
    (layout,) = lay_out(around(13.4, 52.5, degrees=0.2), "xyz:12", size=256, partial="pad")
    assert layout.name == "xyz:12"
    assert layout.grid.transform[0] == pytest.approx(156543.03392804097 / 4096, rel=1e-12)
    assert (1343, 2200) in cells(layout)  # Berlin's tile 12/2200/1343
    assert len(layout) == len(cells(layout))


def test_xyz_tiles_go_on_behind_the_antimeridian():
    (layout,) = lay_out(around(180.0, 0.0, degrees=1.0), "xyz:10", size=64, partial="pad")
    assert {0, 1, 2, 1021, 1022, 1023} <= set(layout.cols.tolist())
    assert 500 not in layout.cols


def test_world_from_pole_to_pole_is_one_tile_at_zoom_0():
    grid = Grid("EPSG:4326", (1.0, 0.0, -180.0, 0.0, -1.0, 90.0), 360, 180)
    (layout,) = lay_out(grid, "xyz:0", size=64)
    assert cells(layout) == {(0, 0)}


# ---- Major TOM ----


def test_majortom_cells_are_those_of_the_published_grid():
    grid = MajorTomGrid(10.0)
    assert grid.row_step == 180 / 2004
    assert cell_name(*grid.cell_at(*SNOWBIRD)) == "451U_946L"
    assert grid.columns(451) == 3047
    assert grid.points(np.array([451]), np.array([-946]))[0] == pytest.approx(
        [-111.768953, 40.508982], abs=1e-6
    )
    assert cell_name(*grid.cell_at(0.001, 0.001)) == "0U_0R"
    assert cell_name(*grid.cell_at(-0.001, -0.001)) == "1D_1L"
    assert cell_name(*MajorTomGrid(1.0).cell_at(*SNOWBIRD)) == "4517U_9441L"
    # a row with an odd number of columns: the easternmost goes on behind the antimeridian
    assert cell_name(*MajorTomGrid(1000.0).cell_at(-178.892, -63.121)) == "8D_7R"


def test_majortom_tile_has_the_square_of_its_point_in_the_middle():
    grid = around(*SNOWBIRD, degrees=0.2, pixels=4000)
    (layout,) = lay_out(grid, "majortom:10", size=1068, res=10.0, partial="pad")
    assert layout.name.startswith("majortom:10")
    assert layout.grid.crs == "EPSG:32612"
    x, y = corners(layout)[451, -946]
    point = from_lonlat([[-111.768953, 40.508982]], "EPSG:32612")[0]
    assert x == pytest.approx(point[0] - 340, abs=5.1)
    assert y - 10680 == pytest.approx(point[1] - 340, abs=5.1)
    assert x % 10 == y % 10 == 0


def test_majortom_tiles_cover_a_scene_without_gaps():
    grid = utm_scene(side=2000)
    layouts = lay_out(grid, "majortom:2", size=220, partial="pad")
    covered = np.zeros((2000, 2000), bool)
    for layout in layouts:
        assert layout.grid.crs == "EPSG:32633"
        for x, y in corners(layout).values():
            left, top = round((x - 384470) / 10), round((5820450 - y) / 10)
            covered[max(top, 0) : max(top + 220, 0), max(left, 0) : max(left + 220, 0)] = True
    assert covered.all()


# ---- reproject ----


def test_reprojected_scene_is_covered_by_square_pixels_of_the_size_asked_for():
    grid = reprojected(utm_scene(), "EPSG:3857", res=10.0)
    a, _, west, _, e, north = grid.transform
    outline = from_lonlat(
        to_lonlat(
            [[384470, 5820450], [387470, 5820450], [384470, 5817450], [387470, 5817450]],
            "EPSG:32633",
        ),
        "EPSG:3857",
    )
    assert west <= outline[:, 0].min() <= west + 2 * a
    assert north + 2 * e <= outline[:, 1].max() <= north
    assert west + a * grid.width >= outline[:, 0].max()
    assert north + e * grid.height <= outline[:, 1].min()
    assert a == -e == pytest.approx(10 / math.cos(math.radians(52.5)), rel=0.01)


def test_scene_that_has_the_crs_already_keeps_its_pixels():
    grid = reprojected(utm_scene(), "EPSG:32633", res=None)
    assert grid == utm_scene()


def test_reprojected_tiles_are_counted_from_the_first_pixel():
    (layout,) = lay_out(utm_scene(), reproject="EPSG:3857", size=64, partial="skip")
    assert layout.name == "epsg:3857"
    assert corners(layout)[0, 0] == [layout.grid.transform[2], layout.grid.transform[5]]
    with pytest.raises(DataError, match="not a known CRS"):
        lay_out(utm_scene(), reproject="EPSG:99999999")


# ---- conflicts ----


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"grid": "utm", "partial": "shift"}, "shift"),
        ({"grid": "utm", "size": None}, "full"),
        ({"grid": "utm", "reproject": "EPSG:3857"}, "reproject"),
        ({"grid": "xyz:12", "stride": 128}, "stride"),
        ({"grid": "xyz:12", "res": 10.0}, "res"),
        ({"grid": "majortom:10", "stride": 128}, "stride"),
        ({"grid": "scene", "res": 10.0}, "--res"),
        ({"grid": "scene", "level": 20}, "level 20"),
        ({"grid": "scene", "memory": 0}, "memory"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, words):
    with pytest.raises(UsageError, match=words):
        TilingOptions(**{**options, "grid": GridChoice.parse(options["grid"])}).check()


@pytest.mark.parametrize(
    "text", ["", "xyz", "xyz:25", "xyz:-1", "majortom:0", "majortom:a", "utm:3"]
)
def test_unknown_grids_are_refused(text):
    with pytest.raises(UsageError, match="no grid"):
        GridChoice.parse(text)


def test_grid_far_too_fine_for_a_scene_is_refused():
    grid = Grid("EPSG:4326", (1.0, 0.0, -180.0, 0.0, -1.0, 90.0), 360, 180)
    with pytest.raises(DataError, match="too fine"):
        lay_out(grid, "xyz:20", size=256)
