"""Outlines of tiles in longitude and latitude, true to half a metre, and their order on a curve."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.errors import DataError
from gair_cli.geo.coordinates import metres_per_degree, to_lonlat

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE_M: Final = 0.5
"""How far a straight edge between two points of an outline may be from the true one."""

_MOST_PIECES: Final = 256
_HALF_TURN: Final = 180.0
_CORNERS: Final = np.array([[0, 0], [0, 1], [1, 1], [1, 0]], dtype=np.float64)
_HILBERT_BITS: Final = 16
_WORLD: Final = np.array([360.0, 180.0])
_POLYGON: Final = 3
_MULTI_POLYGON: Final = 6


@dataclass(frozen=True, slots=True)
class Footprints:
    """Outlines of N tiles.

    Attributes:
        geometry: WKB polygons; a multipolygon where a tile crosses the antimeridian.
        bbox: (N, 4) west, south, east, north; west > east across the antimeridian.
        centre: (N, 2) longitude and latitude of the middle.
    """

    geometry: list[bytes]
    bbox: NDArray[np.float64]
    centre: NDArray[np.float64]


def footprints(transforms: NDArray[np.float64], sizes: NDArray[np.int64], crs: str) -> Footprints:
    """Return the outlines of tiles of one CRS.

    Args:
        transforms: (N, 6) pixels to CRS, as in rasterio.
        sizes: (N, 2) columns and rows.
        crs: `EPSG:n` or WKT2.

    Returns:
        Closed outlines, as many points an edge as half a metre needs.

    Raises:
        DataError: If a tile has corners that have no longitude and latitude.
    """
    if not len(transforms):
        return Footprints([], np.empty((0, 4)), np.empty((0, 2)))
    centre = to_lonlat(_to_crs(transforms, sizes / 2), crs)
    rings = _densified(transforms, sizes, crs)
    if not np.isfinite(centre).all() or not all(np.isfinite(ring).all() for ring in rings):
        raise DataError(f"tiles reach beyond where {crs[:60]} is defined")
    over = np.abs(centre[:, 0]) > _HALF_TURN  # a geographic raster may go on behind 180 degrees
    centre[over, 0] = (centre[over, 0] + _HALF_TURN) % (2 * _HALF_TURN) - _HALF_TURN
    return Footprints(
        [_wkb(ring) for ring in rings], np.array([_box(ring) for ring in rings]), centre
    )


def _to_crs(transforms: NDArray[np.float64], pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x, y (..., 2) of pixel positions (..., 2), one transform a leading row."""
    a, b, c, d, e, f = (transforms[:, i].reshape(-1, *[1] * (pixels.ndim - 2)) for i in range(6))
    col, row = pixels[..., 0], pixels[..., 1]
    return np.stack([a * col + b * row + c, d * col + e * row + f], axis=-1)


def _densified(
    transforms: NDArray[np.float64], sizes: NDArray[np.int64], crs: str
) -> list[NDArray[np.float64]]:
    """Return closed rings (4 P + 1, 2), each with the least P pieces an edge that is true enough.

    A tile's ring depends on that tile alone, so that any batch of tiles gives the same.
    """
    rings: dict[int, NDArray[np.float64]] = {}
    pieces, open_ = 1, np.arange(len(transforms))
    while len(open_):
        finer = _unwrapped(_ring(transforms[open_], sizes[open_], crs, 2 * pieces))
        done = ~(_errors_m(finer) > TOLERANCE_M / 2) | (pieces >= _MOST_PIECES)
        rings.update(zip(open_[done].tolist(), finer[done, ::2], strict=True))
        open_, pieces = open_[~done], 2 * pieces
    return [rings[tile] for tile in range(len(transforms))]


