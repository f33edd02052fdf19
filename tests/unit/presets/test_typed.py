"""Settings from text and tables to checked values."""

from dataclasses import dataclass, field
from typing import Literal

import pytest

from gair_cli.errors import UsageError
from gair_cli.presets.typed import build, merge_tables, parse_settings, to_table


@dataclass(frozen=True, slots=True)
class Inner:
    rate: float
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outer:
    steps: int
    mode: Literal["fast", "slow"] = "fast"
    on: bool = True
    inner: Inner | None = None
    span: tuple[float, float] = (0.0, 1.0)
    other: Inner = field(default_factory=lambda: Inner(1.0))


def test_settings_are_toml_values_or_plain_text():
    texts = [
        "recipe.lr=1e-3",
        "model.query=mean",
        "model.sigmas=[1, 16]",
        "a.on=true",
        "recipe.n=3",
    ]
    assert parse_settings(texts) == {
        "recipe": {"lr": 0.001, "n": 3},
        "model": {"query": "mean", "sigmas": [1, 16]},
        "a": {"on": True},
    }


def test_later_setting_wins():
    assert parse_settings(["a.b=1", "a.b=2"]) == {"a": {"b": 2}}


@pytest.mark.parametrize("text", ["model.depth", "=3", "model..depth=3", ".=1"])
def test_text_without_key_or_value_is_refused(text):
    with pytest.raises(UsageError, match="is not KEY=VALUE"):
        parse_settings([text])


def test_tables_merge_without_changing_either():
    base, over = {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 4}, "e": {"f": 5}}
    assert merge_tables(base, over) == {"a": {"b": 1, "c": 4}, "d": 3, "e": {"f": 5}}
    assert base == {"a": {"b": 1, "c": 2}, "d": 3}


def test_a_table_becomes_nested_dataclasses_and_back():
    table = {"steps": 3, "mode": "slow", "inner": {"rate": 1, "names": ["a"]}, "span": [0, 2]}
    value = build(Outer, table, "recipe")
    assert value == Outer(3, "slow", inner=Inner(1.0, ("a",)), span=(0.0, 2.0))
    assert build(Outer, to_table(value), "recipe") == value


def test_the_word_none_stands_for_none():
    assert build(Outer, {"steps": 1, "inner": "none"}, "recipe").inner is None


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"stepz": 1}, "unknown setting recipe.stepz"),
        ({}, "recipe has no steps"),
        ({"steps": 1.5}, "recipe.steps is 1.5, wanted a whole number"),
        ({"steps": True}, "wanted a whole number"),
        ({"steps": "1"}, "wanted a whole number"),
        ({"steps": 1, "on": 1}, "wanted true or false"),
        ({"steps": 1, "mode": "odd"}, "recipe.mode is 'odd'"),
        ({"steps": 1, "inner": {"rate": "x"}}, "recipe.inner.rate is 'x', wanted a number"),
        ({"steps": 1, "inner": 3}, "recipe.inner is 3, wanted a table"),
        ({"steps": 1, "span": [1]}, "recipe.span has 1 items, wanted 2"),
        ({"steps": 1, "inner": {"rate": 1, "names": "ab"}}, "wanted a list"),
        (7, "recipe is 7, wanted a table"),
    ],
)
def test_what_does_not_fit_is_named(table, message):
    with pytest.raises(UsageError) as caught:
        build(Outer, table, "recipe")
    assert message in str(caught.value)


def test_unknown_key_lists_the_legal_ones():
    with pytest.raises(UsageError) as caught:
        build(Inner, {"rat": 1}, "model.inner")
    assert caught.value.hint == "did you mean model.inner.rate? known there: rate, names"
