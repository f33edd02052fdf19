"""Kinds of blocks: parsing, the sample of places, centres."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gair_cli.errors import UsageError
from gair_cli.geo.block_kinds import (
    ColumnBlocks,
    KMeansBlocks,
    PlaceSample,
    fit_centres,
    parse_kind,
)
from gair_cli.geo.blocks import BlockGrid


def test_every_kind_is_parsed():
    assert parse_kind("2km") == BlockGrid(2, "km")
    assert parse_kind("500m") == BlockGrid(0.5, "km")
    assert parse_kind("0.5deg") == BlockGrid(0.5, "deg")
    assert parse_kind("kmeans:50") == KMeansBlocks(50)
    assert parse_kind("column:my city") == ColumnBlocks("my city")


@pytest.mark.parametrize("text", ["", "2", "0km", "kmeans:", "kmeans:x", "kmeans:1", "column:"])
def test_others_are_refused(text):
    with pytest.raises(UsageError):
        parse_kind(text)


@given(st.integers(0, 2**32), st.integers(1, 7))
@settings(max_examples=20, deadline=None)
def test_a_sample_depends_on_the_places_only(seed, parts):
    rng = np.random.default_rng(seed)
    places = rng.uniform([-180, -90], [180, 90], (500, 2))
    whole, pieces = PlaceSample(7, 100), PlaceSample(7, 100)
    whole.add(places)
    twice = rng.permutation(np.concatenate([places, places]))
    for part in np.array_split(twice, parts):
        pieces.add(part)
    assert len(whole.lonlat()) == 100
    np.testing.assert_array_equal(whole.lonlat(), pieces.lonlat())
    assert not np.array_equal(whole.lonlat(), _sampled(places, seed=8))


def _sampled(places, *, seed):
    sample = PlaceSample(seed, 100)
    sample.add(places)
    return sample.lonlat()


def test_a_sample_is_uniform():
    places = np.stack([np.linspace(-180, 179, 20_000), np.zeros(20_000)], 1)
    sample = PlaceSample(0, 2000)
    sample.add(places)
    shares = np.histogram(sample.lonlat()[:, 0], 10, (-180, 180))[0] / 2000
    assert np.abs(shares - 0.1).max() < 4 * np.sqrt(0.1 * 0.9 / 2000)


def test_centres_are_the_means_of_clear_groups():
    rng = np.random.default_rng(2)
    groups = np.array([[10, 50], [179.99, -20], [-60, 85]])
    places = np.concatenate([group + rng.normal(0, 0.01, (50, 2)) for group in groups])
    found = fit_centres([places[:70], places[70:]], 3, seed=1).lonlat
    for group in groups:
        turned = (found - group + 180) % 360 - 180
        assert np.abs(turned).max(axis=1).min() < 0.02


def test_more_centres_than_places_are_refused():
    with pytest.raises(UsageError, match="needs 3 different places; there are 2"):
        fit_centres([np.array([[1.0, 2], [1, 2], [3, 4]])], 3, seed=0)
