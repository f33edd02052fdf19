"""The curriculum: a growing part of each batch are neighbours of the rest of it.

Places next to each other look alike, so they are the hard negatives; at the start of a run they
would only confuse. Ours (lever 4 of preset `base`): a share of each batch comes from the cells of
the other rows and those around them, from 0 at first to `share` when `ramp` of the steps are done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gair_cli.data.order import key_of, random_bits
from gair_cli.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gair_cli.training.steps import StepRows

_AROUND = np.array([-1, 0, 1])
_WIDTH = np.int64(2**31)


@dataclass(frozen=True, slots=True)
class CurriculumConfig:
    """How many neighbours a batch holds.

    Attributes:
        share: Largest share of a batch, reached when the ramp ends; 0 is off.
        ramp: Share of the run's steps over which it grows.
        cell_deg: Sides of a cell in degrees; neighbours are in the same cell or one that touches
            it. 0.1 is about 11 km from south to north.
    """

    share: float = 0.0
    ramp: float = 0.5
    cell_deg: float = 0.1

    def __post_init__(self) -> None:
        """Refuse shares and cells that make no sense."""
        if not 0 <= self.share < 1 or not 0 <= self.ramp <= 1:
            raise UsageError(
                f"recipe.curriculum has share {self.share} and ramp {self.ramp}: wanted 0 to 1"
            )
        if not 1e-4 <= self.cell_deg <= 180:  # noqa: PLR2004 - ten metres to half the globe
            raise UsageError(f"recipe.curriculum.cell_deg is {self.cell_deg}, wanted 1e-4 to 180")


def share_at(step: int, steps: int, config: CurriculumConfig) -> float:
    """Return the share of neighbours in a step: a line from 0, then flat."""
    ramp_steps = config.ramp * steps
    return config.share if step >= ramp_steps else config.share * step / ramp_steps


class Neighbours:
    """Draws neighbours of rows, with their tile's other photos beside them.

    Args:
        rows: (N,) rows of the index to train on, those of one tile beside each other.
        lonlat: (N, 2) their places, degrees.
        kind_of: (N,) which halves they have; neighbours have the same.
        tile_of: (N,) the tile of each, -1 without one.
        config: Share, ramp, cells.
        steps: Of the run.
        group: Photos of a tile that come together.
        seed: Of the run.
    """

    def __init__(
        self,
        rows: NDArray[np.int64],
        lonlat: NDArray[np.float64],
        *,
        kind_of: NDArray[np.int64],
        tile_of: NDArray[np.int64],
        config: CurriculumConfig,
        steps: int,
        group: int,
        seed: int,
    ) -> None:
        cells = np.floor(lonlat / config.cell_deg).astype(np.int64)
        self._columns = max(1, round(360 / config.cell_deg))  # around the Earth
        number = self._number(cells[:, 1], cells[:, 0], kind_of)
        order = np.argsort(number, kind="stable")
        self._rows, self._tile, self._kind = rows, tile_of, kind_of
        self._place = np.full(int(rows.max()) + 1, -1, dtype=np.int64)
        self._place[rows] = np.arange(len(rows))
        self._by_cell, self._cell_of = order, number
        self._cells, self._first = np.unique(number[order], return_index=True)
        self._count = np.diff([*self._first, len(rows)])
        self._config, self._steps, self._group, self._seed = config, steps, group, seed
        self._lat_lon = cells

    def join(self, seen: StepRows, step: int) -> StepRows:
        """Return a step's rows with neighbours of its first ones in place of its last ones.

        Args:
            seen: The step's rows.
            step: From 0; keys the draw and says how many.

        Returns:
            As many rows, none of them twice that was there once; fewer neighbours where there are
            not enough.
        """
        wanted = int(share_at(step, self._steps, self._config) * len(seen.rows))
        if wanted < 1:
            return seen
        kept = seen.part(0, len(seen.rows) - wanted)
        drawn = self._draw(kept.rows, wanted, key=key_of("curriculum", self._seed, step))
        rows = np.concatenate([kept.rows, drawn])
        rest = seen.part(len(kept.rows), len(seen.rows))
        spare = rest.rows[~np.isin(rest.rows, rows)][: len(seen.rows) - len(rows)]
        epochs = np.resize(seen.epochs, len(rows) + len(spare))
        return type(seen)(np.concatenate([rows, spare]), epochs)

    def _draw(self, kept: NDArray[np.int64], wanted: int, *, key: int) -> NDArray[np.int64]:
        anchors = self._place[kept]
        tries = 2 * wanted  # some are drawn twice, or are there already
        numbers = random_bits(key, np.arange(3 * tries, dtype=np.uint64)).reshape(3, tries)
        near = anchors[(numbers[0] % np.uint64(len(anchors))).astype(np.int64)]
        cell = self._around(near, numbers[1])
        within = (numbers[2] % self._count[cell].astype(np.uint64)).astype(np.int64)
        found = self._by_cell[self._first[cell] + within]  # places in `rows`
        if self._group > 1:
            found = self._with_company(found)
        _, first = np.unique(found, return_index=True)
        found = found[np.sort(first)]  # each once, in the order drawn
        rows = self._rows[found]
        fresh: NDArray[np.int64] = rows[~np.isin(rows, kept)][:wanted]
        return fresh

    def _with_company(self, found: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return each place followed by the next ones of its tile, a group in all."""
        company = found[:, None] + np.arange(self._group)  # (n, group)
        company = company.clip(max=len(self._rows) - 1)
        same = (self._tile[company] == self._tile[found][:, None]) & (
            self._kind[company] == self._kind[found][:, None]
        )
        placed: NDArray[np.int64] = company[same]
        return placed

    def _around(self, near: NDArray[np.int64], numbers: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the place in the list of a cell beside each place's, or of its own."""
        pick = (numbers % np.uint64(9)).astype(np.int64)
        lon, lat = self._lat_lon[near].T
        wanted = self._number(lat + _AROUND[pick // 3], lon + _AROUND[pick % 3], self._kind[near])
        at = np.searchsorted(self._cells, wanted).clip(max=len(self._cells) - 1)
        there = self._cells[at] == wanted
        return np.where(there, at, np.searchsorted(self._cells, self._cell_of[near]))

    def _number(
        self, lat: NDArray[np.int64], lon: NDArray[np.int64], kind: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return one number a cell and kind; columns meet again at 180 degrees."""
        numbers: NDArray[np.int64] = (lat * 4 + kind) * _WIDTH + lon % self._columns
        return numbers
