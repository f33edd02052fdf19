"""Turn coordinates into fixed encodings: arrays and tables in memory.

No model is needed, and no torch; a model's own frequencies are read from its weights file.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from gair_cli.embedding.tabular import lonlat_of, table_kind
from gair_cli.errors import UsageError
from gair_cli.geo.fixed import EncodingOptions, FixedEncoding, fixed_encoding

if TYPE_CHECKING:
    from pathlib import Path

DTYPES: Final = ("float32", "float64", "float16")


def encode_points(
    points: Any,
    encoding: str = "rff",
    *,
    dtype: str = "float32",
    model: str | Path | None = None,
    **options: Any,
) -> Any:
    """Encode coordinates by a fixed function.

    Args:
        points: (N, 2) degrees, longitude first; or a table with coordinates.
        encoding: `equal-earth`, `rff`, `harmonics`, `xyz`, `sphere2vec-c`, `-c+`, `-m`, `-m+` or
            `-dfs`.
        dtype: `float32`, `float64` or `float16`.
        model: A model whose directions the Fourier features take.
        **options: `sigmas`, `features`, `seed` of `rff`; `degree` of `harmonics`; `scales`,
            `min_radius`, `max_radius` of the Sphere2Vec forms.

    Returns:
        (N, width); a table becomes the same kind of table with the column `embedding`.

    Raises:
        UsageError: If an option is unknown or makes no sense, or a coordinate of an array is not
            finite or out of range.
        DataError: If a table has no coordinates, or a degree or radius is out of range.
    """
    made = fixed_encoding(encoding_options(encoding, model=model, **options))
    table = table_kind(points) is not None
    lonlat = checked_lonlat(lonlat_of(points) if table else points)
    rows = encoded(made, lonlat, dtype)
    return _with_rows(points, rows) if table else rows


def encoding_options(
    encoding: str, *, model: str | Path | None = None, **options: Any
) -> EncodingOptions:
    """Return the options of an encoding, with a model's directions where one is given.

    Raises:
        UsageError: If an option is unknown or of another encoding.
        ModelError: If the model has no Fourier features.
    """
    known = set(EncodingOptions.__dataclass_fields__) - {"name", "matrices"}
    unknown = sorted(set(options) - known)
    if unknown:
        raise UsageError(f"no option {unknown[0]!r}", hint=f"one of {', '.join(sorted(known))}")
    if "sigmas" in options and options["sigmas"] is not None:
        options["sigmas"] = tuple(float(sigma) for sigma in options["sigmas"])
    made = EncodingOptions(name=encoding, **options)
    return made if model is None else replace(made, matrices=_model_matrices(model))


def _model_matrices(model: str | Path) -> np.ndarray:
    from gair_cli.models.frequencies import read_frequencies  # noqa: PLC0415 - for models only
    from gair_cli.models.resolve import resolve_model  # noqa: PLC0415

    return read_frequencies(resolve_model(model))[1]


def checked_lonlat(points: Any) -> np.ndarray:
    """Return coordinates as contiguous (N, 2) float64 degrees.

    Raises:
        UsageError: When the shape is not (N, 2), or a value is not finite or out of range.
    """
    lonlat = np.ascontiguousarray(points, dtype=np.float64)
    if lonlat.size == 0:
        return lonlat.reshape(0, 2)
    if lonlat.ndim != 2 or lonlat.shape[1] != 2:  # noqa: PLR2004 - longitude and latitude
        raise UsageError(f"points must have the shape (N, 2), got {lonlat.shape}")
    legal = np.isfinite(lonlat).all(axis=1) & (np.abs(lonlat[:, 1]) <= 90)  # noqa: PLR2004
    if not legal.all():
        row = int(np.argmin(legal))
        raise UsageError(
            f"row {row} is no longitude and latitude in degrees: {lonlat[row].tolist()}",
            hint="longitude comes first; latitude is in [-90, 90]",
        )
    return lonlat


def encoded(made: FixedEncoding, lonlat: np.ndarray, dtype: str) -> np.ndarray:
    """Return the encoding (N, width) of (N, 2) degrees in any of `DTYPES`.

    Raises:
        UsageError: If the number type is another one.
    """
    if dtype not in DTYPES:
        raise UsageError(f"dtype {dtype!r} is not known", hint=f"one of {', '.join(DTYPES)}")
    rows = made.fill(lonlat, "float64" if dtype == "float64" else "float32")
    return rows.astype(np.float16) if dtype == "float16" else rows


def _with_rows(table: Any, rows: np.ndarray) -> Any:
    """Return the table with the column `embedding`; the given one is not changed."""
    kind = table_kind(table)
    if kind == "polars":
        return table.with_columns(pl.Series("embedding", pl.from_arrow(as_lists(rows))))
    if kind == "pyarrow":
        if "embedding" in table.column_names:
            table = table.drop_columns(["embedding"])
        return table.append_column("embedding", as_lists(rows))
    out = table.copy()
    out["embedding"] = list(rows)
    return out


def as_lists(rows: np.ndarray) -> pa.FixedSizeListArray:
    """Return (N, width) numbers as a column of lists."""
    flat = pa.array(np.ascontiguousarray(rows).reshape(-1))  # (n * width,)
    return pa.FixedSizeListArray.from_arrays(flat, rows.shape[1])
