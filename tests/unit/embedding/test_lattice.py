"""The lattice covers every pixel; its blend is a partition of unity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gair_cli.embedding.lattice import Lattice, default_stride, make_axis
from gair_cli.errors import UsageError


def test_tiles_start_at_the_first_pixel_and_the_last_one_is_moved_back():
    assert make_axis(230, size=96, stride=64).starts.tolist() == [0, 64, 128, 134]
    assert make_axis(224, size=96, stride=64).starts.tolist() == [0, 64, 128]


def test_a_small_scene_has_one_tile():
    assert make_axis(40, size=96, stride=64).starts.tolist() == [0]


@given(st.integers(1, 900), st.integers(2, 60), st.data())
def test_every_pixel_is_covered_and_shares_sum_to_one(length, size, data):
    stride = data.draw(st.integers(1, size - 1))
    axis = make_axis(length, size=size, stride=stride)
    centres = np.arange(length) + 0.5
    weights = np.stack([axis.weight(i, centres) for i in range(len(axis.starts))])
    total = weights.sum(axis=0)
    assert (total > 0).all()
    assert np.allclose((weights / total).sum(axis=0), 1)


def test_inside_a_regular_lattice_the_weights_sum_to_one_without_division():
    axis = make_axis(96 + 64 * 3, size=96, stride=64)
    inner = np.linspace(32, 96 + 64 * 3 - 32, 500)
    total = sum(axis.weight(i, inner) for i in range(len(axis.starts)))
    assert total == pytest.approx(np.ones(500), abs=1e-8)


def test_weights_have_no_step_where_a_tile_begins_or_ends():
    axis = make_axis(1000, size=96, stride=64)
    fine = np.arange(0, 1000, 0.01)
    weights = np.stack([axis.weight(i, fine) for i in range(len(axis.starts))])
    shares = weights / weights.sum(axis=0)
    inner = (fine > 1) & (fine < 999)
    assert np.abs(np.diff(shares[:, inner], axis=1)).max() < 0.01 * np.pi / 32


def test_positions_of_a_tile_are_minus_one_to_one():
    axis = make_axis(300, size=96, stride=64)
    lattice = Lattice(axis, axis)
    pixels = np.array([[64.0, 128.0], [160.0, 224.0], [112.0, 176.0]])
    assert lattice.position((1, 2), pixels).tolist() == [[-1, -1], [1, 1], [0, 0]]


def test_tiles_at_positions_are_those_that_hold_them():
    axis = make_axis(300, size=96, stride=64)
    assert Lattice(axis, axis).tiles_at(np.array([[10.0, 70.0]])) == [(0, 0), (0, 1)]


def test_stride_is_two_thirds_in_whole_patches():
    assert default_stride(96, 8) == 64
    assert default_stride(32, 8) == 24
    assert default_stride(16, 8) == 8


def test_a_stride_as_long_as_a_tile_is_refused():
    with pytest.raises(UsageError, match="no lattice"):
        make_axis(100, size=10, stride=10)
