"""`gair split`: give the rows of any table with coordinates a spatial split."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from gair_cli.commands import options

if TYPE_CHECKING:
    from pathlib import Path

    from gair_cli.geo.split_files import SplitOutcome
    from gair_cli.geo.splitting import SplitJob, SplitReport, SplitRequest

_PREVIEW_ROWS = 10


@click.command("split")
@click.argument("table", type=options.PATH)
@options.output_option(required=False, help_text="The table with its split; default: stdout.")
@options.format_option("parquet", "arrow", "csv", "geojsonl")
@options.block_option("0.1deg")
@options.fractions_option
@options.buffer_option("Least distance between rows of two splits; nearer ones are left out.  [0]")
@options.report_option
@options.map_option
@options.json_option
@options.column_options
@options.crs_option
@options.seed_option()
@options.max_bad_option
@options.limit_option
@options.overwrite_option
@options.dry_run_option
@options.quiet_option
def command(
    output: Path | None,
    format_: str | None,
    as_json: bool,  # noqa: FBT001 - click hands options over by name
    dry_run: bool,  # noqa: FBT001
    **given: Any,
) -> None:
    """Give each row of TABLE a split (train, val, test) by the block of ground that it lies in.

    \b
    Examples:
      gair split points.csv -o split.parquet
      gair split points.parquet --block 2km --buffer 500 --map split.png -o split.parquet
      gair split points.csv --block column:city --fractions 0.7,0.15,0.15 -o split.csv
      gair split points.parquet --block kmeans:50 -f csv | head

    TABLE (CSV, Parquet, GeoParquet, Arrow, GeoJSON; - is stdin) may have any size. The columns
    `split` and `block` are added, others stay as they are. A block's split is a hash of its name
    and the seed: it never depends on the other rows. With a buffer training rows give way to
    validation and test rows, and validation rows to test rows; what is left out is written to
    <output>.rejected.parquet with the reason.
    """  # noqa: D301 - click's marker of text to leave as it is
    from gair_cli.geo.splitting import open_split

    beside = {"report": given.pop("report"), "picture": given.pop("picture")}
    overwrite = given.pop("overwrite")
    with open_split(_request(given)) as job:
        if dry_run:
            _say_plan(job, as_json=as_json)
        elif output is None or str(output) == "-":
            _to_stdout(job, format_, beside, as_json=as_json)
        else:
            _to_file(job, output, format_, beside, overwrite=overwrite, as_json=as_json)


def _request(given: dict[str, Any]) -> SplitRequest:
    from gair_cli.geo.block_kinds import parse_kind
    from gair_cli.geo.splitting import SplitRequest

    given.pop("quiet")
    block, buffer_m = given.pop("block"), given.pop("buffer_m")
    return SplitRequest(block=parse_kind(block or "0.1deg"), buffer_m=buffer_m or 0.0, **given)


def _run(job: SplitJob) -> SplitReport:
    from gair_cli.commands.streams import progress

    with progress(job.stream.rows * job.passes, "split", unit="rows") as advance:
        for _ in job.batches(advance):
            pass
    return job.report()


def _say_plan(job: SplitJob, *, as_json: bool) -> None:
    from gair_cli.commands.streams import say

    report = _run(job)
    _tell(report, as_json=as_json)
    say("nothing was written")


def _to_stdout(
    job: SplitJob, format_: str | None, beside: dict[str, Path | None], *, as_json: bool
) -> None:
    from gair_cli.commands.streams import preview, progress, say, stdout_format
    from gair_cli.errors import UsageError
    from gair_cli.geo.split_files import refuse_bad, split_to_stream

    if as_json:
        raise UsageError("--json and the table both go to stdout", hint="pass -o FILE or --report")
    if any(beside.values()):
        raise UsageError("--report and --map need a table on disk", hint="pass -o FILE")
    if sys.stdout.isatty() and format_ is None:
        first = next(job.batches()).rows
        click.echo(preview(first.head(_PREVIEW_ROWS)))
        shown = min(first.height, _PREVIEW_ROWS)
        say(f"{shown} of {job.stream.rows} rows shown; pass -o FILE to split all")
        return
    chosen = stdout_format(format_)
    with progress(job.stream.rows * job.passes, "split", unit="rows") as advance:
        report = split_to_stream(job, sys.stdout.buffer, format_=chosen, progress=advance)
    _tell(report, as_json=False)
    refuse_bad(report, None)


def _to_file(
    job: SplitJob,
    output: Path,
    format_: str | None,
    beside: dict[str, Path | None],
    *,
    overwrite: bool,
    as_json: bool,
) -> None:
    from gair_cli.commands.streams import progress, say
    from gair_cli.geo.split_files import split_to_file
    from gair_cli.geo.writers import format_of

    chosen = format_of(output, format_)
    with progress(job.stream.rows * job.passes, "split", unit="rows") as advance:
        outcome = split_to_file(
            job, output, format_=chosen, overwrite=overwrite, progress=advance, **beside
        )
    if outcome.report is None:
        say(f"nothing to do: {output} is there already, from the same inputs and options")
        return
    _finish(outcome, outcome.report, output, beside, as_json=as_json)


def _finish(
    outcome: SplitOutcome,
    report: SplitReport,
    output: Path,
    beside: dict[str, Path | None],
    *,
    as_json: bool,
) -> None:
    """Print what was done; bad rows end in exit code 5."""
    from gair_cli.commands.streams import say, wrote
    from gair_cli.geo.split_files import refuse_bad

    _tell(report, as_json=as_json)
    for path, what in ((outcome.rejected, "left-out rows with reasons"),
                       (beside["report"], "report"), (beside["picture"], "map")):  # fmt: skip
        if path is not None:
            say(f"wrote {path} ({what})")
    wrote(output, f"gair info {output}")
    refuse_bad(report, outcome.rejected)


def _tell(report: SplitReport, *, as_json: bool) -> None:
    """Print the report: lines for people, or JSON on stdout."""
    from gair_cli.commands.streams import say, warn
    from gair_cli.geo.split_files import lines_of, notes_of

    for line in lines_of(report):
        say(line)
    for note in notes_of(report):
        warn(note)
    if as_json:
        click.echo(json.dumps(report.as_json()))
