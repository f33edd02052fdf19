"""Losses in tiles of rows: the scores of all rows with all candidates are never there at once.

A tile's scores are computed for the loss, thrown away, and computed again for the gradient
(activation checkpointing), so memory is that of one tile and values are those of the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    RowLosses = Callable[[int, int], Tensor]


def mean_over_rows(row_losses: RowLosses, rows: int, *, tile_rows: int = 0) -> Tensor:
    """Return the mean loss of rows.

    Args:
        row_losses: Gives the losses (last - first,) of rows first to last.
        rows: B.
        tile_rows: Rows at once; 0 is all of them.

    Returns:
        () float32.
    """
    return over_rows(row_losses, rows, tile_rows=tile_rows).mean()


def over_rows(row_losses: RowLosses, rows: int, *, tile_rows: int = 0) -> Tensor:
    """Return the losses (B,) of rows; arguments as `mean_over_rows`."""
    if not 0 < tile_rows < rows:
        return row_losses(0, rows)
    firsts = range(0, rows, tile_rows)
    parts = [
        checkpoint(
            row_losses,
            first,
            min(first + tile_rows, rows),
            use_reentrant=False,
            preserve_rng_state=False,
        )
        for first in firsts
    ]
    return torch.cat(parts)
