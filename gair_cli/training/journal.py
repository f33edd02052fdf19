"""`log.jsonl`: one JSON object a line, appended as the run goes; a resumed run cuts what it redoes.

A line has `kind`: `train` (losses by name, temperature, gradient norm, speed), `validation`, or
`skipped` (a step whose loss was not finite, with the ids of its samples).
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from gair_cli.geo.outputs import atomic_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Journal:
    """The log of one run.

    Args:
        path: `run/log.jsonl`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        """Append a line.

        Args:
            kind: `train`, `validation` or `skipped`.
            step: Steps done.
            values: JSON values; numbers that are not finite become null.
        """
        record = {"kind": kind, "step": step, **_finite(values)}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def read(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the lines, of one kind or all; a line that a kill cut short is left out."""
        if not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").split("\n")[:-1]
        records: list[dict[str, Any]] = [json.loads(line) for line in lines if line]
        return [record for record in records if kind in {None, record["kind"]}]

    def cut(self, step: int) -> None:
        """Remove lines after a step, which a resumed run writes again."""
        kept = [record for record in self.read() if record["step"] <= step]
        with atomic_file(self.path) as temporary:
            temporary.write_text("".join(json.dumps(record) + "\n" for record in kept))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return value
