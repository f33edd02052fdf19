"""Which tile holds a point, and where inside it, over a tile index of any number of CRSs.

Containment is decided in each tile's own CRS. A point on an edge that two tiles share belongs to
one of them; where tiles overlap, within a scene or between scenes and CRSs, the tile with the
nearest centre is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from gair_cli import _rust
from gair_cli.errors import DataError
from gair_cli.geo.coordinates import (
    as_points,
    from_lonlat,
    is_geographic,
    metres_per_degree,
    normalise_crs,
    projection_of,
    to_lonlat,
    utm_zone,
)
from gair_cli.records import EARTH_RADIUS_M

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_OUTSIDE: Final = -1
_NEEDED: Final = ("crs", "transform", "width", "height")
_SWAPPED_SHARE: Final = 0.95
_UTM_SCALE: Final = 0.9996
_FALSE_EASTING_M: Final = 500_000.0
_UTM_WIDE_M: Final = 500_000.0


@dataclass(frozen=True, slots=True)
class Located:
    """Where N points lie.

    Attributes:
        row: (N,) int64 row of the tile index, -1 outside all tiles.
        xy: (N, 2) float64 in [-1, 1]: x along the tile's columns, y along its rows; NaN outside.
        edge_distance_m: (N,) float64 metres to the tile's nearest edge; NaN outside.
    """

    row: NDArray[np.int64]
    xy: NDArray[np.float64]
    edge_distance_m: NDArray[np.float64]

    @property
    def inside(self) -> NDArray[np.bool_]:
        """(N,) whether a tile holds the point."""
        return np.asarray(self.row != _OUTSIDE)


class TileLocator:
    """An immutable index over the tiles of a tile index table.

    Args:
        index: One row a tile with `crs`, `transform`, `width` and `height`; `scene_id` if there.

    Raises:
        DataError: If a CRS is unknown.
        MissingPackageError: If a CRS needs PROJ and this build has none.
    """

    def __init__(self, index: pl.DataFrame) -> None:
        self._count = index.height
        names = [*_NEEDED, *(["scene_id"] if "scene_id" in index.columns else [])]
        tiles = index.select(names).with_row_index("_row")
        parts = tiles.partition_by("crs", maintain_order=True) if index.height else []
        self.finder: Final = _rust.TileFinder([_tile_arrays(part) for part in parts])

    def __len__(self) -> int:
        return self._count

    def locate(self, lonlat: ArrayLike) -> Located:
        """Find the tile of each point.

        Args:
            lonlat: (N, 2) degrees.

        Returns:
            Row, position and distance to the edge; -1 and NaN outside all tiles.
        """
        return Located(*self.finder.locate(as_points(lonlat)))


def _tile_arrays(tiles: pl.DataFrame) -> _rust.TileArrays:
    crs = normalise_crs(str(tiles["crs"][0]))
    scenes = np.zeros(tiles.height, np.uint32)
    if "scene_id" in tiles.columns:
        scenes = tiles["scene_id"].rank("dense").to_numpy().astype(np.uint32)
    return _rust.TileArrays(
        projection_of(crs),
        tiles["_row"].to_numpy(),
        transforms_of(tiles),
        np.ascontiguousarray(tiles.select("width", "height").cast(pl.UInt32).to_numpy()),
        scenes,
        geographic=is_geographic(crs),
    )


def transforms_of(tiles: pl.DataFrame) -> NDArray[np.float64]:
    """Return the column `transform` of a tile index as (T, 6) float64."""
    numbers = tiles["transform"].cast(pl.Array(pl.Float64, 6)).to_numpy()
    return np.ascontiguousarray(numbers.reshape(tiles.height, 6))


def pixel_to_crs(
    transforms: NDArray[np.float64], cols: NDArray[np.float64], rows: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the CRS point of one (column, row) of each tile.

    Args:
        transforms: (T, 6) in rasterio's order.
        cols: (T,) columns, fractions allowed.
        rows: (T,) rows, fractions allowed.

    Returns:
        (T, 2) x, y.
    """
    a, b, c, d, e, f = transforms.T
    return np.stack([a * cols + b * rows + c, d * cols + e * rows + f], axis=1)


