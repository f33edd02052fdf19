"""`gair pair`: place photos in tiles, with a spatial split."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from gair_cli import __version__
from gair_cli.commands import options

if TYPE_CHECKING:
    from pathlib import Path

    from gair_cli.geo.pair_files import PairOutcome
    from gair_cli.geo.pairing import PairReport


@click.command("pair")
@click.argument("photos", type=options.PATH)
@click.option("--tiles", type=options.PATH, required=True, help="Tile set of `gair tile`.")
@options.output_option(required=False, help_text="The pair table; default: stdout.")
@options.format_option("parquet", "arrow", "csv", "geojsonl")
@click.option(
    "--block", metavar="2km|0.5deg", help="Size of a split's blocks.  [default: two tile edges]"
)
@click.option(
    "--buffer",
    "buffer_m",
    type=click.FloatRange(min=0),
    metavar="METRES",
    help="Least distance between tiles of two splits; 0 keeps tiles that overlap.  "
    "[default: tiles that overlap another split's are left out]",
)
@options.column_options
@options.photos_root_option
@options.crs_option
@options.seed_option()
@options.max_bad_option
@options.limit_option
@options.overwrite_option
@options.quiet_option
def command(output: Path | None, format_: str | None, overwrite: bool, **given: Any) -> None:  # noqa: FBT001 - click hands options over by name
    """Place PHOTOS in tiles: a table (CSV, Parquet, GeoJSON; - is stdin) or a folder with EXIF.

    \b
    Example:
      gair pair photos.csv --tiles tiles -o pairs.parquet

    A photo's split is drawn for the block of its tile. Photos outside every tile are written to
    <output>.rejected.parquet with the reason.
    """  # noqa: D301 - click's marker of text to leave as it is
    from gair_cli.commands.streams import output_frame, say, warn
    from gair_cli.geo.pair_files import notes_of, pair_table, pair_to_file, refuse_bad

    job = _job(**given)
    if output is None or str(output) == "-":
        result, photos, _ = pair_table(job)
        output_frame(result.pairs, None, format_)
        say(_summary(result.report))
        for note in notes_of(result.report, job.options):
            warn(note)
        refuse_bad(photos.bad.height, None)
        return
    manifest = {"version": __version__, "argv": sys.argv}
    outcome = pair_to_file(job, output, format_=format_, overwrite=overwrite, manifest=manifest)
    _finish(outcome, output, job.tiles)


def _job(**given: Any) -> Any:
    from gair_cli.geo.pair_files import PairJob
    from gair_cli.geo.pairing import PairingOptions

    names = given["names"]
    split = PairingOptions(
        block=given["block"],
        seed=given["seed"],
        own_split=names.split is not None,
        buffer_m=given["buffer_m"],
    )
    rest = ("photos", "tiles", "photos_root", "crs", "max_bad", "limit")
    return PairJob(options=split, names=names, **{name: given[name] for name in rest})


def _summary(report: PairReport) -> str:
    splits = ", ".join(f"{name} {count}" for name, count in report.splits.items())
    rejected = ", ".join(f"{count} {reason}" for reason, count in report.rejected.items())
    return (
        f"{report.pairs} of {report.photos} photos in {report.tiles_used} tiles; {splits}; "
        f"{report.blocks} blocks of {report.block}; rejected: {rejected or 'none'}"
    )


def _finish(outcome: PairOutcome, output: Path, tiles: Path) -> None:
    """Print what was done; bad rows end in exit code 5."""
    from gair_cli.commands.streams import say, warn, wrote
    from gair_cli.geo.pair_files import refuse_bad

    if outcome.report is None:
        say(f"nothing to do: {output} is there already, from the same inputs and options")
        return
    say(_summary(outcome.report))
    if outcome.duplicates:
        say(f"{outcome.duplicates} rows repeated an earlier one and were left out")
    for note in outcome.notes:
        warn(note)
    if outcome.rejected is not None:
        say(f"wrote {outcome.rejected} (rejected photos with reasons)")
    wrote(output, f"gair check {output} --tiles {tiles}")
    refuse_bad(outcome.bad, outcome.rejected)
