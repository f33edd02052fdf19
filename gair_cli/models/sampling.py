"""Read a token grid at positions: bilinear and bicubic, as sums over a few gathered tokens.

Positions are (x, y) in [-1, 1] over the whole grid, so the centre of cell i of n lies at
(2 i + 1) / n - 1; corners are not aligned. Many positions may lie in one tile: tokens are gathered
as rows, tap by tap, so memory is that of the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

_CUBIC = -0.75
"""The constant of torch's and PIL's bicubic kernel."""


class Taps(NamedTuple):
    """Which cells of one axis count for each position, and how much.

    Attributes:
        cell: (B, K) int64, legal cell numbers.
        weight: (B, K) float32; 0 for a tap outside the grid.
    """

    cell: Tensor
    weight: Tensor


def cell_units(position: Tensor, size: int) -> Tensor:
    """Return positions (B,) in [-1, 1] in cells: 0 is the centre of the first of `size` cells."""
    return (position + 1) * (size / 2) - 0.5


def linear_taps(position: Tensor, size: int, *, border: bool) -> Taps:
    """Return the two taps of linear interpolation.

    Args:
        position: (B,) float32 in [-1, 1].
        size: Cells of the axis.
        border: Whether the outer cells go on outside; else there are zeros.

    Returns:
        Taps with K = 2.
    """
    return taps_at(cell_units(position, size), size, border=border)


def taps_at(at: Tensor, size: int, *, border: bool) -> Taps:
    """Return the two taps of linear interpolation at positions (B,) in cells.

    Args:
        at: 0 is the centre of the first cell.
        size: Cells of the axis.
        border: As in `linear_taps`.

    Returns:
        Taps with K = 2.
    """
    if border:
        at = at.clamp(0, size - 1)
    first = at.floor()
    part = at - first
    return _inside(first, torch.stack([1 - part, part], dim=1), size)


def cubic_taps(position: Tensor, size: int) -> Taps:
    """Return the four taps of cubic convolution (Keys 1981, a = -0.75), zeros outside.

    Args:
        position: (B,) float32 in [-1, 1].
        size: Cells of the axis.

    Returns:
        Taps with K = 4.
    """
    at = cell_units(position, size)
    first = at.floor()
    part = at - first
    near = torch.stack([part, 1 - part], dim=1)  # distances of the two inner taps
    far = near + 1
    inner = ((_CUBIC + 2) * near - (_CUBIC + 3)) * near * near + 1
    outer = ((_CUBIC * far - 5 * _CUBIC) * far + 8 * _CUBIC) * far - 4 * _CUBIC
    weight = torch.stack([outer[:, 0], inner[:, 0], inner[:, 1], outer[:, 1]], dim=1)
    return _inside(first - 1, weight, size)


def _inside(first: Tensor, weight: Tensor, size: int) -> Taps:
    """Return taps from `first` on, those outside the grid moved in and weighted 0."""
    cell = first.long()[:, None] + torch.arange(weight.shape[1], device=first.device)
    legal = (cell >= 0) & (cell < size)
    return Taps(cell.clamp(0, size - 1), weight * legal)


def read_grid(grid: Tensor, rows: Taps, columns: Taps, tile_of: Tensor) -> Tensor:
    """Return the weighted sum of the tapped tokens.

    Args:
        grid: (T, D, h, w).
        rows: Taps along h.
        columns: Taps along w.
        tile_of: (B,) int64 in [0, T).

    Returns:
        (B, D) float32.
    """
    tiles, width, height, across = grid.shape
    tokens = grid.permute(0, 2, 3, 1).reshape(tiles * height * across, width)
    if tokens.device.type == "cpu" and _fits_bags(tokens):
        cell = (tile_of[:, None] * height + rows.cell)[:, :, None] * across
        index = (cell + columns.cell[:, None, :]).flatten(1)  # (B, K K)
        weight = (rows.weight[:, :, None] * columns.weight[:, None, :]).flatten(1)
        # one pass over the tokens: a twelfth of the time of a sum tap by tap
        return functional.embedding_bag(index, tokens, per_sample_weights=weight, mode="sum")
    result = grid.new_zeros(tile_of.shape[0], width, dtype=torch.float32)
    for row in range(rows.cell.shape[1]):
        start = (tile_of * height + rows.cell[:, row]) * across
        for column in range(columns.cell.shape[1]):
            weight = rows.weight[:, row] * columns.weight[:, column]
            taken = tokens.index_select(0, start + columns.cell[:, column])
            result = result + weight[:, None] * taken
    return result


def _fits_bags(tokens: Tensor) -> bool:
    """Tell whether a bag's sum is exact enough, and no graph is made that could not hold it."""
    return tokens.dtype == torch.float32 and not torch.compiler.is_compiling()


def read_bilinear(grid: Tensor, xy: Tensor, tile_of: Tensor, *, border: bool = False) -> Tensor:
    """Return the grid (T, D, h, w) read bilinearly at xy (B, 2): (B, D) float32.

    Args:
        grid: Token grids.
        xy: Positions in [-1, 1], x along columns.
        tile_of: (B,) int64, the tile of each position.
        border: As in `linear_taps`.
    """
    rows = linear_taps(xy[:, 1], grid.shape[2], border=border)
    columns = linear_taps(xy[:, 0], grid.shape[3], border=border)
    return read_grid(grid, rows, columns, tile_of)


def read_bicubic(grid: Tensor, xy: Tensor, tile_of: Tensor) -> Tensor:
    """Return the grid (T, D, h, w) read bicubically at xy (B, 2), zeros outside: (B, D) float32."""
    rows = cubic_taps(xy[:, 1], grid.shape[2])
    columns = cubic_taps(xy[:, 0], grid.shape[3])
    return read_grid(grid, rows, columns, tile_of)
