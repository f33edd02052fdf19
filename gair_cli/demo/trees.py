"""Where single trees stand: one candidate in each cell of a lattice, kept by local density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from gair_cli.demo.noise import Flags, Floats, Ints

CELL_M: Final = 8.0
_PERIOD: Final = 512


@dataclass(frozen=True, slots=True)
class Trees:
    """Trees by number.

    Attributes:
        x: Position of the trunk, metres.
        y: The same, northwards.
        radius: Of the crown, metres.
        height: To the top, metres.
        chance: The tree stands where the local density is above this.
    """

    x: Floats
    y: Floats
    radius: Floats
    height: Floats
    chance: Floats


class TreeLattice:
    """The trees of a city.

    Args:
        seed: The city's seed.
    """

    __slots__ = ("_table",)

    def __init__(self, seed: int) -> None:
        generator = np.random.default_rng([seed, 2])
        table = generator.random((5, _PERIOD * _PERIOD), dtype=np.float32)
        size = table[3].copy()
        table[0:2] = (0.25 + 0.5 * table[0:2]) * CELL_M
        table[2] = 2.0 + 2.2 * size
        table[3] = 5.5 + 11 * size * (0.6 + 0.4 * table[2] / 4.2)
        self._table = table

    def cells(self, column: Ints, row: Ints) -> Trees:
        """Return the candidates of lattice cells."""
        index = (row % _PERIOD) * _PERIOD + column % _PERIOD
        offset_x, offset_y, radius, height, chance = self._table[:, index]
        return Trees(column * CELL_M + offset_x, row * CELL_M + offset_y, radius, height, chance)

    def near(self, x: float, y: float, *, radius_m: float) -> Trees:
        """Return all candidates within a distance of a position, nearest cells in order."""
        reach = int(radius_m // CELL_M) + 1
        span = np.arange(-reach, reach + 1, dtype=np.int32)
        column, row = np.meshgrid(span + int(x // CELL_M), span + int(y // CELL_M))
        trees = self.cells(column.ravel(), row.ravel())
        keep = np.hypot(trees.x - x, trees.y - y) < radius_m
        return Trees(
            trees.x[keep],
            trees.y[keep],
            trees.radius[keep],
            trees.height[keep],
            trees.chance[keep],
        )

    def cover(self, x: Floats, y: Floats, density: Floats) -> tuple[Flags, Floats]:
        """Tell where crowns cover the ground.

        Args:
            x: Positions in metres, (N,).
            y: The same, northwards.
            density: Share of candidates that stand, (N,).

        Returns:
            Covered or not, and the height of the canopy in metres (0 where not covered).
        """
        left = np.floor(x / CELL_M - 0.5).astype(np.int32)
        below = np.floor(y / CELL_M - 0.5).astype(np.int32)
        height = np.zeros(len(x), dtype=np.float32)
        for column in (left, left + 1):
            for row in (below, below + 1):
                trees = self.cells(column, row)
                near = ((x - trees.x) ** 2 + (y - trees.y) ** 2) / trees.radius**2
                inside = (near < 1) & (trees.chance < density)
                top = trees.height * (1 - np.float32(0.45) * near)
                height = np.where(inside, np.maximum(height, top), height)
        return height > 0, height
