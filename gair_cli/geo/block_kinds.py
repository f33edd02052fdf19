"""Every kind of block that a split can be drawn for: `2km`, `0.5deg`, `kmeans:K`, `column:NAME`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from gair_cli.errors import UsageError
from gair_cli.geo.blocks import BlockGrid, parse_block
from gair_cli.geo.coordinates import as_points
from gair_cli.geo.encodings import unit_sphere_xyz

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

_COLUMN: Final = "column:"
_KMEANS: Final = "kmeans:"
_SAMPLE: Final = 100_000
"""Places that centres are fitted to, at most."""
_ROUNDS: Final = 60
_MICRODEGREES: Final = 1e7
_MIX: Final = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
"""Multipliers of the finalizer of SplitMix64 (Steele, Lea and Flood 2014)."""


@dataclass(frozen=True, slots=True)
class ColumnBlocks:
    """Blocks that a column of the table names, such as its city.

    Attributes:
        name: The column.
    """

    name: str

    def __str__(self) -> str:
        return f"column {self.name}"


@dataclass(frozen=True, slots=True)
class KMeansBlocks:
    """Blocks of places around K centres that are fitted to the places.

    Attributes:
        count: K.
    """

    count: int

    def __str__(self) -> str:
        return f"k-means, K = {self.count}"


BlockKind: TypeAlias = BlockGrid | ColumnBlocks | KMeansBlocks


def parse_kind(text: str) -> BlockKind:
    """Parse `2km`, `500m`, `0.5deg`, `kmeans:50` or `column:NAME`.

    Raises:
        UsageError: If it is none of them.
    """
    if text.startswith(_COLUMN) and text != _COLUMN:
        return ColumnBlocks(text.removeprefix(_COLUMN))
    if text.startswith(_KMEANS):
        count = text.removeprefix(_KMEANS)
        if not count.isdecimal() or int(count) < 2:  # noqa: PLR2004 - one block is no split
            raise UsageError(
                f"--block {text}: {count or 'nothing'} is no number of blocks",
                hint="write how many, 2 or more, as kmeans:50",
            )
        return KMeansBlocks(int(count))
    try:
        return parse_block(text)
    except UsageError as error:
        raise UsageError(
            str(error), hint="write it as 2km, 500m, 0.5deg, kmeans:50 or column:NAME"
        ) from error


class PlaceSample:
    """A bounded sample of different places that depends on the places only, not on their order.

    Kept are the places with the smallest hash of (seed, longitude, latitude), both to 1e-7 degrees.
    """

    def __init__(self, seed: int, size: int = _SAMPLE) -> None:
        self._seed = np.uint64(seed % 2**64)
        self._size = size
        self._keys = np.empty(0, np.uint64)
        self._cells = np.empty((0, 2), np.int64)

    def add(self, lonlat: NDArray[np.float64]) -> None:
        """Look at some places, (n, 2) degrees."""
        cells = np.rint(lonlat * _MICRODEGREES).astype(np.int64)
        keys = self._hash(cells)
        if len(self._keys) >= self._size:
            near = keys <= self._keys[-1]
            keys, cells = keys[near], cells[near]
        keys, first = np.unique(np.concatenate([self._keys, keys]), return_index=True)
        cells = np.concatenate([self._cells, cells])[first]
        self._keys, self._cells = keys[: self._size], cells[: self._size]

    def _hash(self, cells: NDArray[np.int64]) -> NDArray[np.uint64]:
        turned = np.ascontiguousarray(cells).view(np.uint64)
        return _mixed(_mixed(turned[:, 0] ^ _mixed(self._seed)) + turned[:, 1])

    def lonlat(self) -> NDArray[np.float64]:
        """Return the sample, (n, 2) degrees, in the order of its hashes."""
        return self._cells / _MICRODEGREES


def _mixed(values: NDArray[np.uint64] | np.uint64) -> NDArray[np.uint64]:
    """Scramble 64-bit numbers: different ones stay different."""
    mixed = np.atleast_1d(np.asarray(values, np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(_MIX[0])
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(_MIX[1])
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


@dataclass(frozen=True, slots=True)
class Centres:
    """K centres on the sphere; each place belongs to the nearest.

    Attributes:
        lonlat: (K, 2) degrees.
    """

    lonlat: NDArray[np.float64]

    def names(self, lonlat: ArrayLike) -> list[str]:
        """Name the block of each place by its centre, as `12.34560_57.12340` (latitude first)."""
        from scipy.spatial import cKDTree  # noqa: PLC0415 - slow to load, and for few

        names = [f"{lat:.5f}_{lon:.5f}" for lon, lat in self.lonlat.tolist()]
        points = unit_sphere_xyz(as_points(lonlat))
        nearest = cKDTree(unit_sphere_xyz(self.lonlat)).query(points)[1]
        return [names[number] for number in nearest.tolist()]


def fit_centres(batches: Iterable[NDArray[np.float64]], count: int, *, seed: int) -> Centres:
    """Fit centres to places by k-means on the unit sphere (Lloyd's rounds from k-means++).

    Args:
        batches: (n, 2) degrees each; memory holds a sample of them.
        count: How many centres.
        seed: Of the sample and the start.

    Returns:
        The centres, the same for the same places in any order and any number of batches.

    Raises:
        UsageError: If there are fewer different places than centres.
    """
    from scipy.cluster.vq import kmeans2  # noqa: PLC0415 - slow to load, and for few

    sample = PlaceSample(seed)
    for batch in batches:
        sample.add(batch)
    places = sample.lonlat()
    if len(places) < count:
        raise UsageError(
            f"--block kmeans:{count} needs {count} different places; there are {len(places)}",
            hint="ask for fewer blocks",
        )
    random = np.random.default_rng(seed % 2**64)
    points = np.asarray(unit_sphere_xyz(places), np.float64)
    start = points[_spread(points, count, random)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a centre that lost its places is left out
        found, labels = kmeans2(points, start, iter=_ROUNDS, minit="matrix", missing="warn")
    used = found[np.unique(labels)]
    used /= np.linalg.norm(used, axis=1, keepdims=True)
    lonlat = np.degrees(
        np.stack([np.arctan2(used[:, 1], used[:, 0]), np.arcsin(np.clip(used[:, 2], -1, 1))], 1)
    )
    return Centres(lonlat)


def _spread(points: NDArray[np.float64], count: int, random: np.random.Generator) -> list[int]:
    """Choose rows to start from: each is drawn by its squared distance to those before."""
    chosen = [int(random.integers(len(points)))]
    nearest = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < count:
        total = np.cumsum(nearest)
        row = int(np.searchsorted(total, random.random() * total[-1], side="right"))
        chosen.append(min(row, len(points) - 1))
        nearest = np.minimum(nearest, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return chosen
