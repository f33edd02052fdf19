"""`gair eval points` as a library call: from a label table and a model or embeddings to scores."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from gair_cli.errors import DataError, UsageError
from gair_cli.evaluation import sources
from gair_cli.evaluation.labels import MIN_CLASS_ROWS, read_target
from gair_cli.evaluation.points import (
    Places,
    PointsOptions,
    Probe,
    TargetResult,
    fold_numbers,
    score_target,
)
from gair_cli.evaluation.report import legend, scores_table
from gair_cli.evaluation.splits import FOLDS, parse_block
from gair_cli.geo.columns import ColumnNames
from gair_cli.geo.outputs import fingerprint
from gair_cli.geo.tables import PointTable, read_points

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Progress = Callable[[int], None]


UNTRAINED: Final = "untrained"

_SHOWN_RIVALS: Final = (f" - {UNTRAINED}", " - idw")
"""Paired differences that people see; the record has all."""


@dataclass(frozen=True, slots=True)
class PointsRequest:
    """What to score; fields are the options of the command.

    Attributes:
        labels: Table of places with labels; `-` is standard input.
        targets: Label columns.
        embeddings: Embedding table to join by id, or None to use a model.
        model: Model folder, run folder or packaged name; None is the packaged model.
        names: The user's column names.
        task: Kind of all targets, or `auto`.
        probe: Which probe.
        block: Edge of the spatial blocks as text, or None.
        folds: Number of folds.
        fold_columns: Columns with given folds, used instead of our own.
        min_class_rows: Classes with fewer rows are left out.
        draws: Bootstrap draws.
        limit: Use the first rows only.
        seed: Seed of folds, bootstrap and the untrained twin.
        crs: CRS of the coordinates, when not longitude and latitude.
        max_bad: Share or number of bad rows tolerated.
        batch_size: Points at a time.
        device: Where the model computes.
    """

    labels: str
    targets: tuple[str, ...]
    embeddings: Path | None = None
    model: str | None = None
    names: ColumnNames = field(default_factory=ColumnNames)
    task: Literal["auto", "regression", "classification"] = "auto"
    probe: Probe = "ridge"
    block: str | None = None
    folds: int = FOLDS
    fold_columns: tuple[str, ...] = ()
    min_class_rows: int = MIN_CLASS_ROWS
    draws: int = 1000
    limit: int | None = None
    seed: int = 0
    crs: str | None = None
    max_bad: float | None = None
    batch_size: int | None = None
    device: str | None = None

    def options(self) -> PointsOptions:
        """Return how places are scored.

        Raises:
            UsageError: If the block's text makes no sense.
        """
        return PointsOptions(
            probe=self.probe,
            block=parse_block(self.block) if self.block else None,
            folds=self.folds,
            seed=self.seed,
            draws=self.draws,
            min_class_rows=self.min_class_rows,
            kind=None if self.task == "auto" else self.task,
        )

    def plan(self) -> dict[str, Any]:
        """Return what decides the results: options, and hashes of the input files."""
        record = {k: v for k, v in asdict(self).items() if k not in {"batch_size", "device"}}
        for name in ("labels", "embeddings"):
            source = record[name]
            if source is not None and str(source) != "-":
                record[name] = fingerprint(Path(source))
        if self.labels == "-":
            record["labels"] = token_hex(8)  # what a pipe will bring is not known before it is read
        if self.embeddings is None:
            from gair_cli.models.weights import resolve_model  # noqa: PLC0415 - needs torch

            record["model"] = fingerprint(resolve_model(self.model).path)
        return record


@dataclass(frozen=True, slots=True)
class PointsReport:
    """Scores of all targets, and what a reader has to know about them.

    Attributes:
        dataset: Name of the label table.
        features: What was judged, for example the model's name and space.
        results: One a target.
        notes: Lines for people: rows left out, model used, folds.
    """

    dataset: str
    features: dict[str, Any]
    results: tuple[TargetResult, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for a results file; it holds no time, host or path."""
        return {
            "kind": "points",
            "dataset": self.dataset,
            "features": self.features,
            "targets": [result.to_json() for result in self.results],
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """Return the tables that people read."""
        scores = [score for result in self.results for score in result.scores]
        pairs = [
            replace(score, task=f"{score.task}, paired differences")
            for result in self.results
            for score in result.differences
            if score.method.endswith(_SHOWN_RIVALS)
        ]
        tables = [scores_table(scores), *([scores_table(pairs)] if pairs else [])]
        return "\n\n".join([*tables, legend("value", scores)])


@dataclass(frozen=True, slots=True)
class _Judged:
    """Rows that can be scored, and the features to judge on them."""

    rows: Ints
    features: dict[str, Floats]
    models: dict[str, str]
    facts: dict[str, Any]
    notes: list[str]


def run_points(request: PointsRequest, *, progress: Progress | None = None) -> PointsReport:
    """Score embeddings of places on the columns of a table.

    Args:
        request: What and how.
        progress: Called with 1 after each probe.

    Returns:
        The scores.

    Raises:
        InputError: If a file is missing or unreadable.
        DataError: If a target, a fold column or the ids do not fit.
        ModelError: If the model has no location tower.
        UsageError: If both embeddings and a model are given, or the block makes no sense.
    """
    if request.embeddings is not None and request.model is not None:
        raise UsageError("--embeddings and --model exclude each other")
    options = request.options()
    table = read_points(
        request.labels,
        names=request.names,
        crs=request.crs,
        max_bad=request.max_bad,
        limit=request.limit,
    )
    dataset = "stdin" if request.labels == "-" else Path(request.labels).stem
    judged = _from_table(request, table) if request.embeddings else _from_model(request, table)
    frame = table.frame[judged.rows]
    places = Places(
        dataset=dataset,
        lonlat=table.lonlat[judged.rows],
        features=judged.features,
        models=judged.models,
        folds=_given_folds(frame, request.fold_columns),
    )
    notes = [*_bad_note(table), *judged.notes]
    results = []
    for name in request.targets:
        target = read_target(frame, name, kind=options.kind, min_class_rows=options.min_class_rows)
        results.append(score_target(places, target, options=options, progress=progress))
        notes.append(_target_note(results[-1], places))
    return PointsReport(dataset, judged.facts, tuple(results), tuple(notes))


def _from_table(request: PointsRequest, table: PointTable) -> _Judged:
    """Judge an embedding table."""
    from gair_cli.embedding.table import read_embeddings  # noqa: PLC0415 - heavy

    embeddings = read_embeddings(request.embeddings or "")
    joined = sources.join_embeddings(table, embeddings)
    meta = embeddings.meta
    notes = []
    if joined.absent or joined.null:
        notes.append(
            f"{len(joined.rows)} of {len(table.ids)} rows scored: {joined.absent} have no "
            f"embedding, {joined.null} a null one (nodata, outside or unreadable)"
        )
    if meta.space == "joint":
        notes.append("embeddings are in the joint space; probes do better in --space encoder")
    facts = {"source": "embeddings", "space": meta.space, "model": meta.model_sha256}
    models = {"embedding": meta.model_sha256} if meta.model_sha256 else {}
    return _Judged(joined.rows, {"embedding": joined.features}, models, facts, notes)


def _from_model(request: PointsRequest, table: PointTable) -> _Judged:
    """Judge a model's location tower, with the same tower untrained beside it."""
    from gair_cli.models.weights import load_model, model_hash, resolve_model  # noqa: PLC0415

    reference = resolve_model(request.model)
    name = Path(reference.name).name  # results hold no path of this machine
    model = load_model(reference)
    features = {}
    for method, tower in ((name, model), (UNTRAINED, sources.untrained_twin(model, request.seed))):
        features[method] = sources.model_features(
            tower, table.lonlat, batch_size=request.batch_size, device=request.device
        )
    digest = model_hash(reference.path)
    facts = {"source": "model", "space": "encoder", "model": digest, "name": name}
    default = " (packaged; choose another with --model)" if reference.is_default else ""
    notes = [f"model {name}{default}, {digest[:12]}"]
    return _Judged(np.arange(len(table.ids)), features, {name: digest}, facts, notes)


def _given_folds(frame: Any, columns: tuple[str, ...]) -> dict[str, Ints]:
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise DataError(
            f"no fold column {missing[0]!r}; there are {', '.join(frame.columns)}",
            hint="name it with --fold-column, or leave it out for folds of our own",
        )
    return {name: fold_numbers(frame[name].to_list()) for name in columns}


def _bad_note(table: PointTable) -> list[str]:
    if not table.bad.height:
        return []
    reasons = ", ".join(sorted(set(table.bad["reason"].to_list())))
    return [f"{table.bad.height} rows left out: {reasons}"]


def _target_note(result: TargetResult, places: Places) -> str:
    target = result.target
    kind = f"{target.kind} of {len(target.classes)} classes" if target.classes else target.kind
    parts = [f"{target.name}: {kind}, {len(target.rows)} rows"]
    if target.missing:
        parts.append(f"{target.missing} without a value")
    if target.rare:
        rows = sum(count for _, count in target.rare)
        parts.append(f"{rows} in {len(target.rare)} classes too rare")
    folds = "given folds" if places.folds else "random and block folds"
    return ", ".join([*parts, f"{folds}, blocks of {result.block}"])
