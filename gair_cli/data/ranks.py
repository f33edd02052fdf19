"""Retrieval figures: where each query's own item stands, and what follows from that.

Used by validation during training and by `gair eval retrieval`, so that both mean the same. Items
that score as high as the own one are ties: a model that gives all photos of a tile the same vector
is judged as if they came in random order, neither at their best nor at their worst.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Standings:
    """Where each query's own item stands.

    Attributes:
        better: (N,) int64, items that score higher.
        tied: (N,) int64, other items that score the same; a NaN score counts as a tie.
    """

    better: NDArray[np.int64]
    tied: NDArray[np.int64]

    @property
    def ranks(self) -> NDArray[np.int64]:
        """The rank (N,), 1 for the best; half of the ties come before the own item."""
        return 1 + self.better + self.tied // 2

    def found_within(self, k: int) -> NDArray[np.float64]:
        """Return the chance (N,), 0 to 1, that the own item is among the first k.

        With ties in random order the own item takes each place from better + 1 to
        better + tied + 1 with the same chance.
        """
        return np.clip((k - self.better) / (self.tied + 1), 0.0, 1.0)


def retrieval_standings(
    queries: NDArray[np.floating],
    gallery: NDArray[np.floating],
    *,
    groups: NDArray[np.int64] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Standings:
    """Return where item i of the gallery stands among all items, for query i.

    Args:
        queries: (N, D) float, for example photos.
        gallery: (N, D) float, row i belongs to query i, for example places.
        groups: (N,) int64; the own item stands among the items of the query's own group only,
            for example the photos of the same tile. None means all items.
        progress: Called with the number of further queries done.

    Returns:
        How many items are better, and how many are tied.

    Raises:
        ValueError: If the shapes differ.
    """
    if queries.shape != gallery.shape:
        raise ValueError(f"queries {queries.shape} and gallery {gallery.shape} differ in shape")
    found = np.empty((2, len(queries)), dtype=np.int64)
    for first in range(0, len(queries), _BLOCK):
        rows = slice(first, min(first + _BLOCK, len(queries)))
        found[:, rows] = _block_standings(queries[rows], gallery, first, groups=groups)
        if progress is not None:
            progress(rows.stop - rows.start)
    return Standings(found[0], found[1])


def _block_standings(
    queries: NDArray[np.floating],
    gallery: NDArray[np.floating],
    first: int,
    *,
    groups: NDArray[np.int64] | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    scores = queries @ gallery.T  # (rows, N)
    rows = np.arange(len(queries))
    own = scores[rows, rows + first][:, None]
    better = scores > own
    tied = ~(better | (scores < own))
    tied[rows, rows + first] = False
    if groups is not None:
        same = groups[first : first + len(queries), None] == groups[None, :]
        better &= same
        tied &= same
    return better.sum(axis=1), tied.sum(axis=1)


def rank_figures(standings: Standings, *, at: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """Return recalls in percent and the median rank; NaN for no queries.

    Args:
        standings: From `retrieval_standings`.
        at: The k of each recall.

    Returns:
        `R@k` in percent for each k, and `median_rank`.
    """
    if not len(standings.better):
        return {**{f"R@{k}": float("nan") for k in at}, "median_rank": float("nan")}
    figures = {f"R@{k}": 100 * float(standings.found_within(k).mean()) for k in at}
    figures["median_rank"] = float(np.median(standings.ranks))
    return figures
