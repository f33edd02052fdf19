"""Outlines are true to half a metre, also across the antimeridian; the curve is a Hilbert curve."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from pyproj import Transformer

from gair_cli.errors import DataError
from gair_cli.geo.footprints import footprints, hilbert_index


def one(transform, size, crs):
    found = footprints(np.array([transform], float), np.array([size]), crs)
    return shapely.from_wkb(found.geometry[0]), found.bbox[0], found.centre[0]


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:32733", "EPSG:3035", "EPSG:3413"])
def test_long_edges_are_bent_until_half_a_metre_is_right(crs):
    origin = {"EPSG:3413": (5e5, -5e5), "EPSG:3035": (4321000, 3210000)}.get(crs, (3e5, 5e6))
    outline, _, _ = one((10, 0, origin[0], 0, -10, origin[1]), (3000, 3000), crs)
    to_crs = Transformer.from_crs("OGC:CRS84", crs, always_xy=True)
    dense = shapely.get_coordinates(shapely.segmentize(outline, 1e-4))
    x, y = to_crs.transform(dense[:, 0], dense[:, 1])
    west, north = origin
    off = np.min(
        [np.abs(x - west), np.abs(x - west - 3e4), np.abs(y - north), np.abs(y - north + 3e4)],
        axis=0,
    )
    assert off.max() < 0.5


def test_small_tiles_need_their_corners_only():
    outline, box, centre = one((10, 0, 5e5, 0, -10, 5e6), (96, 96), "EPSG:32633")
    assert len(shapely.get_coordinates(outline)) == 5
    assert tuple(box) == pytest.approx(outline.bounds, abs=0)
    assert outline.contains(shapely.Point(centre))


def test_tile_over_the_antimeridian_is_split_there():
    outline, box, _ = one((10, 0, 150000, 0, -10, 4e5), (5000, 96), "EPSG:32601")
    assert outline.geom_type == "MultiPolygon"
    assert outline.is_valid
    assert box[0] > 170
    assert box[2] < -170
    lons = shapely.get_coordinates(outline)[:, 0]
    assert np.abs(lons).max() <= 180


def test_tile_of_a_geographic_raster_behind_the_antimeridian_has_its_true_place():
    _, box, centre = one((0.01, 0, 180.5, 0, -0.01, -16.0), (100, 100), "EPSG:4326")
    assert centre == pytest.approx([-179.0, -16.5])
    assert box == pytest.approx([-179.5, -17.0, -178.5, -16.0])


def test_footprint_depends_on_its_own_tile_alone():
    small, large = (10, 0, 5e5, 0, -10, 5e6), (1000, 0, 3e5, 0, -1000, 6e6)
    both = footprints(np.array([small, large], float), np.array([[96, 96]] * 2), "EPSG:32633")
    alone = footprints(np.array([small], float), np.array([[96, 96]]), "EPSG:32633")
    assert both.geometry[0] == alone.geometry[0]


def test_tile_beyond_the_earth_is_refused():
    with pytest.raises(DataError, match="beyond where"):
        one((1e6, 0, 5e8, 0, -1e6, 5e9), (96, 96), "EPSG:3035")


def test_neighbours_on_the_curve_are_neighbours_on_the_map():
    step = 360 / 2**16
    side = np.arange(64)
    lon, lat = np.meshgrid(-180 + (side + 0.5) * step, -90 + (side + 0.5) * step / 2)
    points = np.stack([lon.ravel(), lat.ravel()], axis=1)
    order = np.argsort(hilbert_index(points))
    assert sorted(hilbert_index(points)) == list(range(64 * 64))
    moves = np.abs(np.diff(points[order], axis=0)) / [step, step / 2]
    assert np.allclose(moves.sum(axis=1), 1)
