"""The Major TOM grid (Francis and Czerkawski 2024, arXiv 2402.12095): cells of about D kilometres.

With R = 6378.137 km there are N = ceil(pi R / D) rows from pole to pole, 180 / N degrees apart, one
of them on the equator. A row at latitude p has n = ceil(2 pi R cos p / D) columns, 360 / n degrees
apart, one of them at longitude 0. The point of row r and column c is the south-west corner of its
cell, which it names: `{r}U` north and `{-r}D` south of the equator, `{c}R` east and `{-c}L` west.

A tile is a square in the UTM zone of the point: in its middle lies the square of D kilometres whose
south-west corner is the point, as in the authors' own data sets. Its corner is moved to the nearest
multiple of the resolution, so that tiles share the pixels of `--grid utm`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.geo.coordinates import from_lonlat
from gair_cli.geo.grid_utm import chosen_resolution, first_pixel, zone_grid, zone_of
from gair_cli.geo.layouts import Layout, check_count
from gair_cli.geo.outline import box_degrees, tiles_on_scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gair_cli.geo.scene import Grid

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

RADIUS_KM: Final = 6378.137
_KM_A_DEGREE: Final = 111.0
_LEAST_COSINE: Final = 0.01


@dataclass(frozen=True, slots=True)
class MajorTomGrid:
    """The points of the grid.

    Attributes:
        km: The distance D that neighbours have at most.
    """

    km: float

    @property
    def row_step(self) -> float:
        """Degrees between rows."""
        return 180.0 / math.ceil(math.pi * RADIUS_KM / self.km)

    def columns(self, row: int) -> int:
        """Return how many columns a row has."""
        circumference = 2 * math.pi * RADIUS_KM * math.cos(math.radians(row * self.row_step))
        return max(math.ceil(circumference / self.km), 1)

    def wrapped(self, row: int, cols: Ints) -> Ints:
        """Return columns of a row as they are numbered: from -(n // 2) on, once round the Earth."""
        count = self.columns(row)
        return (cols + count // 2) % count - count // 2

    def points(self, rows: Ints, cols: Ints) -> Floats:
        """Return longitude and latitude of points (N, 2), those of south-west corners."""
        steps = {int(row): 360.0 / self.columns(int(row)) for row in np.unique(rows)}
        lon = cols * np.array([steps[int(row)] for row in rows])
        return np.stack([lon, rows * self.row_step], axis=-1)

    def cell_at(self, lon: float, lat: float) -> tuple[int, int]:
        """Return row and column of the cell that holds a place."""
        row = math.floor(lat / self.row_step)
        col = math.floor(lon / (360.0 / self.columns(row)))
        return row, int(self.wrapped(row, np.array([col]))[0])


def cell_name(row: int, col: int) -> str:
    """Return a cell's name, such as `451U_946L`."""
    north, east = "U" if row >= 0 else "D", "R" if col >= 0 else "L"
    return f"{abs(row)}{north}_{abs(col)}{east}"


def majortom_layouts(
    scene: Grid, *, km: float, size: int, res: float | None, whole: bool
) -> list[Layout]:
    """Return the tiles of a scene on the Major TOM grid, zone by zone.

    Args:
        scene: The scene's own pixels.
        km: Kilometres between points.
        size: Pixels a side.
        res: Pixel size in metres; None is the scene's, rounded where it is resampled.
        whole: Leave out tiles that reach over the scene's edge.

    Raises:
        DataError: If the scene reaches beyond where its CRS is defined.
    """
    chosen, suffix = chosen_resolution(scene, res)
    name = f"majortom:{km:g}{suffix}"
    grid = MajorTomGrid(km)
    rows, cols = _cells_near(grid, scene, side_km=size * chosen / 1000)
    points = grid.points(rows, cols)
    zones = zone_of(points[:, 0], points[:, 1])
    found = []
    for zone in np.unique(zones):
        mine = zones == zone
        crs = f"EPSG:{zone}"
        tops, lefts = _corners(points[mine], crs, km=km, size=size, res=chosen)
        layout = Layout(
            name, zone_grid(crs, chosen), (size, size), (size, size), rows[mine], cols[mine],
            tops, lefts,
        )  # fmt: skip
        found.append(tiles_on_scene(layout, scene, whole=whole))
    return [layout for layout in found if len(layout)]


def _corners(points: Floats, crs: str, *, km: float, size: int, res: float) -> tuple[Ints, Ints]:
    """Return the first pixel row and column of tiles in their zone's grid."""
    xy = from_lonlat(points, crs)
    room = (size * res - 1000 * km) / 2  # how far a tile reaches over the square of the point
    top, left = first_pixel(res)
    rows = top - np.round((xy[:, 1] + 1000 * km + room) / res).astype(np.int64)
    cols = left + np.round((xy[:, 0] - room) / res).astype(np.int64)
    return rows, cols


def _cells_near(grid: MajorTomGrid, scene: Grid, *, side_km: float) -> tuple[Ints, Ints]:
    """Return row and column of every cell whose tile may touch a scene."""
    west, south, east, north = box_degrees(scene)
    room = (side_km + 2 * grid.km) / _KM_A_DEGREE
    low, high = max(south - room, -90.0), min(north + room, 90.0)
    rows = range(math.ceil(low / grid.row_step), math.floor(high / grid.row_step) + 1)
    found = []
    for row in rows:
        step = 360.0 / grid.columns(row)
        cosine = max(math.cos(math.radians(row * grid.row_step)), _LEAST_COSINE)
        cols = np.arange(
            math.floor((west - room / cosine) / step),
            math.ceil((east + room / cosine) / step) + 1,
            dtype=np.int64,
        )
        check_count(len(rows), len(cols))
        found.append((row, np.unique(grid.wrapped(row, cols))))
    counts = [len(cols) for _, cols in found]
    return (
        np.repeat(np.array([row for row, _ in found], np.int64), counts),
        np.concatenate([np.zeros(0, np.int64), *(cols for _, cols in found)]),
    )
