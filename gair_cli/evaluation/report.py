"""Scores as one record a number, and as the tables that people read."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from gair_cli.evaluation.bootstrap import Interval


@dataclass(frozen=True, slots=True)
class Score:
    """One number with all that is needed to compare it.

    Attributes:
        dataset: The table it was measured on.
        task: Target or retrieval direction.
        method: What made the prediction.
        split: Which folds, or which part of the data.
        metric: `r2`, `accuracy`, `R@10`, ...
        value: The score.
        low: Lower end of the 95 % interval by spatial-block bootstrap.
        high: Upper end.
        n: Rows scored.
        seed: Seed of folds, draws and bootstrap.
        model: Hash of the model, or None for a method without one.
    """

    dataset: str
    task: str
    method: str
    split: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    seed: int
    model: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values; a score that does not exist is null, since JSON has no NaN."""
        record = asdict(self)
        for name in ("value", "low", "high"):
            record[name] = _number(record[name])
        return record


@dataclass(frozen=True, slots=True)
class ScoreSource:
    """What several scores have in common, so that it is stated once."""

    dataset: str
    seed: int
    model: str | None = None

    def score(
        self, interval: Interval, *, task: str, method: str, split: str, metric: str, n: int
    ) -> Score:
        """Make a score from an interval."""
        return Score(
            dataset=self.dataset,
            task=task,
            method=method,
            split=split,
            metric=metric,
            value=interval.value,
            low=interval.low,
            high=interval.high,
            n=n,
            seed=self.seed,
            model=self.model,
        )


def scores_table(
    scores: Iterable[Score], *, decimals: int = 3, with_interval: Collection[str] | None = None
) -> str:
    """Lay scores out with a block a task, a line a method and a column a split and metric.

    Args:
        scores: In the order in which tasks, methods and columns are to come.
        decimals: Of every number.
        with_interval: Metrics whose cells are `value [low, high]`; None means all.

    Returns:
        Text with aligned columns.
    """
    scores = list(scores)
    one_split = len({score.split for score in scores}) == 1
    blocks = []
    for task, rows in _grouped(scores).items():
        names = [row.metric if one_split else f"{row.metric}, {row.split}" for row in rows]
        columns, methods = (list(dict.fromkeys(x)) for x in (names, [row.method for row in rows]))
        plain = [with_interval is not None and row.metric not in with_interval for row in rows]
        cells = {
            (row.method, name): _cell(row, decimals, plain=bare)
            for row, name, bare in zip(rows, names, plain, strict=True)
        }
        body = [[m, *(cells.get((m, column), "") for column in columns)] for m in methods]
        blocks.append(aligned([[f"{task} (n = {max(r.n for r in rows):,})", *columns], *body]))
    return "\n\n".join(blocks)


def legend(what: str, scores: Iterable[Score]) -> str:
    """Say what the numbers of a table are, and which tasks have no interval and why.

    Args:
        what: What the values are.
        scores: Those of the table.
    """
    groups = _grouped(score for score in scores if math.isfinite(score.value))
    bare = [task for task, rows in groups.items() if not any(math.isfinite(r.low) for r in rows)]
    line = f"{what} [95 % interval by bootstrap of spatial blocks]"
    if not bare:
        return line
    of_which = "" if len(bare) == len(groups) else f" for {', '.join(bare)}"
    return f"{line}\nno interval{of_which}: all rows are in one spatial block (see --block)"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Pad the cells of a table to columns of equal width, the first row being its header."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table, the first row being its header."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def _grouped(scores: Iterable[Score]) -> dict[str, list[Score]]:
    groups: dict[str, list[Score]] = {}
    for score in scores:
        groups.setdefault(score.task, []).append(score)
    return groups


def _cell(score: Score, decimals: int, *, plain: bool) -> str:
    if math.isnan(score.value):
        return "-"
    if plain or math.isnan(score.low):
        return f"{score.value:.{decimals}f}"
    return f"{score.value:.{decimals}f} [{score.low:.{decimals}f}, {score.high:.{decimals}f}]"


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
