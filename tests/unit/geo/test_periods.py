"""`--datetime A/B` means what STAC means by it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gair_cli.errors import UsageError
from gair_cli.geo.periods import Period


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (
            "2024-06-01/2024-06-30",
            ["2024-06-01T00:00:00", "2024-06-30T23:59:59"],
            ["2024-05-31T23:59:59", "2024-07-01T00:00:00"],
        ),
        ("2024-06-01/..", ["2024-06-01", "2099-01-01"], ["2024-05-31T23:59:59"]),
        ("../2024-06-30", ["1972-07-23", "2024-06-30T12:00:00"], ["2024-07-01"]),
        ("/2024-06-30", ["1972-07-23"], ["2024-07-01"]),
        ("2024-06-15", ["2024-06-15T10:15:59"], ["2024-06-14T23:00:00", "2024-06-16"]),
        (
            "2024-06-15T10:00:00Z/2024-06-15T11:00:00Z",
            ["2024-06-15T10:00:00", "2024-06-15T11:00:00"],
            ["2024-06-15T11:00:01"],
        ),
        (
            "2024-06-15T10:00:00+02:00/2024-06-15T11:00:00+02:00",
            ["2024-06-15T08:30:00"],
            ["2024-06-15T10:30:00"],
        ),
    ],
)
def test_period_holds_its_ends_and_what_lies_between(text, inside, outside):
    period = Period.parse(text)
    assert all(period.holds(at(moment)) for moment in inside)
    assert not any(period.holds(at(moment)) for moment in outside)


@pytest.mark.parametrize("text", ["../..", "/", "june", "2024-06-30/2024-06-01", "2024-13-01/.."])
def test_what_is_no_period_is_refused(text):
    with pytest.raises(UsageError, match="--datetime"):
        Period.parse(text)


def test_no_period_holds_everything():
    assert Period().is_open
    assert Period().holds(at("1900-01-01"))
