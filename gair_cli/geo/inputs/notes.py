"""What people should know of how scenes were read, short enough for one line each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gair_cli.geo.scene import Scene

NOTES: Final = "notes"
"""The key of a scene's notes among what is recorded of its product."""


def with_masks_noted(product: Mapping[str, object], masks: Sequence[str]) -> Mapping[str, object]:
    """Return what is recorded of a product, with a note if several files have masks.

    Args:
        product: The record.
        masks: The files that have one; the first is taken for all bands.
    """
    if len(masks) <= 1:
        return product
    notes = product.get(NOTES, ())
    note = f"{len(masks)} files have masks: that of {Path(masks[0]).name} counts for all bands"
    return {**product, NOTES: [*(notes if isinstance(notes, list) else ()), note]}


def notes_of(scenes: Iterable[Scene]) -> list[str]:
    """Return each note once, with the number of scenes if it holds for several."""
    found: Counter[str] = Counter()
    for scene in scenes:
        notes = scene.product.get(NOTES, ())
        found.update(notes if isinstance(notes, list) else ())
    return [text if times == 1 else f"{text} ({times} scenes)" for text, times in found.items()]
