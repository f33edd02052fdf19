"""The grid of an embedding raster: north-up, in the scene's CRS, at any pixel size.

The grid belongs to the whole scene; a box only selects pixels of it. Pixel (column, row) has its
centre at (column + 0.5, row + 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.errors import DataError, UsageError
from gair_cli.geo.coordinates import from_lonlat, is_geographic, metres_per_degree
from gair_cli.geo.locator import metres_per_unit
from gair_cli.geo.scene import Grid

if TYPE_CHECKING:
    from gair_cli.records import Bounds, Transform

_EDGE_POINTS: Final = 33
_TRUE_TO: Final = 0.01


@dataclass(frozen=True, slots=True)
class NorthUpGrid(Grid):
    """A grid whose transform has b = d = 0 and a negative e."""

    def window(self, col: int, row: int, width: int, height: int) -> NorthUpGrid:
        """Return the grid of a window of this one."""
        a, b, c, d, e, f = self.transform
        moved = (a, b, c + col * a, d, e, f + row * e)
        return NorthUpGrid(self.crs, moved, width, height)

    def centres(self) -> np.ndarray:
        """Return the pixel centres in the CRS, (height * width, 2), row by row."""
        a, _, c, _, e, f = self.transform
        x = c + a * (np.arange(self.width) + 0.5)
        y = f + e * (np.arange(self.height) + 0.5)
        return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)  # (height * width, 2)


def corners_of(transform: Transform, width: int, height: int) -> np.ndarray:
    """Return the four corners of a raster in its CRS, (4, 2)."""
    a, b, c, d, e, f = transform
    pixels = ((0, 0), (width, 0), (width, height), (0, height))
    return np.array([(a * i + b * j + c, d * i + e * j + f) for i, j in pixels])


def to_pixels(xy: np.ndarray, transform: Transform) -> np.ndarray:
    """Return positions (N, 2) in a raster's CRS as (column, row), whatever its orientation.

    Raises:
        DataError: When the transform cannot be inverted.
    """
    a, b, c, d, e, f = transform
    determinant = a * e - b * d
    if determinant == 0:
        raise DataError(f"the transform {transform} maps the raster onto a line")
    x, y = xy[:, 0] - c, xy[:, 1] - f
    return np.stack([(e * x - b * y) / determinant, (a * y - d * x) / determinant], axis=1)


def scene_grid(
    crs: str, transform: Transform, *, width: int, height: int, res_m: float | None
) -> NorthUpGrid:
    """Return the grid over a whole scene.

    Args:
        crs: The scene's CRS.
        transform: The scene's transform, of any orientation.
        width: The scene's columns.
        height: The scene's rows.
        res_m: Pixel size in metres on the ground; None is the scene's own.

    Returns:
        A north-up grid that starts at the scene's north-west corner; the last column and row may
        reach beyond the scene.

    Raises:
        UsageError: When the pixel size is not positive.
    """
    if res_m is not None and not (math.isfinite(res_m) and res_m > 0):
        raise UsageError(f"the pixel size must be a positive number of metres, got {res_m}")
    corners = corners_of(transform, width, height)
    (west, south), (east, north) = corners.min(axis=0), corners.max(axis=0)
    step_x, step_y = math.hypot(transform[0], transform[3]), math.hypot(transform[1], transform[4])
    if res_m is not None:
        unit_x, unit_y = _unit_m(crs, transform, width, height)
        step_x, step_y = res_m / unit_x, res_m / unit_y
    columns, rows = (_count(east - west, step_x), _count(north - south, step_y))
    return NorthUpGrid(crs, (step_x, 0.0, float(west), 0.0, -step_y, float(north)), columns, rows)


def _unit_m(crs: str, transform: Transform, width: int, height: int) -> tuple[float, float]:
    """Return the ground metres of a CRS unit along x and y at a raster's centre.

    A projection in metres that is true to 1 % counts as true, so that its grid stays on round
    numbers; so does one that cannot tell where the raster is.
    """
    if is_geographic(crs):
        middle = corners_of(transform, width, height)[:, 1].mean()
        east_m, north_m = metres_per_degree([middle])[0]
        return max(float(east_m), 1.0), float(north_m)
    size = np.array([[width, height]], np.uint32)
    try:
        found = metres_per_unit(np.array([transform], np.float64), size, crs)[0]
    except DataError:
        return 1.0, 1.0
    if not np.isfinite(found).all() or (np.abs(found - 1) < _TRUE_TO).all():
        return 1.0, 1.0
    return float(found[0]), float(found[1])


def _count(length: float, step: float) -> int:
    return max(1, math.ceil(length / step - 1e-6))


def pixel_height_m(grid: NorthUpGrid) -> float:
    """Return the height of a pixel in metres, at the middle of the grid."""
    unit_y = _unit_m(grid.crs, grid.transform, grid.width, grid.height)[1]
    return abs(grid.transform[4]) * unit_y


def select_box(grid: NorthUpGrid, bbox: Bounds) -> tuple[int, int, int, int]:
    """Return the window (col, row, width, height) of a grid that a box in degrees touches.

    Args:
        grid: The grid of the whole scene.
        bbox: west, south, east, north in degrees; west > east crosses the antimeridian.

    Raises:
        DataError: When the box lies outside the grid.
    """
    west, south, east, north = bbox
    lon = np.linspace(west, east + 360 * (east < west), _EDGE_POINTS)
    lat = np.linspace(south, north, _EDGE_POINTS)
    edges = np.concatenate([
        np.stack([lon, np.full_like(lon, south)], axis=1),
        np.stack([lon, np.full_like(lon, north)], axis=1),
        np.stack([np.full_like(lat, lon[0]), lat], axis=1),
        np.stack([np.full_like(lat, lon[-1]), lat], axis=1),
    ])  # fmt: skip
    edges[:, 0] = (edges[:, 0] + 180) % 360 - 180
    pixels = to_pixels(from_lonlat(edges, grid.crs), grid.transform)
    pixels = pixels[np.isfinite(pixels).all(axis=1)]
    low = np.floor(pixels.min(axis=0) + 1e-6).clip(0, [grid.width, grid.height]).astype(int)
    high = np.ceil(pixels.max(axis=0) - 1e-6).clip(0, [grid.width, grid.height]).astype(int)
    if (high <= low).any():
        raise DataError(
            f"the box {','.join(f'{v:g}' for v in bbox)} lies outside the scene",
            hint="--bbox is west,south,east,north in degrees",
        )
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])
