"""What a folder of training shards says about itself: tiles in use, statistics, counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from gair_cli.geo.geoparquet import GEOMETRY
from gair_cli.geo.shards_info import ShardsInfo
from gair_cli.geo.tile_index import index_metadata
from gair_cli.geo.tileset import BandStatistics

if TYPE_CHECKING:
    from gair_cli.geo.tileset import TileSet

_MOVED = {"shard": "shard", "tile_offset": "offset", "tile_length": "length"}


def tiles_in_use(index: pl.DataFrame, tiles: TileSet | None) -> pl.DataFrame:
    """Return the tile index rows of the samples, pointing into the training shards.

    Args:
        index: The training index.
        tiles: The tile set, or None for photos alone.

    Returns:
        Rows in the tile set's order; without tiles an empty frame with `tile_id` only.
    """
    if tiles is None:
        return pl.DataFrame(schema={"tile_id": pl.String})
    places = (
        index.select("tile_id", *_MOVED)
        .filter(pl.col("tile_id").is_not_null())
        .unique("tile_id", keep="first", maintain_order=True)
        .rename({old: f"_{new}" for old, new in _MOVED.items()})
    )
    joined = tiles.index.join(places, on="tile_id", how="inner", maintain_order="left")
    moved = [pl.col(f"_{new}").alias(new) for new in _MOVED.values()]
    return joined.with_columns(moved).select(tiles.index.columns)


def tiles_metadata(used: pl.DataFrame) -> dict[str, str]:
    """Return the GeoParquet metadata of `tiles.parquet`."""
    return index_metadata(used) if GEOMETRY in used.columns and used.height else {}


def shards_info(
    index: pl.DataFrame,
    used: pl.DataFrame,
    tiles: TileSet | None,
    *,
    short_side: int,
    plan_hash: str,
) -> ShardsInfo:
    """Return the description of the shards.

    Args:
        index: The training index.
        used: The tile index rows in use.
        tiles: The tile set, or None.
        short_side: Longest short side of a photo in pixels.
        plan_hash: Of inputs and options.
    """
    return ShardsInfo(
        bands=() if tiles is None else tuple(tiles.info.bands),
        dtype=None if tiles is None else tiles.info.dtype,
        nodata=None if tiles is None else tiles.info.nodata,
        statistics=pooled_statistics(used, tiles),
        counts=_counts(index, used),
        short_side=short_side,
        plan_hash=plan_hash,
    )


def _counts(index: pl.DataFrame, used: pl.DataFrame) -> dict[str, Any]:
    splits = index["split"].fill_null("none").value_counts().sort("split")
    return {
        "samples": index.height,
        "tiles": used.height,
        "photos": index["photo_id"].n_unique() - int(index["photo_id"].has_nulls()),
        "shards": index["shard"].n_unique(),
        "splits": dict(zip(splits["split"], splits["count"], strict=True)),
    }


def pooled_statistics(used: pl.DataFrame, tiles: TileSet | None) -> tuple[BandStatistics, ...]:
    """Return each band's statistics over the valid pixels of the tiles in use.

    Those of a whole tile set are its own, which count every band's pixels. For a part of it a
    tile weighs by its pixels that are valid in any band: the index counts no band by itself.

    Args:
        used: Tile index rows, with `band_min`, `band_max`, `band_mean`, `band_std` (lists over
            bands), `nodata_fraction`, `width` and `height`.
        tiles: The tile set that they are of, or None.

    Returns:
        One entry a band; empty without tiles.
    """
    if not used.height or "band_mean" not in used.columns:
        return ()
    if tiles is not None and used.height == tiles.index.height:
        return tiles.info.statistics
    low, high, mean, std = (
        np.array(used[f"band_{name}"].to_list(), dtype=np.float64)  # (T, C)
        for name in ("min", "max", "mean", "std")
    )
    area = used["width"].cast(pl.Float64) * used["height"].cast(pl.Float64)
    weight = (area * (1 - used["nodata_fraction"].cast(pl.Float64))).to_numpy()[:, None]
    weight = np.where(np.isfinite(mean), weight, 0.0)
    total = np.maximum(weight.sum(axis=0), np.finfo(np.float64).tiny)
    centre = (weight * np.nan_to_num(mean)).sum(axis=0) / total
    square = np.nan_to_num(std) ** 2 + (np.nan_to_num(mean) - centre) ** 2
    spread = np.sqrt((weight * square).sum(axis=0) / total)
    lows, highs = np.fmin.reduce(low, axis=0), np.fmax.reduce(high, axis=0)  # NaN if all are
    return tuple(
        BandStatistics(float(a), float(b), float(c), float(d), count=round(float(n)))
        for a, b, c, d, n in zip(lows, highs, centre, spread, weight.sum(axis=0), strict=True)
    )
