"""Write numbers and tables as Markdown, and put them between marks on the page of benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench_harness import Spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"


@dataclass(frozen=True, slots=True)
class Marks:
    """Where the results of one benchmark begin and end on the page.

    Attributes:
        command: The command of gair that is measured, as `tile`.
    """

    command: str

    @property
    def begin(self) -> str:
        """The line before."""
        return self._line("begin")

    @property
    def end(self) -> str:
        """The line after."""
        return self._line("end")

    def _line(self, which: str) -> str:
        script = f"scripts/bench_{self.command}.py --docs"
        return f"<!-- gair {self.command}: {which} of what {script} writes -->"

    def rewritten(self, page: str, content: str) -> str:
        """Return a page with new content between the marks.

        Raises:
            ValueError: If the page does not have both, in order.
        """
        before, begin, rest = page.partition(self.begin)
        _, end, after = rest.partition(self.end)
        if not begin or not end:
            raise ValueError(f"the page lacks the marks {self.begin!r} and {self.end!r}")
        return f"{before}{self.begin}\n\n{content.strip()}\n\n{self.end}{after}"


def number(value: float) -> str:
    """Write a number with three digits that count."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2  # noqa: PLR2004
    return f"{value:,.{digits}f}"


def spread(values: Iterable[float]) -> str:
    """Write a median, and the least and greatest value where they differ from it."""
    found = Spread.of(values)
    ends = f"{number(found.low)}-{number(found.high)}"
    middle = number(found.median)
    return middle if ends == f"{middle}-{middle}" else f"{middle} ({ends})"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine_table(machine: Mapping[str, Any]) -> str:
    """Write what the numbers were measured on and with."""
    return table(("machine", ""), [(key, str(value)) for key, value in machine.items()])
