"""Exact nearest rows by cosine: every vector is compared, a block at a time.

Each score is the sum of one row's products in float64, always in the same order, so that equal
vectors get equal scores wherever they lie; equal scores keep the order of the input. The result
equals `np.argsort(-scores, kind="stable")[:k]` over all rows, at the memory of one block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

BLOCK_BYTES: Final = 32 * 2**20
"""Memory of one block of float64 products."""


@dataclass(frozen=True, slots=True)
class Hits:
    """The best rows for one query, best first.

    Attributes:
        rows: (k,) int64, row numbers in the order of the table.
        scores: (k,) float64 cosine in [-1, 1].
    """

    rows: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


def cosine_scores(query: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the cosine of a query with each row; rows with NaN or of length zero give NaN.

    Args:
        query: (D,) vector of any length but zero.
        vectors: (N, D) float.

    Returns:
        (N,) float64.

    Raises:
        DataError: When the widths differ, or the query is zero or not finite.
    """
    if vectors.ndim != 2 or query.shape != vectors.shape[1:]:  # noqa: PLR2004 - (N, D)
        raise DataError(
            f"the query has {query.shape} numbers and the table's vectors {vectors.shape[1:]}",
            hint="embed both with one model and space",
        )
    unit = _unit(query)
    out = np.empty(len(vectors))
    step = max(1, BLOCK_BYTES // (8 * max(1, len(query))))
    for start in range(0, len(vectors), step):
        block = vectors[start : start + step].astype(np.float64)
        length = np.sqrt((block * block).sum(axis=1))
        with np.errstate(invalid="ignore", divide="ignore"):
            out[start : start + step] = (block * unit).sum(axis=1) / length
    return out


def _unit(query: np.ndarray) -> np.ndarray:
    wide = np.asarray(query, np.float64)
    length = float(np.sqrt((wide * wide).sum()))
    if not np.isfinite(length) or length == 0:
        raise DataError("the query's vector is zero or not finite; it has no direction")
    return wide / length


def top_rows(scores: np.ndarray, k: int) -> np.ndarray:
    """Return the row numbers of the k best scores, best first, ties in input order, NaN never.

    Args:
        scores: (N,) float.
        k: How many, at least 1.

    Returns:
        (min(k, finite scores),) int64.
    """
    finite = np.flatnonzero(~np.isnan(scores))
    if len(finite) > k:
        worst = np.partition(scores[finite], len(finite) - k)[len(finite) - k]
        finite = finite[scores[finite] >= worst]
    order = np.argsort(-scores[finite], kind="stable")
    return finite[order][:k]


def search_vectors(
    query: np.ndarray, blocks: Iterable[np.ndarray], k: int, *, skip_row: int | None = None
) -> Hits:
    """Find the k rows that are closest to a query.

    Args:
        query: (D,) vector.
        blocks: (n, D) arrays that follow each other in the table; NaN rows are passed over.
        k: How many rows, at least 1.
        skip_row: A row that is never found, as the query's own.

    Returns:
        At most k rows, best first; equal scores keep the order of the table.

    Raises:
        UsageError: When k is less than 1.
        DataError: When the widths differ or the query has no direction.
    """
    if k < 1:
        raise UsageError(f"k must be at least 1, got {k}")
    rows, scores, start = np.empty(0, np.int64), np.empty(0), 0
    for block in blocks:
        found = cosine_scores(query, block)
        if skip_row is not None and start <= skip_row < start + len(block):
            found[skip_row - start] = np.nan
        best = top_rows(found, k)
        rows = np.concatenate([rows, best + start])
        scores = np.concatenate([scores, found[best]])
        keep = top_rows(scores, k)
        rows, scores, start = rows[keep], scores[keep], start + len(block)
    return Hits(rows, scores)
