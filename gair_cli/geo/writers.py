"""Write tables: GeoParquet, Arrow IPC, CSV, GeoJSON text sequences, to a file or a pipe.

Parquet is written by polars; pyarrow, 60 MB and a tenth of a second, is loaded by the first write
of another format.
"""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from gair_cli.errors import UsageError
from gair_cli.geo.geoparquet import BBOX, GEOMETRY, read_points_wkb
from gair_cli.geo.outputs import atomic_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

SUFFIXES: Final = {
    ".parquet": "parquet",
    ".geoparquet": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".csv": "csv",
    ".geojsonl": "geojsonl",
    ".geojsons": "geojsonl",
    ".npy": "npy",
}
_ROW_GROUP: Final = 16_384
_CHUNK: Final = 8_192


def format_of(path: Path, given: str | None = None) -> str:
    """Return the format of an output: the user's choice, else by the name's ending.

    Raises:
        UsageError: If the ending says nothing and no format was given.
    """
    if given is not None:
        return given
    found = SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise UsageError(
            f"the name {path.name} does not tell the format",
            hint=f"end it in one of {' '.join(SUFFIXES)}, or pass -f",
        )
    return found


def write_parquet(
    frame: pl.DataFrame, path: Path, *, metadata: Mapping[str, str], row_group: int = _ROW_GROUP
) -> None:
    """Write Parquet (zstd), whole or not at all; the same frame gives the same bytes.

    Args:
        frame: The rows.
        path: The file.
        metadata: Key-value texts of the file (`geo`, `gair`...).
        row_group: Rows a row group.
    """
    with atomic_file(path) as temporary:
        frame.write_parquet(
            temporary, compression="zstd", row_group_size=row_group, metadata=dict(metadata)
        )


def arrow_table(frame: pl.DataFrame, metadata: Mapping[str, str]) -> pa.Table:
    """Return the frame as an Arrow table that carries the metadata."""
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    return table.replace_schema_metadata(
        {key.encode(): text.encode() for key, text in metadata.items()}
    )


def write_table(
    frame: pl.DataFrame, path: Path, format_: str, *, metadata: Mapping[str, str]
) -> None:
    """Write a table to a file in one of the four formats, whole or not at all."""
    if format_ == "parquet":
        write_parquet(frame, path, metadata=metadata)
        return
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        write_stream(frame, stream, format_, metadata=metadata)


def write_stream(
    frame: pl.DataFrame,
    stream: IO[bytes],
    format_: str,
    *,
    metadata: Mapping[str, str],
    header: bool = True,
) -> None:
    """Write a table to an open binary stream: `arrow`, `csv`, `geojsonl` or `parquet`.

    Args:
        frame: The rows.
        stream: Where to.
        format_: The format.
        metadata: Texts for the formats that can carry them.
        header: Whether a CSV begins with the column names.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415
    from pyarrow import ipc  # noqa: PLC0415 - see the module

    if format_ == "csv":
        for start in range(0, max(frame.height, 1), _CHUNK):
            part = flat(frame[start : start + _CHUNK])
            text = part.write_csv(include_header=header and start == 0)
            stream.write(text.encode())
    elif format_ == "geojsonl":
        for line in geojson_lines(frame):
            stream.write(line.encode())
    elif format_ == "arrow":
        table = arrow_table(frame, metadata)
        with ipc.new_stream(stream, table.schema) as writer:
            writer.write_table(table, max_chunksize=_CHUNK)
    else:
        pq.write_table(arrow_table(frame, metadata), stream, compression="zstd")


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame for CSV: `embedding` as `e0`..`eN`, no geometry, lists as JSON text."""
    columns: list[pl.Series] = []
    for series in frame:
        if series.name in {GEOMETRY, BBOX}:
            continue
        if isinstance(series.dtype, pl.Array):
            columns.extend(_components(series))
        elif isinstance(series.dtype, pl.List | pl.Struct):
            texts = [json.dumps(_plain(value)) for value in series.to_list()]
            columns.append(pl.Series(series.name, texts, dtype=pl.String))
        else:
            columns.append(series)
    return pl.DataFrame(columns)


def _components(series: pl.Series) -> list[pl.Series]:
    prefix = "e" if series.name == "embedding" else f"{series.name}_"
    width = series.dtype.shape[0]  # type: ignore[attr-defined]
    return [series.arr.get(index).alias(f"{prefix}{index}") for index in range(width)]


def geojson_lines(frame: pl.DataFrame) -> Iterator[str]:
    """Yield one GeoJSON feature a line; points only, other geometries become null."""
    points: np.ndarray | None = None
    if GEOMETRY in frame.columns:
        points = read_points_wkb(frame[GEOMETRY])
    rest = frame.drop([name for name in (GEOMETRY, BBOX) if name in frame.columns])
    for number, row in enumerate(rest.iter_rows(named=True)):
        geometry = None
        if points is not None and np.isfinite(points[number]).all():
            geometry = {"type": "Point", "coordinates": points[number].tolist()}
        feature = {"type": "Feature", "geometry": geometry, "properties": _plain(row)}
        yield json.dumps(feature, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | pl.Series | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
