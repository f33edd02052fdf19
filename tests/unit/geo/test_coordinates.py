"""Projections against PROJ, encodings against scipy and float64 numpy."""

from __future__ import annotations

import numpy as np
import pytest

from gair_cli import _rust
from gair_cli.errors import DataError
from gair_cli.geo import coordinates

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


def test_equal_earth_equals_proj_on_the_unit_sphere():
    lonlat = np.random.default_rng(1).uniform([-180, -90], [180, 90], (10_000, 2))
    proj = pyproj.Proj(proj="eqearth", R=1)
    wanted = np.stack(proj(lonlat[:, 0], lonlat[:, 1]), axis=1)
    assert np.abs(coordinates.equal_earth(lonlat) - wanted).max() < 1e-9


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


def test_harmonics_equal_scipy_to_a_millionth():
    special = pytest.importorskip("scipy.special")
    lonlat = np.random.default_rng(3).uniform([-180, -90], [180, 90], (200, 2))
    lonlat[:3] = [[0, 90], [12, -90], [180, 0]]
    ours = coordinates.spherical_harmonics(lonlat, 39)
    theta, phi = np.radians(90 - lonlat[:, 1]), np.radians(lonlat[:, 0])
    assert ours.shape == (200, 1600)
    for degree in (0, 1, 2, 17, 39):
        for order in range(-degree, degree + 1):
            value = special.sph_harm_y(degree, abs(order), theta, phi) * (-1.0) ** order
            part = value.real if order >= 0 else value.imag
            wanted = part * (np.sqrt(2) if order else 1)
            column = ours[:, degree * degree + degree + order]
            assert np.abs(column - wanted).max() < 1e-6, (degree, order)


@pytest.mark.parametrize("sigma", [1.0, 16.0, 256.0, 4096.0])
def test_fourier_features_are_a_millionth_off_at_every_sigma(sigma):
    random = np.random.default_rng(4)
    lonlat = random.uniform([-180, -90], [180, 90], (300, 2))
    matrix = random.normal(0, sigma, (64, 2))
    turns = coordinates.equal_earth(lonlat) * (66.50336 / 180) @ matrix.T
    wanted = np.concatenate([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], axis=1)
    ours = coordinates.random_fourier_features(lonlat, matrix)
    assert ours.dtype == np.float32
    assert np.abs(ours - wanted).max() < 1e-6


def test_an_output_array_is_filled_and_returned():
    lonlat, matrix = np.zeros((2, 2)), np.ones((3, 2))
    out = np.empty((2, 6), np.float32)
    assert coordinates.fourier_features(lonlat, matrix, out=out) is out
    assert out.tolist() == [[1, 1, 1, 0, 0, 0]] * 2


def test_an_output_array_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="2 x 6"):
        coordinates.fourier_features(np.zeros((2, 2)), np.ones((3, 2)), out=np.empty((1, 6), "f4"))


def test_unit_sphere_has_no_seam_and_one_point_at_each_pole():
    xyz = coordinates.unit_sphere_xyz([[180, 10], [-180, 10], [0, 90], [77, 90]])
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


def test_a_degree_too_high_is_refused():
    with pytest.raises(DataError, match="501"):
        coordinates.spherical_harmonics([[0, 0]], 501)
