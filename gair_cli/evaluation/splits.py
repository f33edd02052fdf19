"""Folds for probes: random ones, and spatial blocks that never fall into two folds.

Random folds leave a near neighbour of most test rows in the training part, so they flatter every
encoder; block folds ask what holds some way off. Both are made side by side.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from gair_cli.errors import DataError, UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOLDS: Final = 5
GLOBAL_BLOCK_DEG: Final = 10.0
"""Block edge for tables that span a large part of the Earth, as in the Earth benchmark."""

GLOBAL_EXTENT_DEG: Final = 60.0
"""A table is global where its latitudes or longitudes span at least this much."""

BLOCKS_ACROSS: Final = 10
"""Blocks along the longer side of a smaller extent, unless a size is given."""

KM_PER_DEGREE: Final = 111.195
"""Length of one degree of a great circle on the mean sphere."""


@dataclass(frozen=True, slots=True)
class BlockSize:
    """Edge of a spatial block.

    Attributes:
        value: Edge length, above zero.
        unit: Degrees of longitude and latitude, or kilometres on the ground.
    """

    value: float
    unit: Literal["deg", "km"]

    def __post_init__(self) -> None:
        """Refuse an edge that is not a positive number.

        Raises:
            UsageError: If it is not.
        """
        if not (math.isfinite(self.value) and self.value > 0.0):
            raise UsageError(f"a block needs an edge above zero, got {self.value}{self.unit}")

    def __str__(self) -> str:
        return f"{self.value:g}{self.unit}"


def parse_block(text: str) -> BlockSize:
    """Read `2km`, `500m` or `0.5deg`.

    Raises:
        UsageError: If the text is not a number with one of these units.
    """
    found = re.fullmatch(r"\s*([0-9.eE+-]+)\s*(km|m|deg)\s*", text)
    try:
        value = float(found.group(1)) if found else math.nan
    except ValueError:
        value = math.nan
    if found is None or math.isnan(value):
        raise UsageError(
            f"a block is a number with km, m or deg, got {text!r}", hint="for example --block 2km"
        )
    if found.group(2) == "deg":
        return BlockSize(value, "deg")
    return BlockSize(value if found.group(2) == "km" else value / 1000.0, "km")


def default_block(lonlat: Floats) -> BlockSize:
    """Choose 10 degrees for a global table, else a tenth of the longer side of its extent.

    Args:
        lonlat: (N, 2) degrees.
    """
    height = float(np.ptp(lonlat[:, 1]))
    width = _longitude_span(lonlat[:, 0])
    if max(height, width) >= GLOBAL_EXTENT_DEG:
        return BlockSize(GLOBAL_BLOCK_DEG, "deg")
    shrink = math.cos(math.radians(float(lonlat[:, 1].mean())))
    side_km = max(height, width * shrink) * KM_PER_DEGREE
    return BlockSize(_round_down(max(side_km / BLOCKS_ACROSS, 1e-3)), "km")


def block_ids(lonlat: Floats, block: BlockSize) -> Ints:
    """Number the block of every point; equal numbers are one block, numbers start at 0.

    Degree blocks are counted from (-180, -90). Kilometre blocks are rows of constant height, each
    cut into columns by the row's own length of a degree, so that a block is about square.

    Args:
        lonlat: (N, 2) degrees; longitudes are taken modulo 360.
        block: Edge of a block.
    """
    lon = np.mod(lonlat[:, 0] + 180.0, 360.0)
    lat = lonlat[:, 1] + 90.0
    edge = block.value if block.unit == "deg" else block.value / KM_PER_DEGREE
    row = np.floor(np.minimum(lat, 180.0 - 1e-9) / edge).astype(np.int64)
    shrink = np.ones(len(lonlat))
    if block.unit == "km":
        middle = np.radians(np.minimum((row + 0.5) * edge, 180.0) - 90.0)
        shrink = np.maximum(np.cos(middle), 1e-6)
    column = np.floor(lon * shrink / edge).astype(np.int64)
    key = np.stack([row, column], axis=1)
    return np.unique(key, axis=0, return_inverse=True)[1].reshape(-1)


def random_folds(n: int, *, seed: int, folds: int = FOLDS) -> Ints:
    """Deal `n` rows into folds whose sizes differ by one at most.

    Returns:
        (N,) fold numbers.
    """
    order = np.random.default_rng((seed, 0)).permutation(n)
    numbers = np.empty(n, dtype=np.int64)
    numbers[order] = np.arange(n) % folds
    return numbers


def block_folds(blocks: Ints, *, seed: int, folds: int = FOLDS) -> Ints:
    """Deal whole blocks into folds of about equal numbers of rows.

    The largest blocks go first, each to the fold with the fewest rows; equal ones in seeded order.

    Args:
        blocks: (N,) block numbers, from 0.
        seed: Order among blocks of equal size.
        folds: Number of folds.

    Returns:
        (N,) fold numbers.

    Raises:
        DataError: If there are fewer blocks than folds.
    """
    sizes = np.bincount(blocks)
    occupied = np.flatnonzero(sizes)
    if len(occupied) < folds:
        raise DataError(
            f"the points lie in {len(occupied)} spatial blocks, {folds} folds need as many",
            hint="use smaller blocks, for example --block 0.5km",
        )
    shuffled = np.random.default_rng((seed, 1)).permutation(occupied)
    ordered = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    filled = np.zeros(folds, dtype=np.int64)
    fold_of = np.zeros(len(sizes), dtype=np.int64)
    for block in ordered:
        fold = int(filled.argmin())
        fold_of[block] = fold
        filled[fold] += sizes[block]
    return fold_of[blocks]


def _longitude_span(lon: Floats) -> float:
    """Width in degrees of the smallest arc that holds all longitudes, across 180 if shorter."""
    ordered = np.unique(np.mod(lon, 360.0))
    if len(ordered) < 2:  # noqa: PLR2004 - one longitude has no gap
        return 0.0
    gaps = np.diff(np.append(ordered, ordered[0] + 360.0))
    return 360.0 - float(gaps.max())


def _round_down(value: float) -> float:
    """Round to 1, 2 or 5 times a power of ten, downwards: a size that a person can repeat."""
    power = 10.0 ** math.floor(math.log10(value))
    return float(max(step for step in (1.0, 2.0, 5.0) if step * power <= value * 1.0000001) * power)
