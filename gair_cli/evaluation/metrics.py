"""Scores of predictions, as sums over rows, so that a bootstrap only has to weigh blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def r2(target: Floats, prediction: Floats) -> float:
    """Return the pooled coefficient of determination, 1 - SSE / SST.

    The mean is that of all rows given, so a constant from other folds scores slightly below 0.

    Args:
        target: (N,).
        prediction: (N,).

    Returns:
        At most 1; `nan` where the target is constant.
    """
    return float(r2_of_sums(r2_sums(target, prediction).sum(axis=0)))


def r2_sums(target: Floats, prediction: Floats) -> Floats:
    """Terms (N, 4) whose sums give R2: 1, y, y^2, squared error, with y centred for precision."""
    centred = target - target.mean()
    return np.stack(
        [np.ones_like(centred), centred, centred**2, (target - prediction) ** 2], axis=1
    )


def r2_of_sums(sums: Floats) -> Floats:
    """R2 from sums (..., 4) of `r2_sums` over any multiset of rows; `nan` without variance."""
    count, total, squares, error = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = squares - total**2 / count
        return np.where(spread > 0.0, 1.0 - error / spread, np.nan)


def mean_sums(values: Floats | NDArray[np.bool_]) -> Floats:
    """Terms (N, 2) whose sums give a mean: 1 and the value (accuracy: whether it is right)."""
    numbers = np.asarray(values, dtype=np.float64)
    return np.stack([np.ones_like(numbers), numbers], axis=1)


def mean_of_sums(sums: Floats) -> Floats:
    """Mean from sums (..., 2) of `mean_sums`; `nan` without rows."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sums[..., 0] > 0.0, sums[..., 1] / sums[..., 0], np.nan)


def rmse(target: Floats, prediction: Floats) -> float:
    """Return the root of the mean squared error, in the target's unit."""
    return float(np.sqrt(((target - prediction) ** 2).mean()))


def macro_f1(labels: Ints, prediction: Ints) -> float:
    """Return the mean F1 over the classes that occur in `labels`, each class counting the same."""
    classes = int(max(labels.max(), prediction.max())) + 1
    hits = np.bincount(labels[labels == prediction], minlength=classes)
    true, said = (np.bincount(x, minlength=classes) for x in (labels, prediction))
    present = true > 0
    return float((2.0 * hits[present] / (true + said)[present]).mean())
