"""Coordinates: projections, distances and the fixed encodings of location encoders.

Arrays are (N, 2) float64, longitude before latitude in degrees, or x before y in a CRS. A point
outside a projection's domain becomes NaN; nothing is clipped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli import _rust
from gair_cli.errors import DataError, MissingPackageError
from gair_cli.records import EARTH_RADIUS_M

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

LOCATION_SCALE: Final = 66.50336 / 180
"""What the released location encoder multiplies Equal Earth positions by."""

_LONLAT: Final = frozenset({"EPSG:4326", "OGC:CRS84", "CRS84", "EPSG:4979"})
_WEB_MERCATOR: Final = frozenset({"EPSG:3857", "EPSG:900913", "EPSG:3785"})
_UTM: Final = re.compile(r"EPSG:32([67])(\d\d)")
_MAX_ZONE: Final = 60
_SEMI_MAJOR_M: Final = 6_378_137.0
_ECCENTRICITY_2: Final = 0.006694379990141317


def as_points(values: ArrayLike) -> NDArray[np.float64]:
    """Return values as C-contiguous (N, 2) float64.

    Raises:
        DataError: If they have another shape.
    """
    points = np.ascontiguousarray(values, dtype=np.float64)
    if points.size == 0:
        return points.reshape(0, 2)
    if points.ndim != 2 or points.shape[1] != 2:  # noqa: PLR2004 - pairs of coordinates
        raise DataError(f"points have the shape (N, 2), got {points.shape}")
    return points


def normalise_crs(crs: str) -> str:
    """Return a CRS text as it is compared: `epsg:4326` is `EPSG:4326`, WKT stays."""
    text = crs.strip()
    return text.upper() if ":" in text and len(text) < 20 else text  # noqa: PLR2004 - a code


def is_geographic(crs: str) -> bool:
    """Tell whether a CRS has longitude and latitude in degrees for coordinates."""
    text = normalise_crs(crs)
    return text in _LONLAT or text.startswith(("GEOGCRS", "GEOGCS", "GEODCRS"))


def utm_zone(crs: str) -> tuple[int, bool] | None:
    """Return zone and hemisphere (True: north) of a WGS84 UTM code, else None."""
    found = _UTM.fullmatch(normalise_crs(crs))
    if found is None or not 1 <= int(found[2]) <= _MAX_ZONE:
        return None
    return int(found[2]), found[1] == "6"


def from_lonlat(lonlat: ArrayLike, crs: str) -> NDArray[np.float64]:
    """Project longitudes and latitudes into a CRS.

    Own transverse Mercator for the WGS84 UTM zones and own Web Mercator, PROJ for the rest.

    Args:
        lonlat: (N, 2) degrees.
        crs: `EPSG:n` or WKT2.

    Returns:
        (N, 2) x, y in the CRS's units, x to the east; NaN outside its domain.

    Raises:
        MissingPackageError: If the CRS needs PROJ and the extension was built without GDAL.
    """
    return _convert(as_points(lonlat), normalise_crs(crs), inverse=False)


def to_lonlat(xy: ArrayLike, crs: str) -> NDArray[np.float64]:
    """Return the longitudes and latitudes of points of a CRS; the inverse of `from_lonlat`.

    Args:
        xy: (N, 2) x, y in the CRS's units.
        crs: `EPSG:n` or WKT2.

    Returns:
        (N, 2) degrees; NaN outside the CRS's domain.

    Raises:
        MissingPackageError: If the CRS needs PROJ and the extension was built without GDAL.
    """
    return _convert(as_points(xy), normalise_crs(crs), inverse=True)


def _convert(points: NDArray[np.float64], crs: str, *, inverse: bool) -> NDArray[np.float64]:
    if crs in _LONLAT:
        return points.copy()
    if crs in _WEB_MERCATOR:
        return _rust.web_mercator(points, inverse=inverse)
    zone = utm_zone(crs)
    if zone is not None:
        return _rust.utm(points, zone=zone[0], north=zone[1], inverse=inverse)
    return _through_proj(points, crs, inverse=inverse)


def _through_proj(points: NDArray[np.float64], crs: str, *, inverse: bool) -> NDArray[np.float64]:
    transform = getattr(_rust, "proj_transform", None)
    if transform is None:
        raise MissingPackageError(
            f"coordinates in {crs[:60]} need PROJ, and this build of gair has no GDAL",
            hint="build gair with its `gdal` feature, or use UTM, EPSG:3857 or EPSG:4326",
        )
    source, target = (crs, "EPSG:4326") if inverse else ("EPSG:4326", crs)
    try:
        converted: NDArray[np.float64] = transform(points, source, target)
    except ValueError as error:
        raise DataError(f"cannot convert coordinates: {error}") from error
    return converted


def metres_per_degree(lat: ArrayLike) -> NDArray[np.float64]:
    """Return the ground length of a degree of longitude and of latitude on WGS84.

    Args:
        lat: (N,) degrees.

    Returns:
        (N, 2) metres.
    """
    phi = np.radians(np.asarray(lat, dtype=np.float64))
    w2 = 1 - _ECCENTRICITY_2 * np.sin(phi) ** 2
    normal = _SEMI_MAJOR_M / np.sqrt(w2)
    meridional = normal * (1 - _ECCENTRICITY_2) / w2
    return np.radians(np.stack([normal * np.abs(np.cos(phi)), meridional], axis=-1))


def great_circle_m(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return distances on a sphere of the Earth's mean radius (haversine; at most 0.6 % off).

    Args:
        first: (N, 2) or (1, 2) degrees.
        second: (N, 2) or (1, 2) degrees.

    Returns:
        (N,) metres.
    """
    a, b = np.radians(as_points(first)), np.radians(as_points(second))
    half = np.sin((b - a) / 2) ** 2
    square = half[:, 1] + np.cos(a[:, 1]) * np.cos(b[:, 1]) * half[:, 0]
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(square, 0, 1))))


