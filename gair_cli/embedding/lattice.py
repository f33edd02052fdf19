"""One lattice of model tiles over a scene, and the blend over their overlap.

Tiles of `size` pixels start at the scene's first pixel and follow each other by `stride` < `size`.
The last tile of each axis is moved back so that it ends at the scene's last pixel: every pixel is
covered by real data. A scene that is smaller than a tile has one tile, padded by reflection.

Along an axis a tile's weight rises as sin^2 over the overlap, is 1 in the middle and falls as
cos^2; divided by the sum over all tiles at a pixel, the weights sum to 1 everywhere. They depend
on the position in the scene alone, so windows and boxes only select.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gair_cli.errors import UsageError


@dataclass(frozen=True, slots=True)
class Axis:
    """The tiles along one axis.

    Attributes:
        starts: (n,) int64 first pixel of each tile, ascending.
        size: Pixels of a tile.
        stride: Pixels between the starts, but for the last.
        length: Pixels of the scene.
    """

    starts: np.ndarray
    size: int
    stride: int
    length: int

    def between(self, low: float, high: float) -> range:
        """Return which tiles hold a position in [low, high]."""
        held = np.flatnonzero((self.starts <= high) & (self.starts + self.size >= low))
        return range(int(held[0]), int(held[-1]) + 1) if len(held) else range(0)

    def weight(self, tile: int, position: np.ndarray) -> np.ndarray:
        """Return a tile's weight at positions in scene pixels, before division by the sum.

        Args:
            tile: Number of the tile.
            position: (N,) float64; outside the tile the weight is 0.

        Returns:
            (N,) float64 in [0, 1].
        """
        inside = position - self.starts[tile]
        to_edge = np.minimum(inside, self.size - inside)
        rise = np.sin(np.pi / 2 * np.clip(to_edge / (self.size - self.stride), 0, 1)) ** 2
        return np.where(to_edge >= 0, np.maximum(rise, 1e-9), 0.0)


def make_axis(length: int, *, size: int, stride: int) -> Axis:
    """Return the tiles along one axis of a scene.

    Args:
        length: Pixels of the scene.
        size: Pixels of a tile.
        stride: Pixels between tiles, less than `size`.

    Raises:
        UsageError: When the stride is not between 1 and size - 1, or there is no pixel.
    """
    if length < 1 or not 0 < stride < size:
        raise UsageError(f"no lattice over {length} pixels with size {size} and stride {stride}")
    starts = list(range(0, max(length - size, 0) + 1, stride))
    if starts[-1] + size < length:
        starts.append(length - size)
    return Axis(np.array(starts, np.int64), size, stride, length)


def default_stride(size: int, patch: int) -> int:
    """Return two thirds of a tile, in whole patches: an overlap of at least one patch."""
    return max(1, min(size - patch, round(size * 2 / 3 / patch) * patch)) if size > patch else 1


@dataclass(frozen=True, slots=True)
class Lattice:
    """The tiles over a scene; tile (i, j) is in column i and row j of the lattice."""

    columns: Axis
    rows: Axis

    def tiles_at(self, pixels: np.ndarray) -> list[tuple[int, int]]:
        """Return the tiles that hold any of the positions (N, 2) in scene pixels, by row."""
        if not len(pixels):
            return []
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        across = self.columns.between(low[0], high[0])
        return [(i, j) for j in self.rows.between(low[1], high[1]) for i in across]

    def holds(self, tile: tuple[int, int], pixels: np.ndarray) -> np.ndarray:
        """Return which positions (N, 2) in scene pixels a tile holds; (N,) bool."""
        start = np.array([self.columns.starts[tile[0]], self.rows.starts[tile[1]]])
        size = np.array([self.columns.size, self.rows.size])
        return np.asarray(((pixels >= start) & (pixels <= start + size)).all(axis=1))

    def weight(self, tile: tuple[int, int], pixels: np.ndarray) -> np.ndarray:
        """Return a tile's weight at positions (N, 2) in scene pixels, before the division."""
        across = self.columns.weight(tile[0], pixels[:, 0])
        weights: np.ndarray = across * self.rows.weight(tile[1], pixels[:, 1])
        return weights

    def position(self, tile: tuple[int, int], pixels: np.ndarray) -> np.ndarray:
        """Return positions (N, 2) in scene pixels as (x, y) in [-1, 1] of a tile."""
        start = np.array([self.columns.starts[tile[0]], self.rows.starts[tile[1]]])
        size = np.array([self.columns.size, self.rows.size])
        scaled: np.ndarray = 2 * (pixels - start) / size - 1
        return scaled
