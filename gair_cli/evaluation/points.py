"""Score embeddings of places on labels: out-of-fold probes beside the baselines that count.

Each target is scored under random folds and under spatial block folds side by side, with intervals
by bootstrap of the blocks. Probes see embeddings only; the baselines see only coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from gair_cli.errors import DataError
from gair_cli.evaluation import baselines, bootstrap, logistic, neighbours, probes, splits
from gair_cli.evaluation.labels import MIN_CLASS_ROWS, Kind, Target
from gair_cli.evaluation.report import Score, ScoreSource
from gair_cli.evaluation.threads import one_blas_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

Probe: TypeAlias = Literal["ridge", "logistic", "knn"]


@dataclass(frozen=True, slots=True)
class PointsOptions:
    """How places are scored.

    Attributes:
        probe: For classes `ridge` is one-hot; `logistic` falls back to it for numbers.
        block: Edge of the spatial blocks, or None to choose by the extent.
        folds: Number of folds, where none are given.
        seed: Seed of folds and bootstrap.
        draws: Bootstrap draws.
        min_class_rows: Classes with fewer rows are left out.
        kind: Task type of all targets, or None to detect it.
    """

    probe: Probe = "ridge"
    block: splits.BlockSize | None = None
    folds: int = splits.FOLDS
    seed: int = 0
    draws: int = bootstrap.DRAWS
    min_class_rows: int = MIN_CLASS_ROWS
    kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """The rows to score.

    Attributes:
        dataset: Name of the table.
        lonlat: (N, 2) degrees.
        features: Embeddings (N, D) by method name, the model to be judged first.
        models: Hash of the model behind a method, where there is one.
        folds: The user's folds (N,) by name; empty for random and block folds of our own.
        with_baselines: Whether the predictions from coordinates are scored beside them.
    """

    dataset: str
    lonlat: Floats
    features: Mapping[str, Floats]
    models: Mapping[str, str] = field(default_factory=dict)
    folds: Mapping[str, Ints] = field(default_factory=dict)
    with_baselines: bool = True


@dataclass(frozen=True, slots=True)
class TargetResult:
    """All scores of one target.

    Attributes:
        target: What was predicted.
        block: Edge of the blocks of folds and bootstrap.
        scores: One a method and split.
        differences: The first method minus each other one, on the same draws.
    """

    target: Target
    block: splits.BlockSize
    scores: tuple[Score, ...]
    differences: tuple[Score, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a results file."""
        return {
            "target": self.target.name,
            "kind": self.target.kind,
            "rows": len(self.target.rows),
            "missing": self.target.missing,
            "classes": len(self.target.classes),
            "rare_classes": dict(self.target.rare),
            "block": str(self.block),
            "scores": [score.to_json() for score in self.scores],
            "differences": [score.to_json() for score in self.differences],
        }


def score_target(
    places: Places,
    target: Target,
    *,
    options: PointsOptions | None = None,
    progress: Callable[[int], None] | None = None,
) -> TargetResult:
    """Score every method and baseline on one target.

    Args:
        places: The table's places and embeddings; rows are chosen by `target.rows`.
        target: What to predict.
        options: How; default `PointsOptions()`.
        progress: Called with 1 after each method and split.

    Returns:
        Scores, and paired differences of the first embedding to everything else.

    Raises:
        DataError: If there are too few rows or blocks for the folds.
    """
    options = options or PointsOptions()
    lonlat = places.lonlat[target.rows]
    block = options.block or splits.default_block(lonlat)
    blocks = splits.block_ids(lonlat, block)
    draws = bootstrap.block_draws(blocks, seed=options.seed, draws=options.draws)
    scores: list[Score] = []
    differences: list[Score] = []
    for split, folds in _folds(places, target, blocks, options).items():
        with one_blas_thread():
            said = _predictions(places, target, folds, options=options, progress=progress)
        judged = _Judged(places, target, split, draws, options.seed)
        scores += [judged.score(method, values) for method, values in said.items()]
        differences += judged.differences(said)
    return TargetResult(target, block, tuple(scores), tuple(differences))


def methods_of(places: Places) -> tuple[str, ...]:
    """Return the names of everything that is scored, in the order of the tables."""
    if not places.with_baselines:
        return tuple(places.features)
    return (*places.features, "constant", *baselines.FEATURE_BASELINES, "idw")


