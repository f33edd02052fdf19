"""Projections against PROJ, encodings against scipy and float64 numpy."""

from __future__ import annotations

import numpy as np
import pytest

from gair_cli import _rust
from gair_cli.errors import DataError
from gair_cli.geo import coordinates, encodings

pyproj = pytest.importorskip("pyproj")


def around_zone(zone, *, degrees, count=20_000):
    random = np.random.default_rng(zone)
    lon = zone * 6 - 183 + random.uniform(-degrees, degrees, count)
    return np.stack([(lon + 180) % 360 - 180, random.uniform(-90, 90, count)], axis=1)


def by_proj(lonlat, crs):
    transformer = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    return np.stack(transformer.transform(lonlat[:, 0], lonlat[:, 1]), axis=1)


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:32701", "EPSG:32660", "EPSG:32719"])
def test_transverse_mercator_is_a_micrometre_from_proj_within_15_degrees(crs):
    zone, _ = coordinates.utm_zone(crs)
    lonlat = around_zone(zone, degrees=15)
    assert np.abs(coordinates.from_lonlat(lonlat, crs) - by_proj(lonlat, crs)).max() < 1e-6


def test_transverse_mercator_is_defined_where_proj_is():
    lonlat = around_zone(31, degrees=170)
    ours, proj = coordinates.from_lonlat(lonlat, "EPSG:32631"), by_proj(lonlat, "EPSG:32631")
    both = np.isfinite(ours).all(axis=1) & np.isfinite(proj).all(axis=1)
    assert both.mean() > 0.98
    assert np.abs(ours[both] - proj[both]).max() < 1e-6


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:32701", "EPSG:3857", "EPSG:4326"])
def test_to_lonlat_undoes_from_lonlat(crs):
    zone, _ = coordinates.utm_zone(crs) or (20, True)
    lonlat = around_zone(zone, degrees=10)
    lonlat[:, 1] *= 0.9
    back = coordinates.to_lonlat(coordinates.from_lonlat(lonlat, crs), crs)
    turn = (back - lonlat + 180) % 360 - 180
    assert np.abs(turn * np.cos(np.radians(lonlat[:, 1:]))).max() < 1e-11


def test_web_mercator_equals_proj():
    lonlat = around_zone(20, degrees=60) * [1, 0.9]
    ours, proj = coordinates.from_lonlat(lonlat, "epsg:3857"), by_proj(lonlat, "EPSG:3857")
    assert np.abs(ours - proj).max() < 1e-6


@pytest.mark.skipif(not _rust.HAS_GDAL, reason="this build has no PROJ")
@pytest.mark.parametrize("crs", ["EPSG:31985", "EPSG:2154", "EPSG:3035"])
def test_other_systems_go_through_proj(crs):
    area = pyproj.CRS(crs).area_of_use
    random = np.random.default_rng(2)
    lonlat = random.uniform([area.west, area.south], [area.east, area.north], (200, 2))
    assert np.abs(coordinates.from_lonlat(lonlat, crs) - by_proj(lonlat, crs)).max() < 1e-3
    back = coordinates.to_lonlat(coordinates.from_lonlat(lonlat, crs), crs)
    assert np.abs(back - lonlat).max() < 1e-7


def test_zones_that_do_not_exist_are_not_utm():
    assert coordinates.utm_zone("EPSG:32633") == (33, True)
    assert coordinates.utm_zone("EPSG:32733") == (33, False)
    assert coordinates.utm_zone("EPSG:32661") is None  # polar stereographic
    assert coordinates.utm_zone("EPSG:32600") is None


def test_unit_sphere_has_no_seam_and_one_point_at_each_pole():
    xyz = encodings.unit_sphere_xyz([[180, 10], [-180, 10], [0, 90], [77, 90]])
    assert np.abs(xyz[0] - xyz[1]).max() < 1e-15
    assert np.abs(xyz[2:] - [0, 0, 1]).max() < 1e-15


def test_distances_follow_great_circles():
    # A quarter of the mean Earth, and one degree across the antimeridian.
    far = coordinates.great_circle_m([[0, 0], [179.5, 0]], [[0, 90], [-179.5, 0]])
    assert far.tolist() == pytest.approx([10_007_557.2, 111_195.08], rel=1e-6)


def test_points_of_another_shape_are_refused():
    with pytest.raises(DataError, match=r"\(N, 2\)"):
        coordinates.from_lonlat([[1.0, 2.0, 3.0]], "EPSG:4326")
    assert coordinates.from_lonlat([], "EPSG:32633").shape == (0, 2)
