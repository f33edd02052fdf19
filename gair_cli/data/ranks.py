"""Retrieval figures: the rank of each query's own item, and what follows from ranks.

Used by validation during training and by `gair eval retrieval`, so that both mean the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_BLOCK = 1024


def retrieval_ranks(
    queries: NDArray[np.floating],
    gallery: NDArray[np.floating],
    *,
    groups: NDArray[np.int64] | None = None,
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.int64]:
    """Return the rank of item i of the gallery among all items, for query i.

    An item that scores as high as the own one counts half: a model that gives every item the same
    vector gets the middle rank, not the first. So does a NaN score, which counts as a tie.

    Args:
        queries: (N, D) float, for example photos.
        gallery: (N, D) float, row i belongs to query i, for example places.
        groups: (N,) int64; the own item is ranked among the items of the query's own group only,
            for example the photos of the same tile. None means all items.
        progress: Called with the number of further queries done.

    Returns:
        (N,) int64, 1 for the best.

    Raises:
        ValueError: If the shapes differ.
    """
    if queries.shape != gallery.shape:
        raise ValueError(f"queries {queries.shape} and gallery {gallery.shape} differ in shape")
    ranks = np.empty(len(queries), dtype=np.int64)
    for first in range(0, len(queries), _BLOCK):
        rows = slice(first, min(first + _BLOCK, len(queries)))
        ranks[rows] = _block_ranks(queries[rows], gallery, first, groups=groups)
        if progress is not None:
            progress(rows.stop - rows.start)
    return ranks


def _block_ranks(
    queries: NDArray[np.floating],
    gallery: NDArray[np.floating],
    first: int,
    *,
    groups: NDArray[np.int64] | None,
) -> NDArray[np.int64]:
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
    return np.asarray(1 + better.sum(axis=1) + tied.sum(axis=1) // 2, dtype=np.int64)


def recall_at(ranks: NDArray[np.int64], k: int) -> float:
    """Return the share of queries, 0 to 1, whose own item is among the first k.

    Args:
        ranks: (N,) from `retrieval_ranks`.
        k: How many items are looked at, at least 1.

    Returns:
        NaN for no queries.
    """
    return float((ranks <= k).mean()) if len(ranks) else float("nan")


def rank_figures(ranks: NDArray[np.int64], *, at: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """Return recalls in percent and the median rank.

    Args:
        ranks: (N,) from `retrieval_ranks`.
        at: The k of each recall.

    Returns:
        `R@k` in percent for each k, and `median_rank`.
    """
    figures = {f"R@{k}": 100 * recall_at(ranks, k) for k in at}
    figures["median_rank"] = float(np.median(ranks)) if len(ranks) else float("nan")
    return figures
