"""Run an embedding job: to a file that survives a kill, or to a pipe.

A file is made of blocks (row groups). Each finished block is kept beside the output until the
last one is there; the same command again goes on with the first block that is missing and ends in
the same bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias

import polars as pl
import pyarrow as pa
import pyarrow.ipc

from gair_cli.embedding.schema import TableKind, embedding_table, with_metadata
from gair_cli.embedding.sinks import open_sink
from gair_cli.errors import UsageError
from gair_cli.geo.geoparquet import geo_metadata
from gair_cli.geo.outputs import Workspace, atomic_file, open_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from gair_cli.embedding.extract import Progress
    from gair_cli.embedding.jobs import Job

CheckBad: TypeAlias = Callable[[int], None]
ROW_GROUP: Final = 16_384
ROW_GROUP_BYTES: Final = 64 * 2**20
STREAM_ROWS: Final = 2048
_REASONS: Final = b"reasons"
_ASSEMBLED: Final = "assembled"


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a job.

    Attributes:
        rows: N, rows of the table.
        statuses: How many rows have which status.
        kept: Row groups that an earlier run had finished.
        groups: Row groups in all.
        finished_before: Whether the same output was there already.
        unreadable: The rows that could not be read, with `row` and `reason`.
    """

    rows: int
    statuses: dict[str, int]
    kept: int = 0
    groups: int = 0
    finished_before: bool = False
    unreadable: pl.DataFrame = field(default_factory=pl.DataFrame)


