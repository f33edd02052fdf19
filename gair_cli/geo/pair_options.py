"""How photos are paired with tiles, as one value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from gair_cli.errors import UsageError
from gair_cli.geo.blocks import FRACTIONS

_COLUMN: Final = "column:"
_RANGE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*,\s*(\d+(?:\.\d+)?)\s*")
_TURN: Final = 360.0


@dataclass(frozen=True, slots=True)
class PairingOptions:
    """How pairs are made and get their splits.

    Attributes:
        block: `2km`, `0.5deg`, `kmeans:50` or `column:NAME`; None is two tile edges.
        seed: Of the draws of blocks and photos.
        fractions: Shares of train, val, test.
        own_split: Keep the photos' `split` column instead of drawing.
        buffer_m: Least distance between tiles of different splits; 0 keeps overlapping ones; None
            leaves out just those that overlap, and none of the user's own splits.
        tiles_a_photo: Most tiles a photo is paired with, where tiles overlap.
        margin_m: Least distance of a photo to the edge of its tile, metres.
        days: Most days between photo and tile; None for any. Both need a date then.
        nearest_date: Of several tiles take the nearest in time, not the one whose centre is.
        heading: None, `known`, or `A,B`: clockwise from A to B, degrees.
        max_accuracy_m: Largest `h_accuracy_m` that is kept; photos that tell none are kept.
        min_distance_m: Least distance to every kept photo of the same `sequence_id`, metres.
        max_photos: Most photos of a tile, drawn by seed and spread over the tile.
        per_tile: Number the photos of a tile in groups of at most so many (column `group`).
        columns: Columns of the pair table, in order; None is all.
    """

    block: str | None = None
    seed: int = 0
    fractions: tuple[float, float, float] = FRACTIONS
    own_split: bool = False
    buffer_m: float | None = None
    tiles_a_photo: int = 1
    margin_m: float = 0.0
    days: float | None = None
    nearest_date: bool = False
    heading: str | None = None
    max_accuracy_m: float | None = None
    min_distance_m: float | None = None
    max_photos: int | None = None
    per_tile: int | None = None
    columns: tuple[str, ...] | None = None

    @property
    def separates(self) -> bool:
        """Whether photos are left out to keep the splits apart."""
        return not self.own_split if self.buffer_m is None else self.buffer_m > 0

    @property
    def block_column(self) -> str | None:
        """The photos' column that blocks come from, if they do."""
        if self.block is None or not self.block.startswith(_COLUMN):
            return None
        return self.block.removeprefix(_COLUMN)

    @property
    def headings(self) -> tuple[float, float] | None:
        """The range of headings, if one is asked for.

        Raises:
            UsageError: If `heading` is neither `known` nor two numbers.
        """
        if self.heading in {None, "known"}:
            return None
        found = _RANGE.fullmatch(str(self.heading))
        if found is None or max(float(found[1]), float(found[2])) > _TURN:
            raise UsageError(
                f"--heading {self.heading}: neither `known` nor a range",
                hint="a range goes clockwise, in degrees from north, as 315,45",
            )
        return float(found[1]), float(found[2])
