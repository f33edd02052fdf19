"""How large a scene's pixels are on the ground, in numbers that people would write."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.geo.coordinates import from_lonlat, metres_per_degree, to_lonlat

if TYPE_CHECKING:
    from gair_cli.geo.scene import Grid

_ROUND: Final = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_TRUE_TO: Final = 0.01


def pixel_metres(grid: Grid) -> tuple[float, float]:
    """Return width and height in metres of the pixel in the middle of a scene."""
    a, b, c, d, e, f = grid.transform
    col, row = grid.width / 2, grid.height / 2
    pixels = np.array([[col, row], [col + 1, row], [col, row + 1]])
    xy = np.stack([pixels @ [a, b] + c, pixels @ [d, e] + f], axis=-1)
    lonlat = to_lonlat(xy, grid.crs)
    steps = (lonlat[1:] - lonlat[0] + 180.0) % 360.0 - 180.0
    east, north = (steps * metres_per_degree(lonlat[:1, 1])).T
    return float(np.hypot(east[0], north[0])), float(np.hypot(east[1], north[1]))


def round_resolution(grid: Grid) -> float:
    """Return a scene's ground resolution in metres, rounded to 1, 1.2, 1.5, 2, 2.5, 3, 4...

    Pixels that are not square count by their area.
    """
    exact = math.sqrt(math.prod(pixel_metres(grid)))
    scale = 10.0 ** math.floor(math.log10(exact))
    nearest = min(_ROUND, key=lambda number: abs(math.log(exact / (number * scale))))
    return float(f"{nearest * scale:g}")


def units_per_metre(crs: str, lonlat: tuple[float, float]) -> tuple[float, float]:
    """Return how many units of a CRS a metre on the ground is at a place, along x and y.

    A projection in metres that is true to 1 % counts as true, so that grids stay on round numbers.

    Args:
        crs: `EPSG:n` or WKT2.
        lonlat: The place, in degrees.
    """
    xy = from_lonlat([lonlat], crs)
    step = np.array([[1.0, 0.0], [0.0, 1.0]])
    ahead = to_lonlat(xy + step, crs)
    metres = np.hypot(*((ahead - lonlat) * metres_per_degree([lonlat[1]])).T)
    if (np.abs(metres - 1) < _TRUE_TO).all():
        return 1.0, 1.0
    return float(1 / metres[0]), float(1 / metres[1])
