"""Which rows of the index each step of a run sees, whatever halves the samples have.

All rows of a step have the same halves. Shards that mix pairs, tiles alone and photos alone are
split into kinds; an epoch visits the kinds' steps in a shuffled order. All of it is a function of
(seed, step), so a resumed run needs one integer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gair_cli.data.order import Order, key_of, permute
from gair_cli.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gair_cli.training.config import Recipe


TILE, PHOTO, PAIR = 1, 2, 3
"""Which halves a row has; a pair has both, so its number is the sum."""


@dataclass(frozen=True, slots=True)
class StepRows:
    """What one step sees.

    Attributes:
        rows: (B,) rows of the index.
        epoch: Of these rows, from 0.
    """

    rows: NDArray[np.int64]
    epoch: int


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of a run.

    Attributes:
        kinds: Rows of the index with the same halves, one array a kind.
        orders: How each kind is shuffled.
        seed: Of the run.
    """

    kinds: tuple[NDArray[np.int64], ...]
    orders: tuple[Order, ...]
    seed: int

    @classmethod
    def of(cls, rows: NDArray[np.int64], kind_of: NDArray[np.int64], *, recipe: Recipe) -> Steps:
        """Plan the steps over some rows.

        Args:
            rows: (N,) rows of the index to train on, those of one tile beside each other.
            kind_of: (N,) which halves each has: `TILE`, `PHOTO` or `PAIR`.
            recipe: Batch size, seed and photos a tile.

        Raises:
            DataError: If there are no rows, or a kind has one row only: a row alone has no
                negatives.
        """
        if not len(rows):
            raise DataError("there are no training rows", hint="check the split column")
        there = np.unique(kind_of).tolist()
        kinds = tuple(rows[kind_of == kind] for kind in there)
        if min(len(kind) for kind in kinds) == 1:
            raise DataError("one training row alone has nothing to differ from")
        orders = tuple(
            Order(
                len(rows_of_kind),
                recipe.batch_size,
                recipe.seed,
                group=recipe.photos_per_tile if kind == PAIR else 1,
            )
            for kind, rows_of_kind in zip(there, kinds, strict=True)
        )
        return cls(kinds, orders, recipe.seed)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which every kind is visited once."""
        return sum(order.steps_per_epoch for order in self.orders)

    def rows(self, step: int) -> StepRows:
        """Return what a step (from 0) sees."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if len(self.kinds) > 1:
            key = key_of("kinds", self.seed, epoch)
            place = int(permute(np.array([place]), self.steps_per_epoch, key=key)[0])
        for kind, order in zip(self.kinds, self.orders, strict=True):
            if place < order.steps_per_epoch:
                within = order.rows(epoch * order.steps_per_epoch + place)
                return StepRows(kind[within], epoch)
            place -= order.steps_per_epoch
        raise AssertionError("the steps of the kinds add up to an epoch")
