"""The Earth benchmark: seven tasks at frozen points, with frozen random and block folds.

Protocol: features z-scored on the training folds, closed-form ridge (one-hot for classes) with
alpha chosen on the training folds, pooled out-of-fold R2 or accuracy, intervals by bootstrap of
10-degree cells. No label may be used in pre-training; probes see embeddings only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from gair_cli.errors import DataError
from gair_cli.evaluation.labels import Kind, Target, read_target
from gair_cli.evaluation.points import Places, PointsOptions, TargetResult, score_target
from gair_cli.evaluation.splits import GLOBAL_BLOCK_DEG, BlockSize
from gair_cli.geo.tables import read_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TASKS: Final[dict[str, Kind]] = {
    "temperature": "regression",
    "precipitation": "regression",
    "elevation": "regression",
    "koppen": "classification",
    "country": "classification",
    "population": "regression",
    "landsea": "classification",
}
MEAN_TASKS: Final = ("temperature", "precipitation", "elevation", "koppen", "country")
"""Tasks of the mean that the benchmark's tables end with."""

FOLDS: Final = {"random": "fold_random", "block": "fold_block"}
_COLUMNS: Final = ("task", "id", "lon", "lat", "target", *FOLDS.values())


@dataclass(frozen=True, slots=True)
class EarthBenchmark:
    """The frozen points.

    Attributes:
        frame: Columns task, id, lon, lat, target (text), fold_random, fold_block.
    """

    frame: pl.DataFrame

    def lonlat(self, task: str) -> Floats:
        """Places (N, 2) of one task, in degrees."""
        rows = self.frame.filter(pl.col("task") == task)
        return rows.select("lon", "lat").to_numpy().astype(np.float64)


def read_benchmark(path: Path) -> EarthBenchmark:
    """Read `points.csv.gz`.

    Raises:
        InputError: If it is missing or unreadable.
        DataError: If a column or a task is not there.
    """
    frame = read_frame(path)
    missing = [name for name in _COLUMNS if name not in frame.columns]
    if missing:
        raise DataError(f"{path} has no column {missing[0]}; it is not the Earth benchmark")
    frame = frame.with_columns(pl.col("target").cast(pl.String))
    absent = set(TASKS) - set(frame["task"].unique().to_list())
    if absent:
        raise DataError(f"{path} lacks the tasks {', '.join(sorted(absent))}")
    return EarthBenchmark(frame)


def score_encoders(
    benchmark: EarthBenchmark,
    encoders: dict[str, Callable[[Floats], Floats]],
    *,
    tasks: Iterable[str] = tuple(TASKS),
    with_baselines: bool = True,
    options: PointsOptions | None = None,
) -> dict[str, TargetResult]:
    """Score location encoders by the benchmark's protocol.

    Args:
        benchmark: The points.
        encoders: Function from places (N, 2) to features (N, D) float64, by name; paired
            differences are those of the first.
        tasks: Tasks to score.
        with_baselines: Whether to score constant, coordinates, harmonics and IDW too.
        options: Seed and draws; probe, folds, blocks and class sizes are the protocol's.

    Returns:
        Scores and differences by task.
    """
    results = {}
    for task in tasks:
        rows = benchmark.frame.filter(pl.col("task") == task)
        lonlat = benchmark.lonlat(task)
        places = Places(
            dataset="earth-benchmark",
            lonlat=lonlat,
            features={name: encode(lonlat) for name, encode in encoders.items()},
            folds={name: rows[column].to_numpy() for name, column in FOLDS.items()},
            with_baselines=with_baselines,
        )
        target = replace(_target(rows, task), name=task)
        protocol = replace(
            options or PointsOptions(), probe="ridge", block=BlockSize(GLOBAL_BLOCK_DEG, "deg")
        )
        results[task] = score_target(places, target, options=protocol)
    return results


def _target(rows: pl.DataFrame, task: str) -> Target:
    kind = TASKS[task]
    if kind == "regression":
        rows = rows.with_columns(pl.col("target").cast(pl.Float64))
    return read_target(rows, "target", kind=kind, min_class_rows=1)
