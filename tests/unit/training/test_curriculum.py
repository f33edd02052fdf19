"""Neighbours in a batch, shares of sources, and shuffles by block: pure functions of the step."""

import numpy as np
import pytest

from gair_cli.data.order import Blocks, Order, block_permute, key_of
from gair_cli.errors import DataError
from gair_cli.training.config import Recipe
from gair_cli.training.curriculum import CurriculumConfig, Neighbours, share_at
from gair_cli.training.steps import PAIR, Steps


def grid(n=20, each=4):
    """Places 0.1 degrees apart, `each` rows a place, one tile a place."""
    lon, lat = (one.ravel() for one in np.meshgrid(np.arange(n), np.arange(n)))
    lonlat = np.repeat(np.stack([lon, lat], axis=1) * 0.1 + 0.05, each, axis=0)
    return lonlat, np.repeat(np.arange(n * n), each)


def neighbours(share=0.5, group=1, each=4, steps=100):
    lonlat, tile_of = grid(each=each)
    rows = np.arange(len(lonlat)) + 1000
    config = CurriculumConfig(share=share, ramp=0.5, cell_deg=0.1)
    kinds = np.full(len(rows), PAIR)
    return rows, lonlat, Neighbours(
        rows, lonlat, kind_of=kinds, tile_of=tile_of, config=config, steps=steps, group=group,
        seed=0,
    )  # fmt: skip


def test_the_share_grows_along_a_line_and_stays():
    config = CurriculumConfig(share=0.4, ramp=0.5)
    assert [share_at(step, 100, config) for step in (0, 25, 50, 99)] == [0, 0.2, 0.4, 0.4]
    assert share_at(0, 100, CurriculumConfig(share=0.4, ramp=0.0)) == 0.4


@pytest.mark.parametrize("group", [1, 4])
def test_the_last_rows_of_a_step_become_neighbours_of_the_first(group):
    rows, lonlat, near = neighbours(group=group)
    recipe = Recipe(batch_size=40, photos_per_tile=group, steps=100)
    steps = Steps.of(rows, np.full(len(rows), PAIR), recipe=recipe, neighbours=near)
    plain = Steps.of(rows, np.full(len(rows), PAIR), recipe=recipe)
    assert steps.rows(0).rows.tolist() == plain.rows(0).rows.tolist()
    seen = steps.rows(80).rows
    assert seen.tolist() == steps.rows(80).rows.tolist()
    assert seen[:20].tolist() == plain.rows(80).rows[:20].tolist()
    assert len(seen) == len(set(seen.tolist())) == 40
    kept, drawn = lonlat[seen[:20] - 1000], lonlat[seen[20:] - 1000]
    off = np.abs(drawn[:, None] - kept[None]).max(axis=2).min(axis=1)  # to the nearest kept row
    assert (off < 0.15).all()
    by_chance = np.abs(lonlat[plain.rows(80).rows[20:] - 1000][:, None] - kept[None])
    assert (by_chance.max(axis=2).min(axis=1) > 0.15).any()


def test_neighbours_bring_their_tile_along():
    rows, lonlat, near = neighbours(group=4)
    recipe = Recipe(batch_size=40, photos_per_tile=4, steps=100)
    steps = Steps.of(rows, np.full(len(rows), PAIR), recipe=recipe, neighbours=near)
    drawn = steps.rows(99).rows[20:]
    places = np.unique(lonlat[drawn - 1000], axis=0)
    assert len(places) <= 12  # alone, 20 rows would lie in 20 places or nearly so


def test_too_few_neighbours_leave_rows_where_they_were():
    rows = np.arange(6)
    lonlat = np.stack([np.arange(6.0) * 10, np.zeros(6)], axis=1)  # nobody has a neighbour
    near = Neighbours(
        rows, lonlat, kind_of=np.full(6, PAIR), tile_of=np.arange(6),
        config=CurriculumConfig(0.5, 0.0), steps=10, group=1, seed=0,
    )  # fmt: skip
    recipe = Recipe(batch_size=6, steps=10)
    steps = Steps.of(rows, np.full(6, PAIR), recipe=recipe, neighbours=near)
    assert sorted(steps.rows(5).rows.tolist()) == [0, 1, 2, 3, 4, 5]


