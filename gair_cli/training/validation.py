"""Validation inside the loop: how well held-out rows find each other, and where they are.

Every direction between photo, place and coordinate is ranked. Where places or coordinates are
searched, the best one is an answer to "where is this?", and its distance to the truth is told. A
ridge from each picture's embedding to its place says how much of the place is in it.
"""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from gair_cli.data.order import key_of, permute
from gair_cli.data.ranks import rank_figures, retrieval_standings
from gair_cli.geo.coordinates import great_circle_m
from gair_cli.geo.distances import earth_centred
from gair_cli.geo.ridge import fit_ridge, r2_scores
from gair_cli.training.processes import Processes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gair_cli.data.batch import Batch
    from gair_cli.models.gair import GairModel

MODALITIES: Final = ("sv", "rs_at", "location")
PLACES: Final = ("rs_at", "location")
"""Galleries whose items are where something is."""
WITHIN_M: Final = (("25m", 25.0), ("100m", 100.0), ("1km", 1000.0))
PROBE: Final = "probe"
_BATCH = 256
_PROBED_AT_LEAST = 50


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
    *,
    processes: Processes | None = None,
) -> dict[str, dict[str, float]]:
    """Rank held-out rows among each other.

    Args:
        model: Left in the mode that it was in.
        batch_of: Gives the batch of some rows, on the model's device, without augmentation.
        rows: (N,) rows with the same halves.
        processes: Who shares the work; None is this one alone.

    Returns:
        For each direction `a->b` that model and data allow: R@1, R@5, R@10 in percent and the
        median rank, over all N rows; where b is a place also `median_m`, the median distance from
        the best item's position to the true one, and `acc@25m`, `acc@100m`, `acc@1km`, percent of
        rows that are nearer than that. Under `probe`, from 50 rows on, the R2 of a two-fold ridge
        from `sv` and from `rs_at` to the position. Empty for fewer than two rows.
    """
    if len(rows) < 2:  # noqa: PLR2004 - one row is always first
        return {}
    vectors, lonlat = embed_rows(model, batch_of, rows, processes=processes)
    figures = {}
    for query, gallery in permutations(vectors, 2):
        standings = retrieval_standings(vectors[query], vectors[gallery])
        figures[f"{query}->{gallery}"] = rank_figures(standings)
        if gallery in PLACES:
            best = (vectors[query] @ vectors[gallery].T).argmax(axis=1)
            figures[f"{query}->{gallery}"] |= located(lonlat, lonlat[best])
    if len(rows) >= _PROBED_AT_LEAST:
        pictures = [name for name in ("sv", "rs_at") if name in vectors]
        figures[PROBE] = {name: place_r2(vectors[name], lonlat) for name in pictures}
    return figures


def located(truth: NDArray[np.float64], answer: NDArray[np.float64]) -> dict[str, float]:
    """Return how far answers are off.

    Args:
        truth: (N, 2) degrees, longitude first.
        answer: (N, 2).

    Returns:
        `median_m` and `acc@...` in percent.
    """
    off = great_circle_m(truth, answer)
    shares = {f"acc@{name}": 100 * float((off <= most).mean()) for name, most in WITHIN_M}
    return {"median_m": float(np.median(off)), **shares}


def place_r2(vectors: NDArray[np.float32], lonlat: NDArray[np.float64]) -> float:
    """Return the R2 of a ridge from embeddings (N, D) to positions, each half by the other's fit.

    Positions are points in space; a direction in which they do not vary counts 0.
    """
    points = earth_centred(lonlat)
    features = vectors.astype(np.float64)
    half = permute(np.arange(len(lonlat)), len(lonlat), key=key_of(PROBE)) % 2 == 0
    predicted = np.empty_like(points)
    for mine in (half, ~half):
        inner = np.arange(int(mine.sum())) % 4 == 0
        model = fit_ridge(features[mine], points[mine], inner=inner)
        predicted[~mine] = model(features[~mine])
    return float(r2_scores(points, predicted).mean())


def embed_rows(
    model: GairModel,
    batch_of: Callable[[NDArray[np.int64]], Batch],
    rows: NDArray[np.int64],
    *,
    processes: Processes | None = None,
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float64]]:
    """Return the joint embeddings of rows, by modality, and where they are.

    Args:
        model: Left in the mode that it was in.
        batch_of: Gives the batch of some rows, on the model's device.
        rows: (N,) rows with the same halves.
        processes: Who shares the work, block by block; None is this one alone.

    Returns:
        `sv`, `rs_at` and `location`, as far as there, each (N, D) float32; and (N, 2) degrees.
    """
    processes = processes or Processes()
    together = _is_sharded(model)
    was_training = model.training
    model.eval()
    own: dict[int, dict[str, NDArray[np.floating]]] = {}
    try:
        with torch.no_grad():
            for number, first in enumerate(range(0, len(rows), _BATCH)):
                if number % processes.count != processes.rank and not together:
                    continue
                batch = batch_of(rows[first : first + _BATCH])
                found = model(batch)
                own[number] = {"lonlat": batch.lonlat.cpu().numpy()}
                for name in MODALITIES:
                    vectors = getattr(found, name)
                    if vectors is not None:
                        own[number][name] = vectors.float().cpu().numpy()
    finally:
        model.train(was_training)
    blocks = {number: found for one in processes.every(own) for number, found in one.items()}
    names = [name for name in MODALITIES if name in blocks[0]]
    joined = {name: np.concatenate([blocks[number][name] for number in sorted(blocks)])
              for name in (*names, "lonlat")}  # fmt: skip
    lonlat = joined.pop("lonlat")
    return joined, lonlat


def _is_sharded(model: GairModel) -> bool:
    """Tell whether all processes must run the model together, since each holds a part."""
    return any(hasattr(one, "full_tensor") for one in model.parameters())


def score(figures: dict[str, dict[str, float]]) -> float | None:
    """Return the number that decides which checkpoint is best: mean R@10 of all directions."""
    found = [one["R@10"] for one in figures.values() if "R@10" in one]
    return float(np.mean(found)) if found else None