def equal_earth(lonlat: ArrayLike) -> NDArray[np.float64]:
    """Project by Equal Earth on the unit sphere: (N, 2), x in +-2.707, y in +-1.318."""
    return _rust.equal_earth(as_points(lonlat))


def fourier_features(
    points: ArrayLike, matrix: ArrayLike, *, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Encode plane points by random Fourier features (Tancik et al. 2020).

    Args:
        points: (N, 2) positions, already projected and scaled.
        matrix: (F, 2) directions in turns a unit.
        out: (N, 2F) float32 to fill instead of a new array.

    Returns:
        (N, 2F) float32: F cosines, then F sines; error at most 1e-6 at any scale.
    """
    return _rust.fourier_features(as_points(points), as_points(matrix), out=out)


def random_fourier_features(
    lonlat: ArrayLike, matrix: ArrayLike, *, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Encode longitudes and latitudes as GeoCLIP and GAIR do: Equal Earth, scale, features.

    Args:
        lonlat: (N, 2) degrees.
        matrix: (F, 2) fixed directions, drawn from N(0, sigma^2).
        out: (N, 2F) float32 to fill instead of a new array.

    Returns:
        (N, 2F) float32: F cosines, then F sines.
    """
    return fourier_features(equal_earth(lonlat) * LOCATION_SCALE, matrix, out=out)


def spherical_harmonics(
    lonlat: ArrayLike, degree: int, *, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Encode by orthonormal real spherical harmonics of all degrees from 0 to `degree`.

    Args:
        lonlat: (N, 2) degrees.
        degree: The highest degree, 0 to 500 (SatCLIP's L = 40 is `degree` 39).
        out: (N, (degree + 1)^2) float32 to fill instead of a new array.

    Returns:
        (N, (degree + 1)^2) float32; column l * l + l + m is order m of degree l, sines for m < 0,
        without the Condon-Shortley sign.

    Raises:
        DataError: If the degree is out of range.
    """
    if not 0 <= degree <= 500:  # noqa: PLR2004 - stated above
        raise DataError(f"harmonics go from degree 0 to 500, got {degree}")
    return _rust.spherical_harmonics(as_points(lonlat), degree, out=out)


def unit_sphere_xyz(lonlat: ArrayLike) -> NDArray[np.float64]:
    """Return (N, 3) points of the unit sphere; x to (0, 0), y to (90 E, 0), z to the north pole."""
    return _rust.unit_sphere_xyz(as_points(lonlat))
