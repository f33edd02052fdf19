"""`gair tile --append`: what is there already, and whether more scenes fit to it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import polars as pl

from gair_cli.errors import DataError
from gair_cli.geo.outputs import hold_output, let_go_of_output, recover
from gair_cli.geo.tile_rejected import noted_bad
from gair_cli.geo.tileset import CODEC, PLAIN, TileSet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gair_cli.geo.scene import Scene
    from gair_cli.geo.tile_plan import TilingOptions


def opened_for_append(
    output: Path, scenes: Sequence[Scene], options: TilingOptions
) -> TileSet | None:
    """Open the tile set that scenes are to be added to; None when there is none yet.

    The output is locked first, so that no other run adds to it in between.

    Raises:
        OutputExistsError: If another run works on `output`.
        InputError: If `output` is something else.
        DataError: If bands, type, grid or nodata differ, or some of the scenes are in it already.
    """
    hold_output(output)
    try:
        recover(output)
        return _fitting(output, scenes, options) if output.exists() else None
    except BaseException:
        let_go_of_output(output)
        raise


def _fitting(output: Path, scenes: Sequence[Scene], options: TilingOptions) -> TileSet:
    tiles = TileSet.open(output)
    info, scene = tiles.info, scenes[0]
    pairs = {
        "grid": (info.grid, options.grid_name),
        "resolution": (str(info.res), str(options.res)),
        "compression": (info.codec, PLAIN if options.level is None else CODEC),
        "bands": (",".join(info.bands), ",".join(scene.band_names)),
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
    known = known_scenes(tiles)
    inside = [one.name for one in scenes if one.scene_id in known]
    if inside and len(inside) < len(scenes):
        raise DataError(f"{output} holds {inside[0]} already", hint="give the new scenes only")
    return tiles


def known_scenes(tiles: TileSet) -> set[str]:
    """Return the ids of the scenes that a tile set has seen: those with tiles, and bad ones."""
    bad = {one.scene_id for one in noted_bad(tiles.path) if one.scene_id is not None}
    products = {str(product["scene_id"]) for product in tiles.info.products}
    return set(tiles.index["scene_id"]) | products | bad


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
