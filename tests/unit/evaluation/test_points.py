import numpy as np
import polars as pl
import pytest

from gair_cli.errors import DataError
from gair_cli.evaluation.labels import read_target
from gair_cli.evaluation.points import Places, PointsOptions, fold_numbers, methods_of, score_target
from gair_cli.evaluation.report import scores_table


def made_places(*, n=400, **more):
    """Made data: places over a continent, with features that hold half of the target."""
    generator = np.random.default_rng(11)
    lonlat = np.stack([generator.uniform(-40, 60, n), generator.uniform(-30, 50, n)], axis=1)
    signal = generator.normal(size=(n, 8))
    target = signal[:, 0] + generator.normal(size=n)
    places = Places(
        dataset="made",
        lonlat=lonlat,
        features={"model": signal, "noise": generator.normal(size=(n, 8))},
        models={"model": "abc123"},
        **more,
    )
    frame = pl.DataFrame({"y": target, "sign": np.where(target > 0, "up", "down")})
    return places, frame


@pytest.mark.parametrize(
    ("column", "probe"), [("y", "ridge"), ("y", "knn"), ("sign", "ridge"), ("sign", "knn")]
)
def test_every_method_is_scored_under_random_and_block_folds_side_by_side(column, probe):
    places, frame = made_places()
    result = score_target(
        places, read_target(frame, column), options=PointsOptions(probe=probe, draws=50)
    )
    by_split = {
        split: {score.method for score in result.scores if score.split == split}
        for split in ("random", "block")
    }
    expected = {
        "model",
        "noise",
        "constant",
        "lonlat",
        "xyz",
        "harmonics_L10",
        "harmonics_L20",
        "idw",
    }
    assert by_split == {"random": expected, "block": expected}
    assert str(result.block) == "10deg"
    best = {s.method: s for s in result.scores if s.split == "block"}
    assert best["model"].value > best["noise"].value
    assert best["model"].low <= best["model"].value <= best["model"].high
    assert best["model"].model == "abc123"
    assert best["noise"].model is None


def test_logistic_probe_is_ridge_for_numbers_and_its_own_for_classes():
    places, frame = made_places(with_baselines=False)
    options = PointsOptions(probe="logistic", draws=20)
    numbers = score_target(places, read_target(frame, "y"), options=options)
    same = score_target(places, read_target(frame, "y"), options=PointsOptions(draws=20))
    assert numbers.scores == same.scores
    classes = score_target(places, read_target(frame, "sign"), options=options)
    values = {(s.method, s.split): s.value for s in classes.scores}
    assert values["model", "block"] > 0.65 > values["noise", "block"]


def test_differences_pair_the_first_embedding_with_every_other_method():
    places, frame = made_places()
    result = score_target(places, read_target(frame, "y"), options=PointsOptions(draws=50))
    found = {(d.method, d.split): d for d in result.differences}
    values = {(s.method, s.split): s.value for s in result.scores}
    assert ("model - idw", "block") in found
    assert len(found) == 2 * (len(methods_of(places)) - 1)
    for (name, split), difference in found.items():
        other = name.removeprefix("model - ")
        expected = values["model", split] - values[other, split]
        assert difference.value == pytest.approx(expected)
    assert found["model - noise", "random"].low > 0


def test_scores_are_the_same_for_the_same_seed_and_differ_for_another():
    places, frame = made_places(n=120, with_baselines=False)
    target = read_target(frame, "y")
    first, again, other = (
        score_target(places, target, options=PointsOptions(seed=seed, draws=20)).scores
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_given_folds_replace_ours():
    folds = np.arange(400) % 4
    places, frame = made_places(folds={"mine": folds}, with_baselines=False)
    result = score_target(places, read_target(frame, "y"), options=PointsOptions(draws=20))
    assert {score.split for score in result.scores} == {"mine"}
    assert {score.method for score in result.scores} == {"model", "noise"}


def test_rows_without_a_value_are_left_out_of_features_and_folds_alike():
    places, frame = made_places(with_baselines=False)
    gaps = frame.with_columns(
        pl.when(pl.int_range(pl.len()) % 3 == 0).then(None).otherwise(pl.col("y")).alias("y")
    )
    result = score_target(places, read_target(gaps, "y"), options=PointsOptions(draws=20))
    assert result.target.missing == 134
    assert {score.n for score in result.scores} == {266}


def test_too_few_rows_are_an_error():
    places, frame = made_places(n=4)
    with pytest.raises(DataError, match="4 usable rows for 5 folds"):
        score_target(places, read_target(frame, "y"))


def test_fold_column_values_become_numbers_and_gaps_an_error():
    assert fold_numbers(["b", "a", "b", 3]).tolist() == [2, 1, 2, 0]
    with pytest.raises(DataError, match="no fold"):
        fold_numbers(["a", None])


def test_table_has_a_line_a_method_and_a_column_a_split():
    places, frame = made_places(n=120, with_baselines=False)
    result = score_target(places, read_target(frame, "y"), options=PointsOptions(draws=20))
    lines = scores_table(result.scores).splitlines()
    assert lines[0].split("  ")[0] == "y (n = 120)"
    assert "r2, random" in lines[0]
    assert "r2, block" in lines[0]
    assert len(lines) == 2 + 2
    assert all("[" in line for line in lines[2:])
