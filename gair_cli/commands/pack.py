"""`gair pack`: gather pairs, tiles or photos into training shards."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any

import click

from gair_cli import __version__
from gair_cli.commands import options

if TYPE_CHECKING:
    from pathlib import Path

    from gair_cli.geo.packing import PackOutcome

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(KB|MB|GB|B)?\s*", re.IGNORECASE)
_UNITS = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}


def _bytes(_context: click.Context, _parameter: click.Parameter, text: str) -> int:
    found = _SIZE.fullmatch(text)
    size = float(found[1]) * _UNITS[(found[2] or "MB").upper()] if found else 0
    if size < 1:
        raise click.BadParameter(f"{text!r} is no size; write it as 256MB")
    return int(size)


@click.command("pack")
@click.argument("source", type=options.PATH, required=False)
@click.option("--tiles", type=options.PATH, help="Tile set of `gair tile`.")
@click.option(
    "--from",
    "origin",
    type=click.Choice(["webdataset", "huggingface"]),
    help="SOURCE is another tool's: tar shards of pictures with .json, or an image folder.",
)
@options.output_option(help_text="Folder of the shards.")
@click.option(
    "--short-side",
    type=click.IntRange(min=16),
    default=288,
    show_default=True,
    help="Longest short side of a photo in pixels; none is enlarged.",
)
@click.option(
    "--shard-size",
    default="256MB",
    show_default=True,
    metavar="SIZE",
    callback=_bytes,
    help="Bytes after which a shard ends.",
)
@click.option(
    "--per-tile",
    type=click.IntRange(min=1),
    metavar="K",
    help="Photos of a tile at most, chosen by hash.  [default: all]",
)
@click.option(
    "--block",
    metavar="2km|0.5deg",
    help="Blocks of the split of tiles or photos alone.  [default: two tile edges; 0.1deg]",
)
@options.column_options
@options.photos_root_option
@options.seed_option()
@options.jobs_option
@options.max_bad_option
@options.limit_option
@options.overwrite_option
@options.dry_run_option
@options.quiet_option
def command(output: Path, overwrite: bool, dry_run: bool, quiet: bool, **given: Any) -> None:  # noqa: FBT001 - click hands options over by name
    """Gather training shards from SOURCE: a pair table with --tiles, or photos alone.

    \b
    Examples:
      gair pack pairs.parquet --tiles tiles -o train
      gair pack --tiles tiles -o train          tiles alone: satellite and location
      gair pack photos.csv -o train             photos alone: street view and location
      gair pack shards --from webdataset -o train

    Killed work goes on after its last whole shard. Photos that cannot be read are listed in
    <output>.rejected.parquet.
    """  # noqa: D301 - click's marker of text to leave as it is
    from gair_cli.commands.streams import progress, say
    from gair_cli.geo.packing import pack, plan_rows

    del quiet
    job = _job(**given)
    if dry_run:
        rows, _, _ = plan_rows(job)
        say(f"{rows.height} samples; splits {_splits(rows['split'].to_list())}; nothing written")
        return
    manifest = {"version": __version__, "argv": sys.argv}
    with progress(None, "pack", unit="samples") as advance:
        outcome = pack(job, output, overwrite=overwrite, manifest=manifest, progress=advance)
    _finish(outcome, output)


def _job(**given: Any) -> Any:
    from gair_cli.geo.packing import PackJob, PackOptions

    pack_options = PackOptions(
        short_side=given.pop("short_side"),
        shard_bytes=given.pop("shard_size"),
        jobs=given.pop("jobs") or os.cpu_count() or 1,
        max_bad=given.pop("max_bad"),
    )
    return PackJob(options=pack_options, **given)


def _splits(splits: list[str]) -> str:
    return ", ".join(f"{name} {splits.count(name)}" for name in sorted(set(splits)))


def _finish(outcome: PackOutcome, output: Path) -> None:
    """Print what was done; photos that could not be read end in exit code 5.

    Raises:
        BadRowsError: If any photo was rejected.
    """
    from gair_cli.commands.streams import say, wrote
    from gair_cli.errors import BadRowsError

    if outcome.status == "finished":
        say(f"nothing to do: {output} is there already, from the same inputs and options")
        return
    counts = outcome.counts
    if outcome.kept_shards:
        say(f"kept {outcome.kept_shards} shards that were finished before")
    splits = ", ".join(f"{name} {count}" for name, count in counts["splits"].items())
    say(
        f"{counts['samples']} samples ({counts['tiles']} tiles, {counts['photos']} photos) in "
        f"{counts['shards']} shards; {splits}"
    )
    wrote(output, f"gair pretrain {output} -o run --preset tiny")
    if outcome.rejected:
        raise BadRowsError(
            f"{outcome.rejected} photos could not be used; the rest is packed",
            hint=f"see the reasons in {outcome.rejected_path}",
        )
