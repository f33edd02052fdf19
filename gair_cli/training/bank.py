"""Further coordinates as candidates of SECL: raw coordinates never go stale and cost next to none.

`queue` holds the coordinates of the steps before, as in the paper (arXiv 2503.16683, 4096); ours
starts empty instead of with points near (0, 0). `sampled` draws from the whole index: half from
the batch's own 0.1-degree cells and those around them, half from cells anywhere. Both are
functions of (seed, step), so there is nothing to save in a checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from gair_cli.data.order import key_of, random_bits
from gair_cli.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gair_cli.training.steps import StepRows, Steps

_AROUND = np.array([-1, 0, 1])
_WIDTH = 10_000
"""More than the number of cells around the Earth, so that (lat, lon) cells have one number."""


@dataclass(frozen=True, slots=True)
class BankConfig:
    """Which coordinates are added.

    Attributes:
        kind: `none`, `queue` (of the steps before) or `sampled` (from the whole index).
        size: How many.
    """

    kind: Literal["none", "queue", "sampled"] = "none"
    size: int = 4096

    def __post_init__(self) -> None:
        """Refuse a bank of nothing."""
        if self.size < 1:
            raise UsageError(f"recipe.bank.size is {self.size}, wanted at least 1")


def queued_rows(steps: Steps, step: int, *, size: int) -> list[StepRows]:
    """Return what the steps before saw, the nearest first, until `size` rows are there.

    Args:
        steps: The plan of the run.
        step: The present step, from 0; the first has an empty queue.
        size: Rows wanted; the oldest step is cut to fit.
    """
    queue: list[StepRows] = []
    missing = size
    for earlier in range(step - 1, -1, -1):
        if missing <= 0:
            break
        seen = steps.rows(earlier)
        queue.append(seen.part(0, missing))
        missing -= len(seen.rows)
    return queue


class CellSampler:
    """Draws rows near a batch and rows anywhere, cell by cell.

    Args:
        cells: The `cell` column of all training rows (`lat_lon` in tenths of a degree).
        rows: Their rows in the index.
        seed: Of the run.
    """

    def __init__(self, cells: pl.Series, rows: NDArray[np.int64], *, seed: int) -> None:
        number = cell_numbers(cells)
        order = np.argsort(number, kind="stable")
        self._rows = rows[order]
        self._cells, self._first = np.unique(number[order], return_index=True)
        self._count = np.diff([*self._first, len(rows)])
        self._cell_of = dict(zip(rows.tolist(), number.tolist(), strict=True))
        self._seed = seed

    def draw(self, batch: NDArray[np.int64], *, step: int, size: int) -> NDArray[np.int64]:
        """Return up to `size` rows for a step; the batch's own rows are left out.

        Args:
            batch: (B,) rows of the batch.
            step: Keys the draw.
            size: Half of them near, half anywhere (a cell first, then a row in it).
        """
        key = key_of("bank", self._seed, step)
        numbers = random_bits(key, np.arange(3 * size, dtype=np.uint64)).reshape(3, size)
        near = size // 2
        own = np.array([self._cell_of[row] for row in batch.tolist()])
        from_batch = own[(numbers[0, :near] % np.uint64(len(own))).astype(np.int64)]
        around = self._around(from_batch, numbers[1, :near])
        anywhere = (numbers[0, near:] % np.uint64(len(self._cells))).astype(np.int64)
        cell = np.concatenate([around, anywhere])
        within = (numbers[2] % self._count[cell].astype(np.uint64)).astype(np.int64)
        drawn: NDArray[np.int64] = self._rows[self._first[cell] + within]
        return drawn[~np.isin(drawn, batch)]

    def _around(self, cells: NDArray[np.int64], numbers: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the place in the list of a cell beside each, or its own where none is."""
        pick = (numbers % np.uint64(9)).astype(np.int64)
        wanted = cells + _AROUND[pick // 3] * _WIDTH + _AROUND[pick % 3]
        at = np.searchsorted(self._cells, wanted).clip(max=len(self._cells) - 1)
        there = self._cells[at] == wanted
        return np.where(there, at, np.searchsorted(self._cells, cells))


def cell_numbers(cells: pl.Series) -> NDArray[np.int64]:
    """Return one number a cell: neighbours in longitude differ by 1, in latitude by 10,000."""
    parts = cells.str.split_exact("_", 1).struct.unnest().cast(pl.Int64)
    lat, lon = (parts[name].to_numpy() for name in parts.columns)
    return np.asarray(lat * _WIDTH + lon, dtype=np.int64)
