"""Fixed encodings of coordinates: Equal Earth, Fourier features, harmonics, xyz, Sphere2Vec.

Points are (N, 2) float64, longitude before latitude in degrees. Every function returns N rows of
float32 or float64, or fills the array given as `out` (C-contiguous, of either precision), which
saves the time that fresh memory costs. A point that is not finite or has a latitude beyond 90
degrees becomes a row of NaN. The same points give the same bits with any number of threads, in any
batches and on any processor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np

from gair_cli import _rust
from gair_cli.errors import DataError, UsageError
from gair_cli.geo.coordinates import as_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = "NDArray[np.floating[Any]]"
Width: TypeAlias = Literal["float32", "float64"]
SphereForm: TypeAlias = Literal["c", "c+", "m", "m+", "dfs"]

LOCATION_SCALE: Final = 66.50336 / 180
"""What the released location encoder multiplies Equal Earth positions by."""
MAX_DEGREE: Final = 500


def equal_earth(
    lonlat: ArrayLike, *, scale: float = 1.0, dtype: Width = "float64", out: Floats | None = None
) -> Floats:
    """Project by Equal Earth on the unit sphere (Savric, Patterson, Jenny 2019).

    Args:
        lonlat: (N, 2) degrees.
        scale: What both axes are multiplied by.
        dtype: Of a new array.
        out: (N, 2) to fill instead of a new array.

    Returns:
        (N, 2) x, y; times `scale` within 2.707 and 1.318 of 0.

    Raises:
        ValueError: If `out` has another shape, is not contiguous or cannot be written.
        TypeError: If `out` has another number type.
    """
    return _rust.equal_earth(as_points(lonlat), scale=scale, double=_double(dtype), out=out)


def unit_sphere_xyz(
    lonlat: ArrayLike, *, dtype: Width = "float64", out: Floats | None = None
) -> Floats:
    """Return (N, 3) points of the unit sphere; x to (0, 0), y to (90 E, 0), z to the north pole.

    Raises:
        ValueError: As in `equal_earth`.
        TypeError: As in `equal_earth`.
    """
    return _rust.unit_sphere_xyz(as_points(lonlat), double=_double(dtype), out=out)


def fourier_features(
    points: ArrayLike, matrix: ArrayLike, *, dtype: Width = "float32", out: Floats | None = None
) -> Floats:
    """Encode plane points by random Fourier features (Tancik et al. 2020).

    Args:
        points: (N, 2) positions, already projected and scaled.
        matrix: (F, 2) directions in turns a unit, or (S, F, 2): S scales of them.
        dtype: Of a new array.
        out: (N, 2 S F) to fill instead of a new array.

    Returns:
        (N, 2 S F): of each scale F cosines, then F sines; float32 is at most 1e-6 off at any
        scale. A row is NaN where a direction makes more than 1e15 turns.

    Raises:
        DataError: If the matrix has another shape, no rows, or a direction that is not finite.
        ValueError: As in `equal_earth`.
        TypeError: As in `equal_earth`.
    """
    directions = np.ascontiguousarray(matrix, dtype=np.float64)
    if directions.ndim not in {2, 3} or directions.shape[-1] != 2 or directions.size == 0:  # noqa: PLR2004
        raise DataError(f"directions have the shape (F, 2) or (S, F, 2), got {directions.shape}")
    if not np.isfinite(directions).all():
        raise DataError("a direction of the Fourier features is not finite")
    scales = directions.shape[0] if directions.ndim == 3 else 1  # noqa: PLR2004 - (S, F, 2)
    flat = directions.reshape(-1, 2)  # (S F, 2)
    return _rust.fourier_features(
        as_points(points), flat, scales=scales, double=_double(dtype), out=out
    )


def random_fourier_features(
    lonlat: ArrayLike, matrix: ArrayLike, *, dtype: Width = "float32", out: Floats | None = None
) -> Floats:
    """Encode longitudes and latitudes as GeoCLIP and GAIR do: Equal Earth, scale, features.

    Args:
        lonlat: (N, 2) degrees.
        matrix: (F, 2) or (S, F, 2) fixed directions, drawn from N(0, sigma^2).
        dtype: Of a new array.
        out: (N, 2 S F) to fill instead of a new array.

    Returns:
        (N, 2 S F); errors as in `fourier_features`.
    """
    plane = equal_earth(lonlat, scale=LOCATION_SCALE)
    return fourier_features(plane, matrix, dtype=dtype, out=out)


def fourier_directions(sigmas: Sequence[float], count: int, *, seed: int) -> NDArray[np.float64]:
    """Draw the directions of random Fourier features.

    A scale has a random stream of its own, keyed by the seed and sigma: it does not depend on the
    scales beside it. Values are rounded to float32, so that a model can carry them.

    Args:
        sigmas: S standard deviations, in turns a unit of the scaled map.
        count: F directions a scale.
        seed: Any integer from 0.

    Returns:
        (S, F, 2).

    Raises:
        UsageError: If there is no scale or no direction, a sigma is not positive and finite, or
            the seed is negative.
    """
    if not sigmas or count < 1 or seed < 0:
        raise UsageError(
            f"{len(sigmas)} scales of {count} directions, seed {seed}: nothing to draw"
        )
    bad = [sigma for sigma in sigmas if not 0 < sigma < np.inf]
    if bad:
        raise UsageError(f"sigma {bad[0]:g} is not above 0 and finite")
    drawn = [
        sigma * np.random.default_rng([seed, *_bits(sigma)]).standard_normal((count, 2))
        for sigma in sigmas
    ]
    return np.stack(drawn).astype(np.float32).astype(np.float64)


def _bits(value: float) -> tuple[int, int]:
    """Return a float64 as two 32-bit numbers, for the key of a random stream."""
    whole = int(np.float64(value).view(np.uint64))
    return whole >> 32, whole & 0xFFFFFFFF


def spherical_harmonics(
    lonlat: ArrayLike, degree: int, *, dtype: Width = "float32", out: Floats | None = None
) -> Floats:
    """Encode by orthonormal real spherical harmonics of all degrees from 0 to `degree`.

    Args:
        lonlat: (N, 2) degrees.
        degree: The highest degree, 0 to 500 (SatCLIP's L = 40 is `degree` 39).
        dtype: Of a new array.
        out: (N, (degree + 1)^2) to fill instead of a new array.

    Returns:
        (N, (degree + 1)^2); column l * l + l + m is order m of degree l, sines for m < 0, without
        the Condon-Shortley sign.

    Raises:
        DataError: If the degree is out of range.
        ValueError: As in `equal_earth`.
        TypeError: As in `equal_earth`.
    """
    if not 0 <= degree <= MAX_DEGREE:
        raise DataError(f"harmonics go from degree 0 to {MAX_DEGREE}, got {degree}")
    return _rust.spherical_harmonics(as_points(lonlat), degree, double=_double(dtype), out=out)


def sphere2vec(
    lonlat: ArrayLike,
    form: SphereForm,
    *,
    scales: int = 16,
    min_radius: float = 1e-3,
    max_radius: float = 1.0,
    dtype: Width = "float32",
    out: Floats | None = None,
) -> Floats:
    """Encode by a multi-scale form of Sphere2Vec (Mai et al. 2023), without its network.

    With radii r_s from `min_radius` to `max_radius` in equal ratios, and angles in radians over
    r_s, a scale has 3 (`c`: sphereC), 6 (`c+`), 5 (`m`: sphereM) or 8 (`m+`) terms; `dfs` has
    4 S^2 + 4 S terms in all.

    Args:
        lonlat: (N, 2) degrees.
        form: Which terms.
        scales: S, from 1 to 1024 (`dfs`: 128).
        min_radius: The smallest radius, at least 1e-9; the default is ours.
        max_radius: The largest.
        dtype: Of a new array.
        out: (N, width) to fill instead of a new array.

    Returns:
        (N, width).

    Raises:
        DataError: If the form is not known, or scales or radii make no sense.
        ValueError: As in `equal_earth`.
        TypeError: As in `equal_earth`.
    """
    points = as_points(lonlat)
    try:
        _rust.sphere2vec(points[:0], form, scales=scales, min_radius=min_radius,
                         max_radius=max_radius)  # fmt: skip
    except (ValueError, OverflowError) as error:
        raise DataError(f"Sphere2Vec: {error}") from error
    return _rust.sphere2vec(
        points,
        form,
        scales=scales,
        min_radius=min_radius,
        max_radius=max_radius,
        double=_double(dtype),
        out=out,
    )


def _double(dtype: str) -> bool:
    if dtype not in {"float32", "float64"}:
        raise UsageError(f"encodings are float32 or float64, not {dtype}")
    return dtype == "float64"
