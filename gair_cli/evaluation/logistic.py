"""Multinomial logistic regression as a probe: L-BFGS on a smooth, convex loss, in float64."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.evaluation.probes import OutOfFold, check_features, z_score

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Objective = Callable[[Floats], tuple[float, Floats]]

PENALTIES: Final = (1e-4, 1e-3, 1e-2, 1e-1)
"""Weights of the squared coefficients per row, tried on the training folds; ours."""

_MEMORY: Final = 10
_SUFFICIENT: Final = 1e-4
_SMALLEST_STEP: Final = 1e-10


def logistic(
    features: Floats, labels: Ints, *, folds: Ints, penalties: Sequence[float] = PENALTIES
) -> OutOfFold:
    """Classify by logistic regression, the penalty chosen inside the training folds.

    Features are z-scored on the rows that are fitted; intercepts are not penalised. The penalty is
    the one with the fewest errors when each training fold is held out once.

    Args:
        features: (N, D).
        labels: (N,) class numbers from 0.
        folds: (N,) fold numbers.
        penalties: Penalties to choose among.

    Returns:
        Class numbers (N,) and the penalty of every fold.

    Raises:
        DataError: If fewer than three folds hold rows, or a feature is not finite.
    """
    checked = check_features(features, folds)
    prediction = np.empty(len(checked), dtype=np.int64)
    chosen = []
    for fold in np.unique(folds):
        train = folds != fold
        errors = _held_out_errors(checked[train], labels[train], folds[train], penalties)
        penalty = penalties[int(np.argmin(errors))]
        prediction[~train] = _classify(checked[train], labels[train], checked[~train], penalty)
        chosen.append(penalty)
    return OutOfFold(prediction, tuple(chosen))


def fit_logistic(
    features: Floats, labels: Ints, *, penalty: float, classes: int, steps: int = 200
) -> tuple[Floats, Floats]:
    """Minimise mean cross-entropy + penalty / 2 * sum of squared coefficients.

    Args:
        features: (N, D), already scaled.
        labels: (N,) class numbers below `classes`.
        penalty: Weight of the squared coefficients.
        classes: Number of classes K.
        steps: Most L-BFGS steps.

    Returns:
        Coefficients (D, K) and intercepts (K,).
    """
    n_features = features.shape[1]
    one_hot = np.eye(classes)[labels]

    def objective(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(n_features + 1, classes)
        scores = features @ weights[:-1] + weights[-1]
        scores -= scores.max(axis=1, keepdims=True)
        log_total = np.log(np.exp(scores).sum(axis=1, keepdims=True))
        loss = float((log_total[:, 0] - (scores * one_hot).sum(axis=1)).mean())
        residual = (np.exp(scores - log_total) - one_hot) / len(features)
        gradient = np.vstack([features.T @ residual + penalty * weights[:-1], residual.sum(axis=0)])
        return loss + penalty / 2.0 * float((weights[:-1] ** 2).sum()), gradient.ravel()

    start = np.zeros((n_features + 1) * classes)
    solution = minimise(objective, start, steps=steps).reshape(n_features + 1, classes)
    return solution[:-1], solution[-1]


def minimise(
    objective: Objective, start: Floats, *, steps: int = 200, tolerance: float = 1e-6
) -> Floats:
    """Minimise a smooth convex function by L-BFGS with backtracking (Nocedal & Wright, 7.4).

    Args:
        objective: Point (P,) to value and gradient (P,).
        start: Where to begin, (P,).
        steps: Most steps.
        tolerance: Stop where no part of the gradient is larger.

    Returns:
        The last point, (P,).
    """
    point = start
    value, gradient = objective(point)
    pairs: deque[tuple[Floats, Floats]] = deque(maxlen=_MEMORY)
    for _ in range(steps):
        if float(np.abs(gradient).max()) <= tolerance:
            break
        direction = _direction(gradient, pairs)
        slope = float(direction @ gradient)
        length = 1.0 if pairs else 1.0 / max(1.0, float(np.linalg.norm(gradient)))
        found = objective(point + length * direction)
        while found[0] > value + _SUFFICIENT * length * slope and length > _SMALLEST_STEP:
            length /= 2.0
            found = objective(point + length * direction)
        moved, turned = length * direction, found[1] - gradient
        if float(moved @ turned) > _SMALLEST_STEP * float(turned @ turned):
            pairs.append((moved, turned))
        point, (value, gradient) = point + moved, found
    return point


def _direction(gradient: Floats, pairs: deque[tuple[Floats, Floats]]) -> Floats:
    """Two-loop recursion: the inverse Hessian's estimate times minus the gradient."""
    result = -gradient
    steps = []
    for moved, turned in reversed(pairs):
        share = float(moved @ result) / float(moved @ turned)
        result = result - share * turned
        steps.append(share)
    if pairs:
        moved, turned = pairs[-1]
        result = result * (float(moved @ turned) / float(turned @ turned))
    for (moved, turned), share in zip(pairs, reversed(steps), strict=True):
        result = result + (share - float(turned @ result) / float(moved @ turned)) * moved
    return result


def _held_out_errors(
    features: Floats, labels: Ints, folds: Ints, penalties: Sequence[float]
) -> list[int]:
    errors = [0] * len(penalties)
    for held in np.unique(folds):
        train = folds != held
        for index, penalty in enumerate(penalties):
            said = _classify(features[train], labels[train], features[~train], penalty)
            errors[index] += int((said != labels[~train]).sum())
    return errors


def _classify(features: Floats, labels: Ints, queries: Floats, penalty: float) -> Ints:
    """Fit on the classes that occur, then name the best one for each query (M,)."""
    occurring, numbers = np.unique(labels, return_inverse=True)
    scaled = z_score(features, features)
    weights, intercept = fit_logistic(
        scaled, numbers.reshape(-1), penalty=penalty, classes=len(occurring)
    )
    scores = z_score(features, queries) @ weights + intercept
    return np.asarray(occurring[scores.argmax(axis=1)])
