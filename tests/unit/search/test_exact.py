"""Exact search equals a brute-force numpy search."""

import numpy as np
import pytest

from gair_cli.errors import DataError, UsageError
from gair_cli.search.exact import cosine_scores, search_vectors, top_rows


def brute_force(query, vectors, k):
    wide = vectors.astype(np.float64)
    scores = wide @ query / np.linalg.norm(wide, axis=1) / np.linalg.norm(query)
    return np.argsort(-scores, kind="stable")[:k]


@pytest.mark.parametrize("block", [1, 7, 1000, 5000])
def test_any_block_size_gives_the_rows_of_brute_force(block):
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(3000, 24)).astype(np.float32)
    query = rng.normal(size=24).astype(np.float32)
    blocks = [vectors[start : start + block] for start in range(0, len(vectors), block)]
    hits = search_vectors(query, blocks, 25)
    assert hits.rows.tolist() == brute_force(query, vectors, 25).tolist()
    assert (np.diff(hits.scores) <= 0).all()


def test_equal_vectors_are_found_in_input_order_across_blocks():
    rng = np.random.default_rng(6)
    one = rng.normal(size=(1, 37)).astype(np.float32)
    vectors = np.concatenate([-one, np.repeat(one, 9, axis=0), -one])
    hits = search_vectors(one[0], np.array_split(vectors, 4), 5)
    assert hits.rows.tolist() == [1, 2, 3, 4, 5]
    assert hits.scores == pytest.approx([1, 1, 1, 1, 1])


def test_rows_without_vector_are_never_found():
    vectors = np.array([[1, 0], [np.nan, np.nan], [0, 0], [0, 1]], np.float32)
    hits = search_vectors(np.array([1.0, 0.0]), [vectors], 10)
    assert hits.rows.tolist() == [0, 3]


def test_the_querys_own_row_can_be_left_out():
    vectors = np.eye(3, dtype=np.float32)
    hits = search_vectors(vectors[1], [vectors[:1], vectors[1:]], 2, skip_row=1)
    assert hits.rows.tolist() == [0, 2]


def test_scores_are_cosines_whatever_the_lengths():
    scores = cosine_scores(np.array([3.0, 4.0]), np.array([[30, 40], [-3, -4], [8, -6]], float))
    assert scores == pytest.approx([1, -1, 0])


def test_top_rows_of_fewer_scores_than_k_are_all():
    assert top_rows(np.array([0.1, np.nan, 0.3]), 5).tolist() == [2, 0]


def test_a_query_without_direction_or_of_other_width_is_refused():
    with pytest.raises(DataError, match="no direction"):
        cosine_scores(np.zeros(2), np.eye(2))
    with pytest.raises(DataError, match="the query has"):
        cosine_scores(np.ones(3), np.eye(2))
    with pytest.raises(UsageError, match="at least 1"):
        search_vectors(np.ones(2), [np.eye(2)], 0)
