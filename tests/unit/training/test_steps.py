"""Which rows a step sees, and which coordinates are added to it."""

import numpy as np
import polars as pl
import pytest

from gair_cli.errors import DataError
from gair_cli.training.bank import CellSampler, cell_numbers, queued_rows
from gair_cli.training.config import Recipe
from gair_cli.training.steps import PAIR, TILE, Steps


def test_an_epoch_visits_all_kinds_and_never_mixes_them():
    rows = np.arange(100)
    kind_of = np.where(rows < 60, 3, np.where(rows < 90, 1, 2))
    steps = Steps.of(rows, kind_of, recipe=Recipe(batch_size=10))
    assert steps.steps_per_epoch == 10
    seen = [steps.rows(step) for step in range(10, 20)]
    assert {epoch for one in seen for epoch in one.epochs.tolist()} == {1}
    assert all(len(set(kind_of[one.rows])) == 1 for one in seen)
    assert sorted(np.concatenate([one.rows for one in seen])) == rows.tolist()
    kinds = [int(kind_of[one.rows[0]]) for one in seen]
    assert sorted(kinds) == [1, 1, 1, 2, 3, 3, 3, 3, 3, 3]
    assert kinds != sorted(kinds, reverse=True)


def test_only_pairs_are_grouped_by_tile():
    grouped = Recipe(batch_size=8, photos_per_tile=4)
    pairs = Steps.of(np.arange(64), np.full(64, PAIR), recipe=grouped).rows(0).rows
    alone = Steps.of(np.arange(64), np.full(64, TILE), recipe=grouped).rows(0).rows
    assert (np.diff(pairs) % 64 == 1).sum() >= 6
    assert (np.diff(alone) % 64 == 1).sum() <= 2


def test_no_rows_and_a_single_row_are_refused():
    with pytest.raises(DataError, match="no training rows"):
        Steps.of(np.array([], dtype=int), np.array([], dtype=int), recipe=Recipe())
    with pytest.raises(DataError, match="one training row"):
        Steps.of(np.array([4]), np.array([3]), recipe=Recipe())


def test_queue_holds_the_steps_before_nearest_first():
    steps = Steps.of(np.arange(40), np.full(40, 3), recipe=Recipe(batch_size=8))
    assert queued_rows(steps, 0, size=20) == []
    queue = queued_rows(steps, 6, size=20)
    assert [len(one.rows) for one in queue] == [8, 8, 4]
    assert queue[0].rows.tolist() == steps.rows(5).rows.tolist()
    assert queue[1].epochs.tolist() == [0] * 8
    assert queue[0].epochs.tolist() == [1] * 8


def test_cells_are_numbered_with_their_neighbours():
    numbers = cell_numbers(pl.Series(["524_133", "524_134", "525_133", "-1_-1800"]))
    assert numbers.tolist() == [5_240_133, 5_240_134, 5_250_133, -11_800]


def test_half_of_the_sampled_bank_is_near_and_none_is_of_the_batch():
    cells = pl.Series([f"{lat}_{lon}" for lat in range(10) for lon in range(100)])
    rows = np.arange(1000) + 5000
    sampler = CellSampler(cells, rows, seed=0)
    batch = np.array([5505])  # cell 5_5
    drawn = sampler.draw(batch, step=3, size=400)
    assert drawn.tolist() == sampler.draw(batch, step=3, size=400).tolist()
    assert drawn.tolist() != sampler.draw(batch, step=4, size=400).tolist()
    lat, lon = np.divmod(drawn - 5000, 100)
    near = (np.abs(lat - 5) <= 1) & (np.abs(lon - 5) <= 1)
    assert 160 <= near.sum() <= 210
    assert 5505 not in drawn
    assert 350 <= len(drawn) <= 400
    assert len(set(drawn[~near].tolist())) > 100
