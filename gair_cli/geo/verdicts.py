"""The lines of `gair check`: what was looked at, what was found, what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Level: TypeAlias = Literal["ok", "warn", "fail"]
Progress: TypeAlias = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line.

    Attributes:
        level: `fail` makes the data unusable, `warn` deserves a look.
        subject: What was looked at, in a word or two.
        detail: What was found, with its numbers.
        fix: What to do; empty where nothing is to be done.
    """

    level: Level
    subject: str
    detail: str
    fix: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the line as plain texts."""
        return asdict(self)


def ok(subject: str, detail: str) -> Verdict:
    """Make a line that all is well."""
    return Verdict("ok", subject, detail)


def warn(subject: str, detail: str, fix: str) -> Verdict:
    """Make a line that deserves a look."""
    return Verdict("warn", subject, detail, fix)


def fail(subject: str, detail: str, fix: str) -> Verdict:
    """Make a line that the data cannot be used."""
    return Verdict("fail", subject, detail, fix)


def counted(
    bad: int, total: int, *, subject: str, what: str, fix: str, level: Level = "fail"
) -> Verdict:
    """Make a line from a number of bad things: none is ok.

    Args:
        bad: How many are bad.
        total: Of how many.
        subject: What was looked at.
        what: What the bad ones are, as `repeated ids`.
        fix: What to do about it.
        level: How bad it is.
    """
    if not bad:
        return ok(subject, f"no {what} among {total:,}")
    return Verdict(level, subject, f"{bad:,} of {total:,}: {what}", fix)


def number_of(count: int, what: str) -> str:
    """Return a number and its noun, which has an s for all but one."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def worst(verdicts: Iterable[Verdict]) -> Level:
    """Return the gravest level."""
    levels = {verdict.level for verdict in verdicts}
    return "fail" if "fail" in levels else "warn" if "warn" in levels else "ok"
