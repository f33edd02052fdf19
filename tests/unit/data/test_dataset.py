"""From index rows to batches: what is read is what was packed, at the right place."""

import itertools
import shutil

import numpy as np
import polars as pl
import pytest
import torch

from gair_cli.data.augment import Augment
from gair_cli.data.dataset import TrainingData
from gair_cli.data.transforms import RsInput, SvInput
from gair_cli.errors import DataError
from gair_cli.geo.coordinates import from_lonlat
from gair_cli.geo.shards import ShardReader
from gair_cli.geo.tileset import TileSet

RS = RsInput(("B8", "B2"), (0.0, 0.0), (1.0, 1.0), size=16, clip=0)
SV = SvInput(24, 32, mean=(0, 0, 0), std=(1, 1, 1))


@pytest.fixture
def reader(world):
    with ShardReader(world / "train") as opened:
        yield opened


def data_of(reader, *, rs=RS, sv=SV, seed=0, **options):
    return TrainingData(reader, rs=rs, sv=sv, seed=seed, **options)


def test_tile_bytes_are_copied_unchanged_and_grouped_with_their_photos(world, reader):
    tiles = TileSet.open(world / "tiles")
    assert reader.bands == ("B2", "B8")
    assert len(reader) == 71
    row_of = {name: row for row, name in enumerate(tiles.index["tile_id"])}
    for row in (0, 30, 70):
        assert reader.tile_bytes(row) == tiles.member_bytes(row_of[reader.index["tile_id"][row]])
    order = [row_of[name] for name in reader.index["tile_id"]]
    assert order == sorted(order)
    assert reader.tiles.height == 9
    assert {"block", "edge_distance_m"} <= set(reader.index.columns)


def test_tiles_table_points_into_the_training_shards(reader):
    tile = reader.tiles.row(4, named=True)
    data = (reader.path / tile["shard"]).read_bytes()
    found = data[tile["offset"] : tile["offset"] + tile["length"]]
    row = reader.index["tile_id"].to_list().index(tile["tile_id"])
    assert found == reader.tile_bytes(row)


def test_statistics_are_those_of_the_pixels_in_use(reader):
    pixels = np.concatenate([np.arange(100, 148)] * 48)
    for one in reader.statistics:
        assert (one.minimum, one.maximum) == (100, 147)
        assert one.mean == pytest.approx(pixels.mean(), rel=1e-5)
        assert one.std == pytest.approx(pixels.std(), rel=1e-4)


def test_batch_has_each_tile_once_and_each_position_over_its_pixel(reader):
    rows = np.array([3, 40, 5, 41, 70])
    batch = data_of(reader).batch(rows, epoch=0)
    tiles = reader.index["tile_id"].gather(rows)
    assert batch.rs.shape == (tiles.n_unique(), 2, 16, 16)
    assert batch.sv.shape == (5, 3, 24, 32)
    assert batch.lonlat.dtype == torch.float64
    assert list(batch.sample_ids) == reader.index["sample_id"].gather(rows).to_list()
    column, row = ((batch.xy + 1) / 2 * 16).long().unbind(1)
    plane = from_lonlat(batch.lonlat.numpy(), "EPSG:32633")
    b8, b2 = batch.rs[batch.tile_of, :, row, column].unbind(1)
    assert b2.tolist() == (100 + np.floor((plane[:, 0] - 384_470) / 10)).tolist()
    assert b8.tolist() == (100 + np.floor((5_820_450 - plane[:, 1]) / 10)).tolist()
    red = batch.sv[:, 0].mean(dim=(1, 2)).numpy()
    assert np.abs(red - (plane[:, 0] - 384_470) / 2).max() < 3


def test_towers_that_are_absent_cost_nothing(reader):
    assert data_of(reader, rs=None).batch(np.arange(4), epoch=0).rs is None
    only = data_of(reader, sv=None).batch(np.arange(4), epoch=0)
    assert only.sv is None
    assert only.xy is not None


def test_missing_band_is_an_error_that_lists_what_is_there(reader):
    with pytest.raises(DataError, match="needs band B4; there are B2, B8"):
        data_of(reader, rs=RsInput(("B4",), (0.0,), (1.0,), size=16))


def test_a_tile_alone_has_a_fresh_point_in_each_epoch_at_its_true_place(world):
    with ShardReader(world / "alone") as reader:
        assert len(reader) == 9
        assert len(set(reader.index["split"])) > 1
        data = data_of(reader)
        rows = np.arange(9)
        first, second = (data.batch(rows, epoch=epoch) for epoch in (0, 1))
        assert first.sv is None
        assert not torch.equal(first.xy, second.xy)
        assert torch.equal(first.xy, data.batch(rows[::-1].copy(), epoch=0).xy.flip(0))
        assert not torch.equal(first.xy, data_of(reader, seed=1).batch(rows, epoch=0).xy)
        plane = from_lonlat(first.lonlat.numpy(), "EPSG:32633")
        column, row = ((first.xy + 1) / 2 * 16).long().unbind(1)
        b8, b2 = first.rs[first.tile_of, :, row, column].unbind(1)
        assert b2.tolist() == (100 + np.floor((plane[:, 0] - 384_470) / 10)).tolist()
        assert b8.tolist() == (100 + np.floor((5_820_450 - plane[:, 1]) / 10)).tolist()
        assert np.allclose(data.lonlat(rows, epoch=0), first.lonlat.numpy(), atol=0)


