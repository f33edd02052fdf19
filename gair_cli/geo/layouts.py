"""Where tiles lie: windows of one raster grid, numbered on a lattice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.errors import DataError
from gair_cli.geo.plan_limits import MOST_TILES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gair_cli.geo.scene import Grid

    Ints = NDArray[np.int64]

_MOST_CELLS: Final = 2 * MOST_TILES
"""Cells of the box around one scene, of which it may fill half."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The tiles that are asked for on one grid.

    Attributes:
        name: Stands in the tile ids: `scene`, `utm:32633`, `xyz:12`, `majortom:10`...
        grid: The raster that tiles are windows of; a scene is resampled to it where need be.
        size: Rows and columns of a tile.
        stride: Rows and columns between tiles.
        rows: Lattice row of each tile, (T,).
        cols: Lattice column of each tile, (T,).
        tops: First pixel row of each tile in `grid`, (T,); negative where a tile is padded.
        lefts: First pixel column of each tile in `grid`, (T,).
    """

    name: str
    grid: Grid
    size: tuple[int, int]
    stride: tuple[int, int]
    rows: Ints
    cols: Ints
    tops: Ints
    lefts: Ints

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self.rows)

    @property
    def transforms(self) -> NDArray[np.float64]:
        """Pixels to CRS of each tile, (T, 6) as in rasterio."""
        a, b, c, d, e, f = self.grid.transform
        found = np.empty((len(self), 6))
        found[:] = self.grid.transform
        found[:, 2] = a * self.lefts + b * self.tops + c
        found[:, 5] = d * self.lefts + e * self.tops + f
        return found

    def only(self, kept: NDArray[np.bool_]) -> Layout:
        """Return the tiles for which `kept` (T,) holds, in the same order."""
        return replace(
            self,
            rows=self.rows[kept],
            cols=self.cols[kept],
            tops=self.tops[kept],
            lefts=self.lefts[kept],
        )


def meshed(rows: Ints, cols: Ints) -> tuple[Ints, Ints]:
    """Return all pairs of some lattice rows and columns, row by row.

    Raises:
        DataError: If there are more than anyone can mean.
    """
    check_count(len(rows), len(cols))
    row, col = np.divmod(np.arange(len(rows) * len(cols), dtype=np.int64), max(len(cols), 1))
    return rows[row], cols[col]


def check_count(rows: int, cols: int) -> None:
    """Refuse a grid of more tiles over one scene than anyone can mean.

    Raises:
        DataError: If so.
    """
    if rows * cols > _MOST_CELLS:
        raise DataError(
            f"a grid of {rows} x {cols} tiles over one scene is too fine",
            hint="use larger tiles, a coarser resolution or a smaller zoom",
        )


def crossed(
    name: str,
    grid: Grid,
    *,
    size: tuple[int, int],
    stride: tuple[int, int],
    tops: Sequence[int],
    lefts: Sequence[int],
) -> Layout:
    """Return the layout of all pairs of some first rows and first columns, row by row.

    Args:
        name: See `Layout`.
        grid: See `Layout`.
        size: Rows and columns of a tile.
        stride: Rows and columns between tiles.
        tops: First pixel row of each row of tiles, numbered from 0.
        lefts: First pixel column of each column of tiles.
    """
    rows, cols = meshed(np.arange(len(tops), dtype=np.int64), np.arange(len(lefts), dtype=np.int64))
    return Layout(
        name, grid, size, stride, rows, cols,
        np.array(tops, np.int64)[rows], np.array(lefts, np.int64)[cols],
    )  # fmt: skip
