"""The grid of a scene that is resampled to another CRS before it is cut."""

from __future__ import annotations

import math

from gair_cli import _rust
from gair_cli.errors import DataError
from gair_cli.geo.ground import units_per_metre
from gair_cli.geo.outline import box_degrees
from gair_cli.geo.scene import Grid


def reprojected(scene: Grid, crs: str, *, res: float | None) -> Grid:
    """Return north-up square pixels in another CRS that cover a scene.

    They begin at whole multiples of their size, so that scenes of one resolution share them. A
    scene that is north up in that CRS already keeps its pixels unless a resolution is asked for.

    Args:
        scene: The scene's own pixels.
        crs: `EPSG:n` or WKT2.
        res: Pixel size in metres on the ground in the scene's middle; None keeps the scene's
            diagonal in pixels, rounded to three digits.

    Raises:
        DataError: If the scene reaches beyond where the CRS is defined.
    """
    try:
        place, width, height = _rust.suggest_grid(scene, crs, _units(scene, crs, res))
    except ValueError as error:
        raise DataError(str(error), hint="choose a CRS that is defined over the scene") from error
    return Grid(crs, place, width, height)


def _units(scene: Grid, crs: str, res: float | None) -> float | None:
    """Return a resolution in units of a CRS; where its axes differ, the pixel's area is kept."""
    if res is None:
        return None
    west, south, east, north = box_degrees(scene)
    units = units_per_metre(crs, ((west + east) / 2, (south + north) / 2))
    return float(f"{res * math.sqrt(math.prod(units)):.6g}")
