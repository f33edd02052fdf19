"""From a table of any size to one with splits, on disk or a pipe; and the report and the map."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

import polars as pl

from gair_cli.errors import BadRowsError, UsageError
from gair_cli.geo.geoparquet import GEOMETRY, with_points
from gair_cli.geo.outputs import (
    already_made,
    atomic_file,
    record_made,
    refuse_foreign,
    write_json,
)
from gair_cli.geo.pair_sinks import open_pair_sink
from gair_cli.geo.split_map import draw_split_map, metres_text
from gair_cli.geo.writers import write_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gair_cli.geo.splitting import SplitJob, SplitReport

    Progress = Callable[[int], None]

_SPLIT_OF: Final = {"train-val": "train and val", "train-test": "train and test",
                    "val-test": "val and test"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SplitOutcome:
    """What `split_to_file` did.

    Attributes:
        report: Counts; None when there was nothing to do.
        rejected: Where the rows that were left out are, if there are any.
    """

    report: SplitReport | None
    rejected: Path | None = None


def rejected_path(output: Path) -> Path:
    """Return where left-out rows go: `points.rejected.parquet` beside `points.parquet`."""
    return output.with_name(output.stem + ".rejected.parquet")


def split_to_file(
    job: SplitJob,
    output: Path,
    *,
    format_: str,
    overwrite: bool = False,
    report: Path | None = None,
    picture: Path | None = None,
    progress: Progress | None = None,
) -> SplitOutcome:
    """Write the table with `split` and `block`, whole or not at all, and left-out rows beside it.

    Args:
        job: What to split.
        output: The table.
        format_: `parquet`, `csv`, `geojsonl` or `arrow`.
        overwrite: Replace what is there.
        report: Where to write the report as JSON.
        picture: Where to draw the map, a PNG.
        progress: Called with the number of rows read, pass by pass.

    Returns:
        What was done.

    Raises:
        OutputExistsError: If something else is there.
        UsageError: If the format cannot hold a table, or the map's name ends in no `.png`.
    """
    refuse_names(format_, picture)
    plan = job.plan(format_)
    wanted = [path for path in (report, picture) if path is not None]
    made = already_made(output, plan, overwrite=overwrite)
    if made and all(path.exists() for path in wanted):
        return SplitOutcome(None)
    aside = rejected_path(output)
    refuse_foreign(aside, output, overwrite=overwrite)
    left_out: list[pl.DataFrame] = []
    with ExitStack() as stack:
        file = stack.enter_context(stack.enter_context(atomic_file(output)).open("wb"))
        _write(job, file, format_, left_out, progress)
        done = job.report()
        if report is not None:
            write_json(report, done.as_json())
        if picture is not None:
            draw_report(job, picture)
        if left_out:
            write_parquet(pl.concat(left_out), aside, metadata={})
        else:
            aside.unlink(missing_ok=True)
    record_made(output, plan)
    return SplitOutcome(done, aside if left_out else None)


def split_to_stream(
    job: SplitJob, file: BinaryIO, *, format_: str, progress: Progress | None = None
) -> SplitReport:
    """Write the table to an open file or pipe, batch by batch.

    Raises:
        BrokenPipeError: When the reader has had enough.
    """
    refuse_names(format_, None)
    _write(job, file, format_, [], progress)
    file.flush()
    return job.report()


def refuse_names(format_: str, picture: Path | None) -> None:
    """Refuse what cannot be written, before any work.

    Raises:
        UsageError: If the format cannot hold a table, or the map's name ends in no `.png`.
    """
    if format_ == "npy":
        raise UsageError("a table cannot be written as npy", hint="end the name in .parquet")
    if picture is not None and picture.suffix.lower() != ".png":
        raise UsageError(f"--map {picture}: the map is a PNG", hint="end its name in .png")


def _write(
    job: SplitJob,
    file: BinaryIO,
    format_: str,
    left_out: list[pl.DataFrame],
    progress: Progress | None,
) -> None:
    texts = _texts(job)
    sink = None
    for batch in job.batches(progress):
        rows = batch.rows
        if format_ == "geojsonl" and GEOMETRY not in rows.columns:
            rows = with_points(rows, batch.lonlat)
        sink = sink or open_pair_sink(file, format_, texts)
        sink.write(rows.to_arrow(compat_level=pl.CompatLevel.oldest()))
        if batch.rejected.height:
            left_out.append(batch.rejected)
    if sink is not None:
        sink.close()


def _texts(job: SplitJob) -> dict[str, str]:
    """Return the texts of the whole table: `gair`, and `geo` as the input had it."""
    request = job.request
    content = {
        "kind": "split",
        "block": str(request.block),
        "seed": request.seed,
        "fractions": list(request.fractions),
        "buffer_m": request.buffer_m,
    }
    texts = {"gair": json.dumps(content, sort_keys=True)}
    geo = job.stream.geo
    return texts if geo is None else {**texts, "geo": geo}


def draw_report(job: SplitJob, picture: Path) -> None:
    """Draw the map of a job whose batches were yielded."""
    report = job.report()
    kept = sum(report.splits.values())
    blocks = sum(report.blocks.values())
    draw_split_map(
        job.sample,
        picture,
        counts=report.splits,
        title=f"{kept:,} rows in {blocks:,} blocks of {report.block}",
        notes=distances_text(report.least_distance_m),
    )


def distances_text(least: Mapping[str, float | None]) -> str:
    """Return the least distances for people, `nothing to measure` where two splits are empty."""
    parts = [f"{_SPLIT_OF.get(key, key)} {metres_text(value)}"
             for key, value in least.items() if value is not None]  # fmt: skip
    return f"least distance: {', '.join(parts)}" if parts else "least distance: nothing to measure"


def lines_of(report: SplitReport) -> list[str]:
    """Return the report as lines for people."""
    kept = sum(report.splits.values())
    parts = [
        f"{name} {count:,} ({count / max(kept, 1):.1%}, {_counted(report.blocks[name], 'block')})"
        for name, count in report.splits.items()
    ]
    blocks = _counted(sum(report.blocks.values()), "block")
    counts = f"{_counted(kept, 'row')} in {blocks} of {report.block}: {', '.join(parts)}"
    lines = [counts, distances_text(report.least_distance_m)]
    if report.buffered:
        closer = f"closer than {metres_text(report.buffer_m)} to another split"
        lines.append(f"left out: {_counted(report.buffered, 'row')} {closer}")
    return lines


def notes_of(report: SplitReport) -> list[str]:
    """Return what a person should know before training on the split."""
    notes = []
    empty = [name for name, count in report.splits.items() if count == 0]
    if empty and sum(report.splits.values()):
        notes.append(
            f"{_counted(sum(report.blocks.values()), 'block')} of {report.block} leave no row for "
            f"{', '.join(empty)}; use smaller blocks, or another --seed"
        )
    return notes


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def refuse_bad(report: SplitReport, rejected: Path | None) -> None:
    """Tell by the exit code that some rows were bad, after the rest is done.

    Raises:
        BadRowsError: When there were bad rows.
    """
    if report.first_bad is None:
        return
    row, reason = report.first_bad
    where = f"set aside in {rejected}" if rejected else "left out"
    raise BadRowsError(
        f"{_counted(report.bad, 'bad row')} {where}, the rest is done; row {row}: {reason}",
        hint="the column `reason` says why" if rejected else "pass -o FILE to get all reasons",
    )
