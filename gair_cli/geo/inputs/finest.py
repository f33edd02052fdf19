"""One grid for bands of several resolutions: that of the finest.

Where several bands are equally fine, the one that covers most counts (the first of equals). Parts
of other bands outside it are not used; where another band does not reach, it is nodata, so that
such a scene needs a nodata value.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from gair_cli.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gair_cli.geo.scene import Grid
    from gair_cli.records import Transform

_SAME: Final = 1e-6
"""Share of a pixel below which sizes and places count as equal."""


def pixel_size(transform: Transform) -> tuple[float, float]:
    """Return width and height of a pixel in units of the CRS, of any orientation."""
    a, b, _, d, e, _ = transform
    return math.hypot(a, d), math.hypot(b, e)


def finest_grid(grids: Mapping[str, Grid], scene: str, *, padded: bool) -> Grid:
    """Return the grid of the finest band.

    Args:
        grids: The grid of each band, by name; at least one.
        scene: What messages call the scene.
        padded: Whether there is a nodata value for bands that do not reach everywhere.

    Raises:
        DataError: If bands have different CRSs, one has no area, or one does not cover the grid
            and cannot be padded.
    """
    areas = {name: _pixel_area(grid, name, scene) for name, grid in grids.items()}
    least = min(areas.values())
    fine = [name for name in grids if areas[name] <= least * (1 + _SAME)]
    first = max(fine, key=lambda name: grids[name].width * grids[name].height)
    grid = grids[first]
    for name, other in grids.items():
        _check_crs(grid, other, (first, name), scene)
        if not padded and not _covers(other, grid):
            raise DataError(
                f"{scene}: band {name} ({other.width} x {other.height} pixels) does not cover "
                f"band {first} ({grid.width} x {grid.height}), and there is no nodata value",
                hint="pass --nodata VALUE, so that what is missing can be marked",
            )
    return grid


def _pixel_area(grid: Grid, band: str, scene: str) -> float:
    a, b, _, d, e, _ = grid.transform
    area = abs(a * e - b * d)
    if not area or not math.isfinite(area):
        raise DataError(f"{scene}: pixels of band {band} have no area")
    return area


def _check_crs(grid: Grid, other: Grid, names: tuple[str, str], scene: str) -> None:
    if other.crs != grid.crs:
        raise DataError(
            f"{scene}: band {names[1]} has crs {_short(other.crs)}, "
            f"but {names[0]} has {_short(grid.crs)}",
            hint="bands of one scene must share a CRS; warp them with gdalwarp",
        )


def _short(crs: str, most: int = 60) -> str:
    return crs if len(crs) <= most else crs[:most] + "..."


def _covers(source: Grid, grid: Grid) -> bool:
    """Return whether the centre of every pixel of `grid` lies inside `source`."""
    corners = [(x, y) for x in (0.5, grid.width - 0.5) for y in (0.5, grid.height - 0.5)]
    return all(_inside(source, *_place(grid.transform, x, y)) for x, y in corners)


def _place(transform: Transform, col: float, row: float) -> tuple[float, float]:
    a, b, c, d, e, f = transform
    return a * col + b * row + c, d * col + e * row + f


def _inside(grid: Grid, x: float, y: float) -> bool:
    a, b, c, d, e, f = grid.transform
    area = a * e - b * d
    col = (e * (x - c) - b * (y - f)) / area
    row = (a * (y - f) - d * (x - c)) / area
    return -_SAME <= col <= grid.width + _SAME and -_SAME <= row <= grid.height + _SAME