def block_rows(dim: int, dtype: str, wanted: int | None = None) -> int:
    """Return the rows of a row group: 16,384, or as many as 64 MB hold; or what is wanted.

    Raises:
        UsageError: When less than one row is wanted.
    """
    if wanted is not None and wanted < 1:
        raise UsageError(f"a row group must have at least one row, got {wanted}")
    width = dim * (2 if dtype == "float16" else 4)
    return wanted or max(1, min(ROW_GROUP, ROW_GROUP_BYTES // width))


def embed_block(
    job: Job, kind: TableKind, rows: slice, progress: Progress | None = None
) -> tuple[pa.Table, dict[int, str]]:
    """Embed a slice of a job's rows.

    Returns:
        The block, and the reasons of unreadable rows by their number in the job.
    """
    embedded = job.embed(rows, progress)
    places = job.places(rows)
    block = embedding_table(job.ids[rows], embedded, kind, places=places, columns=job.columns[rows])
    return block, {rows.start + row: reason for row, reason in embedded.reasons.items()}


def file_schema(job: Job, kind: TableKind, block: pa.Table) -> pa.Schema:
    """Return a block's schema with the metadata of the whole file."""
    metadata = kind.metadata()
    if "geometry" in block.column_names:
        metadata["geo"] = geo_metadata(job.bounds, job.geometry_types)
    return with_metadata(block.schema, metadata)


@dataclass(slots=True)
class _Tally:
    """Counts unreadable rows, those of earlier runs included, and lets `check` stop the job."""

    check: CheckBad | None
    bad: int = 0

    def add(self, count: int) -> None:
        self.bad += count
        if self.check is not None:
            self.check(self.bad)


def _slices(n: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def stream_job(
    job: Job,
    kind: TableKind,
    file: BinaryIO,
    *,
    format_: str,
    check: CheckBad | None = None,
    progress: Progress | None = None,
) -> Written:
    """Write a job to a pipe, block by block.

    Args:
        job: What to embed.
        kind: What all rows share.
        file: Open for writing bytes.
        format_: One of `sinks.FORMATS`; npy has no ids on a pipe.
        check: Called with the number of unreadable rows so far; may raise to stop.
        progress: Called with the number of rows done.

    Returns:
        The counts.

    Raises:
        BrokenPipeError: When the reader has had enough.
    """
    sink, statuses, reasons = None, Counter[str](), {}
    for rows in _slices(len(job), STREAM_ROWS):
        block, why = embed_block(job, kind, rows, progress)
        if sink is None:
            schema = file_schema(job, kind, block)
            sink = open_sink(format_, file, schema, rows=len(job), stream=True)
        sink.write(block.cast(schema))
        statuses.update(block.column("status").to_pylist())
        reasons.update(why)
        if check is not None:
            check(len(reasons))
    if sink is not None:
        sink.close()
    file.flush()
    return Written(len(job), dict(statuses), unreadable=unreadable_rows(job, reasons))


def unreadable_rows(job: Job, reasons: Mapping[int, str]) -> pl.DataFrame:
    """Return the rows that could not be read: the user's columns, `id`, `row` and `reason`."""
    rows = sorted(reasons)
    own = job.columns[rows].drop([c for c in ("row", "reason") if c in job.columns.columns])
    return own.with_columns(
        pl.Series("id", [job.ids[row] for row in rows], dtype=pl.String),
        pl.Series("row", rows, dtype=pl.Int64),
        pl.Series("reason", [reasons[row] for row in rows], dtype=pl.String),
    )


def write_job(
    job: Job,
    kind: TableKind,
    output: Path,
    *,
    format_: str,
    plan: Mapping[str, Any],
    manifest: Mapping[str, Any] | None = None,
    row_group: int | None = None,
    overwrite: bool = False,
    check: CheckBad | None = None,
    progress: Progress | None = None,
) -> Written:
    """Write a job to a file, going on where an earlier run was stopped.

    Args:
        job: What to embed.
        kind: What all rows share.
        output: The file.
        format_: One of `sinks.FORMATS`.
        plan: Inputs (as fingerprints) and options.
        manifest: What else the side manifest says.
        row_group: Rows a block; None is 16,384 or as many as 64 MB hold.
        overwrite: Replace what is there.
        check: Called with the number of unreadable rows so far, those of kept blocks included,
            before a block counts as finished; may raise to stop.
        progress: Called with the number of rows done, kept ones included.

    Returns:
        The counts.

    Raises:
        OutputExistsError: When something else is there.
    """
    size = block_rows(kind.dim, kind.dtype, row_group)
    full_plan = {**plan, "row_group": size, "format": format_, "kind": kind.metadata(),
                 "dtype": kind.dtype}  # fmt: skip
    space = open_workspace(output, full_plan, overwrite=overwrite)
    if space.status == "finished":
        return Written(len(job), {}, finished_before=True)
    slices = _slices(len(job), size)
    names = [f"rows-{number:06d}.arrow" for number in range(len(slices))]
    there = [name for name in names if space.has(name)]
    tally = _Tally(check)
    tally.add(sum(len(_reasons_of(space.folder / name)) for name in there))
    for name, rows in zip(names, slices, strict=True):
        if space.has(name):
            _advance(progress, rows.stop - rows.start)
            continue
        block, reasons = embed_block(job, kind, rows, progress)
        tally.add(len(reasons))
        _write_part(space, name, _with_reasons(block, reasons, file_schema(job, kind, block)))
    statuses, reasons = _assemble(space, names, len(job), format_)
    space.finish_file(_ASSEMBLED, {**(manifest or {}), "rows": len(job), "statuses": statuses})
    return Written(
        len(job), statuses, len(there), len(names), unreadable=unreadable_rows(job, reasons)
    )


def _advance(progress: Progress | None, count: int) -> None:
    if progress is not None:
        progress(count)


def _with_reasons(block: pa.Table, reasons: Mapping[int, str], schema: pa.Schema) -> pa.Table:
    """Return a block with the reasons of its unreadable rows in the metadata."""
    texts = json.dumps({str(row): reason for row, reason in reasons.items()})
    metadata = {**(schema.metadata or {}), _REASONS: texts.encode()}
    return block.cast(schema.with_metadata(metadata))


def _write_part(space: Workspace, name: str, block: pa.Table) -> None:
    with space.part(name) as path, pa.ipc.new_file(path, block.schema) as writer:
        writer.write_table(block)


def _reasons_of(part: Path) -> dict[str, str]:
    """Return the reasons of a finished part's unreadable rows by their number in the job."""
    with pa.memory_map(str(part)) as source:
        found: dict[str, str] = json.loads(pa.ipc.open_file(source).schema.metadata[_REASONS])
    return found


def _read_parts(space: Workspace, names: list[str]) -> Iterator[tuple[pa.Table, dict[int, str]]]:
    for name in names:
        with pa.memory_map(str(space.folder / name)) as source:
            table = pa.ipc.open_file(source).read_all()
            metadata = dict(table.schema.metadata)
            reasons = json.loads(metadata.pop(_REASONS))
            yield table.replace_schema_metadata(metadata), {int(k): v for k, v in reasons.items()}


def _assemble(
    space: Workspace, names: list[str], n_rows: int, format_: str
) -> tuple[dict[str, int], dict[int, str]]:
    """Write all parts into one file of the format; return statuses and reasons."""
    statuses, reasons, sink = Counter[str](), {}, None
    with ExitStack() as stack:
        file = _open(stack, space.folder / _ASSEMBLED)
        ids = None
        if format_ == "npy":
            target = space.output.with_name(space.output.name + ".ids.txt")
            ids = _open(stack, target)
        for block, why in _read_parts(space, names):
            if sink is None:
                sink = open_sink(format_, file, block.schema, rows=n_rows, ids=ids)
            sink.write(block)
            statuses.update(block.column("status").to_pylist())
            reasons.update(why)
        if sink is not None:
            sink.close()
    return dict(sorted(statuses.items())), reasons


def _open(stack: ExitStack, path: Path) -> BinaryIO:
    """Open a file for writing that appears whole when the stack is left."""
    temporary = stack.enter_context(atomic_file(path))
    return stack.enter_context(temporary.open("wb"))
