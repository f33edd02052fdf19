"""Encode the coordinates of a table of any size, to a file or a pipe, block by block."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from gair_cli import __version__
from gair_cli.embedding.encode import as_lists, encoded
from gair_cli.embedding.schema import with_metadata
from gair_cli.embedding.sinks import open_sink
from gair_cli.errors import BadRowsError, DataError
from gair_cli.geo.columns import ColumnNames
from gair_cli.geo.geoparquet import BBOX, GEOMETRY, geo_metadata, point_wkb
from gair_cli.geo.outputs import already_made, atomic_file, fingerprint, record_made, refuse_foreign
from gair_cli.geo.point_stream import PointStream, open_points

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gair_cli.embedding.sinks import Sink
    from gair_cli.geo.fixed import FixedEncoding
    from gair_cli.geo.point_stream import PointBatch

Progress: TypeAlias = Callable[[int], None]
_BLOCK_BYTES: Final = 16 * 2**20
_ROW_GROUP: Final = 16_384
_OURS: Final = ("id", "embedding", GEOMETRY, BBOX)


@dataclass(frozen=True, slots=True)
class EncodeRequest:
    """What `gair encode` is asked for.

    Attributes:
        points: A table of points, or `-`.
        encoding: What to compute.
        dtype: `float32`, `float64` or `float16`.
        names: The user's column names.
        crs: CRS of the points' coordinates.
        max_bad: Bad rows tolerated.
        limit: Use the first rows only.
        columns: `all`, `none` or names with commas: which of the user's columns to carry.
    """

    points: Path
    encoding: FixedEncoding
    dtype: str = "float32"
    names: ColumnNames = field(default_factory=ColumnNames)
    crs: str | None = None
    max_bad: float | None = None
    limit: int | None = None
    columns: str | None = None


@dataclass(frozen=True, slots=True)
class EncodeJob:
    """A request whose table was looked at once.

    Attributes:
        request: What is asked for.
        stream: The points.
        carried: The user's columns that the output has.
    """

    request: EncodeRequest
    stream: PointStream
    carried: tuple[str, ...]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row's numbers."""
        return self.request.encoding.width * np.dtype(self.request.dtype).itemsize

    def plan(self, format_: str) -> dict[str, Any]:
        """Return hashes of the input, and the options: equal plans give equal bytes."""
        request = self.request
        return {
            "command": "encode",
            "points": fingerprint(self.stream.table.path),
            "encoding": [request.encoding.name, dict(request.encoding.facts)],
            "dtype": request.dtype,
            "names": repr(request.names),
            "crs": request.crs,
            "limit": request.limit,
            "columns": list(self.carried),
            "format": format_,
        }

    def blocks(self) -> Iterator[tuple[pa.Table, pl.DataFrame]]:
        """Yield the output block by block, each with the bad rows that lie within it."""
        size = max(1, min(_ROW_GROUP, _BLOCK_BYTES // self.row_bytes))
        none = None
        for batch in self.stream.batches():
            none = batch.bad.clear()
            if not batch.ids:
                yield self._block(batch, slice(0, 0)), batch.bad
            for start in range(0, len(batch.ids), size):
                rows = slice(start, start + size)
                yield self._block(batch, rows), batch.bad if start == 0 else none

    def _block(self, batch: PointBatch, rows: slice) -> pa.Table:
        lonlat = batch.lonlat[rows]
        values = encoded(self.request.encoding, np.ascontiguousarray(lonlat), self.request.dtype)
        boxes = [np.ascontiguousarray(lonlat[:, axis]) for axis in (0, 1, 0, 1)]
        data: dict[str, Any] = {
            "id": pa.array(batch.ids[rows], pa.string()),
            "embedding": as_lists(values),
            GEOMETRY: pa.array(point_wkb(lonlat), pa.binary()),
            BBOX: pa.StructArray.from_arrays([pa.array(box) for box in boxes],
                                             names=["xmin", "ymin", "xmax", "ymax"]),
        }  # fmt: skip
        frame = batch.frame[rows].select(self.carried)
        arrow = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        for name in arrow.column_names:
            data[f"input_{name}" if name in _OURS else name] = arrow.column(name)
        return pa.table(data)

    def schema(self, block: pa.Table) -> pa.Schema:
        """Return a block's schema with the metadata of the whole file."""
        encoding = self.request.encoding
        own = {
            "version": __version__,
            "encoding": encoding.name,
            "dim": encoding.width,
            **encoding.facts,
        }
        geo = geo_metadata(self.stream.bounds, ("Point",))
        return with_metadata(block.schema, {"gair": json.dumps(own, sort_keys=True), "geo": geo})


@contextmanager
def open_job(request: EncodeRequest) -> Iterator[EncodeJob]:
    """Look at a request's table once.

    Yields:
        The job.

    Raises:
        InputError: If the table is missing, empty or unreadable.
        DataError: If it has no rows, no coordinates, or not the columns asked for.
        BadRowsError: If more rows are bad than tolerated.
    """
    with open_points(
        request.points,
        names=request.names,
        crs=request.crs,
        max_bad=request.max_bad,
        limit=request.limit,
    ) as stream:
        yield EncodeJob(request, stream, _carried(stream, request.columns))


def _carried(stream: PointStream, wanted: str | None) -> tuple[str, ...]:
    ours = {GEOMETRY, BBOX} | ({"id"} if stream.id_column == "id" else set())
    own = [name for name in stream.schema if name not in ours]
    if wanted in {None, "all"}:
        return tuple(own)
    names = [] if wanted == "none" else str(wanted).split(",")
    missing = [name for name in names if name not in own]
    if missing:
        raise DataError(
            f"--keep-columns: no column {missing[0]!r}", hint=f"columns: {', '.join(own)}"
        )
    return tuple(names)


def stream_encoding(
    job: EncodeJob, file: BinaryIO, *, format_: str, progress: Progress | None = None
) -> None:
    """Write a job to a pipe, block by block.

    Raises:
        BrokenPipeError: When the reader has had enough.
    """
    _write_blocks(job, format_, file, None, progress=progress)
    file.flush()


def write_encoding(
    job: EncodeJob,
    output: Path,
    *,
    format_: str,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> bool:
    """Write a job to a file, whole or not at all, and bad rows beside it.

    Args:
        job: What to encode.
        output: The file; `npy` gets an `.ids.txt` beside it.
        format_: One of `sinks.FORMATS`.
        overwrite: Replace what is there.
        progress: Called with the number of rows done.

    Returns:
        Whether anything was done: False when the same output is there already.

    Raises:
        OutputExistsError: When something else is there.
    """
    plan, ids = job.plan(format_), ids_path(output)
    if already_made(output, plan, overwrite=overwrite):
        return False
    for beside in [rejected_path(output), *([ids] if format_ == "npy" else [])]:
        refuse_foreign(beside, output, overwrite=overwrite)
    with ExitStack() as stack:
        file = _opened(stack, output)
        names = _opened(stack, ids) if format_ == "npy" else None
        rejected = _opened(stack, rejected_path(output)) if job.stream.bad else None
        _write_blocks(job, format_, file, names, rejected=rejected, progress=progress)
    if not job.stream.bad:
        rejected_path(output).unlink(missing_ok=True)
    record_made(output, plan)
    return True


def _opened(stack: ExitStack, path: Path) -> BinaryIO:
    """Open a file for writing that appears whole when the stack is left."""
    temporary = stack.enter_context(atomic_file(path))
    return stack.enter_context(temporary.open("wb"))


def _write_blocks(
    job: EncodeJob,
    format_: str,
    file: BinaryIO,
    ids: BinaryIO | None,
    *,
    rejected: BinaryIO | None = None,
    progress: Progress | None = None,
) -> None:
    sink: Sink | None = None
    with _Rejected(rejected) as aside:
        for block, bad in job.blocks():
            if sink is None:
                schema, rows = job.schema(block), job.stream.good
                streamed = rejected is None and ids is None
                sink = open_sink(format_, file, schema, rows=rows, stream=streamed, ids=ids)
            if block.num_rows:
                sink.write(block.cast(schema))
            aside.add(bad)
            if progress is not None:
                progress(block.num_rows)
    if sink is not None:
        sink.close()


class _Rejected:
    """Writes bad rows as Parquet, batch by batch; to nowhere without a file."""

    def __init__(self, file: BinaryIO | None) -> None:
        self._file = file
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, bad: pl.DataFrame) -> None:
        """Write some rows."""
        if self._file is None or not bad.height:
            return
        table = bad.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, table.schema, compression="zstd")
        self._writer.write_table(table.cast(self._writer.schema))


def ids_path(output: Path) -> Path:
    """Return where the ids of an npy file go: `enc.npy.ids.txt`."""
    return output.with_name(output.name + ".ids.txt")


def rejected_path(output: Path) -> Path:
    """Return where bad rows go: `enc.rejected.parquet` beside `enc.npy`."""
    return output.with_name(output.stem + ".rejected.parquet")


def refuse_bad(stream: PointStream, rejected: Path | None) -> None:
    """Tell by the exit code that some rows were bad, after the rest is done.

    Raises:
        BadRowsError: When there were bad rows.
    """
    if stream.first_bad is None:
        return
    row, reason = stream.first_bad
    where = f"set aside in {rejected}" if rejected else "left out"
    raise BadRowsError(
        f"{stream.bad} bad rows {where}, the rest is done; row {row}: {reason}",
        hint="the column `reason` says why" if rejected else "pass -o FILE to get all reasons",
    )
