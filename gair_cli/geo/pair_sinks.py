"""Pairs as CSV, GeoJSON text sequence, Arrow or Parquet, batch by batch, to a file or a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import polars as pl

from gair_cli.geo.writers import flat, geojson_lines

if TYPE_CHECKING:
    from collections.abc import Mapping


class PairSink(Protocol):
    """Where pairs go."""

    def write(self, pairs: Any) -> None:
        """Write some rows: any table that exports an Arrow stream."""

    def close(self) -> None:
        """Write what comes after the last rows."""


def open_pair_sink(file: BinaryIO, format_: str, metadata: Mapping[str, str]) -> PairSink:
    """Return what writes pairs to an open file.

    Args:
        file: Where to.
        format_: `csv`, `geojsonl`, `arrow` (a stream) or `parquet`.
        metadata: Texts of the whole table, for the formats that can carry them.
    """
    if format_ == "csv":
        return _CsvSink(file)
    if format_ == "geojsonl":
        return _GeojsonSink(file)
    return _ArrowSink(file, metadata, parquet=format_ == "parquet")


class _CsvSink:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._header = True

    def write(self, pairs: Any) -> None:
        text = flat(pl.DataFrame(pairs)).write_csv(include_header=self._header)
        self._file.write(text.encode())
        self._header = False

    def close(self) -> None:
        self._file.flush()


class _GeojsonSink:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, pairs: Any) -> None:
        for line in geojson_lines(pl.DataFrame(pairs)):
            self._file.write(line.encode())

    def close(self) -> None:
        self._file.flush()


class _ArrowSink:
    """An Arrow IPC stream, or Parquet for a pipe."""

    def __init__(self, file: BinaryIO, metadata: Mapping[str, str], *, parquet: bool) -> None:
        self._file = file
        self._texts = {key.encode(): text.encode() for key, text in metadata.items()}
        self._parquet = parquet
        self._writer: Any = None

    def write(self, pairs: Any) -> None:
        import pyarrow as pa  # noqa: PLC0415 - 60 MB that Parquet files do not need

        table = pa.table(pairs).replace_schema_metadata(self._texts)
        if self._writer is None:
            self._writer = self._open(table.schema)
        self._writer.write_table(table)
        self._file.flush()

    def _open(self, schema: Any) -> Any:
        if self._parquet:
            import pyarrow.parquet as pq  # noqa: PLC0415

            return pq.ParquetWriter(self._file, schema, compression="zstd")
        from pyarrow import ipc  # noqa: PLC0415

        return ipc.new_stream(self._file, schema)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._file.flush()
