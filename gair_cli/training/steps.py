"""Which rows of the index each step of a run sees, whatever halves the samples have.

All rows of a step have the same halves. Shards that mix pairs, tiles alone and photos alone are
split into kinds; an epoch visits the kinds' steps in a shuffled order. Within a step the sources
have shares, and a curriculum may bring in neighbours. All of it is a function of (seed, step), so
a resumed run needs one integer, with any number of processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gair_cli.data.order import Order, key_of, permute
from gair_cli.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gair_cli.data.order import Blocks
    from gair_cli.training.config import Recipe
    from gair_cli.training.curriculum import Neighbours


TILE, PHOTO, PAIR = 1, 2, 3
"""Which halves a row has; a pair has both, so its number is the sum."""


@dataclass(frozen=True, slots=True)
class StepRows:
    """What one step sees.

    Attributes:
        rows: (B,) rows of the index.
        epochs: (B,) int64, the epoch of each row, from 0; rows of another source may be ahead.
    """

    rows: NDArray[np.int64]
    epochs: NDArray[np.int64]

    def part(self, first: int, last: int) -> StepRows:
        """Return rows first to last."""
        return StepRows(self.rows[first:last], self.epochs[first:last])


@dataclass(frozen=True, slots=True)
class Source:
    """Rows that are shuffled by themselves.

    Attributes:
        rows: (N,) rows of the index.
        order: How they are shuffled, and how many of a step are theirs.
    """

    rows: NDArray[np.int64]
    order: Order

    def of_step(self, step: int) -> StepRows:
        """Return this source's rows of a step."""
        within = self.rows[self.order.rows(step)]
        return StepRows(within, np.full(len(within), self.order.epoch_of(step), dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows with the same halves.

    Attributes:
        sources: Each with its share of a step; one without weights.
    """

    sources: tuple[Source, ...]

    @property
    def rows(self) -> NDArray[np.int64]:
        """All rows."""
        return np.concatenate([source.rows for source in self.sources])

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which the source that needs most of them is visited once."""
        return max(source.order.steps_per_epoch for source in self.sources)

    def of_step(self, step: int) -> StepRows:
        """Return the rows of a step of this kind, source by source."""
        parts = [source.of_step(step) for source in self.sources]
        rows, epochs = ([getattr(part, name) for part in parts] for name in ("rows", "epochs"))
        return StepRows(np.concatenate(rows), np.concatenate(epochs))


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of a run.

    Attributes:
        kinds: Rows of the index with the same halves.
        seed: Of the run.
        neighbours: Gives a growing part of each step to neighbours, or None.
    """

    kinds: tuple[Kind, ...]
    seed: int
    neighbours: Neighbours | None = None

    @classmethod
    def of(
        cls,
        rows: NDArray[np.int64],
        kind_of: NDArray[np.int64],
        *,
        recipe: Recipe,
        source_of: NDArray[np.str_] | None = None,
        blocks: Blocks | None = None,
        neighbours: Neighbours | None = None,
    ) -> Steps:
        """Plan the steps over some rows.

        Args:
            rows: (N,) rows of the index to train on, those of one tile beside each other.
            kind_of: (N,) which halves each has: `TILE`, `PHOTO` or `PAIR`.
            recipe: Batch size, seed, photos a tile, weights of sources.
            source_of: (N,) the source of each, for `recipe.source_weights`.
            blocks: Shuffle within windows of blocks.
            neighbours: The curriculum.

        Raises:
            DataError: If there are no rows, or a kind has one row only: a row alone has no
                negatives; or a source with a weight has no rows.
        """
        if not len(rows):
            raise DataError("there are no training rows", hint="check the split column")
        weights = recipe.weights_of_sources()
        if weights:
            names = np.full(len(rows), "") if source_of is None else source_of
            _refuse_unknown(weights, names)
        kinds = []
        for kind in np.unique(kind_of).tolist():
            mine = kind_of == kind
            group = recipe.photos_per_tile if kind == PAIR else 1
            labels = names[mine] if weights else np.full(int(mine.sum()), "")
            shares = _shares(labels, weights, recipe.batch_size)
            sources = tuple(
                _source(rows[mine][labels == name], count, recipe, group, blocks, name=str(name))
                for name, count in shares.items()
            )
            if sum(len(source.rows) for source in sources) == 1:
                raise DataError("one training row alone has nothing to differ from")
            if sources:
                kinds.append(Kind(sources))
        if not kinds:
            raise DataError("every source weighs 0", hint="set recipe.source_weights")
        return cls(tuple(kinds), recipe.seed, neighbours)

    @property
    def n_rows(self) -> int:
        """Rows to train on."""
        return sum(len(source.rows) for kind in self.kinds for source in kind.sources)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which every kind is visited once."""
        return sum(kind.steps_per_epoch for kind in self.kinds)

    def rows(self, step: int) -> StepRows:
        """Return what a step (from 0) sees, in the order in which it is dealt to processes."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if len(self.kinds) > 1:
            key = key_of("kinds", self.seed, epoch)
            place = int(permute(np.array([place]), self.steps_per_epoch, key=key)[0])
        for kind in self.kinds:
            if place < kind.steps_per_epoch:
                seen = kind.of_step(epoch * kind.steps_per_epoch + place)
                return seen if self.neighbours is None else self.neighbours.join(seen, step)
            place -= kind.steps_per_epoch
        raise AssertionError("the steps of the kinds add up to an epoch")

    def displacement(self) -> float:
        """Return how well an epoch is mixed, see `Order.displacement`: of the worst source."""
        return min(source.order.displacement() for kind in self.kinds for source in kind.sources)


def _source(
    rows: NDArray[np.int64],
    count: int,
    recipe: Recipe,
    group: int,
    blocks: Blocks | None,
    *,
    name: str,
) -> Source:
    label = f"order of {name}" if name else "order"
    return Source(rows, Order(len(rows), count, recipe.seed, group, blocks, label))


def _shares(labels: NDArray[np.str_], weights: dict[str, float], batch: int) -> dict[str, int]:
    """Return how many rows of a step each source has, by largest remainder, at least one.

    A source that is not named weighs 1, one of weight 0 is left out.
    """
    names = np.unique(labels).tolist()
    given = np.array([weights.get(name, 1.0) for name in names])
    used = [name for name, weight in zip(names, given, strict=True) if weight > 0]
    if not used:
        return {}
    exact = batch * given[given > 0] / given.sum()
    counts = np.maximum(np.floor(exact), 1).astype(np.int64)
    rest = np.argsort(-(exact - counts), kind="stable")
    for at in rest[: max(0, batch - int(counts.sum()))]:
        counts[at] += 1
    return dict(zip(used, counts.tolist(), strict=True))


def _refuse_unknown(weights: dict[str, float], names: NDArray[np.str_]) -> None:
    there = set(names.tolist())
    unknown = [name for name in weights if name not in there]
    if unknown:
        known = ", ".join(sorted(name for name in there if name)) or "none"
        raise DataError(
            f"recipe.source_weights names {unknown[0]}, which no training row comes from",
            hint=f"sources there: {known}",
        )
