"""Which grid tiles lie on, as people write it: `scene`, `utm`, `xyz:12`, `majortom:10`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from gair_cli.errors import UsageError

_MOST_ZOOM: Final = 24
_LARGEST_KM: Final = 5000.0


@dataclass(frozen=True, slots=True)
class GridChoice:
    """A kind of grid with its number.

    Attributes:
        kind: `scene`, `utm`, `xyz` or `majortom`.
        number: The zoom of `xyz`, the kilometres between rows of `majortom`; else None.
    """

    kind: str = "scene"
    number: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `scene`, `utm`, `xyz:Z` or `majortom:KM`.

        Raises:
            UsageError: If it is none of them.
        """
        kind, _, number = text.strip().lower().partition(":")
        if kind in {"scene", "utm"} and not number:
            return cls(kind)
        if kind == "xyz" and number.isdigit() and int(number) <= _MOST_ZOOM:
            return cls(kind, int(number))
        if kind == "majortom" and 0 < _number(number) <= _LARGEST_KM:
            return cls(kind, _number(number))
        raise UsageError(
            f"there is no grid {text!r}",
            hint=f"write scene, utm, xyz:Z (Z up to {_MOST_ZOOM}) or majortom:KM",
        )

    def __str__(self) -> str:
        """Return the grid as it is written."""
        return self.kind if self.number is None else f"{self.kind}:{self.number:g}"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
