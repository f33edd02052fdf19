"""Ridge regression in closed form, its strength chosen inside the training part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ALPHAS: Final = tuple(10.0**power for power in range(-6, 4))
_FLAT: Final = 1e-12
_NO_CHOICE: Final = 0.1


def fit_ridge(
    features: NDArray[np.float64],
    targets: NDArray[np.float64],
    *,
    inner: NDArray[np.bool_],
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Fit a ridge on standardised features; the penalty is relative to the number of rows.

    Args:
        features: (N, F).
        targets: (N, T).
        inner: (N,) rows that the strength is chosen on by a fit to the other rows; the final fit
            uses all rows.

    Returns:
        A function from (M, F) features to (M, T) predictions.
    """
    if inner.all() or not inner.any():
        return _fits(features, targets, (_NO_CHOICE,))[0]
    candidates = _fits(features[~inner], targets[~inner], ALPHAS)
    scores = [r2_scores(targets[inner], model(features[inner])).mean() for model in candidates]
    return _fits(features, targets, (ALPHAS[int(np.argmax(scores))],))[0]


def _fits(
    features: NDArray[np.float64], targets: NDArray[np.float64], alphas: tuple[float, ...]
) -> list[Callable[[NDArray[np.float64]], NDArray[np.float64]]]:
    """Fit one ridge for each strength."""
    centre, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > _FLAT, spread, 1.0)
    mean = targets.mean(axis=0)
    standard = (features - centre) / spread
    gram = standard.T @ standard / len(standard)
    moment = standard.T @ (targets - mean) / len(standard)

    def model(alpha: float) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        weights = np.linalg.solve(gram + alpha * np.eye(len(gram)), moment)
        return lambda rows: np.asarray((rows - centre) / spread @ weights + mean)

    return [model(alpha) for alpha in alphas]


def r2_scores(truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the coefficient of determination of each target; 0 for one that does not vary.

    Args:
        truth: (N, T).
        predicted: (N, T).

    Returns:
        (T,), at most 1.
    """
    residual = ((truth - predicted) ** 2).sum(axis=0)
    total = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    return np.asarray(np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), 0.0))
