"""Which tiles share ground with tiles of another split, or come closer to them than a buffer.

Tiles of one CRS are compared exactly in it; tiles of different CRSs by their size in metres on a
local plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gair_cli import _rust
from gair_cli.geo.blocks import SPLITS
from gair_cli.geo.distances import earth_centred
from gair_cli.geo.locator import pixel_to_crs, tile_metres, transforms_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

_CHORD_SHARE: Final = 0.99
"""Lines through the Earth are shorter than ways on it, by less than this up to 1,500 km."""
_NEIGHBOURS: Final = 8
_PART: Final = 32_768

_YIELDS: Final = (("val", "test"), ("train", "test"), ("train", "val"))
"""Which split gives way to which where they come too close; any other name gives way to none."""


@dataclass(frozen=True, slots=True)
class _Footprints:
    """T footprints: (T, 2) centres in degrees, (T, 2) half sizes in metres, and what compares."""

    centre: NDArray[np.float64]
    half_m: NDArray[np.float64]
    ground: _rust.Footprints


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
    names, marked = np.asarray(splits), np.zeros(index.height, bool)
    if len(set(splits)) <= 1:
        return marked
    tiles = _footprints(index)
    for name in set(splits):
        rows, others = np.flatnonzero(names == name), np.flatnonzero(names != name)
        marked[rows] = tiles.ground.too_close(rows, others, buffer_m)
    return marked


def any_shared(index: pl.DataFrame, splits: list[str], *, buffer_m: float = 0.0) -> bool:
    """Tell whether `shared_tiles` would mark any tile, in less time."""
    names, counts = np.unique(np.asarray(splits), return_counts=True)
    if len(names) <= 1:
        return False
    tiles, all_ = _footprints(index), np.asarray(splits)
    for name in names[np.argsort(counts)][:-1]:  # what the largest shares the others share, too
        rows, others = np.flatnonzero(all_ == name), np.flatnonzero(all_ != name)
        if tiles.ground.too_close(rows, others, buffer_m).any():
            return True
    return False


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
    names, out = np.asarray(splits), np.zeros(index.height, bool)
    if len(set(splits)) <= 1:
        return out
    tiles = _footprints(index)
    for weak, strong in _YIELDS:
        rows = np.flatnonzero((names == weak) & ~out)
        others = np.flatnonzero((names == strong) & ~out)
        out[rows] = tiles.ground.too_close(rows, others, buffer_m)
    return out


def least_gaps(index: pl.DataFrame, splits: list[str]) -> dict[str, float | None]:
    """Return the least distance on the ground between tiles of two splits.

    Args:
        index: T rows of a tile index.
        splits: The split of each.

    Returns:
        Metres by `train-test` and the like, 0 where tiles touch or overlap; None where one of
        train, val, test has no tile.
    """
    names = np.asarray(splits)
    order = [*SPLITS, *sorted(set(splits) - set(SPLITS))]
    tiles = _footprints(index) if index.height else None
    found: dict[str, float | None] = {}
    for one, other in combinations(order, 2):
        rows, others = np.flatnonzero(names == one), np.flatnonzero(names == other)
        none = tiles is None or not len(rows) or not len(others)
        found[f"{one}-{other}"] = None if none else _least_gap(_given(tiles), rows, others)
    return found


def _given(tiles: _Footprints | None) -> _Footprints:
    assert tiles is not None  # noqa: S101 - there are rows of it
    return tiles


def _least_gap(tiles: _Footprints, rows: Ints, others: Ints) -> float:
    """Return the least gap: halve what is tried until no pair is closer."""
    from scipy.spatial import cKDTree  # noqa: PLC0415 - slow to load, and for few

    if len(rows) > len(others):
        rows, others = others, rows
    half = np.linalg.norm(tiles.half_m, axis=1)
    tree = cKDTree(earth_centred(tiles.centre[others]))
    points = earth_centred(tiles.centre[rows])
    nearest, at = tree.query(points)
    least = max(float(tiles.ground.gaps(rows, others[at]).min()), 0.0)
    # a pair of other centres can only be closer if these are not farther apart than this
    reach = half[rows] + float(half[others].max()) + least
    able = np.flatnonzero(nearest * _CHORD_SHARE < reach)
    for row, pairs in _near(tree, points, able, reach):
        least = min(least, max(float(tiles.ground.gaps(rows[row], others[pairs]).min()), 0.0))
    return least


def _near(
    tree: Any, points: NDArray[np.float64], wanted: Ints, reach: NDArray[np.float64]
) -> Iterator[tuple[Ints, Ints]]:
    """Yield (point, neighbour) pairs within the reach of each wanted point, in bounded parts."""
    for start in range(0, len(wanted), _PART):
        left, count = wanted[start : start + _PART], _NEIGHBOURS
        while len(left):
            bound = float(reach[left].max()) / _CHORD_SHARE
            distance, at = tree.query(points[left], k=count, distance_upper_bound=bound)
            held = np.isfinite(distance)
            yield np.repeat(left, held.sum(axis=1)), at[held]
            more = held[:, -1] & (distance[:, -1] * _CHORD_SHARE < reach[left])
            left, count = left[more & (count < tree.n)], 4 * count


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
    crs = index["crs"].rank("dense").to_numpy().astype(np.uint32)
    half_m = tile_metres(index) / 2
    return _Footprints(centre, half_m, _rust.Footprints(crs, box, centre, half_m))
