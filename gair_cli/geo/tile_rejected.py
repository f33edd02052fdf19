"""The scenes that could not be read: a table beside the tile set, and a note in its manifest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from gair_cli.geo.outputs import manifest_path
from gair_cli.geo.tile_plan import BadScene
from gair_cli.geo.writers import write_parquet

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

NOTE = "rejected"
"""Key of the manifest."""


def rejected_path(output: Path) -> Path:
    """Return where the table of rejected scenes lies: `<output>.rejected.parquet`."""
    return output.with_name(output.name + ".rejected.parquet")


def write_rejected(bad: Sequence[BadScene], output: Path) -> None:
    """Write the table."""
    rows = {"scene": [one.name for one in bad], "reason": [one.reason for one in bad]}
    write_parquet(pl.DataFrame(rows), rejected_path(output), metadata={})


def rejected_before(output: Path, *, given: Collection[str]) -> list[BadScene]:
    """Return the scenes of an earlier run's table, but those that are given again."""
    path = rejected_path(output)
    if not path.exists():
        return []
    rows = pl.read_parquet(path, glob=False).select("scene", "reason").iter_rows()
    return [BadScene(name, reason) for name, reason in rows if name not in given]


def note_of(bad: Iterable[BadScene]) -> dict[str, Any]:
    """Return what the manifest says of bad scenes."""
    rows = [{"scene": one.name, "reason": one.reason, "scene_id": one.scene_id} for one in bad]
    return {NOTE: rows}


def noted_bad(output: Path) -> list[BadScene]:
    """Return the bad scenes that the manifest of a finished tile set names."""
    try:
        rows = json.loads(manifest_path(output).read_text("utf-8")).get(NOTE, [])
        return [BadScene(row["scene"], row["reason"], row["scene_id"]) for row in rows]
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return []