@dataclass(frozen=True, slots=True)
class _Judged:
    """Predictions of one target and split become scores."""

    places: Places
    target: Target
    split: str
    draws: bootstrap.BlockDraws
    seed: int

    def score(self, method: str, prediction: Floats) -> Score:
        """Score one method's predictions (M,)."""
        if self.target.kind == "regression":
            found = bootstrap.r2_interval(self.target.values, prediction, self.draws)
        else:
            found = bootstrap.mean_interval(prediction == self.target.values, self.draws)
        return self._score(found, method, self.places.models.get(method))

    def differences(self, said: Mapping[str, Floats]) -> list[Score]:
        """Score the first embedding minus each other method."""
        if not self.places.features:
            return []
        first = next(iter(self.places.features))
        return [
            self._score(self._difference(said[first], said[other]), f"{first} - {other}")
            for other in said
            if other != first
        ]

    def _difference(self, first: Floats, second: Floats) -> bootstrap.Interval:
        truth = self.target.values
        if self.target.kind == "regression":
            return bootstrap.r2_difference(truth, first, second, draws=self.draws)
        return bootstrap.mean_difference(first == truth, second == truth, self.draws)

    def _score(self, found: bootstrap.Interval, method: str, model: str | None = None) -> Score:
        return ScoreSource(self.places.dataset, self.seed, model).score(
            found,
            task=self.target.name,
            method=method,
            split=self.split,
            metric="r2" if self.target.kind == "regression" else "accuracy",
            n=len(self.target.rows),
        )


def _folds(places: Places, target: Target, blocks: Ints, options: PointsOptions) -> dict[str, Ints]:
    if places.folds:
        return {name: folds[target.rows] for name, folds in places.folds.items()}
    rows = len(target.rows)
    if rows < options.folds:
        raise DataError(f"{target.name} has {rows} usable rows for {options.folds} folds")
    return {
        "random": splits.random_folds(rows, seed=options.seed, folds=options.folds),
        "block": splits.block_folds(blocks, seed=options.seed, folds=options.folds),
    }


def _predictions(
    places: Places,
    target: Target,
    folds: Ints,
    *,
    options: PointsOptions,
    progress: Callable[[int], None] | None,
) -> dict[str, Floats]:
    """Predict out of fold by every method: (M,) values or class numbers each."""
    lonlat = places.lonlat[target.rows]
    said = {}
    for method in methods_of(places):
        if method in places.features:
            features = places.features[method][target.rows]
            said[method] = probe(features, target, folds=folds, kind=options.probe)
        elif method in baselines.FEATURE_BASELINES:
            features = baselines.coordinate_features(method, lonlat)
            said[method] = probe(features, target, folds=folds, kind=options.probe)
        else:
            said[method] = _from_labels(method, lonlat, target, folds)
        if progress is not None:
            progress(1)
    return said


def probe(features: Floats, target: Target, *, folds: Ints, kind: Probe = "ridge") -> Floats:
    """Predict a target from features, out of fold.

    Args:
        features: (M, D) of the target's own rows.
        target: What to predict.
        folds: (M,) fold numbers.
        kind: Which probe; `logistic` is ridge for a regression.

    Returns:
        (M,) values, or class numbers as floats.
    """
    classes = target.kind == "classification"
    if kind == "knn":
        found = neighbours.nearest(features, target.values, folds=folds, classes=classes)
    elif not classes:
        found = probes.ridge(features, target.values, folds=folds)
    elif kind == "logistic":
        found = logistic.logistic(features, target.values.astype(np.int64), folds=folds)
    else:
        found = probes.ridge_classes(features, target.values.astype(np.int64), folds=folds)
    return np.asarray(found.prediction, dtype=np.float64).reshape(len(features))


def _from_labels(method: str, lonlat: Floats, target: Target, folds: Ints) -> Floats:
    """Predict by `constant` or `idw`, which need no features."""
    if target.kind == "regression":
        if method == "constant":
            return baselines.constant(target.values, folds=folds)
        return baselines.idw(lonlat, target.values[:, None], folds=folds)[:, 0]
    labels = target.values.astype(np.int64)
    if method == "constant":
        return baselines.constant_class(labels, folds=folds).astype(np.float64)
    one_hot = np.eye(len(target.classes))[labels]
    votes = baselines.idw(lonlat, one_hot, folds=folds)
    return np.asarray(votes.argmax(axis=1), dtype=np.float64)


def fold_numbers(values: Sequence[object]) -> Ints:
    """Number the values of a user's fold column from 0, in sorted order of their text.

    Raises:
        DataError: If a row has no fold.
    """
    if any(value is None for value in values):
        raise DataError("a row has no fold", hint="fill the column given by --fold-column")
    return np.unique([str(value) for value in values], return_inverse=True)[1].reshape(-1)
