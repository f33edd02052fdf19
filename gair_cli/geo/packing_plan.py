"""Which samples go into training shards, and in which order: pairs, tiles alone, photos alone.

A sample key groups the members of a tar as WebDataset reads them: the tile's id with all of its
photos, or the hash of a photo without a tile. Samples follow the order of the tile index, so that
neighbours in space are neighbours on the disk.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from gair_cli.errors import DataError, InputError, UsageError
from gair_cli.geo.frames import read_frame
from gair_cli.geo.ids import sample_ids
from gair_cli.geo.photos import scan_photos, with_heading_from_extra
from gair_cli.geo.shards import INDEX_SCHEMA
from gair_cli.geo.tables import (
    ColumnNames,
    PhotoTable,
    as_utc,
    check_bad,
    read_photo_table,
    unique_by_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gair_cli.geo.tileset import TileSet

    Splits = Callable[[np.ndarray], list[str]]

KEY: Final = "_key"
TILE_ROW: Final = "_tile_row"
PATH: Final = "_path"
_MADE_HERE: Final = ("cell", "shard", "tile_offset", "tile_length", "photo_offset", "photo_length",
                     "sha256")  # fmt: skip
_OF_TILES: Final = ("tile_id", "x", "y", KEY, TILE_ROW)
_LEFT_OUT: Final = ("path", "geometry", "bbox")


def is_pair_table(columns: list[str]) -> bool:
    """Tell a pair table from a photo table."""
    return {"photo_id", "tile_id", "x", "y"} <= set(columns)


def rows_of_pairs(
    source: Path,
    tiles: TileSet,
    *,
    photos_root: Path | None = None,
    limit: int | None = None,
    per_tile: int | None = None,
) -> pl.DataFrame:
    """Read a pair table and bring it to the order of the tile index.

    Args:
        source: Written by `gair pair`, or any table with its columns.
        tiles: The tile set that was paired.
        photos_root: Folder that relative paths start from; default the table's own.
        limit: Use the first pairs only.
        per_tile: Photos of a tile at most, those whose hashed ids come first; None is all.

    Returns:
        One row a sample in packing order: the index columns known so far, `_key`, `_tile_row`
        and `_path`.

    Raises:
        DataError: If a tile is not in the tile set, or an id stands for two different pairs.
    """
    pairs = read_frame(source)
    pairs = pairs if limit is None else pairs.head(limit)
    if "sample_id" not in pairs.columns:
        made = sample_ids(pairs["photo_id"].to_list(), pairs["tile_id"].to_list())
        pairs = pairs.with_columns(pl.Series("sample_id", made))
    pairs = unique_by_id(pairs, "sample_id")
    if per_tile is not None:
        place = pl.col("sample_id").rank("ordinal").over("tile_id")
        pairs = pairs.filter(place <= per_tile)
    numbers = pl.DataFrame({"tile_id": tiles.index["tile_id"]}).with_row_index(TILE_ROW)
    joined = pairs.join(numbers, on="tile_id", how="left", maintain_order="left")
    _refuse_unknown_tiles(joined, source)
    if "captured_at" in joined.columns:
        joined = joined.with_columns(as_utc(joined["captured_at"]))
    paths = _absolute(joined["path"], photos_root or source.parent)
    return _ordered(
        joined.with_columns(paths, pl.col("tile_id").alias(KEY)).sort(TILE_ROW, maintain_order=True)
    )


def _refuse_unknown_tiles(joined: pl.DataFrame, source: Path) -> None:
    if not joined.height:
        raise DataError(f"{source} has no rows", hint="see the rejected photos of `gair pair`")
    unknown = joined.filter(pl.col(TILE_ROW).is_null())
    if unknown.height:
        raise DataError(
            f"{source}: {unknown.height} of {joined.height} pairs lie in tiles that --tiles lacks "
            f"({unknown['tile_id'][0]})",
            hint="give the tile set that the photos were paired with",
        )


def _absolute(paths: pl.Series, root: Path) -> pl.Series:
    base = root.absolute()
    return pl.Series(
        PATH, [None if path is None else str(base / path) for path in paths], dtype=pl.String
    )


def rows_of_tiles(tiles: TileSet, splits: Splits, *, limit: int | None = None) -> pl.DataFrame:
    """Make one sample of each tile, at its centre.

    Args:
        tiles: A tile set.
        splits: Gives the split of each (lon, lat), here of the tiles' centres.
        limit: Use the first tiles only.

    Returns:
        As `rows_of_pairs`; a reader draws a fresh point of the tile in each epoch.
    """
    index = tiles.index if limit is None else tiles.index.head(limit)
    lonlat = index.select("centre_lon", "centre_lat").to_numpy().astype(np.float64)
    ids = index["tile_id"].to_list()
    frame = pl.DataFrame(
        {
            "sample_id": sample_ids([""] * len(ids), ids),
            "tile_id": ids,
            "lon": lonlat[:, 0],
            "lat": lonlat[:, 1],
            "split": splits(lonlat),
            KEY: ids,
            TILE_ROW: np.arange(len(ids), dtype=np.uint32),
        }
    )
    if "datetime" in index.columns:
        frame = frame.with_columns(index["datetime"].alias("captured_at"))
    return _ordered(frame)


def rows_of_photos(photos: PhotoTable, splits: Splits, *, own_split: bool) -> pl.DataFrame:
    """Make one sample of each photo, in the order of the table.

    Args:
        photos: A photo table with absolute paths.
        splits: Gives the split of each (lon, lat).
        own_split: Keep the table's `split` column instead.

    Returns:
        As `rows_of_pairs`, without tiles. A column of the user's that has the name of a tile's
        (`tile_id`, `x`, `y`) means something else and is left out.

    Raises:
        DataError: If there are no photos.
    """
    frame = photos.frame.drop(_OF_TILES, strict=False)
    if not frame.height:
        raise DataError("no photo has coordinates that can be used", hint="see the rejected rows")
    ids = sample_ids(frame["photo_id"].to_list(), [""] * frame.height)
    if not own_split or "split" not in frame.columns:
        lonlat = frame.select("lon", "lat").to_numpy().astype(np.float64)
        frame = frame.with_columns(pl.Series("split", splits(lonlat), dtype=pl.String))
    made = [pl.Series("sample_id", ids), pl.Series(KEY, ids)]
    return _ordered(frame.with_columns(*made, pl.col("path").alias(PATH)))


def read_photos(
    source: Path,
    *,
    names: ColumnNames,
    photos_root: Path | None = None,
    max_bad: float | None = None,
) -> PhotoTable:
    """Read a photo table, or a folder of photos with positions in their EXIF.

    Raises:
        InputError: If nothing is there.
        UsageError: If the table names no files.
        BadRowsError: If more rows or photos lack a position than tolerated.
    """
    if not source.exists():
        raise InputError(f"{source} does not exist", hint="check the path")
    if source.is_dir():
        found = scan_photos(source)
        n_bad = found.bad.height
        check_bad(n_bad, n_bad + found.frame.height, max_bad=max_bad, what="photos")
        return found
    table = read_photo_table(source, names=names, photos_root=photos_root, max_bad=max_bad)
    if "path" not in table.frame.columns:
        raise UsageError(f"{source} has no column of photo paths", hint="pass --path-column")
    return replace(table, frame=with_heading_from_extra(table.frame))


def _ordered(frame: pl.DataFrame) -> pl.DataFrame:
    """Bring the columns to the index's names and types, the user's own after them."""
    known = []
    for name, dtype in INDEX_SCHEMA.items():
        if name in _MADE_HERE:
            continue
        column = pl.col(name) if name in frame.columns else pl.lit(None)
        known.append(column.cast(dtype).alias(name))
    inner = [
        pl.col(name) if name in frame.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in ((KEY, pl.String), (TILE_ROW, pl.UInt32), (PATH, pl.String))
    ]
    taken = {*INDEX_SCHEMA, *_LEFT_OUT, KEY, TILE_ROW, PATH}
    others = [pl.col(name) for name in frame.columns if name not in taken]
    return frame.select(*known, cell_of(), *inner, *others)


def cell_of() -> pl.Expr:
    """Return the 0.1-degree cell of `lon` and `lat` as `lat_lon` in tenths of a degree."""
    tenths = [(pl.col(name) * 10).floor().cast(pl.Int32).cast(pl.String) for name in ("lat", "lon")]
    return pl.concat_str(tenths, separator="_").alias("cell")
