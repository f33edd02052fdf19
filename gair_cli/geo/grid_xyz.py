"""Tiles of web maps: zoom Z divides the Web-Mercator square into 2^Z by 2^Z tiles.

Rows are y and columns x of the slippy map, counted from the north-west corner (180 W, 85.05 N).
With 256 pixels a side the tiles have the usual pixels; other sizes have others on the same ground.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from gair_cli.geo.layouts import Layout, meshed
from gair_cli.geo.outline import box_degrees, tiles_on_scene
from gair_cli.geo.scene import Grid

CRS: Final = "EPSG:3857"
_HALF_M: Final = math.pi * 6_378_137.0
_MOST_LAT: Final = math.degrees(math.atan(math.sinh(math.pi)))


def xyz_layouts(scene: Grid, *, zoom: int, size: int, whole: bool) -> list[Layout]:
    """Return the tiles of a scene on the slippy map.

    Args:
        scene: The scene's own pixels.
        zoom: 0 is one tile for the whole world.
        size: Pixels a side.
        whole: Leave out tiles that reach over the scene's edge.

    Raises:
        DataError: If the scene reaches beyond where its CRS is defined.
    """
    count = 2**zoom
    west, south, east, north = box_degrees(scene)
    top, bottom = (math.floor(_down(lat) * count) for lat in (north, south))
    left, right = (math.floor((lon / 360.0 + 0.5) * count) for lon in (west, east))
    rows = np.arange(max(top, 0), min(bottom + 1, count), dtype=np.int64)
    cols = np.arange(left, min(right + 1, left + count), dtype=np.int64) % count
    row, col = meshed(rows, np.sort(cols))
    layout = Layout(
        f"xyz:{zoom}", world_grid(zoom, size), (size, size), (size, size), row, col, row * size,
        col * size,
    )  # fmt: skip
    found = tiles_on_scene(layout, scene, whole=whole)
    return [found] if len(found) else []


def world_grid(zoom: int, size: int) -> Grid:
    """Return the pixels of the whole Web-Mercator square."""
    side = size * 2**zoom
    res = 2 * _HALF_M / side
    return Grid(CRS, (res, 0.0, -_HALF_M, 0.0, -res, _HALF_M), side, side)


def _down(lat: float) -> float:
    """Return how far from the northern edge of the square a latitude lies, as a share of it."""
    phi = math.radians(min(max(lat, -_MOST_LAT), _MOST_LAT))
    return 0.5 - math.asinh(math.tan(phi)) / (2 * math.pi)
