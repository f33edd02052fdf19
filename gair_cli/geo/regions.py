"""Parts of the Earth that tiles are limited to: a box in degrees, or the polygons of a file.

A tile belongs to a region if its footprint shares area with it: a common edge is not enough.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli import _rust
from gair_cli.errors import DataError, InputError, UsageError
from gair_cli.geo.build import gdal_words
from gair_cli.geo.coordinates import is_geographic, normalise_crs, to_lonlat
from gair_cli.geo.footprints import footprints
from gair_cli.geo.wkb import polygon_wkb, polygons_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from gair_cli.geo.layouts import Layout
    from gair_cli.geo.wkb import Ring
    from gair_cli.records import Bounds

_GEOPARQUET: Final = frozenset({".parquet", ".geoparquet"})
_STEP_M: Final = 1000.0
"""Straight edges in a projected CRS get a point every kilometre before they become lon/lat."""

_MOST_POINTS: Final = 4096
_MANY: Final = 64
_TURN: Final = 360.0
_MARGIN: Final = 0.25
_UNIT_EDGES: Final = np.array(
    [[0, 0], [0, 0.5], [0, 1], [0.5, 1], [1, 1], [1, 0.5], [1, 0], [0.5, 0]]
)


@dataclass(frozen=True, slots=True)
class Region:
    """Polygons in longitude and latitude.

    Attributes:
        name: What messages call it.
        polygons: WKB of each polygon; those over the antimeridian are there once on either side.
        boxes: (P, 4) west, south, east, north of each.
    """

    name: str
    polygons: tuple[bytes, ...]
    boxes: NDArray[np.float64]

    @property
    def digest(self) -> str:
        """Hash of the polygons."""
        return hashlib.blake2b(b"".join(self.polygons), digest_size=16).hexdigest()

    def shares_area(self, layout: Layout) -> NDArray[np.bool_]:
        """Tell for each tile of a layout whether its footprint shares area with the region.

        Returns:
            (T,)
        """
        kept = self._near(layout)
        near = layout.only(kept)
        if len(near):
            height, width = layout.size
            sizes = np.tile(np.array([[width, height]], np.int64), (len(near), 1))
            outlines = footprints(near.transforms, sizes, layout.grid.crs).geometry
            kept[kept] = _rust.shares_area(outlines, self.polygons)
        return kept

    def _near(self, layout: Layout) -> NDArray[np.bool_]:
        """Tell which tiles may share area, by boxes with a margin."""
        points = _edge_points(layout)  # (T, 8, 2)
        low, high = points.min(axis=1), points.max(axis=1)
        room = _MARGIN * (high - low) + 1e-6
        low, high = low - room, high + room
        found = np.zeros(len(layout), bool)
        for west, south, east, north in self.boxes if len(self.boxes) <= _MANY else self._whole():
            turns = np.round(((west + east) - (low[:, 0] + high[:, 0])) / (2 * _TURN)) * _TURN
            over = (low[:, 0] + turns < east) & (high[:, 0] + turns > west)
            found |= over & (low[:, 1] < north) & (high[:, 1] > south)
        return found & np.isfinite(points).all(axis=(1, 2))

    def _whole(self) -> NDArray[np.float64]:
        low, high = self.boxes[:, :2].min(axis=0), self.boxes[:, 2:].max(axis=0)
        return np.concatenate([low, high])[None]  # (1, 4)


def _edge_points(layout: Layout) -> NDArray[np.float64]:
    """Return corners and middles of the edges of each tile in degrees, unwrapped, (T, 8, 2)."""
    height, width = layout.size
    col, row = (_UNIT_EDGES * [width, height]).T  # (8,)
    a, b, c, d, e, f = layout.transforms.T[:, :, None]  # (T, 1)
    xy = np.stack([a * col + b * row + c, d * col + e * row + f], axis=-1)  # (T, 8, 2)
    lonlat = to_lonlat(xy.reshape(-1, 2), layout.grid.crs).reshape(xy.shape)
    if not is_geographic(layout.grid.crs):
        lonlat[..., 0] = np.unwrap(lonlat[..., 0], period=_TURN, axis=1)
    return lonlat


def region_of(bbox: Bounds | None, path: Path | None) -> Region | None:
    """Return the region that the options describe, None without any.

    Raises:
        UsageError: If both are given.
        InputError: If the file is missing or unreadable.
        DataError: If it holds no polygons, or its CRS is unknown.
    """
    if bbox is not None and path is not None:
        raise UsageError("--bbox and --region both limit the tiles", hint="leave one of them out")
    if bbox is not None:
        return box_region(bbox)
    return None if path is None else read_region(path)


def box_region(bbox: Bounds) -> Region:
    """Return a box in degrees; west > east crosses the antimeridian.

    Raises:
        UsageError: If it has no area or leaves the Earth.
    """
    west, south, east, north = bbox
    inside = max(abs(west), abs(east)) <= _TURN and -90 <= south < north <= 90  # noqa: PLR2004
    if not inside or west == east:
        raise UsageError(
            f"--bbox {','.join(f'{value:g}' for value in bbox)} is no box on Earth",
            hint="it is west,south,east,north in degrees",
        )
    east += _TURN * (east < west)
    ring = np.array([[west, south], [east, south], [east, north], [west, north], [west, south]])
    return _region("--bbox", [[ring]])


def read_region(path: Path) -> Region:
    """Read the polygons of a GeoJSON, GeoPackage, shapefile or GeoParquet file, in any CRS.

    Raises:
        InputError: If the file is missing or unreadable.
        DataError: If it holds no polygons, or its CRS is unknown.
    """
    if not str(path).startswith("/vsi") and not path.exists():
        raise InputError(f"{path} does not exist", hint="check the path")
    layers = _parquet_layer(path) if path.suffix.lower() in _GEOPARQUET else _ogr_layers(path)
    polygons = [
        _in_degrees(rings, crs, path)
        for crs, geometries in layers
        for rings in chain.from_iterable(map(polygons_of, geometries))
    ]
    if not polygons:
        raise DataError(f"{path} holds no polygons", hint="a region is made of polygons")
    return _region(str(path), polygons)


def _ogr_layers(path: Path) -> Iterator[tuple[str, list[bytes]]]:
    try:
        layers = _rust.read_polygons(str(path))
    except OSError as error:
        raise InputError(
            f"{gdal_words(error)} (no vector file that GDAL can read)", hint="check it with ogrinfo"
        ) from error
    for crs, geometries in layers:
        if geometries and crs is None:
            raise DataError(f"{path} does not say its CRS", hint="add a .prj file, or use GeoJSON")
        yield crs or "EPSG:4326", geometries


def _parquet_layer(path: Path) -> Iterator[tuple[str, list[bytes]]]:
    import pyarrow as pa  # noqa: PLC0415 - heavy, and for this kind of file only
    import pyarrow.parquet as pq  # noqa: PLC0415

    from gair_cli.geo.geoparquet import crs_of, primary_column  # noqa: PLC0415

    try:
        geo = (pq.read_metadata(path).metadata or {}).get(b"geo")
        if geo is None:
            raise DataError(f"{path} is no GeoParquet: it lacks the key `geo`")
        column = primary_column(geo)
        values = pq.read_table(path, columns=[column])[column].to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    yield crs_of(geo, column) or "EPSG:4326", [bytes(value) for value in values if value]


def _in_degrees(rings: list[Ring], crs: str, path: Path) -> list[Ring]:
    """Return rings in longitude and latitude, whose longitudes do not jump.

    Raises:
        DataError: If a point has no longitude and latitude.
    """
    if normalise_crs(crs) == "EPSG:4326":
        return rings
    found = []
    for ring in rings:
        lonlat = to_lonlat(ring if is_geographic(crs) else _densified(ring), crs)
        if not np.isfinite(lonlat).all():
            raise DataError(f"{path}: a polygon reaches beyond where {crs[:60]} is defined")
        found.append(lonlat if is_geographic(crs) else _around(lonlat))
    return found


def _densified(ring: Ring) -> Ring:
    """Return a ring with a point at least every `_STEP_M` units along its edges."""
    lengths = np.hypot(*np.diff(ring, axis=0).T)
    pieces = np.clip(np.ceil(lengths / _STEP_M), 1, _MOST_POINTS).astype(int)
    parts = [
        start + (end - start) * np.arange(count)[:, None] / count
        for start, end, count in zip(ring[:-1], ring[1:], pieces, strict=True)
    ]
    return np.concatenate([*parts, ring[-1:]])


def _around(ring: Ring) -> Ring:
    """Return a ring with unwrapped longitudes; one around a pole is led through it."""
    smooth = ring.copy()
    smooth[:, 0] = np.unwrap(ring[:, 0], period=_TURN)
    first, last = smooth[0, 0], smooth[-1, 0]
    if abs(last - first) < _TURN / 2:
        return smooth
    pole = float(np.copysign(90.0, smooth[:, 1].mean()))
    return np.concatenate([smooth, [[last, pole], [first, pole]], smooth[:1]])


def _region(name: str, polygons: Iterable[list[Ring]]) -> Region:
    """Return polygons, each as often as turns of the Earth bring it into -180 to 180 degrees."""
    found, boxes = [], []
    for rings in polygons:
        (west, south), (east, north) = rings[0].min(axis=0), rings[0].max(axis=0)
        for turn in (-_TURN, 0.0, _TURN):
            if east + turn > -_TURN / 2 and west + turn < _TURN / 2:
                found.append(polygon_wkb([ring + np.array([turn, 0.0]) for ring in rings]))
                boxes.append([west + turn, south, east + turn, north])
    return Region(name, tuple(found), np.array(boxes).reshape(-1, 4))
