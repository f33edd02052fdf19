"""Out-of-fold probes: what a frozen embedding says about a label, on rows it was not fitted to.

Every probe takes features (N, D), a target and one fold number a row, and returns a prediction for
every row made by a model that never saw its fold. Whatever is tuned (alpha, the penalty) is tuned
on the training folds alone, each of them held out once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gair_cli.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Loss = Callable[[Floats, Floats], float]

ALPHAS: Final = np.logspace(-4, 6, 11)
"""Ridge penalties 1e-4, 1e-3, ... 1e6: the grid of the Earth benchmark's protocol."""

MIN_FOLDS: Final = 3
"""One fold is tested, and at least two are left: one to fit and one to choose alpha on."""


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Predictions for all rows, each from the folds that do not hold the row.

    Attributes:
        prediction: (N, K) float64 for regression and scores, or (N,) int64 class numbers.
        penalties: Penalty chosen for each test fold, in the order of the fold numbers.
    """

    prediction: NDArray[Any]
    penalties: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Moments:
    """Sums over some rows from which any ridge on them follows."""

    count: float
    x_sum: Floats  # (D,)
    y_sum: Floats  # (K,)
    gram: Floats  # (D, D)
    cross: Floats  # (D, K)


@dataclass(frozen=True, slots=True)
class _Decomposed:
    """A z-scored training set in the eigenbasis of its Gram matrix; serves every alpha."""

    mean: Floats  # (D,)
    basis: Floats  # (D, D): features to eigenvectors, z-scoring included
    values: Floats  # (D,)
    projected: Floats  # (D, K)
    intercept: Floats  # (K,)

    def predict(self, features: Floats, alpha: float) -> Floats:
        """Predict (M, K) for features (M, D) with one penalty."""
        return self.predict_rotated(self.rotate(features), alpha)

    def rotate(self, features: Floats) -> Floats:
        """Bring features (M, D) into the eigenbasis, once for all penalties."""
        return (features - self.mean) @ self.basis

    def predict_rotated(self, rotated: Floats, alpha: float) -> Floats:
        """Predict (M, K) for features that are in the eigenbasis."""
        weights = self.projected / (self.values + alpha)[:, None]
        return rotated @ weights + self.intercept


def ridge(
    features: Floats,
    targets: Floats,
    *,
    folds: Ints,
    alphas: Sequence[float] | Floats = ALPHAS,
) -> OutOfFold:
    """Regress by closed-form ridge in float64, alpha chosen inside the training folds.

    Features are z-scored on the rows that are fitted; the intercept is not penalised.

    Args:
        features: (N, D).
        targets: (N,) or (N, K).
        folds: (N,) fold numbers.
        alphas: Penalties to choose among, by the squared error on held-out training folds.

    Returns:
        Predictions (N, K) and the alpha of every fold.

    Raises:
        DataError: If fewer than three folds hold rows, or a feature is not finite.
    """
    table = np.asarray(targets, dtype=np.float64).reshape(len(features), -1)
    return _ridge(features, table, folds, np.asarray(alphas, dtype=np.float64), _squared_error)


def ridge_classes(
    features: Floats,
    labels: Ints,
    *,
    folds: Ints,
    alphas: Sequence[float] | Floats = ALPHAS,
) -> OutOfFold:
    """Classify by one-hot ridge and argmax; alpha is the one with the fewest held-out errors.

    Args:
        features: (N, D).
        labels: (N,) class numbers from 0.
        folds: (N,) fold numbers.
        alphas: Penalties to choose among.

    Returns:
        Class numbers (N,) and the alpha of every fold.
    """
    one_hot = np.eye(int(labels.max()) + 1)[labels]
    fitted = _ridge(features, one_hot, folds, np.asarray(alphas, dtype=np.float64), _errors)
    return OutOfFold(fitted.prediction.argmax(axis=1), fitted.penalties)


def check_features(features: Floats, folds: Ints) -> Floats:
    """Return features as float64 after the checks that every probe needs.

    Raises:
        DataError: If a value is not finite, or fewer than three folds hold rows.
    """
    checked = np.asarray(features, dtype=np.float64)
    if not np.isfinite(checked).all():
        bad = int((~np.isfinite(checked)).any(axis=1).sum())
        raise DataError(f"{bad} of {len(checked)} rows have a feature that is not a number")
    found = len(np.unique(folds))
    if found < MIN_FOLDS:
        raise DataError(
            f"a probe needs rows in at least {MIN_FOLDS} folds, found {found}",
            hint="use smaller blocks (--block), or give more rows",
        )
    return checked


def z_score(reference: Floats, features: Floats) -> Floats:
    """Z-score features (M, D) by the mean and deviation of `reference` (P, D).

    A column that is constant in `reference` becomes 0, whatever it is in `features`.
    """
    deviation = reference.std(axis=0)
    constant = deviation <= 1e-12 * np.abs(reference).max(axis=0, initial=0.0)
    scale = np.where(constant, 0.0, 1.0 / np.where(constant, 1.0, deviation))
    return np.asarray((features - reference.mean(axis=0)) * scale)


def _ridge(features: Floats, targets: Floats, folds: Ints, alphas: Floats, loss: Loss) -> OutOfFold:
    checked = check_features(features, folds)
    scaled = z_score(checked, checked)  # for precision only: each fit z-scores again
    numbers = [int(fold) for fold in np.unique(folds)]
    rows = {fold: np.flatnonzero(folds == fold) for fold in numbers}
    parts = {fold: _moments(scaled[rows[fold]], targets[rows[fold]]) for fold in numbers}
    losses = _held_out_losses(scaled, targets, rows=rows, parts=parts, alphas=alphas, loss=loss)
    prediction = np.zeros_like(targets)
    chosen = []
    for fold in numbers:
        total = sum(losses[fold, other] for other in numbers if other != fold)
        alpha = float(alphas[int(np.argmin(total))])
        fit = _decompose([part for number, part in parts.items() if number != fold])
        prediction[rows[fold]] = fit.predict(scaled[rows[fold]], alpha)
        chosen.append(alpha)
    return OutOfFold(prediction, tuple(chosen))


def _held_out_losses(
    features: Floats,
    targets: Floats,
    *,
    rows: dict[int, Ints],
    parts: dict[int, _Moments],
    alphas: Floats,
    loss: Loss,
) -> dict[tuple[int, int], Floats]:
    """Loss (A,) of every alpha on fold `held` when `test` and `held` are both left out.

    Leaving out (a, b) and (b, a) is one fit, so it is made once and scored on both.
    """
    losses = {}
    numbers = list(parts)
    for index, first in enumerate(numbers):
        for second in numbers[index + 1 :]:
            fit = _decompose([parts[n] for n in numbers if n not in {first, second}])
            for test, held in ((first, second), (second, first)):
                rotated = fit.rotate(features[rows[held]])
                losses[test, held] = np.array(
                    [loss(fit.predict_rotated(rotated, a), targets[rows[held]]) for a in alphas]
                )
    return losses


def _moments(features: Floats, targets: Floats) -> _Moments:
    return _Moments(
        count=float(len(features)),
        x_sum=features.sum(axis=0),
        y_sum=targets.sum(axis=0),
        gram=features.T @ features,
        cross=features.T @ targets,
    )


def _decompose(parts: Sequence[_Moments]) -> _Decomposed:
    count = sum(part.count for part in parts)
    mean = _total(parts, "x_sum") / count
    target_mean = _total(parts, "y_sum") / count
    gram = _total(parts, "gram") - count * np.outer(mean, mean)
    cross = _total(parts, "cross") - count * np.outer(mean, target_mean)
    scale = _inverse_deviation(np.sqrt(np.maximum(np.diag(gram) / count, 0.0)))
    values, vectors = np.linalg.eigh(gram * np.outer(scale, scale))
    return _Decomposed(
        mean=mean,
        basis=scale[:, None] * vectors,
        values=np.maximum(values, 0.0),
        projected=vectors.T @ (scale[:, None] * cross),
        intercept=target_mean,
    )


def _total(parts: Sequence[_Moments], name: str) -> Floats:
    return np.asarray(np.sum([getattr(part, name) for part in parts], axis=0), dtype=np.float64)


def _inverse_deviation(deviation: Floats) -> Floats:
    """1 / deviation, and 0 for a column that is constant up to rounding, which says nothing."""
    varies = deviation > 1e-7 * max(float(deviation.max(initial=0.0)), 1e-300)
    return np.where(varies, 1.0 / np.where(varies, deviation, 1.0), 0.0)


def _squared_error(prediction: Floats, target: Floats) -> float:
    return float(((prediction - target) ** 2).sum())


def _errors(prediction: Floats, target: Floats) -> float:
    return float((prediction.argmax(axis=1) != target.argmax(axis=1)).sum())
