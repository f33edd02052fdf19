"""Pairs: columns, splits, reasons, and what is carried along."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from made_tiles import at_metres, grid, write_tile_set

from gair_cli.errors import DataError
from gair_cli.geo.pairing import (
    PAIR_COLUMNS,
    REASONS,
    PairingOptions,
    block_splits,
    pair_photos,
)
from gair_cli.geo.tileset import TileSet


def photos_at(x, y, **columns):
    lonlat = at_metres(x, y)
    ids = [f"p{number}" for number in range(len(lonlat))]
    return pl.DataFrame({"photo_id": ids, "lon": lonlat[:, 0], "lat": lonlat[:, 1], **columns})


def scattered(count=2000, span=8 * 960.0, seed=0, **columns):
    random = np.random.default_rng(seed)
    x, y = random.uniform(0, span, (2, count))
    return photos_at(385_920.0 + x, 5_820_480.0 - y, **columns)


def test_pair_table_has_the_columns_of_the_format_in_their_order():
    result = pair_photos(scattered(20, mood="calm"), grid(8, 8))
    assert result.pairs.columns == [*PAIR_COLUMNS, "mood", "geometry", "bbox"]
    assert {name: result.pairs.schema[name] for name in PAIR_COLUMNS} == dict(PAIR_COLUMNS)


def test_position_block_and_ids_are_written_out():
    result = pair_photos(photos_at([386_160.0], [5_820_240.0]), grid(8, 8))
    pair = result.pairs.row(0, named=True)
    assert (pair["x"], pair["y"]) == pytest.approx((-0.5, -0.5), abs=1e-9)
    assert pair["edge_distance_m"] == pytest.approx(240.0, abs=0.1)
    assert pair["tile_id"] == "made-0-0"
    assert pair["block"] == "33N_3031_201"  # floor(5,820,000 / 1,920), floor(386,400 / 1,920)
    assert len(pair["sample_id"]) == 16


def test_no_tile_serves_two_splits():
    pairs = pair_photos(scattered(), grid(8, 8)).pairs
    assert pairs.group_by("tile_id").agg(pl.col("split").n_unique())["split"].max() == 1
    assert pairs.group_by("block").agg(pl.col("split").n_unique())["split"].max() == 1


def test_photos_outside_are_returned_with_the_reason_and_their_rows():
    photos = photos_at([386_000.0, 100_000.0], [5_820_000.0, 5_820_000.0], mood=["calm", "loud"])
    result = pair_photos(photos, grid(2, 2))
    assert result.rejected.select("photo_id", "mood", "reason").rows() == [
        ("p1", "loud", "outside every tile")
    ]
    assert result.report.rejected == {"outside every tile": 1}
    assert set(result.report.rejected) <= set(REASONS)


def test_overlapping_tiles_are_kept_apart_by_default():
    index = grid(15, 15, stride=48)
    options = PairingOptions(block="2km")
    result = pair_photos(scattered(), index, options=options)
    assert result.report.rejected["in the buffer between splits"] > 0
    assert result.report.shared_tiles == 0
    kept = pair_photos(scattered(), index, options=PairingOptions(block="2km", buffer_m=0))
    assert kept.report.shared_tiles > 0
    assert "in the buffer between splits" not in kept.report.rejected
    assert kept.report.pairs == 2000


def test_own_split_is_kept_and_shared_tiles_are_counted():
    photos = scattered(200, split=["train", "dev"] * 100)
    result = pair_photos(photos, grid(8, 8), options=PairingOptions(own_split=True))
    kept = result.pairs.join(photos, on="photo_id", suffix="_own")
    assert (kept["split"] == kept["split_own"]).all()
    assert result.report.splits["dev"] == 100
    assert result.report.split_tiles > 0
    assert result.report.shared_tiles > 0


def test_photo_without_a_split_of_its_own_is_rejected():
    photos = scattered(3, split=["train", None, "test"])
    result = pair_photos(photos, grid(8, 8), options=PairingOptions(own_split=True))
    assert result.rejected["reason"].to_list() == ["no split in the split column"]


def test_a_split_column_is_not_used_unless_named():
    photos = scattered(500, split="train")
    assert pair_photos(photos, grid(8, 8)).pairs["split"].n_unique() > 1


def test_own_split_without_a_column_is_refused():
    with pytest.raises(DataError, match="no split"):
        pair_photos(scattered(2), grid(2, 2), options=PairingOptions(own_split=True))


def test_days_apart_are_counted_from_scene_to_photo():
    noon = dt.datetime(2024, 7, 10, 12, tzinfo=dt.UTC)
    photos = scattered(2, captured_at=[noon, None])
    scene = pl.lit(noon + dt.timedelta(days=3, hours=12)).cast(pl.Datetime("ms", "UTC"))
    index = grid(8, 8).with_columns(scene.alias("datetime"))
    assert pair_photos(photos, index).pairs["days_apart"].to_list() == [3.5, None]


def test_order_of_tiles_does_not_matter():
    index = grid(8, 8)
    first = pair_photos(scattered(300), index).pairs
    second = pair_photos(scattered(300), index[::-1]).pairs
    assert first.equals(second)


def test_places_without_pairs_get_the_split_of_their_block(tmp_path):
    index = grid(8, 8)
    tiles = TileSet.open(write_tile_set(tmp_path / "tiles", index))
    centres = index.select("centre_lon", "centre_lat").to_numpy()
    splits = block_splits(centres, tiles=tiles)
    pairs = pair_photos(scattered(), index).pairs
    by_tile = dict(zip(index["tile_id"], splits, strict=True))
    assert all(by_tile[tile] == split for tile, split in pairs.select("tile_id", "split").rows())
    assert block_splits([[13.31, 52.41], [13.39, 52.49]])[0] == block_splits([[13.35, 52.45]])[0]
