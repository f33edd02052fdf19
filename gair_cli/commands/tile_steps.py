"""The steps of `gair tile`, and what is said about them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from gair_cli.commands.streams import progress, say, throughput, warn, wrote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gair_cli.geo.tile_plan import TilingOptions, TilingPlan
    from gair_cli.geo.tiling import BadScene, TilingReport

_NAMED = 5


def require_folder(output: Path) -> None:
    """Refuse standard output, which holds no tile set.

    Raises:
        UsageError: If the output is `-`.
    """
    from gair_cli.errors import UsageError

    if str(output) == "-":
        raise UsageError("a tile set is a folder, not a stream", hint="pass -o FOLDER")


def planned(scenes: Sequence[str], options: TilingOptions) -> TilingPlan:
    """Open all scenes, lay out their tiles, and say which scenes and pixels are not as given."""
    from gair_cli.geo.scenes import notes_of
    from gair_cli.geo.tile_plan import plan_tiles

    plan = plan_tiles(scenes, options)
    for note in notes_of(tuple(one.scene for one in plan.scenes)):
        say(f"note: {note}")
    if plan.undated:
        warn(f"{_counted(len(plan.undated), 'scene')} left out for having no date: "
             f"{_listed(plan.undated)}")  # fmt: skip
    if plan.outside:
        say(f"{_counted(plan.outside, 'scene')} left out: not taken in the period of --datetime")
    _say_empty(plan, options)
    _say_resolution(plan, options)
    return plan


def _say_empty(plan: TilingPlan, options: TilingOptions) -> None:
    """Name the scenes that none of the tiles is of."""
    empty = [one.scene.name for one in plan.scenes if not one.tiles]
    if not empty or len(empty) == len(plan.scenes):  # the run ends with an error
        return
    if options.bbox is None and options.region is None:
        why = "no whole tile lies in it (--partial pad keeps parts)"
    else:
        why = "no tile of it shares area with --bbox or --region"
    say(f"{_counted(len(empty), 'scene')} left out: {why}: {_listed(empty)}")


def _say_resolution(plan: TilingPlan, options: TilingOptions) -> None:
    """Say what pixel size scenes are resampled to where nobody asked for one."""
    if options.res is not None or options.grid.kind not in {"utm", "majortom"}:
        return
    from gair_cli.geo.grid_utm import own_pixels

    found = {
        layout.grid.transform[0]
        for one in plan.scenes
        for layout in one.layouts
        if own_pixels(one.scene.grid) is None
    }
    if found:
        sizes = ", ".join(f"{res:g} m" for res in sorted(found))
        say(f"resampled to {sizes}: the ground resolution in round numbers; --res sets another")


def show_estimate(plan: TilingPlan, options: TilingOptions, *, as_json: bool) -> None:
    """Say what a run would cost; nothing is written."""
    import json

    from gair_cli.geo.tile_estimate import JP2_MB_PER_CORE_S, MB_PER_CORE_S, estimate

    found = estimate(plan, options)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
        return
    say(
        f"{_counted(found.tiles, 'tile')} at most from {_counted(found.scenes, 'scene')}, "
        f"{found.bytes / 1e6:.1f} MB uncompressed; nothing was written"
    )
    again = f", {found.redecoded_blocks} of them twice" if found.redecoded_blocks else ""
    say(f"decodes {_counted(found.blocks, 'block')}{again}: {found.decoded_bytes / 1e6:.1f} MB, "
        f"at most {found.memory_bytes / 1e6:.1f} MB of them at a time")  # fmt: skip
    say(f"about {_minutes(found.minutes)} with {_counted(found.jobs, 'job')}, at "
        f"{MB_PER_CORE_S:g} MB/s a core (JPEG 2000: {JP2_MB_PER_CORE_S:g}), rather below "
        "what the benchmarks reach")  # fmt: skip
    columns = ", ".join(f"{name} {dtype}" for name, dtype in found.to_json()["schema"].items())
    say(f"columns of index.parquet: {columns}")
    for one in plan.bad:
        warn(f"{one.name}: {one.reason}")


def _minutes(minutes: float) -> str:
    return f"{minutes * 60:.1f} s" if minutes < 1 else f"{minutes:.1f} minutes"


def cut(
    scenes: Sequence[str], output: Path, plan: TilingPlan, options: TilingOptions
) -> TilingReport:
    """Cut all tiles and say how many there are."""
    from gair_cli import __version__
    from gair_cli.geo.tiling import tile_scenes

    manifest: dict[str, Any] = {"version": __version__, "argv": sys.argv[1:], "inputs": [*scenes]}
    with throughput(plan.tiles, "tiling") as advance:
        report = tile_scenes(
            scenes, output, options=options, plan=plan, progress=advance, manifest=manifest
        )
    _summarise(report, output, options)
    return report


def _summarise(report: TilingReport, output: Path, options: TilingOptions) -> None:
    if report.status == "finished":
        rest = "but for the scenes below" if report.bad else "nothing to do"
        say(f"{output} is complete already ({_counted(report.tiles, 'tile')}): {rest}")
        return
    if report.kept_shards:
        shards = _counted(report.kept_shards, "finished shard")
        say(f"resumed: kept {shards} ({_counted(report.kept_tiles, 'tile')})")
    why = "nodata" if options.max_cloud == 1 else "nodata or clouds"
    say(
        f"{_counted(report.tiles, 'tile')} from {_counted(report.scenes, 'scene')}"
        f" in {_counted(report.shards, 'shard')} ({report.dropped} left out for {why})"
    )


def export(output: Path, folder: Path, *, overwrite: bool) -> None:
    """Copy the tiles out as loose files and say where they are."""
    from gair_cli.geo.tile_export import ITEMS, export_tiles
    from gair_cli.geo.tileset import TileSet

    tiles = TileSet.open(output)
    with progress(len(tiles), "exporting", unit="tiles") as advance:
        made = export_tiles(tiles, folder, overwrite=overwrite, progress=advance)
    if made:
        say(f"wrote {folder}: {_counted(len(tiles), 'GeoTIFF')} and {ITEMS}")
    else:
        say(f"{folder} holds the {_counted(len(tiles), 'tile')} already")


def draw(output: Path) -> None:
    """Draw the contact sheet and say where it is."""
    from gair_cli.geo.contact_sheet import draw_sheet, preview_path
    from gair_cli.geo.tileset import TileSet

    path = preview_path(output)
    draw_sheet(TileSet.open(output), path)
    say(f"wrote {path}")


def close(report: TilingReport | None, output: Path, *, as_json: bool) -> None:
    """Name the tile set and a next command, and end with 5 if some scenes could not be read.

    With `as_json` the report goes to stdout.

    Raises:
        BadRowsError: If so; they are listed beside the tile set.
    """
    if report is None:
        return
    if as_json:
        import json
        from dataclasses import asdict

        click.echo(json.dumps({"output": str(output), **asdict(report)}, indent=2))
    if report.status != "finished":
        wrote(output, f"gair pair photos.csv --tiles {output} -o pairs.parquet")
    if report.bad:
        _refuse(report.bad, output)


def _refuse(bad: Sequence[BadScene], output: Path) -> None:
    from gair_cli.errors import BadRowsError
    from gair_cli.geo.tile_rejected import rejected_path

    for one in bad:
        warn(f"{one.name}: {one.reason}")
    raise BadRowsError(
        f"{len(bad)} of the scenes could not be read: {bad[0].reason}",
        hint=f"the others are tiled; the reasons are in {rejected_path(output)}",
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
