import numpy as np
import pytest

from gair_cli.evaluation import bootstrap
from gair_cli.evaluation.report import ScoreSource
from gair_cli.evaluation.retrieval import Gallery, chance_scores, direction_scores, top_hits


def gallery(n=4):
    lonlat = np.stack([np.arange(n) * 0.01, np.zeros(n)], axis=1)
    draws = bootstrap.block_draws(np.arange(n), seed=0, draws=50)
    return Gallery(lonlat, np.arange(n) // 2, draws, ScoreSource("pairs", 0, "hash"), "test")


def values(scores):
    return {score.metric: score.value for score in scores}


def test_perfect_vectors_are_found_first_and_at_no_distance():
    eye = np.eye(4, dtype=np.float32)
    found = values(direction_scores(eye, eye, gallery(), task="SV->RS", method="exact"))
    assert found["R@1"] == 100.0
    assert found["median rank"] == 1.0
    assert found["median m"] == 0.0
    assert found["within 25 m"] == 100.0


def test_scores_of_a_small_case_are_those_counted_by_hand():
    queries = np.eye(4, dtype=np.float32)
    items = np.array(
        [[1.0, 0, 0, 0], [0.9, 0.5, 0, 0], [0, 0.6, 0.1, 0], [0, 0, 0.2, 1.0]], np.float32
    )
    scores = direction_scores(queries, items, gallery(), task="SV->RS", method="exact")
    found = values(scores)
    # query 0 finds 0; query 1 finds 2 before 1; query 2 finds 3 before 2; query 3 finds 3
    assert found["R@1"] == 50.0
    assert found["R@5"] == 100.0
    assert found["median rank"] == 1.5
    assert found["rank in own tile"] == 1.0
    assert found["median m"] == pytest.approx(0.5 * 1111.95, rel=1e-4)
    assert found["within 1 km"] if "within 1 km" in found else found["within 1000 m"] == 50.0
    assert {(s.model, s.split, s.n) for s in scores} == {("hash", "test", 4)}


def test_chance_is_that_of_a_random_order():
    found = values(chance_scores(gallery(200), task="SV->RS"))
    assert found["R@1"] == 0.5
    assert found["R@10"] == 5.0
    assert found["median rank"] == 100.5
    assert found["rank in own tile"] == 1.5


def test_random_vectors_score_chance():
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 1000, 16)).astype(np.float32)
    found = values(direction_scores(a, b, gallery(1000), task="SV->RS", method="random"))
    assert found["R@10"] == pytest.approx(1.0, abs=1.0)
    assert found["median rank"] == pytest.approx(500, abs=60)


def test_top_hits_do_not_depend_on_the_chunk():
    generator = np.random.default_rng(1)
    a, b = generator.normal(size=(2, 100, 8)).astype(np.float32)
    assert top_hits(a, b, chunk=7).tolist() == (a @ b.T).argmax(axis=1).tolist()
