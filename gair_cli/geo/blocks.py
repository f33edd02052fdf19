"""Spatial blocks and the splits made of them.

A block is a cell of a degree grid, or of a square grid in the UTM zone of the place; the same
place is in the same block whatever the CRS of its tile. A split is a hash of (seed, block).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from gair_cli import _rust
from gair_cli.errors import UsageError
from gair_cli.geo.coordinates import as_points, from_lonlat, is_geographic
from gair_cli.geo.locator import tile_metres

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import ArrayLike, NDArray

SPLITS: Final = ("train", "val", "test")
FRACTIONS: Final = (0.8, 0.1, 0.1)
_BLOCK: Final = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*(km|m|deg)\s*", re.IGNORECASE)
_LARGEST_KM: Final = 100.0
_KM_A_DEGREE: Final = 111.32
_EDGES_A_BLOCK: Final = 2
_NUDGE: Final = 1e-7
"""A centre exactly on a border must not fall either way by rounding (a tenth of a mm in 1 km)."""


@dataclass(frozen=True, slots=True)
class BlockGrid:
    """The size of blocks.

    Attributes:
        size: Edge of a block, above 0.
        unit: Kilometres in the place's UTM zone, or degrees.
    """

    size: float
    unit: Literal["km", "deg"]

    def __str__(self) -> str:
        return f"{self.size:g}{self.unit}"


PHOTOS_ALONE: Final = BlockGrid(0.1, "deg")
"""The blocks of photos without tiles."""


def parse_block(text: str) -> BlockGrid:
    """Parse `2km`, `500m` or `0.5deg`.

    Raises:
        UsageError: If it is neither.
    """
    found = _BLOCK.fullmatch(text)
    if found is None or float(found[1]) == 0:
        raise UsageError(f"{text!r} is no block size", hint="write it as 2km, 500m or 0.5deg")
    size, unit = float(found[1]), found[2].lower()
    if unit == "deg":
        return BlockGrid(size, "deg")
    return BlockGrid(size / 1000 if unit == "m" else size, "km")


def default_block(index: pl.DataFrame) -> BlockGrid:
    """Return blocks of two tile edges: degrees for geographic tiles and very large ones.

    Args:
        index: A tile index.
    """
    if index.height == 0:
        return PHOTOS_ALONE
    edges = tile_metres(index).max(axis=1) / 1000
    edge_km = float(np.median(edges))
    geographic = all(is_geographic(crs) for crs in index["crs"].unique())
    if not geographic and _EDGES_A_BLOCK * edge_km <= _LARGEST_KM:
        return BlockGrid(round(_EDGES_A_BLOCK * edge_km, 2), "km")
    return BlockGrid(float(f"{_EDGES_A_BLOCK * edge_km / _KM_A_DEGREE:.3g}"), "deg")


def block_names(lonlat: ArrayLike, grid: BlockGrid) -> list[str]:
    """Name the block of each place.

    Args:
        lonlat: (N, 2) degrees.
        grid: The blocks' size.

    Returns:
        `row_column` on the degree grid (latitude first), or `33N_row_column` in a UTM zone.
    """
    points = as_points(lonlat)
    if grid.unit == "deg":
        cells = np.floor(points[:, ::-1] / grid.size + _NUDGE).astype(np.int64)
        return _texts("", cells)
    zones = np.clip(np.floor((points[:, 0] + 180) / 6).astype(np.int64) + 1, 1, 60)
    signed = np.where(points[:, 1] < 0, -zones, zones)
    names = np.empty(len(points), dtype=object)
    for zone in np.unique(signed).tolist():
        rows = np.flatnonzero(signed == zone)
        xy = from_lonlat(points[rows], f"EPSG:32{6 if zone > 0 else 7}{abs(zone):02d}")
        cells = np.floor(xy[:, ::-1] / (grid.size * 1000) + _NUDGE).astype(np.int64)
        names[rows] = _texts(f"{abs(zone)}{'N' if zone > 0 else 'S'}_", cells)
    return names.tolist()


def _texts(prefix: str, cells: NDArray[np.int64]) -> list[str]:
    """Return `row_column` of each cell behind a prefix; equal cells share one text."""
    if not len(cells):
        return []
    low = cells.min(axis=0)
    width = int(cells[:, 1].max() - low[1]) + 1
    numbers = (cells[:, 0] - low[0]) * width + (cells[:, 1] - low[1])
    found, places = np.unique(numbers, return_inverse=True)
    rows, cols = found // width + low[0], found % width + low[1]
    texts = [f"{prefix}{row}_{col}" for row, col in zip(rows.tolist(), cols.tolist(), strict=True)]
    return [texts[place] for place in places.tolist()]


def split_of_blocks(
    blocks: list[str], *, seed: int, fractions: tuple[float, float, float] = FRACTIONS
) -> list[str]:
    """Draw a split for each block: the same name gets the same split in any table.

    Args:
        blocks: Names of blocks.
        seed: Another seed gives another draw.
        fractions: Shares of train, val and test, adding up to 1.

    Returns:
        `train`, `val` or `test` for each name.

    Raises:
        UsageError: If the shares are negative or do not add up to 1.
    """
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:  # noqa: PLR2004 - rounding
        raise UsageError(f"the shares {fractions} do not add up to 1")
    different = list(dict.fromkeys(blocks))
    chances = _rust.hash_fractions(str(seed), different)
    numbers = np.searchsorted(np.cumsum(fractions)[:2], chances, side="right")
    drawn = {block: SPLITS[number] for block, number in zip(different, numbers, strict=True)}
    return [drawn[block] for block in blocks]
