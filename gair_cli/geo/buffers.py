"""Which tiles share ground with tiles of another split, or come closer to them than a buffer.

Tiles of one CRS are compared exactly in it; tiles of different CRSs by their size in metres on a
local plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from gair_cli.geo.coordinates import metres_per_degree
from gair_cli.geo.encodings import unit_sphere_xyz
from gair_cli.geo.locator import pixel_to_crs, tile_metres, transforms_of
from gair_cli.records import EARTH_RADIUS_M

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TOUCH_SHARE: Final = 1e-6
"""Tiles whose edges meet share no ground: overlaps below this share of a tile are rounding."""

_YIELDS: Final = (("val", "test"), ("train", "test"), ("train", "val"))
"""Which split gives way to which where they come too close; any other name gives way to none."""


@dataclass(frozen=True, slots=True)
class _Footprints:
    """(T, ...) footprints: CRS number, box in the CRS, centre in degrees, half sizes in metres."""

    crs: NDArray[np.int64]
    box: NDArray[np.float64]
    centre: NDArray[np.float64]
    half_m: NDArray[np.float64]


def shared_tiles(
    index: pl.DataFrame, splits: list[str], *, buffer_m: float = 0.0
) -> NDArray[np.bool_]:
    """Tell which tiles overlap a tile of another split.

    Args:
        index: T rows of a tile index.
        splits: The split of each.
        buffer_m: Count tiles of different splits closer than this, too.

    Returns:
        (T,) bool, symmetric: both tiles of a pair are marked.
    """
    first, second = _conflicts(index, np.asarray(splits), buffer_m)
    marked = np.zeros(index.height, bool)
    marked[first] = marked[second] = True
    return marked


def yielding_tiles(
    index: pl.DataFrame, splits: list[str], *, buffer_m: float = 0.0
) -> NDArray[np.bool_]:
    """Tell which tiles to leave out so that no two splits share ground.

    Training tiles give way to the others, and validation tiles to test tiles.

    Args:
        index: T rows of a tile index.
        splits: The split of each.
        buffer_m: Keep at least this distance between splits.

    Returns:
        (T,) bool.
    """
    names = np.asarray(splits)
    first, second = _conflicts(index, names, buffer_m)
    out = np.zeros(index.height, bool)
    for weak, strong in _YIELDS:
        for one, other in ((first, second), (second, first)):
            hit = (names[one] == weak) & (names[other] == strong) & ~out[other]
            out[one[hit]] = True
    return out


def _conflicts(
    index: pl.DataFrame, names: NDArray[np.str_], buffer_m: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs (first, second) of tiles of different splits that come too close."""
    if len(set(names.tolist())) <= 1:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    tiles = _footprints(index)
    reach = 2 * float(np.linalg.norm(tiles.half_m, axis=1).max()) + buffer_m
    first, second = _near(tiles.centre, names, reach)
    close = _gaps(tiles, first, second) < buffer_m
    return first[close], second[close]


def _footprints(index: pl.DataFrame) -> _Footprints:
    transforms = transforms_of(index)
    width, height = index["width"].to_numpy(), index["height"].to_numpy()
    zero = np.zeros(index.height)
    corners = np.stack(
        [
            pixel_to_crs(transforms, col, row)
            for col, row in ((zero, zero), (width, zero), (zero, height), (width, height))
        ]
    )
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)], axis=1)
    centre = index.select("centre_lon", "centre_lat").to_numpy().astype(np.float64)
    crs = index["crs"].rank("dense").to_numpy().astype(np.int64)
    return _Footprints(crs, box, centre, tile_metres(index) / 2)


def _near(
    centre: NDArray[np.float64], names: NDArray[np.str_], reach_m: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Join places of different splits within about `reach_m`, by cubes on the unit sphere."""
    cubes = np.floor(unit_sphere_xyz(centre) * (EARTH_RADIUS_M / reach_m)).astype(np.int64)
    frame = pl.DataFrame(cubes, schema=["i", "j", "k"]).with_columns(
        pl.Series("row", np.arange(len(centre))), pl.Series("split", names)
    )
    found = []
    for di, dj, dk in product((-1, 0, 1), repeat=3):
        moved = frame.with_columns(pl.col("i") + di, pl.col("j") + dj, pl.col("k") + dk)
        pairs = frame.join(moved, on=["i", "j", "k"], suffix="_other")
        pairs = pairs.filter(
            (pl.col("row") < pl.col("row_other")) & (pl.col("split") != pl.col("split_other"))
        )
        found.append(pairs.select("row", "row_other"))
    pairs = pl.concat(found)
    return pairs["row"].to_numpy(), pairs["row_other"].to_numpy()


def _gaps(
    tiles: _Footprints, first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the ground distance between footprints in metres; negative where they overlap."""
    half = tiles.half_m[first] + tiles.half_m[second]
    offset = tiles.centre[second] - tiles.centre[first]
    offset[:, 0] = (offset[:, 0] + 180) % 360 - 180
    middle = (tiles.centre[first, 1] + tiles.centre[second, 1]) / 2
    plane = np.abs(offset) * metres_per_degree(middle) - half
    a, b = tiles.box[first], tiles.box[second]
    units = np.maximum(a[:, :2], b[:, :2]) - np.minimum(a[:, 2:], b[:, 2:])
    scale = 2 * tiles.half_m[first] / (a[:, 2:] - a[:, :2])
    same = (tiles.crs[first] == tiles.crs[second])[:, None]
    gaps = np.where(same, units * scale, plane)
    tolerance = _TOUCH_SHARE * half
    return np.asarray(np.where(np.abs(gaps) < tolerance, 0.0, gaps).max(axis=1))