def metres_per_unit(
    transforms: NDArray[np.float64], sizes: NDArray[np.uint32], crs: str
) -> NDArray[np.float64]:
    """Measure (T, 2) metres a CRS unit along x and y at each tile's centre, on the ellipsoid."""
    centre = pixel_to_crs(transforms, sizes[:, 0] / 2, sizes[:, 1] / 2)
    if utm_zone(crs) is not None and np.abs(centre[:, 0] - _FALSE_EASTING_M).max() < _UTM_WIDE_M:
        return _utm_metres(centre)
    step = np.hypot(transforms[:, 0], transforms[:, 3])  # one pixel, in units
    here = to_lonlat(centre, crs)
    degree = metres_per_degree(here[:, 1])
    scales = np.empty((len(centre), 2))
    for axis in (0, 1):
        moved = centre.copy()
        moved[:, axis] += step
        turn = to_lonlat(moved, crs) - here
        turn[:, 0] = (turn[:, 0] + 180) % 360 - 180
        scales[:, axis] = np.hypot(*(turn * degree).T) / step
    return scales


def _utm_metres(centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (T, 2) metres a unit of UTM: the scale grows with the square of the easting.

    Up to 500 km from the meridian that is within 4e-5 (Snyder 1987, equation 8-12, on a sphere).
    """
    away = (centre[:, 0] - _FALSE_EASTING_M) / (_UTM_SCALE * EARTH_RADIUS_M)
    scale = _UTM_SCALE * (1 + away**2 / 2 + away**4 / 24)
    return np.repeat(1 / scale[:, None], 2, axis=1)


def tile_metres(index: pl.DataFrame) -> NDArray[np.float64]:
    """Return the ground width and height of each tile of an index: (T, 2) metres at its centre."""
    metres = np.zeros((index.height, 2))
    tiles = index.select(_NEEDED).with_row_index("_row")
    for part in tiles.partition_by("crs", maintain_order=True) if index.height else []:
        transforms = transforms_of(part)
        sizes = part.select("width", "height").cast(pl.UInt32).to_numpy()
        crs = normalise_crs(str(part["crs"][0]))
        metres[part["_row"].to_numpy()] = ground_sizes(transforms, sizes, crs)
    return metres


def ground_sizes(
    transforms: NDArray[np.float64], sizes: NDArray[np.uint32], crs: str
) -> NDArray[np.float64]:
    """Return the ground width and height of tiles of one CRS.

    Args:
        transforms: (T, 6) in rasterio's order.
        sizes: (T, 2) columns and rows.
        crs: Of all tiles.

    Returns:
        (T, 2) metres at each tile's centre.
    """
    scale_x, scale_y = metres_per_unit(transforms, sizes, crs).T
    a, b, _, d, e, _ = transforms.T
    width = np.hypot(a * scale_x, d * scale_y) * sizes[:, 0]
    height = np.hypot(b * scale_x, e * scale_y) * sizes[:, 1]
    return np.stack([width, height], axis=1)


def position_in_tiles(
    tiles: pl.DataFrame, slot: NDArray[np.int64], lonlat: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return where points lie in tiles that are named for them, also beyond [-1, 1].

    Args:
        tiles: T rows of a tile index.
        slot: (N,) row of `tiles` for each point.
        lonlat: (N, 2) degrees.

    Returns:
        (N, 2) x, y.
    """
    a, b, c, d, e, f = transforms_of(tiles)[slot].T
    sizes = tiles.select("width", "height").to_numpy()[slot]
    codes = tiles["crs"].to_numpy()[slot]
    xy = np.full(lonlat.shape, np.nan)
    for crs in np.unique(codes.astype(str)).tolist():
        here = codes == crs
        xy[here] = from_lonlat(lonlat[here], crs)
    turned = np.asarray([is_geographic(str(code)) for code in codes], bool)
    middle = c + a * sizes[:, 0] / 2 + b * sizes[:, 1] / 2
    xy[turned, 0] -= 360 * np.round((xy[turned, 0] - middle[turned]) / 360)
    dx, dy = xy[:, 0] - c, xy[:, 1] - f
    area = a * e - b * d
    pixel = np.stack([(e * dx - b * dy) / area, (a * dy - d * dx) / area], axis=1)  # (N, 2)
    return np.asarray(2 * pixel / sizes - 1)


def refuse_swapped(locator: TileLocator, lonlat: ArrayLike, *, name: str = "the table") -> None:
    """Refuse points of which over 95 % lie outside, and over 95 % inside once swapped.

    Args:
        locator: The tiles.
        lonlat: (N, 2) degrees, all or a sample.
        name: Where the points come from, for the message.

    Raises:
        DataError: With the advice to name the columns.
    """
    points = as_points(lonlat)
    if not len(points) or locator.locate(points).inside.mean() >= 1 - _SWAPPED_SHARE:
        return
    inside = locator.locate(points[:, ::-1]).inside.mean()
    if inside > _SWAPPED_SHARE:
        raise DataError(
            f"{name}: {inside:.0%} of the points lie in the tiles once lon and lat are swapped",
            hint="lat and lon look swapped; pass --lon-column and --lat-column",
        )
