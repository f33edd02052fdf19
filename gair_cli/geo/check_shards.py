"""Verdicts on training shards: are they whole, and is there something to train and to hold out?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from gair_cli.errors import GairError
from gair_cli.geo.check_tiles import check_members, sample_rows
from gair_cli.geo.photos import read_jpeg
from gair_cli.geo.tileset import decode_tile
from gair_cli.geo.verdicts import Verdict, counted, fail, ok, warn

if TYPE_CHECKING:
    from gair_cli.geo.shards import ShardReader

_AGAIN: Final = "pack the shards again with gair pack --overwrite"
_SAMPLE: Final = 64


def check_shards(shards: ShardReader) -> list[Verdict]:
    """Judge training shards.

    Args:
        shards: The opened folder.

    Returns:
        Verdict lines in a fixed order.
    """
    index = shards.index
    if not index.height:
        return [fail("samples", "there are none", "pack pairs, tiles or photos")]
    tiles, photos = index["tile_id"].count(), index["photo_id"].count()
    repeated = index.height - index["sample_id"].n_unique()
    again = _AGAIN
    return [
        ok("samples", f"{index.height:,} samples, {tiles:,} with a tile, {photos:,} with a photo"),
        counted(repeated, index.height, subject="ids", what="repeated sample ids", fix=again),
        check_members(_members(index), shards.path, again=again),
        _intact(shards),
        _splits(index),
        _bands(shards),
    ]


def _members(index: pl.DataFrame) -> pl.DataFrame:
    halves = [
        index.select(
            "shard", offset=pl.col(f"{half}_offset"), length=pl.col(f"{half}_length")
        ).drop_nulls()
        for half in ("tile", "photo")
    ]
    return pl.concat(halves)


def _intact(shards: ShardReader) -> Verdict:
    """Compare hashes of a sample of rows, and decode both halves."""
    rows = sample_rows(len(shards), _SAMPLE)
    for row in rows:
        try:
            if not shards.verify(row):
                return fail("bytes", f"row {row} is not what was packed (hash differs)", _AGAIN)
            tile, photo = shards.tile_bytes(row), shards.photo_bytes(row)
            if tile is not None:
                decode_tile(tile)
            if photo is not None:
                read_jpeg(photo)
        except GairError as error:
            return fail("bytes", f"row {row}: {error}", _AGAIN)
    return ok("bytes", f"{len(rows)} samples read, hashes and pictures good")


def _splits(index: pl.DataFrame) -> Verdict:
    counts = dict(index["split"].fill_null("(none)").value_counts().sort("split").rows())
    detail = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    if "train" not in counts:
        return fail(
            "splits", detail, "there is nothing to train on: pair or pack with other blocks"
        )
    if "val" not in counts:
        fix = "gair pretrain cannot choose its best checkpoint: use a smaller --block"
        return warn("splits", detail, fix)
    return ok("splits", detail)


def _bands(shards: ShardReader) -> Verdict:
    if not shards.has_tiles:
        return ok("bands", "photos alone, no bands")
    stated = zip(shards.bands, shards.statistics, strict=True)
    flat = [name for name, one in stated if not one.std > 0]
    if flat:
        fix = "leave them out of the model's bands"
        return warn("bands", f"constant or empty: {', '.join(flat)}", fix)
    return ok("bands", ", ".join(shards.bands))
