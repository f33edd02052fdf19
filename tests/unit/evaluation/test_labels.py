import polars as pl
import pytest

from gair_cli.errors import DataError
from gair_cli.evaluation.labels import read_target


def test_namibia_is_a_class_and_an_empty_cell_is_missing():
    frame = pl.DataFrame({"country": ["NA", "NA", "DE", "DE", None, "", " DE "]})
    target = read_target(frame, "country", min_class_rows=2)
    assert target.kind == "classification"
    assert target.classes == ("DE", "NA")
    assert target.rows.tolist() == [0, 1, 2, 3, 6]
    assert target.missing == 2


def test_na_among_numbers_is_missing():
    frame = pl.DataFrame({"height": ["1.5", "NA", "2.5", "", "n/a", "1e3"]})
    target = read_target(frame, "height")
    assert target.kind == "regression"
    assert target.values.tolist() == [1.5, 2.5, 1000.0]
    assert target.missing == 3


def test_a_column_of_na_only_is_one_class_and_refused():
    with pytest.raises(DataError, match="one value only"):
        read_target(pl.DataFrame({"country": ["NA"] * 9}), "country")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.5, 2.5, 3.5] * 5, "regression"),
        (list(range(15)), "regression"),
        ([0, 1, 2] * 5, "classification"),
        ([True, False, True] * 5, "classification"),
        (["a", "b", "c"] * 5, "classification"),
    ],
)
def test_kind_is_found_by_the_values(values, kind):
    assert read_target(pl.DataFrame({"y": values}), "y").kind == kind


def test_the_user_may_override_the_kind():
    frame = pl.DataFrame({"code": [1, 2, 3] * 5})
    assert read_target(frame, "code", kind="regression").kind == "regression"
    words = pl.DataFrame({"word": ["a", "b"] * 5})
    with pytest.raises(DataError, match="cannot be regressed"):
        read_target(words, "word", kind="regression")


def test_rare_classes_are_left_out_and_named_with_their_counts():
    frame = pl.DataFrame({"zone": ["x"] * 5 + ["rare"] * 4 + ["y"] * 6})
    target = read_target(frame, "zone")
    assert target.classes == ("x", "y")
    assert target.rare == (("rare", 4),)
    assert target.rows.tolist() == [*range(5), *range(9, 15)]
    assert target.values.tolist() == [0.0] * 5 + [1.0] * 6


def test_only_rare_classes_is_an_error():
    with pytest.raises(DataError, match="none has 5 rows"):
        read_target(pl.DataFrame({"name": [f"n{i}" for i in range(40)]}), "name")


def test_a_missing_column_is_named_with_those_that_are_there():
    with pytest.raises(DataError, match="no column 'y'; there are x"):
        read_target(pl.DataFrame({"x": [1.0]}), "y")


def test_infinite_and_missing_numbers_are_counted():
    frame = pl.DataFrame({"y": [1.0, float("nan"), float("inf"), None, 2.0]})
    target = read_target(frame, "y")
    assert (target.rows.tolist(), target.missing) == ([0, 4], 3)