def test_the_full_cache_gives_what_the_disk_gives(reader):
    rows = np.arange(20)
    none, some, all_ = (data_of(reader, cache_mb=size) for size in (0, 1, 100))
    for data in (some, all_):
        data.batch(rows, epoch=0)
    for name in ("rs", "sv", "xy", "lonlat"):
        expected = getattr(none.batch(rows, epoch=0), name)
        assert torch.equal(getattr(some.batch(rows, epoch=0), name), expected)
        assert torch.equal(getattr(all_.batch(rows, epoch=0), name), expected)


def test_turned_tiles_keep_positions_over_their_pixels(reader):
    rows = np.arange(71)
    plain = data_of(reader).batch(rows, epoch=2)
    turned = data_of(reader, augment=Augment(turn_tiles=True)).batch(rows, epoch=2, augment=True)
    assert not torch.equal(plain.rs, turned.rs)
    under = []
    for batch in (plain, turned):
        column, row = ((batch.xy + 1) / 2 * 16).long().clamp(max=15).unbind(1)
        under.append(batch.rs[batch.tile_of, :, row, column])
    assert torch.equal(*under)


def test_rows_that_have_a_tile_and_rows_that_have_none_do_not_mix(reader):
    data = data_of(reader)
    data.has_tile = np.arange(71) > 2
    with pytest.raises(DataError, match="2 of 5 rows of a batch have a tile"):
        data.batch(np.arange(5), epoch=0)


def test_rows_of_a_tile_are_mixed_but_stay_together(reader):
    rows = data_of(reader).mixed_by_tile()
    tiles = reader.index["tile_id"].gather(rows).to_list()
    assert sum(a != b for a, b in itertools.pairwise(tiles)) == 8
    assert sorted(rows.tolist()) == list(range(71))
    assert rows.tolist() != list(range(71))


def test_a_damaged_sample_is_noticed(world, tmp_path):
    shutil.copytree(world / "train", tmp_path / "train")
    index = pl.read_parquet(tmp_path / "train" / "index.parquet")
    shard = tmp_path / "train" / index["shard"][9]
    data = bytearray(shard.read_bytes())
    data[index["photo_offset"][9] + 5] ^= 1
    shard.write_bytes(data)
    with ShardReader(tmp_path / "train") as reader:
        assert reader.verify(8)
        assert not reader.verify(9)


def test_a_displaced_photo_is_also_read_at_its_own_place(reader):
    rows = np.arange(20)
    plain = data_of(reader).batch(rows, epoch=1)
    augment = Augment(radii_m=(40.0,), exact_too=True, turn_tiles=True)
    both = data_of(reader, augment=augment).batch(rows, epoch=1, augment=True)
    assert both.exact_radius_m is None
    assert set(both.radius_m.tolist()) == {40.0}
    assert not torch.equal(both.xy, both.exact_xy)
    metres = ((both.xy - both.exact_xy) * both.size_m[both.tile_of] / 2).norm(dim=1)
    torch.testing.assert_close(metres, torch.full((20,), 40.0), atol=0.01, rtol=0)
    under = []
    for batch, xy in ((plain, plain.xy), (both, both.exact_xy)):
        column, row = ((xy + 1) / 2 * 16).long().clamp(max=15).unbind(1)
        under.append(batch.rs[batch.tile_of, :, row, column])
    assert torch.equal(*under)


def test_tiles_and_photos_travel_as_they_were_decoded(reader):
    raw = data_of(reader).raw_batch(np.arange(8), epoch=0)
    assert raw.tiles.dtype == torch.uint16
    assert raw.photos.dtype == torch.uint8
    assert len(raw) == 8


def test_views_of_the_same_rows_differ_and_repeat(reader):
    data = data_of(reader, augment=Augment(colour=0.2, turn_tiles=True, bands=0.1, crop=0.8))
    rows = np.arange(10)
    views = [data.finish(data.raw_batch(rows, epoch=0, augment=True, view=view))
             for view in (0, 1, 0)]  # fmt: skip
    assert not torch.equal(views[0].sv, views[1].sv)
    assert not torch.equal(views[0].rs, views[1].rs)
    assert torch.equal(views[0].sv, views[2].sv)
    assert torch.equal(views[0].rs, views[2].rs)
    assert views[0].sv.shape == (10, 3, 24, 32)
