"""Coordinates: projections and distances; their fixed encodings are in `geo.encodings`.

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


def projection_of(crs: str) -> _rust.Projection:
    """Return how longitude and latitude become the coordinates of a CRS, as in `from_lonlat`.

    Args:
        crs: `EPSG:n` or WKT2.

    Raises:
        DataError: If the CRS is unknown.
        MissingPackageError: If the CRS needs PROJ and the extension was built without GDAL.
    """
    text = normalise_crs(crs)
    if text in _LONLAT:
        return _rust.Projection.geographic()
    if text in _WEB_MERCATOR:
        return _rust.Projection.web_mercator()
    zone = utm_zone(text)
    if zone is not None:
        return _rust.Projection.utm(*zone)
    if not _rust.HAS_GDAL:
        raise _needs_proj(text)
    try:
        return _rust.Projection.proj(text)
    except ValueError as error:
        raise DataError(f"cannot convert coordinates: {error}") from error


def _needs_proj(crs: str) -> MissingPackageError:
    return MissingPackageError(
        f"coordinates in {crs[:60]} need PROJ, and this build of gair has no GDAL",
        hint="build gair with its `gdal` feature, or use UTM, EPSG:3857 or EPSG:4326",
    )


def _through_proj(points: NDArray[np.float64], crs: str, *, inverse: bool) -> NDArray[np.float64]:
    transform = getattr(_rust, "proj_transform", None)
    if transform is None:
        raise _needs_proj(crs)
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