def _ring(
    transforms: NDArray[np.float64], sizes: NDArray[np.int64], crs: str, pieces: int
) -> NDArray[np.float64]:
    steps = np.arange(pieces)[:, None] / pieces
    edges = [
        start + steps * (end - start)
        for start, end in zip(_CORNERS, np.roll(_CORNERS, -1, axis=0), strict=True)
    ]
    unit = np.concatenate([*edges, _CORNERS[:1]])  # (4 P + 1, 2)
    xy = _to_crs(transforms, unit[None] * sizes[:, None])
    return to_lonlat(xy.reshape(-1, 2), crs).reshape(xy.shape)  # (N, 4 P + 1, 2)


def _errors_m(rings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far every other point of a ring is from the middle of its neighbours, at most."""
    odd = rings[:, 1::2]
    off = (odd - (rings[:, :-1:2] + rings[:, 2::2]) / 2) * metres_per_degree(odd[..., 1])
    errors: NDArray[np.float64] = np.hypot(off[..., 0], off[..., 1]).max(axis=1)
    return errors


def _unwrapped(rings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rings whose longitudes do not jump; they may then reach beyond 180 degrees."""
    smooth = rings.copy()
    smooth[..., 0] = np.unwrap(rings[..., 0], period=2 * _HALF_TURN, axis=1)
    west = smooth[..., 0].min(axis=1)
    turns = np.floor((west + _HALF_TURN) / (2 * _HALF_TURN))
    smooth[..., 0] -= (turns * 2 * _HALF_TURN)[:, None]
    return smooth


def _box(ring: NDArray[np.float64]) -> list[float]:
    """Return west, south, east, north; east is brought back where the ring crosses 180 degrees."""
    (west, south), (east, north) = ring.min(axis=0), ring.max(axis=0)
    return [west, south, east - 2 * _HALF_TURN if east > _HALF_TURN else east, north]


def _wkb(ring: NDArray[np.float64]) -> bytes:
    if ring[:, 0].max() <= _HALF_TURN:
        return _polygon(ring)
    west = _clipped(ring, keep_below=True)
    east = _clipped(ring, keep_below=False) - [2 * _HALF_TURN, 0]
    parts = [_polygon(part) for part in (west, east)]
    return struct.pack("<BII", 1, _MULTI_POLYGON, len(parts)) + b"".join(parts)


def _polygon(ring: NDArray[np.float64]) -> bytes:
    head = struct.pack("<BIII", 1, _POLYGON, 1, len(ring))
    return head + np.ascontiguousarray(ring, "<f8").tobytes()


def _clipped(ring: NDArray[np.float64], *, keep_below: bool) -> NDArray[np.float64]:
    """Return the part of a closed ring on one side of 180 degrees (Sutherland and Hodgman 1974)."""
    side = ring[:, 0] - _HALF_TURN
    inside = side <= 0 if keep_below else side >= 0
    out: list[NDArray[np.float64]] = []
    for i in range(len(ring) - 1):
        if inside[i]:
            out.append(ring[i])
        if inside[i] != inside[i + 1] and side[i] != side[i + 1]:
            share = side[i] / (side[i] - side[i + 1])
            crossing = ring[i] + share * (ring[i + 1] - ring[i])
            out.append(np.array([_HALF_TURN, crossing[1]]))
    return np.array([*out, out[0]])


def hilbert_index(lonlat: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return each point's place on a Hilbert curve over the whole world, 16 bits an axis.

    Args:
        lonlat: (N, 2) degrees.

    Returns:
        (N,) places; close points have close places.
    """
    cells = (lonlat + _WORLD / 2) / _WORLD * 2**_HILBERT_BITS
    x, y = np.clip(cells, 0, 2**_HILBERT_BITS - 1).astype(np.int64).T
    place = np.zeros(len(lonlat), np.int64)
    for bit in range(_HILBERT_BITS - 1, -1, -1):
        half = 1 << bit
        right, upper = (x & half) > 0, (y & half) > 0
        place += half * half * ((3 * right) ^ upper)
        flip = ~upper & right
        x, y = (
            np.where(flip, half - 1 - (x & (half - 1)), x & (half - 1)),
            np.where(flip, half - 1 - (y & (half - 1)), y & (half - 1)),
        )
        x, y = np.where(upper, x, y), np.where(upper, y, x)
    return place.astype(np.uint64)
