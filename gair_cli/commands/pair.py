"""`gair pair`: place photos in tiles, with a spatial split."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from gair_cli import __version__
from gair_cli.commands import options

if TYPE_CHECKING:
    from pathlib import Path

    from gair_cli.geo.pair_files import PairJob, PairOutcome
    from gair_cli.geo.pair_run import PairReport

_METRES = click.FloatRange(min=0)


@click.command("pair")
@click.argument("photos", type=options.PATH)
@click.option("--tiles", type=options.PATH, required=True, help="Tile set of `gair tile`.")
@options.output_option(required=False, help_text="The pair table; default: stdout.")
@options.format_option("parquet", "arrow", "csv", "geojsonl")
@click.option(
    "--tiles-per-photo", "tiles_a_photo", type=click.IntRange(min=1), default=1, show_default=True,
    help="Where tiles overlap, pair a photo with up to so many: the nearest centres first.",
)  # fmt: skip
@click.option(
    "--margin", "margin_m", type=_METRES, default=0.0, metavar="METRES",
    help="Leave out photos closer to the edge of their tile.",
)  # fmt: skip
@click.option(
    "--days", type=click.FloatRange(min=0), metavar="N",
    help="Pair only with tiles at most N days apart; photos and tiles need dates.",
)  # fmt: skip
@click.option(
    "--nearest-date", is_flag=True, help="Of several tiles take the nearest in time first."
)
@click.option(
    "--heading", metavar="known|A,B",
    help="Only photos whose heading is known, or lies clockwise between A and B degrees.",
)  # fmt: skip
@click.option(
    "--max-accuracy", "max_accuracy_m", type=_METRES, metavar="METRES",
    help="Leave out photos whose h_accuracy_m is larger; those that tell none are kept.",
)  # fmt: skip
@click.option(
    "--min-distance", "min_distance_m", type=_METRES, metavar="METRES",
    help="Leave out photos closer to a kept one of the same sequence_id.",
)  # fmt: skip
@click.option(
    "--max-photos", type=click.IntRange(min=1), metavar="N",
    help="At most N photos a tile, drawn by --seed and spread over the tile.",
)  # fmt: skip
@click.option(
    "--per-tile", type=click.IntRange(min=1), metavar="K",
    help="Add the column `group`: the photos of a tile in groups of at most K.",
)  # fmt: skip
@options.block_option("two tile edges")
@options.fractions_option
@options.buffer_option(
    "Least distance between tiles of two splits; 0 keeps tiles that overlap.  "
    "[default: tiles that overlap another split's are left out]"
)
@options.report_option
@options.map_option
@click.option(
    "--columns", metavar="A,B,...", help="Columns of the pair table, in order.  [default: all]"
)
@options.column_options
@options.photos_root_option
@options.crs_option
@options.seed_option()
@options.max_bad_option
@options.limit_option
@options.overwrite_option
@options.quiet_option
def command(
    output: Path | None,
    format_: str | None,
    overwrite: bool,  # noqa: FBT001 - click hands options over by name
    report: Path | None,
    picture: Path | None,
    **given: Any,
) -> None:
    """Place PHOTOS in tiles: a table (CSV, Parquet, GeoJSON; - is stdin) or a folder with EXIF.

    \b
    Examples:
      gair pair photos.csv --tiles tiles -o pairs.parquet
      gair pair photos.parquet --tiles tiles --margin 20 --max-photos 64 -o pairs.parquet
      gair pair photos.parquet --tiles tiles --buffer 500 --map splits.png -o pairs.parquet
      gair pair photos.parquet --tiles tiles --columns photo_id,tile_id,x,y | next-command

    Tables may have any size: memory holds the tiles and a few batches. A photo's split is drawn for
    the block of its tile. Photos that make no pair are written to <output>.rejected.parquet with
    the reason.
    """  # noqa: D301 - click's marker of text to leave as it is
    from gair_cli.commands.streams import progress
    from gair_cli.errors import UsageError
    from gair_cli.geo.pair_files import pair_to_file

    job = _job(**given)
    if output is None or str(output) == "-":
        if report is not None or picture is not None:
            raise UsageError("--report and --map need a table on disk", hint="pass -o FILE")
        _to_stdout(job, format_)
        return
    manifest = {"version": __version__, "argv": sys.argv}
    with progress(None, "pair", unit="rows") as advance:
        outcome = pair_to_file(
            job, output, format_=format_, overwrite=overwrite, manifest=manifest,
            report=report, picture=picture, progress=advance,
        )  # fmt: skip
    _finish(outcome, output, job, {"report": report, "map": picture})


def _job(**given: Any) -> PairJob:
    from gair_cli.geo.pair_files import PairJob
    from gair_cli.geo.pairing import PairingOptions

    names, columns = given["names"], given["columns"]
    chosen = (
        "block", "fractions", "buffer_m", "seed", "tiles_a_photo", "margin_m", "days",
        "nearest_date", "heading", "max_accuracy_m", "min_distance_m", "max_photos", "per_tile",
    )  # fmt: skip
    how = PairingOptions(
        own_split=names.split is not None,
        columns=None if columns is None else tuple(columns.split(",")),
        **{name: given[name] for name in chosen},
    )
    rest = ("photos", "tiles", "photos_root", "crs", "max_bad", "limit")
    return PairJob(options=how, names=names, **{name: given[name] for name in rest})


def _to_stdout(job: PairJob, format_: str | None) -> None:
    from gair_cli.commands.streams import preview, progress, stdout_format
    from gair_cli.geo.pair_files import pair_table, pair_to_stream, refuse_bad

    if sys.stdout.isatty() and format_ is None:
        pairs, report = pair_table(job)
        click.echo(preview(pairs))
    else:
        chosen = stdout_format(format_)
        with progress(None, "pair", unit="rows") as advance:
            report = pair_to_stream(job, sys.stdout.buffer, format_=chosen, progress=advance)
    _say(report, job)
    refuse_bad(report.bad, None)


def _say(report: PairReport, job: PairJob) -> None:
    """Print what became of the photos, and what a person should know."""
    from gair_cli.commands.streams import say, warn
    from gair_cli.geo.pair_files import notes_of

    splits = ", ".join(f"{name} {count}" for name, count in report.splits.items())
    rejected = ", ".join(f"{count} {reason}" for reason, count in report.rejected.items())
    kept = report.photos - sum(report.rejected.values())
    several = f"{report.pairs} pairs of " if report.pairs != kept else ""
    say(
        f"{several}{kept} of {report.photos} photos in {report.tiles_used} tiles; {splits}; "
        f"{report.blocks} blocks of {report.block}; rejected: {rejected or 'none'}"
    )
    if report.repeated:
        say(f"{report.repeated} rows repeated an earlier one and were left out")
    for note in notes_of(report, job.options):
        warn(note)


def _finish(
    outcome: PairOutcome, output: Path, job: PairJob, beside: dict[str, Path | None]
) -> None:
    """Print what was done; bad rows end in exit code 5."""
    from gair_cli.commands.streams import say, wrote
    from gair_cli.geo.pair_files import refuse_bad

    if outcome.report is None:
        say(f"nothing to do: {output} is there already, from the same inputs and options")
        return
    _say(outcome.report, job)
    if outcome.rejected is not None:
        say(f"wrote {outcome.rejected} (rejected photos with reasons)")
    for what, path in beside.items():
        if path is not None:
            say(f"wrote {path} ({what})")
    wrote(output, f"gair check {output} --tiles {job.tiles}")
    refuse_bad(outcome.report.bad, outcome.rejected)
