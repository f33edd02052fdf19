"""Fixed encodings against PROJ, scipy, float64 numpy and formulas written from the papers."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from gair_cli.errors import DataError, UsageError
from gair_cli.geo import encodings

EDGES = [[180, 0], [-180, 0], [0, 90], [12, -90], [179.9999999, 89.9999999], [0, 0], [-90, 45]]


@pytest.fixture(scope="module")
def lonlat():
    inside = np.random.default_rng(1).uniform([-180, -90], [180, 90], (400, 2))
    return np.concatenate([np.array(EDGES, dtype=np.float64), inside])


def every_encoding(dtype):
    matrix = encodings.fourier_directions((16.0, 256.0), 5, seed=1)
    yield lambda points, **out: encodings.equal_earth(points, dtype=dtype, **out)
    yield lambda points, **out: encodings.unit_sphere_xyz(points, dtype=dtype, **out)
    yield lambda points, **out: encodings.random_fourier_features(
        points, matrix, dtype=dtype, **out
    )
    yield lambda points, **out: encodings.spherical_harmonics(points, 9, dtype=dtype, **out)
    for form in ("c", "c+", "m", "m+", "dfs"):
        yield lambda points, form=form, **out: encodings.sphere2vec(
            points, form, scales=3, dtype=dtype, **out
        )


def test_equal_earth_equals_proj_on_the_unit_sphere(lonlat):
    pyproj = pytest.importorskip("pyproj")
    wanted = np.stack(pyproj.Proj(proj="eqearth", R=1)(lonlat[:, 0], lonlat[:, 1]), axis=1)
    assert np.abs(encodings.equal_earth(lonlat) - wanted).max() < 1e-9
    single = encodings.equal_earth(lonlat, dtype="float32")
    assert single.dtype == np.float32
    assert np.abs(single - wanted).max() < 1.5e-7


@pytest.mark.parametrize("sigma", [1.0, 16.0, 256.0, 4096.0, 32768.0])
def test_fourier_features_are_a_millionth_off_a_longer_float_at_every_sigma(lonlat, sigma):
    matrix = encodings.fourier_directions((sigma,), 64, seed=4)[0]
    plane = (encodings.equal_earth(lonlat) * encodings.LOCATION_SCALE).astype(np.longdouble)
    turns = plane @ matrix.T.astype(np.longdouble)
    angle = 2 * np.pi * (turns - np.rint(turns)).astype(np.float64)
    wanted = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    single = encodings.random_fourier_features(lonlat, matrix)
    double = encodings.random_fourier_features(lonlat, matrix, dtype="float64")
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    assert np.abs(single - wanted).max() < 1e-6
    assert np.abs(double - wanted).max() < 1e-14 * sigma


def test_several_scales_are_written_one_after_another(lonlat):
    matrix = encodings.fourier_directions((1.0, 16.0, 256.0), 7, seed=0)
    together = encodings.random_fourier_features(lonlat, matrix)
    apart = [encodings.random_fourier_features(lonlat, scale) for scale in matrix]
    assert together.shape == (len(lonlat), 3 * 14)
    np.testing.assert_array_equal(together, np.concatenate(apart, axis=1))


def test_directions_depend_on_seed_and_sigma_alone():
    alone = encodings.fourier_directions((16.0,), 100, seed=3)
    among = encodings.fourier_directions((1.0, 16.0, 256.0), 100, seed=3)
    np.testing.assert_array_equal(alone[0], among[1])
    assert (among != encodings.fourier_directions((1.0, 16.0, 256.0), 100, seed=4)).all()
    assert np.abs(among.std(axis=(1, 2)) / [1, 16, 256] - 1).max() < 0.2
    assert among.astype(np.float32).astype(np.float64).tolist() == among.tolist()


@pytest.mark.parametrize(("dtype", "error"), [("float32", 1e-6), ("float64", 1e-12)])
def test_harmonics_of_forty_degrees_equal_scipy(lonlat, dtype, error):
    special = pytest.importorskip("scipy.special")
    ours = encodings.spherical_harmonics(lonlat, 40, dtype=dtype)
    theta, phi = np.radians(90 - lonlat[:, 1]), np.radians(lonlat[:, 0])
    assert ours.shape == (len(lonlat), 41 * 41)
    for degree in range(41):
        for order in range(degree + 1):
            value = special.sph_harm_y(degree, order, theta, phi) * (-1.0) ** order
            value *= np.sqrt(2) if order else 1
            column = degree * degree + degree
            assert np.abs(ours[:, column + order] - value.real).max() < error, (degree, order)
            if order:
                assert np.abs(ours[:, column - order] - value.imag).max() < error, (degree, order)


def sphere2vec_terms(lon, lat, form, radii):
    """Return the terms of one point, written from the paper's definitions, one by one."""
    x, y = np.radians(lon), np.radians(lat)
    sin, cos = np.sin, np.cos
    if form == "dfs":
        terms = [wave(y / r) for r in radii for wave in (sin, cos)]
        terms += [wave(x / r) for r in radii for wave in (sin, cos)]
        for n in radii:
            for m in radii:
                terms += [cos(y / n) * cos(x / m), cos(y / n) * sin(x / m),
                          sin(y / n) * cos(x / m), sin(y / n) * sin(x / m)]  # fmt: skip
        return terms
    terms = []
    for r in radii:
        grid = [sin(y / r), cos(y / r), sin(x / r), cos(x / r)]
        single = [cos(y / r) * cos(x / r), cos(y / r) * sin(x / r)]
        mixed = [cos(y / r) * cos(x), cos(y) * cos(x / r), cos(y / r) * sin(x), cos(y) * sin(x / r)]
        terms += grid if form.endswith("+") else grid[:1]
        terms += single if form[0] == "c" else mixed
    return terms


