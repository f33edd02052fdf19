"""`gair encode`: turn coordinates into fixed encodings, without a model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from gair_cli.commands import options

if TYPE_CHECKING:
    from pathlib import Path

    from gair_cli.embedding.encode_table import EncodeJob, EncodeRequest

_PREVIEW_ROWS = 10
_NAMES = ("equal-earth", "rff", "harmonics", "xyz", "sphere2vec-c", "sphere2vec-c+",
          "sphere2vec-m", "sphere2vec-m+", "sphere2vec-dfs")  # fmt: skip


def _numbers(_context: click.Context, _option: click.Parameter, text: str | None) -> Any:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a list of numbers such as 1,16,256") from error


@click.command("encode")
@click.argument("points", type=options.PATH)
@options.output_option(required=False, help_text="The encodings; default: stdout.")
@options.format_option("npy", "parquet", "arrow", "csv", "geojsonl")
@click.option(
    "--encoding", type=click.Choice(_NAMES), default="rff", show_default=True, help="Which one."
)
@click.option("--sigma", metavar="A,B,...", callback=_numbers, help="rff: scales.  [1,16,256]")
@click.option("--features", type=click.IntRange(min=2), help="rff: numbers a scale.  [512]")
@click.option("--seed", type=click.IntRange(min=0), help="rff: random seed.  [0]")
@click.option("-m", "--model", help="rff: take the directions of this model.")
@click.option("--degree", type=click.IntRange(min=0), help="harmonics: highest degree.  [39]")
@click.option("--scales", type=click.IntRange(min=1), help="sphere2vec: number of radii.  [16]")
@click.option("--min-radius", type=float, help="sphere2vec: smallest radius.  [0.001]")
@click.option("--max-radius", type=float, help="sphere2vec: largest radius.  [1]")
@options.wide_dtype_option
@options.column_options
@options.keep_columns_option
@options.crs_option
@options.max_bad_option
@options.limit_option
@options.overwrite_option
@options.dry_run_option
@options.quiet_option
def command(
    output: Path | None,
    format_: str | None,
    overwrite: bool,  # noqa: FBT001 - click hands options over by name
    dry_run: bool,  # noqa: FBT001
    **given: Any,
) -> None:
    """Encode coordinates by fixed functions: what location encoders are built on.

    \b
    Examples:
      gair encode points.csv -o points.npy
      gair encode points.parquet --encoding harmonics --degree 39 -o sh.parquet
      gair encode points.csv --sigma 1,16,256 --features 512 --seed 7 -o rff.npy
      cat points.csv | gair encode - --encoding xyz -f csv | head

    POINTS is a table with coordinates (CSV, Parquet, GeoParquet, Arrow, GeoJSON), or - for stdin,
    of any size: memory holds a few batches. Rows keep the input's order; an npy file gets the ids
    beside it.
    """  # noqa: D301 - click's marker of text to leave as it is
    from gair_cli.embedding.encode_table import open_job

    with open_job(_request(given)) as job:
        if dry_run:
            _say_plan(job)
        elif output is None or str(output) == "-":
            _to_stdout(job, format_)
        else:
            _to_file(job, output, format_, overwrite=overwrite)


def _request(given: dict[str, Any]) -> EncodeRequest:
    from gair_cli.embedding.encode import encoding_options
    from gair_cli.embedding.encode_table import EncodeRequest
    from gair_cli.geo.fixed import fixed_encoding

    given.pop("quiet")
    name, sigmas = given.pop("encoding"), given.pop("sigma")
    own = ("features", "seed", "model", "degree", "scales", "min_radius", "max_radius")
    chosen = {option: given.pop(option) for option in own}
    return EncodeRequest(
        encoding=fixed_encoding(encoding_options(name, sigmas=sigmas, **chosen)), **given
    )


def _say_plan(job: EncodeJob) -> None:
    from gair_cli.commands.streams import say

    encoding, stream = job.request.encoding, job.stream
    facts = ", ".join(f"{name} {value}" for name, value in encoding.facts.items())
    say(f"would encode {stream.good} rows as {encoding.name} ({facts or 'no options'})")
    megabytes = stream.good * job.row_bytes / 1e6
    say(f"{encoding.width} {job.request.dtype} a row, about {megabytes:.1f} MB")
    say(f"columns: {', '.join(['id', 'embedding', 'geometry', 'bbox', *job.carried])}")
    say(f"bad rows: {stream.bad}; nothing was written")


def _to_stdout(job: EncodeJob, format_: str | None) -> None:
    from gair_cli.commands.streams import progress, stdout_format
    from gair_cli.embedding.encode_table import refuse_bad, stream_encoding

    if sys.stdout.isatty() and format_ is None:
        _preview(job)
        return
    chosen = stdout_format(format_)
    with progress(job.stream.good, "encode", unit="rows") as advance:
        stream_encoding(job, sys.stdout.buffer, format_=chosen, progress=advance)
    _summary(job)
    refuse_bad(job.stream, None)


def _preview(job: EncodeJob) -> None:
    """Print the first rows as a short table; the rest is not computed."""
    import polars as pl

    from gair_cli.commands.streams import preview, say

    block, _ = next(job.blocks())
    shown = block.slice(0, _PREVIEW_ROWS)
    click.echo(preview(pl.DataFrame(pl.from_arrow(shown))))
    say(f"{shown.num_rows} of {job.stream.good} rows shown; pass -o FILE to encode all")


def _to_file(job: EncodeJob, output: Path, format_: str | None, *, overwrite: bool) -> None:
    from gair_cli.commands.streams import progress, say, wrote
    from gair_cli.embedding.encode_table import refuse_bad, rejected_path, write_encoding
    from gair_cli.geo.writers import format_of

    chosen = format_of(output, format_)
    with progress(job.stream.good, "encode", unit="rows") as advance:
        done = write_encoding(job, output, format_=chosen, overwrite=overwrite, progress=advance)
    if not done:
        say(f"nothing to do: {output} is there already, from the same inputs and options")
        return
    _summary(job)
    rejected = rejected_path(output) if job.stream.bad else None
    if rejected is not None:
        say(f"wrote {rejected} (bad rows with reasons)")
    wrote(output, f"gair info {output}")
    refuse_bad(job.stream, rejected)


def _summary(job: EncodeJob) -> None:
    from gair_cli.commands.streams import say

    encoding = job.request.encoding
    say(f"{job.stream.good} rows: {encoding.name}, {encoding.width} {job.request.dtype} each")
