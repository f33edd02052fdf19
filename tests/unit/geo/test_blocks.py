"""Blocks are the same for the same place; splits are drawn for blocks."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_tiles import at_metres, grid, index_of, tile_row

from gair_cli.errors import UsageError
from gair_cli.geo.blocks import (
    BlockGrid,
    block_names,
    default_block,
    parse_block,
    split_of_blocks,
)


@pytest.mark.parametrize(
    ("text", "size", "unit"),
    [("2km", 2.0, "km"), ("0.5deg", 0.5, "deg"), ("500 m", 0.5, "km"), (".25DEG", 0.25, "deg")],
)
def test_sizes_are_kilometres_metres_or_degrees(text, size, unit):
    assert parse_block(text) == BlockGrid(size, unit)


@pytest.mark.parametrize("text", ["2", "km", "-1km", "0km", "2 miles", "1e3km"])
def test_anything_else_is_no_size(text):
    with pytest.raises(UsageError, match="no block size"):
        parse_block(text)


def test_degree_blocks_are_named_by_latitude_then_longitude():
    names = block_names([[13.34, 52.46], [-0.01, -0.01], [0.0, 0.1]], BlockGrid(0.1, "deg"))
    assert names == ["524_133", "-1_-1", "1_0"]


def test_kilometre_blocks_are_cells_of_the_places_zone():
    lonlat = np.concatenate([at_metres([384_500.0, 386_500.0], 5_819_000.0), [[-58.4, -34.6]]])
    names = block_names(lonlat, BlockGrid(2, "km"))
    assert names[:2] == ["33N_2909_192", "33N_2909_193"]
    assert names[2].startswith("21S_")


def test_tiles_that_meet_at_block_corners_never_flicker():
    # Centres exactly on multiples of the block size, through longitude and latitude and back.
    x, y = np.meshgrid(np.arange(380_000, 400_000, 2000.0), np.arange(5_800_000, 5_820_000, 2000.0))
    names = block_names(at_metres(x.ravel(), y.ravel()), BlockGrid(2, "km"))
    wanted = [
        f"33N_{int(b) // 2000}_{int(a) // 2000}" for a, b in zip(x.ravel(), y.ravel(), strict=True)
    ]
    assert names == wanted


def test_default_block_is_two_tile_edges():
    assert str(default_block(grid(3, 3))) == "1.92km"
    geographic = index_of([tile_row((1e-3, 0, 10, 0, -1e-3, 1), (100, 100), crs="EPSG:4326")])
    assert default_block(geographic).unit == "deg"
    assert default_block(geographic).size == pytest.approx(0.2, rel=0.01)


def test_splits_follow_the_shares():
    names = [f"{row}_{col}" for row in range(200) for col in range(200)]
    counts = Counter(split_of_blocks(names, seed=3))
    assert counts["train"] / 40_000 == pytest.approx(0.8, abs=0.01)
    assert counts["val"] / 40_000 == pytest.approx(0.1, abs=0.01)


def test_a_block_keeps_its_split_in_any_table():
    names = [f"{number}" for number in range(500)]
    whole = dict(zip(names, split_of_blocks(names, seed=0), strict=True))
    part = names[::-7]
    assert split_of_blocks(part, seed=0) == [whole[name] for name in part]
    assert split_of_blocks(names, seed=1) != list(whole.values())


def test_shares_that_do_not_add_up_are_refused():
    with pytest.raises(UsageError, match="add up"):
        split_of_blocks(["a"], seed=0, fractions=(0.5, 0.1, 0.1))


@given(st.floats(-180, 180), st.floats(-79, 83), st.sampled_from(["2km", "0.5deg", "37km"]))
def test_every_place_has_one_block(lon, lat, size):
    assert len(block_names([[lon, lat]], parse_block(size))) == 1
