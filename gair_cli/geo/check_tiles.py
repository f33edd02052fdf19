"""Verdicts on a tile set: are the shards whole, do the tiles decode, do they lie where they say?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from gair_cli.errors import GairError
from gair_cli.geo.coordinates import great_circle_m, to_lonlat
from gair_cli.geo.locator import pixel_to_crs, transforms_of
from gair_cli.geo.verdicts import Verdict, counted, fail, number_of, ok, warn

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from gair_cli.geo.tileset import TileSet

_AGAIN: Final = "make the tile set again with gair tile --overwrite"
_SAMPLE: Final = 32
_CENTRE_M: Final = 1.0
_HALF: Final = 0.5


def check_tiles(tiles: TileSet) -> list[Verdict]:
    """Judge a tile set.

    Args:
        tiles: The tile set.

    Returns:
        Verdict lines in a fixed order.
    """
    index, info = tiles.index, tiles.info
    scenes = index["scene_id"].n_unique() if "scene_id" in index.columns else 0
    size = "whole rasters" if info.size is None else f"{info.size} px"
    summary = (
        f"{number_of(len(tiles), 'tile')} of {number_of(scenes, 'scene')}, "
        f"{number_of(len(info.bands), 'band')} {info.dtype}, {size}"
    )
    if not len(tiles):
        return [fail("tiles", "the tile set is empty", "tile scenes with valid pixels")]
    return [
        ok("tiles", summary),
        counted(
            index.height - index["tile_id"].n_unique(),
            index.height,
            subject="ids",
            what="repeated tile ids",
            fix="a scene was tiled twice: tile each scene once",
        ),
        check_members(index, tiles.path, again=_AGAIN),
        _decoded(tiles),
        _bands(tiles),
        _nodata(index),
        _centres(index),
    ]


def check_members(index: pl.DataFrame, folder: Path, *, again: str) -> Verdict:
    """Judge whether each shard is there and long enough for its members.

    Args:
        index: Rows with `shard`, `offset`, `length`.
        folder: What `shard` is relative to.
        again: How to make it again.
    """
    ends = index.group_by("shard").agg((pl.col("offset") + pl.col("length")).max().alias("end"))
    for name, end in ends.sort("shard").rows():
        path = folder / name
        if not path.is_file():
            return fail("shards", f"{path} is missing", again)
        if path.stat().st_size < end:
            have = path.stat().st_size
            return fail("shards", f"{path} has {have:,} bytes, the index wants {end:,}", again)
    return ok("shards", f"{number_of(ends.height, 'shard')}, all there and long enough")


def sample_rows(count: int, most: int = _SAMPLE) -> list[int]:
    """Return up to `most` row numbers, evenly spread."""
    rows: list[int] = np.unique(np.linspace(0, count - 1, min(count, most)).astype(int)).tolist()
    return rows


def _decoded(tiles: TileSet) -> Verdict:
    rows = sample_rows(len(tiles))
    try:
        arrays = tiles.read(rows)
    except GairError as error:
        return fail("pixels", str(error), _AGAIN)
    for row, array in zip(rows, arrays, strict=True):
        width, height = tiles.index["width"][row], tiles.index["height"][row]
        wanted = (len(tiles.info.bands), height, width)
        if array.shape != wanted or str(array.dtype) != tiles.info.dtype:
            found = f"{array.shape} {array.dtype}"
            return fail("pixels", f"row {row} is {found}, the index says {wanted}", _AGAIN)
    return ok("pixels", f"{len(rows)} tiles decoded, shapes as stated")


def _bands(tiles: TileSet) -> Verdict:
    statistics = zip(tiles.info.bands, tiles.info.statistics, strict=True)
    flat = [name for name, one in statistics if not one.std > 0]
    if flat:
        return warn(
            "bands",
            f"constant or empty: {', '.join(flat)}",
            "leave them out of the model's bands, or look at the scene and its nodata value",
        )
    return ok("bands", ", ".join(tiles.info.bands))


def _nodata(index: pl.DataFrame) -> Verdict:
    if "nodata_fraction" not in index.columns:
        return ok("nodata", "not recorded")
    mostly = index.filter(pl.col("nodata_fraction") > _HALF).height
    return counted(
        mostly,
        index.height,
        subject="nodata",
        what="tiles with more than half nodata",
        fix="gair tile --max-nodata 0.5 leaves them out",
        level="warn",
    )


def _centres(index: pl.DataFrame) -> Verdict:
    """Compare the stated centres with those of the transforms."""
    rows = sample_rows(index.height, 10 * _SAMPLE)
    sample = index[rows]
    stated = sample.select("centre_lon", "centre_lat").to_numpy()
    off = np.zeros(sample.height)
    for crs in sample["crs"].unique().sort().to_list():
        here = (sample["crs"] == crs).to_numpy()
        off[here] = great_circle_m(
            stated[here], _centre_lonlat(sample.filter(pl.Series(here)), crs)
        )
    bad = int((~(off <= _CENTRE_M)).sum())
    what = "tiles whose centre is not where their transform says"
    return counted(bad, sample.height, subject="places", what=what, fix=_AGAIN)


def _centre_lonlat(tiles: pl.DataFrame, crs: str) -> NDArray[np.float64]:
    half = [tiles[name].cast(pl.Float64).to_numpy() / 2 for name in ("width", "height")]
    return to_lonlat(pixel_to_crs(transforms_of(tiles), *half), crs)
