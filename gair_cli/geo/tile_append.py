"""`gair tile --append`: what is there already, and whether more scenes fit to it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import polars as pl

from gair_cli.errors import DataError
from gair_cli.geo.outputs import recover
from gair_cli.geo.tileset import TileSet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gair_cli.geo.scenes import Scene
    from gair_cli.geo.tile_plan import TilingOptions


def opened_for_append(
    output: Path, scenes: Sequence[Scene], options: TilingOptions
) -> TileSet | None:
    """Open the tile set that scenes are to be added to; None when there is none yet.

    Raises:
        InputError: If `output` is something else.
        DataError: If bands, type, grid or nodata differ, or some of the scenes are in it already.
    """
    recover(output)
    if not output.exists():
        return None
    tiles = TileSet.open(output)
    info, scene = tiles.info, scenes[0]
    pairs = {
        "bands": (",".join(info.bands), ",".join(scene.bands)),
        "pixel type": (info.dtype, scene.dtype),
        "tile size": (info.size, options.size),
        "stride": (info.stride, options.stride or options.size),
        "partial tiles": (info.partial, options.partial),
        "nodata": (str(info.nodata), str(scene.nodata)),
    }
    for what, (there, given) in pairs.items():
        if there != given:
            raise DataError(
                f"{output} has {what} {there}, the scenes or options {given}",
                hint="append scenes of the same bands, type and grid, or write another tile set",
            )
    known = set(tiles.index["scene_id"])
    inside = [one.name for one in scenes if one.scene_id in known]
    if inside and len(inside) < len(scenes):
        raise DataError(f"{output} holds {inside[0]} already", hint="give the new scenes only")
    return tiles


def shards_of(index: pl.DataFrame) -> list[str]:
    """Return the shards that an index names, in order."""
    return sorted(index["shard"].unique().to_list())


def link_shards(tiles: TileSet, folder: Path) -> int:
    """Bring the shards of a tile set into a new folder, without a copy where that is possible.

    Returns:
        The number of the first new shard.
    """
    names = shards_of(tiles.index)
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            continue
        try:
            os.link(tiles.path / name, target)
        except OSError:
            shutil.copyfile(tiles.path / name, target)
    return len(names)


def earlier_index(tiles: TileSet | None, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows behind those of the tile set that was there."""
    return rows if tiles is None else pl.concat([tiles.index.select(rows.columns), rows])
