"""k nearest neighbours as a probe: what lies close in the embedding says the label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.evaluation.probes import OutOfFold, check_features, z_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

NEIGHBOURS: Final = 5


def nearest(
    features: Floats, targets: Floats, *, folds: Ints, classes: bool, k: int = NEIGHBOURS
) -> OutOfFold:
    """Predict from the k nearest training rows in z-scored features: their mean, or their vote.

    Args:
        features: (N, D).
        targets: (N,) values, or class numbers from 0.
        folds: (N,) fold numbers.
        classes: Vote (a tie goes to the nearer rows) instead of averaging.
        k: Number of neighbours; fewer where the training part is smaller.

    Returns:
        Values or class numbers (N,); there is no penalty.

    Raises:
        DataError: If fewer than three folds hold rows, or a feature is not finite.
    """
    checked = check_features(features, folds)
    prediction = np.empty(len(checked), dtype=np.float64)
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        scaled = z_score(checked[train], checked)
        rows = nearest_rows(scaled[train], scaled[test], min(k, int(train.sum())))
        values = targets[train][rows]
        prediction[test] = _vote(values.astype(np.int64)) if classes else values.mean(axis=1)
    return OutOfFold(prediction, ())


def nearest_rows(reference: Floats, queries: Floats, k: int, *, chunk: int = 1024) -> Ints:
    """Find the rows (M, k) of `reference` (P, D) nearest to each query (M, D), nearest first."""
    squares = (reference**2).sum(axis=1)
    found = np.empty((len(queries), k), dtype=np.int64)
    for start in range(0, len(queries), chunk):
        part = queries[start : start + chunk]
        distance = squares - 2.0 * part @ reference.T  # the query's own norm changes no order
        rows = np.argpartition(distance, k - 1, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(distance, rows, axis=1), axis=1, kind="stable")
        found[start : start + chunk] = np.take_along_axis(rows, order, axis=1)
    return found


def _vote(labels: Ints) -> Ints:
    """Most frequent label of each row (M, k); of equally frequent ones that of nearer rows."""
    weights = 1.0 + 1e-6 * np.arange(labels.shape[1], 0, -1)
    scores = np.zeros((len(labels), int(labels.max()) + 1))
    for column, weight in enumerate(weights):
        scores[np.arange(len(labels)), labels[:, column]] += weight
    return np.asarray(scores.argmax(axis=1), dtype=np.int64)
