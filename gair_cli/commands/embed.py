"""`gair embed`: turn points, photos or tiles into vectors."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from gair_cli.commands import options

if TYPE_CHECKING:
    from pathlib import Path

    from gair_cli.api import Model
    from gair_cli.embedding.request import EmbedRequest, Prepared
    from gair_cli.embedding.writer import Written

_PREVIEW_ROWS = 10


@click.command("embed")
@click.option("--points", type=options.PATH, help="Table of points, or - for stdin.")
@click.option("--photos", type=options.PATH, help="Photo table, folder of photos, or -.")
@click.option("--tiles", type=options.PATH, help="Tile set; with --points: read at the points.")
@options.model_option
@options.output_option(required=False, help_text="The embedding table; default: stdout.")
@options.format_option("parquet", "arrow", "csv", "geojsonl", "npy")
@options.space_option
@options.dtype_option
@options.radius_option
@options.column_options
@options.keep_columns_option
@options.photos_root_option
@options.crs_option
@options.max_bad_option
@options.limit_option
@options.batch_size_option
@options.device_option
@click.option("--row-group", type=click.IntRange(min=1), help="Rows a row group.")
@options.overwrite_option
@options.dry_run_option
@options.quiet_option
def command(
    model: str | None,
    device: str,
    output: Path | None,
    format_: str | None,
    row_group: int | None,
    overwrite: bool,  # noqa: FBT001 - click hands options over by name
    dry_run: bool,  # noqa: FBT001
    **given: Any,
) -> None:
    """Embed coordinates, street photos, satellite tiles, or the satellite image at points.

    \b
    Examples:
      gair embed --points points.csv -o points.parquet
      gair embed --points points.csv --tiles tiles --model run -o here.parquet
      gair embed --photos photos.csv --model run -o photos.parquet
      cat points.csv | gair embed --points - -f csv | head

    Without --model the packaged `earth-tiny` embeds points. Rows keep the input's order; a row
    outside the tiles, on nodata or with an unreadable photo has no vector and a status.
    """  # noqa: D301 - click's marker of text to leave as it is
    from gair_cli.api import load
    from gair_cli.embedding.request import prepare

    request = _request(**given)
    loaded = load(model, device=device)
    _name_model(loaded)
    prepared = prepare(loaded.net, loaded.facts, request)
    if dry_run:
        _say_plan(prepared, row_group)
    elif output is None or str(output) == "-":
        _to_stdout(prepared, format_)
    else:
        _to_file(prepared, output, format_, row_group=row_group, overwrite=overwrite)


def _request(**given: Any) -> EmbedRequest:
    from gair_cli.embedding.request import EmbedRequest

    given.pop("quiet")
    return EmbedRequest(radius_m=given.pop("radius"), **given)


def _name_model(model: Model) -> None:
    from gair_cli.commands.streams import say

    towers = ", ".join(model.config.towers)
    packaged = " (packaged; --model takes another)" if model.ref.is_default else ""
    say(f"model {model.ref.name}{packaged}: {towers}; weights {model.facts.sha256[:12]}")


def _say_plan(prepared: Prepared, row_group: int | None) -> None:
    from gair_cli.commands.streams import say
    from gair_cli.embedding.writer import block_rows

    job, kind = prepared.job, prepared.kind
    width = 2 if kind.dtype == "float16" else 4
    group = block_rows(kind.dim, kind.dtype, row_group)
    names = ["id", "modality", f"embedding {kind.dtype}[{kind.dim}]", "status"]
    names += (["geometry", "bbox"] if job.bounds else []) + job.columns.columns
    say(f"would embed {len(job)} rows as {kind.modality}, space {kind.space}")
    say(f"about {len(job) * kind.dim * width / 1e6:.1f} MB of vectors, row groups of {group} rows")
    say(f"columns: {', '.join(names)}")
    say(f"bad rows: {prepared.bad.height}; nothing was written")


def _to_stdout(prepared: Prepared, format_: str | None) -> None:
    from gair_cli.commands.streams import progress, stdout_format
    from gair_cli.embedding.request import refuse_bad
    from gair_cli.embedding.writer import stream_job

    if sys.stdout.isatty() and format_ is None:
        _preview(prepared)
        return
    chosen = stdout_format(format_)
    with progress(len(prepared.job), "embed", unit="rows") as advance:
        written = stream_job(
            prepared.job,
            prepared.kind,
            sys.stdout.buffer,
            format_=chosen,
            check=prepared.check_unreadable,
            progress=advance,
        )
    _summary(prepared, written)
    refuse_bad(prepared, written, None)


def _preview(prepared: Prepared) -> None:
    """Print the first rows as a short table; the rest is not computed."""
    import polars as pl

    from gair_cli.commands.streams import preview, say
    from gair_cli.embedding.writer import embed_block

    rows = slice(0, min(_PREVIEW_ROWS, len(prepared.job)))
    block, _ = embed_block(prepared.job, prepared.kind, rows)
    click.echo(preview(pl.DataFrame(pl.from_arrow(block))))
    say(f"{rows.stop} of {len(prepared.job)} rows shown; pass -o FILE to embed all")


def _to_file(
    prepared: Prepared,
    output: Path,
    format_: str | None,
    *,
    row_group: int | None,
    overwrite: bool,
) -> None:
    from gair_cli.commands.streams import progress, say, wrote
    from gair_cli.embedding.request import (
        refuse_bad,
        rejected_path,
        with_relative_paths,
        write_rejected,
    )
    from gair_cli.embedding.writer import write_job
    from gair_cli.geo.outputs import refuse_foreign
    from gair_cli.geo.writers import format_of

    refuse_foreign(rejected_path(output), output, overwrite=overwrite)
    with progress(len(prepared.job), "embed", unit="rows") as advance:
        written = write_job(
            with_relative_paths(prepared.job, output),
            prepared.kind,
            output,
            format_=format_of(output, format_),
            plan=prepared.plan,
            manifest={"version": prepared.kind.version, "argv": sys.argv},
            row_group=row_group,
            overwrite=overwrite,
            check=prepared.check_unreadable,
            progress=advance,
        )
    if written.finished_before:
        say(f"nothing to do: {output} is there already, from the same inputs and options")
        return
    if written.kept:
        say(f"kept {written.kept} of {written.groups} row groups of an earlier run")
    _summary(prepared, written)
    rejected = write_rejected(prepared, written, output)
    if rejected is not None:
        say(f"wrote {rejected} (bad rows with reasons)")
    wrote(output, f"gair info {output}")
    refuse_bad(prepared, written, rejected)


def _summary(prepared: Prepared, written: Written) -> None:
    from gair_cli.commands.streams import say

    kind = prepared.kind
    counts = ", ".join(f"{count} {name}" for name, count in sorted(written.statuses.items()))
    say(f"{written.rows} rows: {counts}; {kind.modality}, space {kind.space}, D = {kind.dim}")
