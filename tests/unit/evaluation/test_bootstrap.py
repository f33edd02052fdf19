import numpy as np
import pytest

from gair_cli.evaluation import bootstrap, metrics


@pytest.fixture
def draws():
    return bootstrap.block_draws(np.repeat(np.arange(40), 5), seed=3, draws=400)


def test_interval_equals_a_slow_loop_that_copies_the_rows():
    generator = np.random.default_rng(0)
    blocks = generator.integers(0, 12, size=150)
    target = generator.normal(size=150)
    said = target + generator.normal(size=150)
    draws = bootstrap.block_draws(blocks, seed=1, draws=50)
    slow = []
    for counts in draws.counts.astype(int):
        rows = np.concatenate(
            [np.tile(np.flatnonzero(draws.blocks == b), counts[b]) for b in range(len(counts))]
        )
        error = ((target[rows] - said[rows]) ** 2).sum()
        slow.append(1 - error / ((target[rows] - target[rows].mean()) ** 2).sum())
    found = bootstrap.r2_interval(target, said, draws)
    assert (found.low, found.high) == pytest.approx(np.percentile(slow, [2.5, 97.5]), rel=1e-9)


def test_every_draw_takes_as_many_blocks_as_there_are(draws):
    assert (draws.counts.sum(axis=1) == 40).all()


def test_interval_of_a_mean_holds_the_mean_and_narrows_with_more_blocks():
    generator = np.random.default_rng(4)
    right = generator.random(4000) < 0.3
    few = bootstrap.mean_interval(right, bootstrap.block_draws(np.arange(4000) % 20, seed=0))
    many = bootstrap.mean_interval(right, bootstrap.block_draws(np.arange(4000), seed=0))
    assert few.low < few.value < few.high
    assert many.high - many.low == pytest.approx(2 * 1.96 * np.sqrt(0.21 / 4000), rel=0.1)


def test_rows_of_one_block_that_agree_widen_the_interval():
    values = np.repeat(np.arange(20) % 2, 50).astype(float)
    by_block = bootstrap.mean_interval(
        values, bootstrap.block_draws(np.repeat(np.arange(20), 50), seed=0)
    )
    by_row = bootstrap.mean_interval(values, bootstrap.block_draws(np.arange(1000), seed=0))
    assert by_block.high - by_block.low > 4 * (by_row.high - by_row.low)


def test_difference_of_a_method_to_itself_is_exactly_zero(draws):
    target = np.sin(np.arange(200.0))
    found = bootstrap.r2_difference(target, target * 0.9, target * 0.9, draws=draws)
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_paired_difference_is_narrower_than_its_parts():
    generator = np.random.default_rng(8)
    target = generator.normal(size=600) * np.repeat(np.arange(1, 31), 20)
    first = target + generator.normal(size=600)
    second = first + 0.1 * generator.normal(size=600)
    draws = bootstrap.block_draws(np.repeat(np.arange(30), 20), seed=0)
    alone = bootstrap.r2_interval(target, first, draws)
    pair = bootstrap.r2_difference(target, first, second, draws=draws)
    assert pair.high - pair.low < alone.high - alone.low


def test_median_interval_equals_a_slow_loop():
    generator = np.random.default_rng(9)
    values = generator.integers(1, 100, size=90).astype(float)
    draws = bootstrap.block_draws(generator.integers(0, 9, size=90), seed=2, draws=60)
    slow = []
    for counts in draws.counts.astype(int):
        rows = np.sort(np.repeat(values, counts[draws.blocks]))
        slow.append(rows[(len(rows) - 1) // 2])
    found = bootstrap.median_interval(values, draws)
    assert found.value == np.median(values)
    assert (found.low, found.high) == pytest.approx(np.percentile(slow, [2.5, 97.5]))


def test_r2_is_one_for_the_truth_zero_for_the_mean_and_nan_without_variance():
    target = np.array([1.0, 2.0, 3.0, 6.0])
    assert metrics.r2(target, target) == 1.0
    assert metrics.r2(target, np.full(4, 3.0)) == pytest.approx(0.0)
    assert np.isnan(metrics.r2(np.ones(4), np.zeros(4)))


def test_macro_f1_counts_each_class_the_same():
    labels = np.array([0, 0, 0, 1])
    assert metrics.macro_f1(labels, np.array([0, 0, 0, 0])) == pytest.approx((6 / 7 + 0) / 2)
    assert metrics.rmse(np.array([0.0, 0.0]), np.array([3.0, 4.0])) == pytest.approx(12.5**0.5)


def test_a_single_block_gives_no_interval_instead_of_an_exact_one():
    values = np.arange(10.0)
    draws = bootstrap.block_draws(np.zeros(10, dtype=int), seed=0, draws=20)
    found = [
        bootstrap.mean_interval(values, draws),
        bootstrap.median_interval(values, draws),
        bootstrap.r2_interval(values, values + 0.1, draws),
        bootstrap.mean_difference(values, values + 1, draws),
    ]
    assert [one.value for one in found[:2]] == [4.5, 4.5]
    assert all(np.isnan([one.low, one.high]).all() for one in found)
