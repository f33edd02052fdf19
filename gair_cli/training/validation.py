"""Validation inside the loop: how well held-out rows find each other, in every direction."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from gair_cli.data.order import key_of, permute
from gair_cli.data.ranks import rank_figures, retrieval_standings

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gair_cli.data.batch import Batch
    from gair_cli.models.gair import GairModel

MODALITIES: Final = ("sv", "rs_at", "location")
_BATCH = 256


def validation_rows(rows: NDArray[np.int64], n: int, *, seed: int) -> NDArray[np.int64]:
    """Return a seeded draw of rows to validate on: the same in every validation of a run.

    Args:
        rows: (N,) rows of the split.
        n: How many at most.
        seed: Of the run.

    Returns:
        (min(n, N),) rows, ascending.
    """
    n = min(n, len(rows))
    if n == 0:
        return rows[:0]
    places = permute(np.arange(n, dtype=np.int64), len(rows), key=key_of("validation", seed))
    return np.sort(rows[places])


def validate(
    model: GairModel,
    batch_of: Callable[[NDArray[np.int64]], Batch],
    rows: NDArray[np.int64],
) -> dict[str, dict[str, float]]:
    """Rank held-out rows among each other.

    Args:
        model: Left in the mode that it was in.
        batch_of: Gives the batch of some rows, on the model's device, without augmentation.
        rows: (N,) rows with the same halves.

    Returns:
        For each direction `a->b` that model and data allow: R@1, R@5, R@10 in percent and the
        median rank, over all N rows. Empty for fewer than two rows.
    """
    if len(rows) < 2:  # noqa: PLR2004 - one row is always first
        return {}
    vectors = embed_rows(model, batch_of, rows)
    return {
        f"{query}->{gallery}": rank_figures(retrieval_standings(vectors[query], vectors[gallery]))
        for query, gallery in permutations(vectors, 2)
    }


def embed_rows(
    model: GairModel,
    batch_of: Callable[[NDArray[np.int64]], Batch],
    rows: NDArray[np.int64],
) -> dict[str, NDArray[np.float32]]:
    """Return the joint embeddings of rows, by modality.

    Args:
        model: Left in the mode that it was in.
        batch_of: Gives the batch of some rows, on the model's device.
        rows: (N,) rows with the same halves.

    Returns:
        `sv`, `rs_at` and `location`, as far as there, each (N, D) float32.
    """
    was_training = model.training
    model.eval()
    parts: dict[str, list[NDArray[np.float32]]] = {}
    try:
        with torch.no_grad():
            for first in range(0, len(rows), _BATCH):
                found = model(batch_of(rows[first : first + _BATCH]))
                for name in MODALITIES:
                    vectors = getattr(found, name)
                    if vectors is not None:
                        parts.setdefault(name, []).append(vectors.float().cpu().numpy())
    finally:
        model.train(was_training)
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def score(figures: dict[str, dict[str, float]]) -> float | None:
    """Return the number that decides which checkpoint is best: mean R@10 of all directions."""
    if not figures:
        return None
    return float(np.mean([one["R@10"] for one in figures.values()]))
