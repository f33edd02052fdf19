"""Tiles at fixed places of each UTM zone, so that those of several scenes lie one on another.

A tile of row r and column c has its top left corner at x = c * step, y = -r * step metres of the
zone (WGS 84), where step = stride * resolution: columns count eastwards and rows southwards, as in
any raster, from the zone's origin (the false easting's 0; the equator in the north, 10,000 km south
of it in the south). North of the origin rows are therefore negative.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.errors import DataError
from gair_cli.geo.coordinates import from_lonlat, to_lonlat, utm_zone
from gair_cli.geo.ground import round_resolution
from gair_cli.geo.layouts import Layout, meshed
from gair_cli.geo.outline import box_degrees, outline_bounds, tiles_on_scene
from gair_cli.geo.scene import Grid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_WEST_M: Final = 1_000_000
_EAST_M: Final = 2_000_000
_NORTH_M: Final = 20_000_000
_ALIGNED: Final = 1e-6
_ZONES: Final = 60
_REACH: Final = 6.0
"""Degrees from a zone's middle, and over the equator, at which a tile may still be of the zone."""

_SAMPLES: Final = 33


def utm_layouts(
    scene: Grid, *, size: int, stride: int, res: float | None, whole: bool
) -> list[Layout]:
    """Return the tiles of a scene on the UTM grid, zone by zone.

    A scene in a UTM zone stays in it, and keeps its pixels if they lie on multiples of their size;
    others are resampled. A scene in another CRS goes to the zones it lies in, each tile to the
    zone of its centre.

    Args:
        scene: The scene's own pixels.
        size: Pixels a side.
        stride: Pixels between tiles.
        res: Pixel size in metres; None is the scene's, rounded where it is resampled.
        whole: Leave out tiles that reach over the scene's edge.

    Raises:
        DataError: If the scene lies where no zone is defined.
    """
    chosen, suffix = chosen_resolution(scene, res)
    found = []
    for crs in _zones_of(scene):
        name = f"utm:{crs.partition(':')[2]}{suffix}"
        cells = _cells(name, scene, zone_grid(crs, chosen), size, stride)
        layout = tiles_on_scene(cells, scene, whole=whole)
        if utm_zone(scene.crs) is None:
            layout = layout.only(_centres_in(layout, crs))
        found.append(layout)
    return [layout for layout in found if len(layout)]


def chosen_resolution(scene: Grid, res: float | None) -> tuple[float, str]:
    """Return the pixel size of a scene's tiles in metres, and what it adds to the grid's name.

    Args:
        scene: The scene's own pixels.
        res: The size asked for; None is that of `utm_resolution`, which adds nothing.
    """
    usual = utm_resolution(scene)
    chosen = usual if res is None else res
    return chosen, "" if chosen == usual else f"@{chosen:g}"


def utm_resolution(scene: Grid) -> float:
    """Return the pixel size in metres that a scene has on the UTM grid if nothing else is said."""
    own = own_pixels(scene)
    return round_resolution(scene) if own is None else own


def own_pixels(scene: Grid) -> float | None:
    """Return the pixel size of a UTM scene whose pixels lie on multiples of it, else None."""
    a, b, c, d, e, f = scene.transform
    if utm_zone(scene.crs) is None or b != 0 or d != 0 or a <= 0 or e != -a:
        return None
    off = max(abs(value / a - round(value / a)) for value in (c, f))
    return a if off < _ALIGNED else None


def zone_grid(crs: str, res: float) -> Grid:
    """Return the pixels of a whole zone and its surroundings: the same for every scene."""
    west, north = math.ceil(_WEST_M / res), math.ceil(_NORTH_M / res)
    place = (res, 0.0, -west * res, 0.0, -res, north * res)
    return Grid(crs, place, west + math.ceil(_EAST_M / res), 2 * north)


def first_pixel(res: float) -> tuple[int, int]:
    """Return row and column, in `zone_grid`, of the pixel whose corner is the zone's origin."""
    return math.ceil(_NORTH_M / res), math.ceil(_WEST_M / res)


def zone_of(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the EPSG code of the zone of each place: plain zones of 6 degrees, no exceptions."""
    number = np.floor(((lon + 180.0) % 360.0) / 6.0).astype(np.int64) + 1
    return np.where(lat < 0, 32700, 32600) + np.minimum(number, _ZONES)


def _zones_of(scene: Grid) -> Iterator[str]:
    if utm_zone(scene.crs) is not None:
        yield scene.crs.upper()
        return
    west, south, east, north = box_degrees(scene)
    if south >= 84 or north <= -80:  # noqa: PLR2004 - where UTM ends
        raise DataError(
            "the scene lies where no UTM zone is defined", hint="pass --reproject EPSG:n instead"
        )
    lon = np.append(np.arange(west, east, 1.0), east)
    codes = {
        int(code)
        for lat in (south, north)
        for code in zone_of(lon, np.full_like(lon, min(lat, 89.0)))
    }
    yield from (f"EPSG:{code}" for code in sorted(codes))


def _cells(name: str, scene: Grid, grid: Grid, size: int, stride: int) -> Layout:
    """Return every tile that the box around a scene touches."""
    res = grid.transform[0]
    west, south, east, north = _bounds_in(scene, grid.crs)
    step, side = stride * res, size * res
    cols = np.arange(math.floor((west - side) / step), math.ceil(east / step) + 1, dtype=np.int64)
    rows = np.arange(
        math.floor(-north / step) - math.ceil(side / step), math.ceil(-south / step) + 1,
        dtype=np.int64,
    )  # fmt: skip
    row, col = meshed(rows, cols)
    top, left = first_pixel(res)
    return Layout(
        name, grid, (size, size), (stride, stride), row, col, top + row * stride,
        left + col * stride,
    )  # fmt: skip


def _bounds_in(scene: Grid, crs: str) -> tuple[float, float, float, float]:
    """Return the box around a scene in a zone; of a wide scene only what may be in the zone."""
    if utm_zone(scene.crs) is not None:
        return outline_bounds(scene, crs)
    west, south, east, north = box_degrees(scene)
    number, northern = utm_zone(crs) or (1, True)
    middle = 6.0 * number - 183.0
    middle += 360.0 * round(((west + east) / 2 - middle) / 360.0)
    lon = np.linspace(max(west, middle - _REACH), min(east, middle + _REACH), _SAMPLES)
    low, high = (-_REACH, 89.0) if northern else (-89.0, _REACH)
    lat = np.linspace(max(south, low), min(north, high), _SAMPLES)
    xy = from_lonlat(np.stack(np.meshgrid(lon, lat), axis=-1).reshape(-1, 2), crs)
    (left, bottom), (right, top) = xy.min(axis=0), xy.max(axis=0)
    return float(left), float(bottom), float(right), float(top)


def _centres_in(layout: Layout, crs: str) -> NDArray[np.bool_]:
    """Tell which tiles have their centre in the zone."""
    height, width = layout.size
    a, b, c, d, e, f = layout.transforms.T
    xy = np.stack([a * width / 2 + b * height / 2 + c, d * width / 2 + e * height / 2 + f], -1)
    lonlat = to_lonlat(xy, crs)
    return np.asarray(zone_of(lonlat[:, 0], lonlat[:, 1]) == int(crs.partition(":")[2]))
