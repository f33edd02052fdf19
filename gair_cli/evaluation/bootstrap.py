"""Intervals by resampling spatial blocks, since neighbouring rows are no independent witnesses.

A draw takes as many blocks as there are, with replacement, and scores all their rows. Draws are
kept as counts of blocks, so that a score made of sums is one matrix product for all draws, and two
methods scored on the same draws can be compared pair by pair.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gair_cli.evaluation import metrics

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DRAWS: Final = 1000
LEVELS: Final = (2.5, 97.5)
"""Percentiles of a 95 % interval."""
MIN_BLOCKS: Final = 2
"""With fewer blocks there is nothing to resample."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A score with its 95 % interval, whose ends are NaN where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class BlockDraws:
    """Seeded draws of whole blocks.

    Attributes:
        blocks: (N,) block of every row, numbered from 0 without gaps.
        counts: (draws, blocks) how often each block is in each draw.
    """

    blocks: Ints
    counts: Floats

    def draw_sums(self, terms: Floats) -> Floats:
        """Sum row terms (N, K) over the rows of every draw: (draws, K)."""
        per_block = np.zeros((self.counts.shape[1], terms.shape[1]))
        np.add.at(per_block, self.blocks, terms)
        return self.counts @ per_block


def block_draws(blocks: Ints, *, seed: int, draws: int = DRAWS) -> BlockDraws:
    """Draw blocks with replacement.

    Args:
        blocks: (N,) any integers; equal ones are one block.
        seed: Seed of the draws.
        draws: Number of draws.
    """
    numbers = np.unique(blocks, return_inverse=True)[1].reshape(-1)
    n_blocks = int(numbers.max()) + 1
    generator = np.random.default_rng((seed, 2))
    counts = generator.multinomial(n_blocks, np.full(n_blocks, 1.0 / n_blocks), size=draws)
    return BlockDraws(numbers, counts.astype(np.float64))


def r2_interval(target: Floats, prediction: Floats, draws: BlockDraws) -> Interval:
    """Return pooled R2 with its interval."""
    return _interval(metrics.r2_sums(target, prediction), draws, metrics.r2_of_sums)


def mean_interval(values: Floats | NDArray[np.bool_], draws: BlockDraws) -> Interval:
    """Return the mean over rows (an accuracy, a recall) with its interval."""
    return _interval(metrics.mean_sums(values), draws, metrics.mean_of_sums)


def median_interval(values: Floats, draws: BlockDraws) -> Interval:
    """Return the median over rows (a rank, a distance) with its interval.

    In a draw the lower median is taken: the smallest value that half of the drawn rows reach.
    """
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(draws.counts[:, draws.blocks[order]], axis=1)  # (draws, N)
    at = (reached < reached[:, -1:] / 2.0).sum(axis=1)
    spread = values[order][np.minimum(at, len(values) - 1)]
    return _summary(float(np.median(values)), spread, draws)


def r2_difference(target: Floats, first: Floats, second: Floats, *, draws: BlockDraws) -> Interval:
    """Return R2 of `first` minus R2 of `second`, both scored on the same draws."""
    terms = [metrics.r2_sums(target, prediction) for prediction in (first, second)]
    return _difference(terms[0], terms[1], draws, metrics.r2_of_sums)


def mean_difference(
    first: Floats | NDArray[np.bool_], second: Floats | NDArray[np.bool_], draws: BlockDraws
) -> Interval:
    """Return the mean of `first` minus that of `second`, both on the same draws."""
    terms = [metrics.mean_sums(values) for values in (first, second)]
    return _difference(terms[0], terms[1], draws, metrics.mean_of_sums)


Statistic = Callable[[Floats], Floats]


def _interval(terms: Floats, draws: BlockDraws, statistic: Statistic) -> Interval:
    return _summary(float(statistic(terms.sum(axis=0))), statistic(draws.draw_sums(terms)), draws)


def _difference(first: Floats, second: Floats, draws: BlockDraws, statistic: Statistic) -> Interval:
    value = float(statistic(first.sum(axis=0)) - statistic(second.sum(axis=0)))
    drawn = statistic(draws.draw_sums(first)) - statistic(draws.draw_sums(second))
    return _summary(value, drawn, draws)


def _summary(value: float, drawn: Floats, draws: BlockDraws) -> Interval:
    """Percentiles of the draws that have a score; a draw of one constant block has none.

    Draws of a single block are all the same: that is no interval of no width but none at all.
    """
    scored = drawn[np.isfinite(drawn)]
    if not len(scored) or draws.counts.shape[1] < MIN_BLOCKS:
        return Interval(value, float("nan"), float("nan"))
    low, high = np.percentile(scored, LEVELS)
    return Interval(value, float(low), float(high))
