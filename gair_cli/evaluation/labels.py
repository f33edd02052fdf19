"""Turn a column of anybody's table into a target: numbers to regress, or classes to tell apart.

Rows without a value and classes too rare to cross-validate are left out, and counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
import polars as pl

from gair_cli.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

Kind: TypeAlias = Literal["regression", "classification"]

CODE_VALUES: Final = 10
"""An integer column with at most this many values is taken for codes, not for amounts."""

MIN_CLASS_ROWS: Final = 5
"""A class with fewer rows than folds cannot be both learned and tested in every fold."""

_NO_NUMBER: Final = ("", "na", "n/a", "nan", "null", "none", "-", "?")
"""Texts that mean `missing` in a column whose other values are all numbers, and only there."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a probe predicts.

    Attributes:
        name: The column.
        kind: Regression or classification.
        rows: (M,) row numbers of the table that have a usable value.
        values: (M,) float64 values, or class numbers from 0.
        classes: Names by class number; empty for regression.
        missing: How many rows have no value.
        rare: Classes left out because they have too few rows, with their row counts.
    """

    name: str
    kind: Kind
    rows: Ints
    values: Floats
    classes: tuple[str, ...]
    missing: int
    rare: tuple[tuple[str, int], ...]


def read_target(
    frame: pl.DataFrame,
    column: str,
    *,
    kind: Kind | None = None,
    min_class_rows: int = MIN_CLASS_ROWS,
) -> Target:
    """Read one column as a target.

    Without `kind`, floats and integers of more than ten values are regressed; text, booleans and
    small sets of integers are classified. Text such as `NA` is a class of its own (Namibia); it
    means a missing value only in a column whose other values are all numbers.

    Args:
        frame: The table.
        column: Name of the column.
        kind: Overrides what is detected.
        min_class_rows: Classes with fewer rows are left out.

    Raises:
        DataError: If the column is not there, has no values, does not vary, cannot be read as
            numbers for a regression, or has only classes that are too rare.
    """
    if column not in frame.columns:
        raise DataError(
            f"no column {column!r}; there are {', '.join(frame.columns)}",
            hint="name the label columns with --target",
        )
    series = _without_text_gaps(frame[column])
    found = kind or _detect(series)
    if found == "regression":
        return _numbers(series)
    return _classes(series, min_class_rows)


def _without_text_gaps(series: pl.Series) -> pl.Series:
    """Read text as numbers where all of it is, apart from words for a missing value."""
    if series.dtype != pl.String:
        return series
    stripped = series.str.strip_chars()
    words = stripped.str.to_lowercase().is_in(list(_NO_NUMBER)).fill_null(value=False)
    numbers = stripped.set(words, None).cast(pl.Float64, strict=False)
    if numbers.null_count() == len(series):
        return stripped.set(stripped == "", None)
    unread = numbers.is_null() & ~words & series.is_not_null()
    return stripped.set(stripped == "", None) if unread.any() else numbers


def _detect(series: pl.Series) -> Kind:
    if series.dtype.is_integer():
        return "classification" if series.n_unique() <= CODE_VALUES else "regression"
    return "regression" if series.dtype.is_numeric() else "classification"


def _numbers(series: pl.Series) -> Target:
    if not (series.dtype.is_numeric() or series.dtype == pl.Boolean):
        raise DataError(
            f"{series.name} holds text ({series.drop_nulls()[0]!r}) and cannot be regressed",
            hint="leave --task to be found, or pass --task classification",
        )
    values = series.cast(pl.Float64).to_numpy()
    rows = np.flatnonzero(np.isfinite(values))
    _require_variety(series.name, len(np.unique(values[rows])))
    return Target(
        name=series.name,
        kind="regression",
        rows=rows,
        values=values[rows].astype(np.float64),
        classes=(),
        missing=len(values) - len(rows),
        rare=(),
    )


def _classes(series: pl.Series, min_rows: int) -> Target:
    present = series.is_not_null()
    if series.dtype.is_float():
        present &= series.is_finite().fill_null(value=False)
    texts = series.cast(pl.String).filter(present).to_numpy().astype(str)
    names, numbers, sizes = np.unique(texts, return_inverse=True, return_counts=True)
    kept = sizes >= min_rows
    if len(names) and not kept.any():
        raise DataError(
            f"{series.name} has {len(names)} classes and none has {min_rows} rows",
            hint="choose a coarser label, lower --min-class-rows, or pass --task regression",
        )
    _require_variety(series.name, int(kept.sum()))
    renumbered = np.cumsum(kept) - 1
    usable = kept[numbers]
    return Target(
        name=series.name,
        kind="classification",
        rows=np.flatnonzero(present.to_numpy())[usable],
        values=renumbered[numbers][usable].astype(np.float64),
        classes=tuple(str(name) for name in names[kept]),
        missing=int((~present).sum()),
        rare=tuple(zip(names[~kept].tolist(), sizes[~kept].tolist(), strict=True)),
    )


def _require_variety(name: str, different: int) -> None:
    if different == 0:
        raise DataError(f"{name} has no values", hint="choose another --target")
    if different == 1:
        raise DataError(f"{name} has one value only, so there is nothing to predict")
