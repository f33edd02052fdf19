"""Ranks and recalls, against values written out and a slow reference."""

import math

import numpy as np
import pytest

from gair_cli.data.ranks import Standings, rank_figures, retrieval_standings


def retrieval_ranks(queries, gallery, **options):
    return retrieval_standings(queries, gallery, **options).ranks


def test_perfect_match_ranks_first_and_reversed_match_last():
    eye = np.eye(3)
    assert retrieval_ranks(eye, eye).tolist() == [1, 1, 1]
    assert retrieval_ranks(eye, -eye).tolist() == [3, 3, 3]


def test_constant_embeddings_get_the_middle_rank_not_the_first():
    same = np.ones((101, 4))
    assert set(retrieval_ranks(same, same).tolist()) == {51}


def test_nan_does_not_win():
    broken = np.full((11, 2), np.nan)
    assert set(retrieval_ranks(broken, broken).tolist()) == {6}


def test_ranks_equal_a_sorted_list_for_more_queries_than_a_block():
    rng = np.random.default_rng(0)
    queries = rng.normal(size=(1500, 6))
    gallery = queries + rng.normal(size=(1500, 6))
    ranks = retrieval_ranks(queries, gallery)
    for i in (0, 700, 1024, 1499):
        order = sorted(range(1500), key=lambda j: -float(queries[i] @ gallery[j]))
        assert ranks[i] == order.index(i) + 1


def test_groups_rank_among_the_own_group_only():
    queries = np.array([[1.0, 0], [0, 1], [1, 0.5], [0, 1]])
    gallery = np.array([[1.0, 0], [2, 0], [3, 0], [0, 9]])
    groups = np.array([0, 0, 1, 1])
    assert retrieval_ranks(queries, gallery).tolist() == [3, 3, 2, 1]
    assert retrieval_ranks(queries, gallery, groups=groups).tolist() == [2, 1, 2, 1]


def standings(better, tied):
    return Standings(np.array(better, dtype=np.int64), np.array(tied, dtype=np.int64))


def test_recalls_and_median():
    found = standings([0, 1, 5, 39], [0, 0, 0, 0])
    assert rank_figures(found) == {"R@1": 25.0, "R@5": 50.0, "R@10": 75.0, "median_rank": 4.0}


def test_ties_count_as_if_they_came_in_random_order():
    found = standings([0, 8, 0, 20], [39, 3, 4, 5])
    assert found.found_within(10).tolist() == [0.25, 0.5, 1.0, 0.0]


def test_constant_embeddings_have_the_recall_of_chance():
    same = np.ones((101, 4))
    assert rank_figures(retrieval_standings(same, same))["R@10"] == pytest.approx(1000 / 101)


def test_no_queries_give_nan():
    assert all(math.isnan(value) for value in rank_figures(standings([], [])).values())


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="differ in shape"):
        retrieval_ranks(np.zeros((2, 3)), np.zeros((3, 3)))
