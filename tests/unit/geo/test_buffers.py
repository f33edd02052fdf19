"""Tiles of different splits that overlap or come too close."""

from __future__ import annotations

import pytest
from made_tiles import grid, index_of

from gair_cli.geo.buffers import shared_tiles, yielding_tiles
from gair_cli.geo.coordinates import from_lonlat


def test_tiles_that_only_touch_share_nothing():
    splits = ["train", "test"] * 8
    assert not shared_tiles(grid(4, 4), splits).any()


def test_tiles_that_overlap_are_marked_on_both_sides():
    index = grid(1, 5, stride=48)
    marked = shared_tiles(index, ["train", "train", "train", "test", "test"])
    assert marked.tolist() == [False, False, True, True, False]


def test_training_gives_way_to_validation_and_both_to_test():
    index = grid(1, 6, stride=48)
    out = yielding_tiles(index, ["train", "train", "val", "val", "test", "test"])
    assert out.tolist() == [False, True, False, True, False, False]


def test_a_tile_that_is_gone_takes_no_other_with_it():
    # The val tile gives way to test, so the train tile beside it may stay.
    out = yielding_tiles(grid(1, 3, stride=48), ["train", "val", "test"])
    assert out.tolist() == [False, True, False]


@pytest.mark.parametrize(("buffer_m", "gone"), [(900.0, 1), (970.0, 2), (2000.0, 3)])
def test_a_buffer_keeps_its_distance(buffer_m, gone):
    index = grid(1, 5)
    out = yielding_tiles(index, ["train"] * 4 + ["test"], buffer_m=buffer_m)
    assert out.tolist() == [False] * (4 - gone) + [True] * gone + [False]


def test_tiles_of_two_zones_over_the_same_ground_are_marked():
    index = grid(1, 1)
    centre = index.select("centre_lon", "centre_lat").to_numpy()
    x, y = from_lonlat(centre, "EPSG:32632")[0]
    other = grid(1, 1, crs="EPSG:32632", origin=(x - 480, y + 480), scene="west")
    both = index_of([*index.to_dicts(), *other.to_dicts()])
    assert shared_tiles(both, ["train", "test"]).tolist() == [True, True]


def test_one_split_alone_shares_nothing():
    assert not shared_tiles(grid(2, 2, stride=48), ["train"] * 4).any()