@pytest.mark.parametrize("form", ["c", "c+", "m", "m+", "dfs"])
def test_sphere2vec_equals_the_definitions_of_the_paper(lonlat, form):
    radii = [0.001 * 1000 ** (s / 4) for s in range(5)]
    wanted = [sphere2vec_terms(lon, lat, form, radii) for lon, lat in lonlat[:60]]
    ours = encodings.sphere2vec(lonlat[:60], form, scales=5, min_radius=0.001, max_radius=1.0)
    assert np.abs(ours - np.array(wanted)).max() < 1e-6
    double = encodings.sphere2vec(lonlat[:60], form, scales=5, dtype="float64")
    assert np.abs(double - np.array(wanted)).max() < 2e-12


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_output_of_either_precision_is_filled_and_returned(lonlat, dtype):
    for encode in every_encoding(dtype):
        fresh = encode(lonlat)
        out = np.full_like(fresh, 9)
        assert fresh.dtype == dtype
        assert encode(lonlat, out=out) is out
        np.testing.assert_array_equal(out, fresh)


def test_outputs_of_other_shapes_orders_and_types_are_refused(lonlat):
    width = 2
    for encode in every_encoding("float32"):
        width = encode(lonlat).shape[1]
        with pytest.raises(ValueError, match=rf"\(407, {width}\), got \(407, {width + 1}\)"):
            encode(lonlat, out=np.empty((407, width + 1), np.float32))
        with pytest.raises(ValueError, match="contiguous"):
            encode(lonlat, out=np.empty((width, 407), np.float32).T)
        for wrong in (np.empty((407, width), np.float16), np.empty(407 * width, np.float32)):
            with pytest.raises(TypeError, match="float32 or float64"):
                encode(lonlat, out=wrong)
        frozen = np.empty((407, width), np.float32)
        frozen.setflags(write=False)
        with pytest.raises(ValueError, match="cannot be written"):
            encode(lonlat, out=frozen)


def test_the_points_cannot_be_the_output(lonlat):
    points = np.ascontiguousarray(lonlat)
    with pytest.raises(ValueError, match="holds the points"):
        encodings.equal_earth(points, out=points)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_no_place_becomes_a_row_of_nan_and_nothing_else_does(dtype):
    points = [[0, 0], [np.nan, 0], [0, np.inf], [-np.inf, 3], [5, 90.0001], [5, -91], [200, 10]]
    for encode in every_encoding(dtype):
        rows = encode(points)
        assert np.isfinite(rows[[0, 6]]).all()
        assert np.isnan(rows[1:6]).all()


def test_no_points_make_no_rows():
    for encode in every_encoding("float32"):
        assert encode([]).shape[0] == 0
        assert encode([]).shape == encode(np.empty((0, 2))).shape


def test_options_that_make_no_sense_are_refused(lonlat):
    with pytest.raises(DataError, match="501"):
        encodings.spherical_harmonics(lonlat, 501)
    with pytest.raises(DataError, match=r"\(F, 2\)"):
        encodings.fourier_features(lonlat, np.ones((3, 3)))
    with pytest.raises(DataError, match="finite"):
        encodings.fourier_features(lonlat, [[np.inf, 1.0]])
    with pytest.raises(DataError, match="radii"):
        encodings.sphere2vec(lonlat, "c", min_radius=2.0)
    with pytest.raises(DataError, match="no form"):
        encodings.sphere2vec(lonlat, "q")
    with pytest.raises(UsageError, match="float16"):
        encodings.equal_earth(lonlat, dtype="float16")
    with pytest.raises(UsageError, match="sigma"):
        encodings.fourier_directions((0.0,), 3, seed=0)


_DIGEST = """
import hashlib, numpy as np
from gair_cli.geo import encodings
points = np.random.default_rng(0).uniform([-180, -90], [180, 90], (3000, 2))
matrix = encodings.fourier_directions((1.0, 4096.0), 64, seed=0)
parts = [encodings.random_fourier_features(points, matrix),
         encodings.spherical_harmonics(points, 20),
         encodings.sphere2vec(points, "m+")]
print(hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest())
"""


def test_one_thread_and_four_give_the_same_bytes():
    found = [
        subprocess.run(
            [sys.executable, "-c", _DIGEST],
            env={"RAYON_NUM_THREADS": threads, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for threads in ("1", "4")
    ]
    assert found[0] == found[1]
    assert len(found[0].strip()) == 64
