import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gair_cli.errors import DataError, UsageError
from gair_cli.evaluation import splits


def places(seed, n=200):
    generator = np.random.default_rng(seed)
    return np.stack([generator.uniform(-180, 180, n), generator.uniform(-90, 90, n)], axis=1)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    edge=st.floats(0.5, 20.0),
    unit=st.sampled_from(["deg", "km"]),
)
def test_a_block_is_never_in_two_folds(seed, edge, unit):
    value = edge if unit == "deg" else edge * 100.0
    blocks = splits.block_ids(places(seed), splits.BlockSize(value, unit))
    folds = splits.block_folds(blocks, seed=seed)
    for block in np.unique(blocks):
        assert len(set(folds[blocks == block])) == 1


def test_folds_are_of_about_equal_size():
    blocks = splits.block_ids(places(0, 5000), splits.BlockSize(10.0, "deg"))
    sizes = np.bincount(splits.block_folds(blocks, seed=0))
    assert len(sizes) == 5
    assert sizes.max() - sizes.min() < 30
    assert np.bincount(splits.random_folds(12, seed=0)).tolist() == [3, 3, 2, 2, 2]


def test_the_seed_decides_and_nothing_else():
    first = splits.random_folds(100, seed=1)
    assert (first == splits.random_folds(100, seed=1)).all()
    assert (first != splits.random_folds(100, seed=2)).any()


def test_ten_degree_blocks_are_the_cells_of_the_globe():
    lonlat = np.array([[-180, -90], [-170.001, -80.001], [-170, -90], [180, -90], [0, 90], [5, 85]])
    blocks = splits.block_ids(lonlat.astype(float), splits.BlockSize(10.0, "deg"))
    assert blocks[0] == blocks[1] == blocks[3]
    assert blocks[2] != blocks[0]
    assert blocks[4] == blocks[5]


def test_kilometre_blocks_are_as_wide_as_high_far_north():
    lon = np.linspace(10.0, 20.0, 2001)
    lonlat = np.stack([lon, np.full_like(lon, 60.0)], axis=1)
    blocks = splits.block_ids(lonlat, splits.BlockSize(10.0, "km"))
    width_km = 10.0 * 111.195 * 0.5
    assert len(np.unique(blocks)) == pytest.approx(width_km / 10.0, abs=2)


@pytest.mark.parametrize(
    ("text", "value", "unit"), [("2km", 2, "km"), ("500 m", 0.5, "km"), ("0.5deg", 0.5, "deg")]
)
def test_block_text_is_read(text, value, unit):
    assert splits.parse_block(text) == splits.BlockSize(value, unit)


@pytest.mark.parametrize("text", ["2", "km", "0km", "-1deg", "1e999km", "two km", ""])
def test_block_text_without_number_or_unit_is_a_usage_error(text):
    with pytest.raises(UsageError):
        splits.parse_block(text)


def test_a_global_table_gets_ten_degrees_and_a_city_less_than_its_extent():
    assert str(splits.default_block(places(0))) == "10deg"
    city = np.array([[13.3, 52.4], [13.5, 52.6], [13.4, 52.5]])
    assert str(splits.default_block(city)) == "2km"


def test_a_table_across_the_antimeridian_is_not_global():
    fiji = np.array([[179.5, -17.0], [-179.5, -17.5], [179.9, -18.0]])
    assert splits.default_block(fiji).unit == "km"


def test_fewer_blocks_than_folds_is_an_error_with_a_hint():
    with pytest.raises(DataError, match="3 spatial blocks") as caught:
        splits.block_folds(np.array([0, 1, 2, 0]), seed=0)
    assert "--block" in caught.value.hint


def test_points_on_one_spot_have_a_block():
    assert splits.default_block(np.zeros((4, 2))).value > 0
