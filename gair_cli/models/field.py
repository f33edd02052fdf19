"""Encoded tiles that can be read at any position: token grids, finer maps, sizes on the ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass(frozen=True, slots=True)
class TileField:
    """T tiles, encoded once.

    Attributes:
        tokens: (T, D, h, w), row 0 is the array's first row.
        fine: Maps (T, C, H, W), the finest first; empty without a fine path.
        size_m: (T, 2) float32 width and height on the ground in metres, or None where they are
            not known.
    """

    tokens: Tensor
    fine: tuple[Tensor, ...] = ()
    size_m: Tensor | None = None

    def __len__(self) -> int:
        """Return T."""
        return len(self.tokens)

    @property
    def device(self) -> torch.device:
        """Where the tiles are."""
        return self.tokens.device

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return sum(part.numel() * part.element_size() for part in (self.tokens, *self.fine))

    def take(self, first: int, last: int) -> TileField:
        """Return tiles `first` up to, without, `last`: copies, so that the others can go."""
        rows = slice(first, last)
        size = None if self.size_m is None else self.size_m[rows].clone()
        fine = tuple(part[rows].clone() for part in self.fine)
        return TileField(self.tokens[rows].clone(), fine, size)

    @classmethod
    def join(cls, parts: Sequence[TileField]) -> TileField:
        """Return the tiles of several fields of one model, one behind the other.

        Args:
            parts: At least one.
        """
        sizes = [part.size_m for part in parts if part.size_m is not None]
        return cls(
            torch.cat([part.tokens for part in parts]),
            tuple(torch.cat(maps) for maps in zip(*(part.fine for part in parts), strict=True)),
            torch.cat(sizes) if len(sizes) == len(parts) else None,
        )
