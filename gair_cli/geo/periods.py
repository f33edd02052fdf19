"""Spans of time as STAC writes them: `A/B`, RFC 3339 or plain dates, `..` for an open end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from gair_cli.errors import UsageError

_OPEN: Final = frozenset({"", ".."})
_DATE_LENGTH: Final = len("2024-06-15")


@dataclass(frozen=True, slots=True)
class Period:
    """A span of time; None is an open end.

    Attributes:
        start: Its first moment, UTC.
        end: The moment before which it ends, or at which if `closed`.
        closed: Whether `end` belongs to it.
    """

    start: datetime | None = None
    end: datetime | None = None
    closed: bool = True

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `A/B`; a plain date stands for its whole day, one moment alone for itself.

        Raises:
            UsageError: If it is neither, or ends before it starts.
        """
        first, _, last = text.partition("/") if "/" in text else (text, "", text)
        start, _ = _moment(first, text)
        end, whole_day = _moment(last, text)
        if start is None and end is None:
            raise UsageError(f"--datetime {text} is open at both ends", hint="leave it out")
        if start is not None and end is not None and end < start:
            raise UsageError(f"--datetime {text} ends before it starts", hint="write A/B, A first")
        if end is not None and whole_day:
            return cls(start, end + timedelta(days=1), closed=False)
        return cls(start, end)

    @property
    def is_open(self) -> bool:
        """Whether every moment lies in it."""
        return self.start is None and self.end is None

    def holds(self, moment: datetime) -> bool:
        """Tell whether a moment lies in it."""
        if self.start is not None and moment < self.start:
            return False
        if self.end is None:
            return True
        return moment < self.end or (self.closed and moment == self.end)


def _moment(text: str, whole: str) -> tuple[datetime | None, bool]:
    """Return a moment, and whether it stands for a whole day; without a zone it is UTC."""
    found = text.strip()
    if found in _OPEN:
        return None, False
    try:
        moment = datetime.fromisoformat(found)
    except ValueError as error:
        raise UsageError(
            f"--datetime {whole}: {found!r} is no date",
            hint="write 2024-06-01/2024-06-30, 2024-06-01T10:00:00Z/.. or ../2024-06-30",
        ) from error
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment, len(found) == _DATE_LENGTH
