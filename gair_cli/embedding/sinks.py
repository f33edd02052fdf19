"""Write blocks of an embedding table as Parquet, Arrow, CSV, GeoJSON text or npy.

Every sink writes to an open binary file, block by block, so that a pipe gets its first rows early
and memory holds one block. The same blocks give the same bytes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from gair_cli.errors import UsageError
from gair_cli.geo.geoparquet import read_points_wkb

if TYPE_CHECKING:
    from collections.abc import Callable

FORMATS: Final = ("parquet", "arrow", "csv", "geojsonl", "npy")
SUFFIXES: Final = {
    ".parquet": "parquet",
    ".geoparquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".csv": "csv",
    ".geojsonl": "geojsonl",
    ".geojsons": "geojsonl",
    ".npy": "npy",
}


class Sink(Protocol):
    """Where blocks go."""

    def write(self, block: pa.Table) -> None:
        """Write one block."""

    def close(self) -> None:
        """Write what comes after the last block."""


def vectors_of(block: pa.Table) -> np.ndarray:
    """Return a block's (n, D) vectors, NaN where the embedding is null."""
    column = block.column("embedding").combine_chunks()
    array = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    return vectors_of_array(array)


def vectors_of_array(array: pa.Array) -> np.ndarray:
    """Return (n, D) vectors of a list array, NaN where it is null."""
    valid = np.asarray(array.is_valid())
    values = array.flatten().to_numpy(zero_copy_only=False)
    width = getattr(array.type, "list_size", 0) or (len(values) // max(1, int(valid.sum())))
    out = np.full((len(array), width), np.nan, values.dtype)
    out[valid] = values.reshape(-1, width)  # (n valid, D)
    return out


class ParquetSink:
    """One row group a block, zstd, with page statistics of the small columns."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(
            file, schema, compression="zstd", store_schema=True, use_dictionary=False
        )

    def write(self, block: pa.Table) -> None:
        """Write one row group."""
        self._writer.write_table(block, row_group_size=max(1, block.num_rows))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


class ArrowSink:
    """Arrow IPC: a stream for a pipe, the file format for a file."""

    def __init__(self, file: BinaryIO, schema: pa.Schema, *, stream: bool) -> None:
        self._file = file
        opener = pa.ipc.new_stream if stream else pa.ipc.new_file
        self._writer = opener(file, schema)

    def write(self, block: pa.Table) -> None:
        """Write the block's record batches and let a pipe have them at once."""
        self._writer.write_table(block)
        self._file.flush()

    def close(self) -> None:
        """Write the end of the stream or the footer."""
        self._writer.close()


class CsvSink:
    """The vector as columns `e0`..`eN`, empty where there is none; no geometry."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._header = True

    def write(self, block: pa.Table) -> None:
        """Write the block's lines, the header before the first."""
        frame = flat_frame(block)
        self._file.write(frame.write_csv(include_header=self._header).encode())
        self._file.flush()
        self._header = False

    def close(self) -> None:
        """Nothing comes after the last line."""


def flat_frame(block: pa.Table) -> pl.DataFrame:
    """Return a block as a frame of plain columns, the vector last as `e0`..`eN`."""
    vectors = vectors_of(block)
    plain = [name for name in block.column_names if name not in {"embedding", "geometry", "bbox"}]
    frame = pl.DataFrame(pl.from_arrow(block.select(plain).replace_schema_metadata(None)))
    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    frame = frame.drop(nested).with_columns(_lonlat_columns(block, frame.columns))
    names = [f"e{i}" for i in range(vectors.shape[1])]
    single = vectors.astype(np.float32) if vectors.dtype == np.float16 else vectors
    wide = pl.DataFrame(single, schema=names, orient="row")
    return frame.hstack(wide.fill_nan(None))


def _lonlat_columns(block: pa.Table, taken: list[str]) -> list[pl.Series]:
    """Return `lon` and `lat` of the rows' boxes where the table has no such columns."""
    if "bbox" not in block.column_names or {"lon", "lat"} & set(taken):
        return []
    box = block.column("bbox").combine_chunks().flatten()
    west, south, east, north = (np.asarray(side.to_numpy(zero_copy_only=False)) for side in box)
    return [pl.Series("lon", (west + east) / 2), pl.Series("lat", (south + north) / 2)]


class GeoJsonSink:
    """GeoJSON text: one feature a line (RFC 8142 without the separators), vector as a list."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, block: pa.Table) -> None:
        """Write one line a row."""
        geometries = feature_geometries(block)
        columns = [name for name in block.column_names if name not in {"geometry", "bbox", "id"}]
        for row, geometry in zip(block.to_pylist(), geometries, strict=True):
            properties = {name: row[name] for name in columns}
            feature = {"type": "Feature", "id": row["id"], "geometry": geometry}
            feature["properties"] = properties
            self._file.write((json.dumps(feature, default=_plain) + "\n").encode())
        self._file.flush()

    def close(self) -> None:
        """Nothing comes after the last line."""


def _plain(value: Any) -> str:
    """Write what JSON has no type for: dates as ISO text, bytes as hexadecimal digits."""
    return value.hex() if isinstance(value, bytes) else str(value)


def feature_geometries(block: pa.Table) -> list[dict[str, Any] | None]:
    """Return each row's geometry as GeoJSON: points as they are, footprints by their ring."""
    if "geometry" not in block.column_names:
        return [None] * block.num_rows
    return [geojson_of(value) for value in block.column("geometry").to_pylist()]


def geojson_of(wkb: bytes | None) -> dict[str, Any] | None:
    """Return a WKB point or polygon (little-endian, two dimensions) as GeoJSON.

    Raises:
        UsageError: When it is another geometry.
    """
    if wkb is None:
        return None
    kind = int.from_bytes(wkb[1:5], "little")
    if kind == 1:
        point = read_points_wkb(pl.Series([wkb], dtype=pl.Binary))[0]
        return {"type": "Point", "coordinates": point.tolist()}
    if kind == 3:  # noqa: PLR2004 - the code of a polygon in WKB
        return {"type": "Polygon", "coordinates": _rings(wkb)}
    raise UsageError(f"geometry type {kind} cannot be written as GeoJSON here")


def _rings(wkb: bytes) -> list[list[list[float]]]:
    count, at, rings = int.from_bytes(wkb[5:9], "little"), 9, []
    for _ in range(count):
        n = int.from_bytes(wkb[at : at + 4], "little")
        ring = np.frombuffer(wkb, "<f8", 2 * n, at + 4).reshape(n, 2)
        rings.append(ring.tolist())
        at += 4 + 16 * n
    return rings


class NpySink:
    """Vectors only, (N, D) in input order, NaN where there is none; ids go to another sink."""

    def __init__(
        self, file: BinaryIO, shape: tuple[int, int], dtype: str, ids: BinaryIO | None
    ) -> None:
        self._file, self._ids = file, ids
        header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)

    def write(self, block: pa.Table) -> None:
        """Write the block's vectors, and its ids one a line."""
        self._file.write(np.ascontiguousarray(vectors_of(block)).tobytes())
        self._file.flush()
        if self._ids is not None:
            lines = (str(value).replace("\n", " ") + "\n" for value in block.column("id"))
            self._ids.write("".join(lines).encode())

    def close(self) -> None:
        """Nothing comes after the last vector."""


def open_sink(
    format_: str,
    file: BinaryIO,
    schema: pa.Schema,
    *,
    rows: int,
    stream: bool = False,
    ids: BinaryIO | None = None,
) -> Sink:
    """Return the sink of a format.

    Args:
        format_: One of `FORMATS`.
        file: Open for writing bytes.
        schema: Schema of the blocks with the file's metadata.
        rows: N, number of rows in all (npy states it first).
        stream: Whether `file` is a pipe.
        ids: Where npy's ids go.

    Returns:
        The sink; close it after the last block.

    Raises:
        UsageError: When the format is not known.
    """
    embedding = schema.field("embedding").type
    dtype = np.dtype(embedding.value_type.to_pandas_dtype()).name
    makers: dict[str, Callable[[], Sink]] = {
        "parquet": lambda: ParquetSink(file, schema),
        "arrow": lambda: ArrowSink(file, schema, stream=stream),
        "csv": lambda: CsvSink(file),
        "geojsonl": lambda: GeoJsonSink(file),
        "npy": lambda: NpySink(file, (rows, embedding.list_size), dtype, ids),
    }
    if format_ not in makers:
        raise UsageError(f"format {format_!r} is not known", hint=f"one of {', '.join(FORMATS)}")
    return makers[format_]()
