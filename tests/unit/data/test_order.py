"""The order of training: a permutation that is a pure function, with no state to restore."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gair_cli.data.order import Order, key_of, permute, random_uniform
from gair_cli.errors import DataError


@settings(deadline=None, max_examples=50)
@given(n=st.integers(1, 700), key=st.integers(0, 2**64 - 1))
def test_permutation_visits_every_row_once_and_inverts(n, key):
    places = np.arange(n, dtype=np.int64)
    permuted = permute(places, n, key=key)
    assert sorted(permuted.tolist()) == places.tolist()
    assert permute(permuted, n, key=key, inverse=True).tolist() == places.tolist()


def test_permutation_of_a_billion_rows_needs_only_the_rows_asked_for():
    some = permute(np.array([0, 1, 999_999_999]), 10**9, key=7)
    assert len(set(some.tolist())) == 3
    assert (some >= 0).all()
    assert (some < 10**9).all()


def test_permutation_is_the_same_on_every_machine():
    assert permute(np.arange(8), 8, key=1).tolist() == [0, 4, 3, 6, 1, 7, 5, 2]
    assert key_of("order", 0, 3) == 6912940680896992462


def test_neighbours_do_not_stay_neighbours():
    permuted = permute(np.arange(1000), 1000, key=3)
    assert abs(np.corrcoef(np.arange(1000), permuted)[0, 1]) < 0.1
    assert (np.abs(np.diff(permuted)) == 1).sum() < 15


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(1, 200),
    batch=st.integers(1, 60),
    group=st.integers(1, 9),
    epoch=st.integers(0, 3),
)
def test_an_epoch_shows_no_row_twice_and_leaves_out_less_than_a_batch(n, batch, group, epoch):
    order = Order(n, batch, seed=5, group=group)
    first = epoch * order.steps_per_epoch
    steps = range(first, first + order.steps_per_epoch)
    rows = np.concatenate([order.rows(step) for step in steps])
    assert len(set(rows.tolist())) == len(rows)
    assert 0 <= n - len(rows) < batch
    assert order.epoch_of(first) == epoch


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
@pytest.mark.parametrize("group", [1, 4])
def test_ranks_together_see_what_one_process_sees(ranks, group):
    order = Order(103, 16, seed=1, group=group)
    for step in (0, 5, 6, 20):
        parts = [order.rows(step, rank=rank, ranks=ranks) for rank in range(ranks)]
        assert np.concatenate(parts).tolist() == order.rows(step).tolist()


def test_epochs_and_seeds_differ():
    order = Order(50, 50, seed=1)
    assert order.rows(0).tolist() != order.rows(1).tolist()
    assert order.rows(0).tolist() != Order(50, 50, seed=2).rows(0).tolist()


def test_groups_keep_neighbours_of_the_table_together():
    order = Order(96, 32, seed=9, group=8)
    rows = order.rows(1)
    together = sum((b - a) % 96 == 1 for a, b in itertools.pairwise(rows))
    assert together >= 28


def test_batch_larger_than_the_table_is_the_table():
    order = Order(3, 16, seed=0)
    assert (order.rows_per_step, order.steps_per_epoch) == (3, 1)
    assert sorted(order.rows(4).tolist()) == [0, 1, 2]


def test_empty_table_is_refused():
    with pytest.raises(DataError, match="no training rows"):
        Order(0, 8, seed=0)


def test_uniform_numbers_are_keyed_and_flat():
    numbers = random_uniform(key_of("radius", 1), 20_000)
    assert numbers[:5].tolist() == random_uniform(key_of("radius", 1), 5).tolist()
    assert abs(numbers.mean() - 0.5) < 0.01
    assert np.histogram(numbers, bins=10, range=(0, 1))[0].min() > 1800
