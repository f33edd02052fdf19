"""`gair tile`: scenes in, a tile set out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from gair_cli.commands.options import (
    PATH,
    dry_run_option,
    jobs_option,
    output_option,
    overwrite_option,
    quiet_option,
)
from gair_cli.commands.streams import progress, say, warn, wrote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gair_cli.geo.tile_plan import TilingOptions
    from gair_cli.geo.tiling import TilingReport

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_BYTES = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?)?b?\s*", re.IGNORECASE)


def parse_bytes(text: str) -> int:
    """Parse a size in bytes such as `64MB` or `1GiB`.

    Raises:
        click.BadParameter: If it is none.
    """
    found = _BYTES.fullmatch(text)
    if found is None or float(found[1]) <= 0:
        raise click.BadParameter(f"{text!r} is no size; write 64MB or 1GiB")
    return max(1, int(float(found[1]) * _UNITS[(found[2] or "").lower()]))


def _size(_context: click.Context, _parameter: click.Parameter, text: str) -> int | None:
    if text == "full":
        return None
    if not text.isdigit() or int(text) < 1:
        raise click.BadParameter(f"{text!r} is neither a number of pixels nor `full`")
    return int(text)


def _names(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(","))


@click.command("tile")
@click.argument("scenes", nargs=-1, required=True, type=PATH)
@output_option(help_text="Folder of the tile set.")
@click.option("--size", default="96", callback=_size, metavar="N|full", help="Pixels a side, or `full` for one tile a raster.  [default: 96]")  # fmt: skip  # noqa: E501
@click.option("--stride", type=click.IntRange(min=1), help="Pixels between tiles; default: the size.")  # fmt: skip  # noqa: E501
@click.option("--partial", type=click.Choice(["skip", "pad", "shift"]), default="skip", show_default=True, help="Tiles that reach over a scene's edge.")  # fmt: skip  # noqa: E501
@click.option("--band-names", callback=_names, metavar="A,B,...", help="Names for the bands, in file order.")  # fmt: skip  # noqa: E501
@click.option("--bands", callback=_names, metavar="A,B,...", help="Bands to keep, by name.")
@click.option("--nodata", type=float, help="Value of a pixel that is none; default: the file's.")
@click.option("--max-nodata", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="Greatest share of nodata in a tile; nodata-only tiles never stay.")  # fmt: skip  # noqa: E501
@click.option("--stack", is_flag=True, help="Inputs are (folders of) one-band files of one scene.")
@click.option("--assume-crs", metavar="EPSG:n", help="CRS of scenes that have none.")
@click.option("--shard-size", default="256MB", show_default=True, help="Most bytes of a shard.")
@click.option("--append", is_flag=True, help="Add scenes to the tile set that is there.")
@jobs_option
@overwrite_option
@dry_run_option
@quiet_option
def command(scenes: tuple[Path, ...], output: Path, *, dry_run: bool, **given: Any) -> None:
    """Cut satellite scenes into a tile set.

    \b
    Example:
      gair tile scene.tif -o tiles
      gair tile bands/ --stack --nodata 255 -o tiles --stride 48

    SCENE is a GeoTIFF, COG or VRT in any CRS, or with --stack a folder of one-band files. Scenes
    of several CRSs go into one tile set if their bands agree.
    """  # noqa: D301 - click's marker of text to leave as it is
    from gair_cli.geo.outputs import refuse_foreign
    from gair_cli.geo.tile_plan import plan_tiles
    from gair_cli.geo.tiling import tile_scenes

    options = _options(given)
    plan = plan_tiles(scenes, options)
    if dry_run:
        say(
            f"{_counted(plan.tiles, 'tile')} at most from {_counted(len(plan.scenes), 'scene')}, "
            f"{plan.pixel_bytes / 1e6:.1f} MB uncompressed; nothing was written"
        )
        return
    refuse_foreign(_rejected_path(output), output, overwrite=options.overwrite)
    with progress(plan.tiles, "tiling", unit="tiles") as advance:
        report = tile_scenes(
            scenes,
            output,
            options=options,
            plan=plan,
            progress=advance,
            manifest=_manifest(scenes),
        )
    _summarise(report, output)


def _options(given: dict[str, Any]) -> TilingOptions:
    from gair_cli.geo.scenes import SceneOptions
    from gair_cli.geo.tile_plan import TilingOptions

    reading = {
        name: given[name] for name in ("band_names", "bands", "nodata", "assume_crs", "stack")
    }
    cutting = {
        name: given[name]
        for name in ("size", "stride", "partial", "max_nodata", "jobs", "append", "overwrite")
    }
    return TilingOptions(
        scenes=SceneOptions(**reading), shard_bytes=parse_bytes(given["shard_size"]), **cutting
    )


def _manifest(scenes: Sequence[Path]) -> dict[str, Any]:
    import sys

    from gair_cli import __version__

    return {"version": __version__, "argv": sys.argv[1:], "inputs": [str(path) for path in scenes]}


def _summarise(report: TilingReport, output: Path) -> None:
    """Say what was done, and end with 5 if some scenes could not be read.

    Raises:
        BadRowsError: If so; they are listed beside the tile set.
    """
    if report.status == "finished":
        say(f"{output} is complete already ({_counted(report.tiles, 'tile')}): nothing to do")
        return
    if report.kept_shards:
        shards = _counted(report.kept_shards, "finished shard")
        say(f"resumed: kept {shards} ({_counted(report.kept_tiles, 'tile')})")
    say(
        f"{_counted(report.tiles, 'tile')} from {_counted(report.scenes, 'scene')}"
        f" in {_counted(report.shards, 'shard')} ({report.dropped} left out for nodata)"
    )
    wrote(output, f"gair pair photos.csv --tiles {output} -o pairs.parquet")
    if report.bad:
        _refuse_bad(report, output)
    _rejected_path(output).unlink(missing_ok=True)  # of an earlier run


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _rejected_path(output: Path) -> Path:
    return output.with_name(output.name + ".rejected.parquet")


def _refuse_bad(report: TilingReport, output: Path) -> None:
    import polars as pl

    from gair_cli.errors import BadRowsError
    from gair_cli.geo.writers import write_parquet

    path = _rejected_path(output)
    rows = {"scene": [one.name for one in report.bad], "reason": [one.reason for one in report.bad]}
    write_parquet(pl.DataFrame(rows), path, metadata={})
    for one in report.bad:
        warn(f"{one.name}: {one.reason}")
    raise BadRowsError(
        f"{len(report.bad)} of the scenes could not be read: {report.bad[0].reason}",
        hint=f"the others are tiled; the reasons are in {path}",
    )