def test_neighbours_reach_across_the_antimeridian():
    lonlat = np.array([[179.95, 0.05], [-179.95, 0.05], [0.05, 0.05]])
    near = Neighbours(
        np.arange(3), lonlat, kind_of=np.full(3, PAIR), tile_of=np.arange(3),
        config=CurriculumConfig(0.5, 0.0, cell_deg=0.1), steps=10, group=1, seed=0,
    )  # fmt: skip
    found = {
        int(near._around(np.array([0]), np.array([number], dtype=np.uint64))[0])
        for number in range(9)
    }
    assert len(found) == 2  # its own cell and the one beyond 180 degrees


def test_sources_have_their_shares_of_every_step():
    rows = np.arange(1000)
    source_of = np.where(rows < 900, "plenty", "rare")
    recipe = Recipe.from_table({"batch_size": 40, "source_weights": ["plenty=1", "rare=3"]})
    steps = Steps.of(rows, np.full(1000, PAIR), recipe=recipe, source_of=source_of)
    for step in (0, 7, 123):
        seen = steps.rows(step)
        assert (seen.rows >= 900).sum() == 30
        assert len(set(seen.rows.tolist())) == 40
    later = steps.rows(50)
    assert set(later.epochs[later.rows >= 900].tolist()) == {16}  # 3 steps an epoch of 100 rows
    assert set(later.epochs[later.rows < 900].tolist()) == {0}
    wrong = Recipe.from_table({"source_weights": ["gone=2"]})
    with pytest.raises(DataError, match="names gone"):
        Steps.of(rows, np.full(1000, PAIR), recipe=wrong, source_of=source_of)


def test_a_source_of_weight_nought_is_left_out():
    rows = np.arange(100)
    source_of = np.where(rows < 50, "good", "bad")
    recipe = Recipe.from_table({"batch_size": 10, "source_weights": ["bad=0"]})
    steps = Steps.of(rows, np.full(100, PAIR), recipe=recipe, source_of=source_of)
    seen = np.concatenate([steps.rows(step).rows for step in range(5)])
    assert sorted(seen.tolist()) == list(range(50))
    nothing = Recipe.from_table({"source_weights": ["bad=0", "good=0"]})
    with pytest.raises(DataError, match="weighs 0"):
        Steps.of(rows, np.full(100, PAIR), recipe=nothing, source_of=source_of)


@pytest.mark.parametrize(("n", "block", "at_once"), [(97, 10, 3), (100, 10, 4), (7, 10, 2),
                                                     (1000, 1, 1), (55, 54, 1)])  # fmt: skip
def test_a_shuffle_by_block_visits_every_place_once_and_knows_its_way_back(n, block, at_once):
    everything = np.arange(n)
    places = block_permute(everything, n, key=key_of("x"), block=block, blocks_at_once=at_once)
    assert sorted(places.tolist()) == everything.tolist()
    back = block_permute(
        places, n, key=key_of("x"), block=block, blocks_at_once=at_once, inverse=True
    )
    assert back.tolist() == everything.tolist()


def test_a_window_reads_its_blocks_and_no_others():
    places = block_permute(
        np.arange(1000), 1000, key=key_of("w"), block=50, blocks_at_once=4
    ).reshape(5, 200)
    for window in places:
        assert len(np.unique(window // 50)) == 4
        assert (np.diff(window) == 1).mean() < 0.05  # mixed inside


def test_displacement_says_how_well_an_order_is_mixed():
    whole = Order(10_000, 100, seed=0)
    some = Order(10_000, 100, seed=0, blocks=Blocks(rows=100, at_once=10))
    few = Order(10_000, 100, seed=0, blocks=Blocks(rows=100, at_once=1))
    assert whole.displacement() == pytest.approx(1.0, abs=0.05)
    assert 0.7 < some.displacement() < 1.05
    assert few.displacement() < 0.05
    grouped = Order(10_000, 100, seed=0, group=4, blocks=Blocks(rows=100, at_once=10))
    rows = np.concatenate([grouped.rows(step) for step in range(grouped.steps_per_epoch)])
    assert sorted(rows.tolist()) == list(range(10_000))


def test_blocks_of_nothing_are_refused():
    with pytest.raises(DataError, match="blocks of 0 rows"):
        Blocks(0, 1)
