"""Cloud outlines of older Sentinel-2 products (`MSK_CLOUDS_B00.gml`) as a raster.

A pixel of 60 m is cloudy if its centre lies inside an outline and outside its holes.
"""

from __future__ import annotations

import atexit
import hashlib
import math
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.errors import InputError
from gair_cli.geo.inputs.cloud_bits import FLAG
from gair_cli.geo.inputs.finest import pixel_size
from gair_cli.geo.inputs.xml_tree import parse_xml, texts
from gair_cli.geo.rasters import write_geotiff
from gair_cli.geo.scene import CloudBand, Grid

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from numpy.typing import NDArray

    from gair_cli.geo.inputs.draft import CloudMaker

RESOLUTION_M: Final = 60.0
_CLOUDS: Final = frozenset({"OPAQUE", "CIRRUS"})


def polygon_clouds(data: bytes, name: str) -> CloudMaker:
    """Return a maker of the cloud band that a vector mask says, drawn when it is asked for.

    Args:
        data: The GML, in the CRS of the product's images.
        name: What messages call it.

    Raises:
        InputError: If it is no well-formed mask.
    """
    polygons = _polygons(parse_xml(data, name), name)

    def make(grid: Grid) -> tuple[CloudBand, ...]:
        return (CloudBand(_drawn(polygons, grid), 1, FLAG),)

    return make


def _polygons(root: Element, name: str) -> list[list[NDArray[np.float64]]]:
    """Return the rings, (N, 2) each, of every polygon that is a cloud."""
    found: list[list[NDArray[np.float64]]] = []
    for feature in root.iter("MaskFeature"):
        kinds = {text.upper() for text in texts(feature, "maskType")}
        if kinds and not kinds & _CLOUDS:
            continue
        for polygon in feature.iter("Polygon"):
            rings = [_ring(positions, name) for positions in polygon.iter("posList")]
            found += [rings]
    return found


def _ring(positions: Element, name: str) -> NDArray[np.float64]:
    """Return the corners of a ring, (N, 2); heights, if there are any, do not count."""
    axes = 3 if positions.get("srsDimension") == "3" else 2
    try:
        numbers = np.array((positions.text or "").split(), np.float64)
    except ValueError as error:
        raise InputError(f"{name}: a ring has a coordinate that is no number") from error
    if len(numbers) % axes or len(numbers) < 3 * axes or not np.isfinite(numbers).all():
        raise InputError(f"{name}: a ring of {len(numbers)} numbers is none")
    return numbers.reshape(-1, axes)[:, :2]


def _drawn(polygons: list[list[NDArray[np.float64]]], grid: Grid) -> str:
    """Return the path of a raster of the polygons, 1 inside, at 60 m on the grid's extent."""
    coarse = _coarse(grid)
    mask = np.zeros((coarse.height, coarse.width), np.uint8)
    for rings in polygons:
        fill_rings(mask, [_pixels(ring, coarse) for ring in rings])
    content = hashlib.blake2b(mask.tobytes(), digest_size=16)
    content.update(repr((coarse.crs, coarse.transform)).encode())
    path = _folder() / f"clouds-{content.hexdigest()}.tif"
    if not path.exists():
        write_geotiff(path, mask[np.newaxis], crs=coarse.crs, transform=coarse.transform)
    return str(path)


@cache
def _folder() -> Path:
    """Return a folder that lives as long as this process."""
    folder = Path(tempfile.mkdtemp(prefix="gair-clouds-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _coarse(grid: Grid) -> Grid:
    """Return the grid with pixels of 60 m (those of a grid that is coarser stay as they are)."""
    wide, high = (max(1.0, RESOLUTION_M / size) for size in pixel_size(grid.transform))
    a, b, c, d, e, f = grid.transform
    return Grid(
        grid.crs,
        (a * wide, b * high, c, d * wide, e * high, f),
        math.ceil(grid.width / wide),
        math.ceil(grid.height / high),
    )


def _pixels(ring: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    """Return a ring as columns and rows, (N, 2)."""
    a, b, c, d, e, f = grid.transform
    area = a * e - b * d
    x, y = ring[:, 0] - c, ring[:, 1] - f
    return np.stack([(e * x - b * y) / area, (a * y - d * x) / area], axis=1)


def fill_rings(mask: NDArray[np.uint8], rings: list[NDArray[np.float64]]) -> None:
    """Set the pixels whose centres lie inside an odd number of rings.

    Args:
        mask: (H, W), changed in place; pixels that are set already stay.
        rings: Columns and rows of the corners, (N, 2) each, closed or not.
    """
    if not rings:
        return
    corners = np.concatenate(rings)
    size = np.array(mask.shape[::-1])
    low = np.clip(np.floor(corners.min(axis=0)), 0, size).astype(np.int64)
    high = np.clip(np.ceil(corners.max(axis=0)), 0, size).astype(np.int64)
    width, height = (high - low).tolist()
    if width < 1 or height < 1:
        return
    flips = np.zeros((height, width + 1), np.uint8)
    for ring in rings:
        _flip_ring(flips, ring - low)
    part = mask[low[1] : high[1], low[0] : high[0]]
    part |= np.bitwise_xor.accumulate(flips, axis=1)[:, :width]


def _flip_ring(flips: NDArray[np.uint8], ring: NDArray[np.float64]) -> None:
    """Flip, on every row of pixel centres that an edge crosses, the first pixel right of it."""
    height, width = flips.shape
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        first = max(0, math.ceil(min(y0, y1) - 0.5))
        last = min(height, math.ceil(max(y0, y1) - 0.5))
        if first < last:
            rows = np.arange(first, last)
            crossings = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            columns = np.clip(np.ceil(crossings - 0.5), 0, width - 1).astype(np.int64)
            flips[rows, columns] ^= 1
