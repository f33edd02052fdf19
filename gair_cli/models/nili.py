"""NILI, neural implicit local interpolation: read a token grid at any position.

Source: GAIR (arXiv 2503.16683), after LIIF (arXiv 2012.09161). Four neighbouring cells each give a
3x3 neighbourhood of tokens and the offset of the position from their centre to one linear layer;
the four answers are blended by the area of the opposite rectangle. Because the layer is linear,
three forms are equal and each is the fastest somewhere:

- corners: the definition, four times the work; the oracle of the tests;
- gather: blend 4x4 tokens to one 3x3, then one linear layer; for few positions;
- convolution: one 3x3 convolution over the grid, then bilinear sampling; for dense maps.

The offset counts half cells (-1 and 1 are a cell's edges), as the released weights have it.
Ours can start as the identity, so that NILI reads like bilinear interpolation at the first step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from gair_cli.models.sampling import cell_units, linear_taps, read_bilinear

if TYPE_CHECKING:
    from gair_cli.models.sampling import Taps

_SIDE = 3
_TAPS = _SIDE * _SIDE
_CENTRE = _TAPS // 2
_INSIDE = 1e-6
_TINY = 1e-9


class Nili(nn.Module):
    """A linear layer over 3x3 tokens and an offset, read at positions of a grid.

    Args:
        width: D, numbers a token.
        identity: Start as the identity (centre token passes, offsets count nothing); else random.
    """

    def __init__(self, width: int, *, identity: bool = True) -> None:
        super().__init__()
        self.width = width
        self.linear = nn.Linear(_TAPS * width + 2, width)
        if identity:
            self._start_as_identity()

    def _start_as_identity(self) -> None:
        with torch.no_grad():
            self.linear.weight.zero_()
            self.linear.bias.zero_()
            channel = torch.arange(self.width)
            self.linear.weight[channel, channel * _TAPS + _CENTRE] = 1

    @property
    def kernel(self) -> Tensor:
        """The token part of the weights as a convolution kernel, (D, D, 3, 3)."""
        flat = self.linear.weight[:, : _TAPS * self.width]
        return flat.reshape(self.width, self.width, _SIDE, _SIDE)

    @property
    def offset_weight(self) -> Tensor:
        """The offset part of the weights, (D, 2), for (x, y)."""
        return self.linear.weight[:, _TAPS * self.width :]

    def forward(self, grid: Tensor, xy: Tensor, tile_of: Tensor) -> Tensor:
        """Return the field at each position, by the cheaper of the two equal forms.

        Args:
            grid: (T, D, h, w) tokens.
            xy: (B, 2) float32 in [-1, 1], x along columns, y along rows.
            tile_of: (B,) int64 in [0, T).

        Returns:
            (B, D).
        """
        cells = grid.shape[0] * grid.shape[2] * grid.shape[3]
        form = self.convolve if len(xy) > cells else self.gather
        return form(grid, xy, tile_of)

    def corners(self, grid: Tensor, xy: Tensor, tile_of: Tensor) -> Tensor:
        """Return the field by the definition, corner by corner; arguments as in `forward`.

        The opposite rectangle's share of the area is taken axis by axis: on the last cell's very
        centre all four areas are 0, but not the shares.
        """
        rows, columns = grid.shape[2:]
        unfolded = functional.unfold(grid, _SIDE, padding=1)  # (T, 9 D, h w)
        field = grid.new_zeros(len(xy), self.width)
        for row, offset_y, share_y in _corners(xy[:, 1], rows):
            for column, offset_x, share_x in _corners(xy[:, 0], columns):
                tokens = unfolded[tile_of, :, row * columns + column]  # (B, 9 D)
                offset = torch.stack([offset_x, offset_y], dim=1)
                answer = self.linear(torch.cat([tokens, offset], dim=1))
                field = field + (share_x * share_y)[:, None] * answer
        return field

    def gather(self, grid: Tensor, xy: Tensor, tile_of: Tensor) -> Tensor:
        """Return the field from the 4x4 tokens around each position; arguments as in `forward`."""
        rows, columns = grid.shape[2:]
        down = linear_taps(xy[:, 1], rows, border=True)
        right = linear_taps(xy[:, 0], columns, border=True)
        block = _four_by_four(grid, down, right, tile_of)  # (B, 4, 4, D)
        part = down.weight[:, 1, None, None, None].to(block.dtype)
        block = torch.lerp(block[:, :3], block[:, 1:], part)  # (B, 3, 4, D)
        part = right.weight[:, 1, None, None, None].to(block.dtype)
        block = torch.lerp(block[:, :, :3], block[:, :, 1:], part)  # (B, 3, 3, D)
        tokens = block.flatten(1, 2).transpose(1, 2).flatten(1)  # (B, 9 D), channel-major
        offset = outer_offset(xy, rows, columns).to(tokens.dtype)
        field: Tensor = self.linear(torch.cat([tokens, offset], dim=1))
        return field

    def convolve(self, grid: Tensor, xy: Tensor, tile_of: Tensor) -> Tensor:
        """Return the field by convolving the whole grid once; arguments as in `forward`."""
        dense = functional.conv2d(grid, self.kernel, self.linear.bias, padding=1)
        offset = outer_offset(xy, grid.shape[2], grid.shape[3])
        return read_bilinear(dense, xy, tile_of, border=True) + offset @ self.offset_weight.T


def outer_offset(xy: Tensor, rows: int, columns: int) -> Tensor:
    """Return what is left of the offsets after blending: zero but in the outer half cell.

    Args:
        xy: (B, 2) in [-1, 1].
        rows: Rows of the grid.
        columns: Columns of the grid.

    Returns:
        (B, 2) offsets (x, y) from the outermost centres, in half cells: -1..1 inside the grid.
    """
    across, down = cell_units(xy[:, 0], columns), cell_units(xy[:, 1], rows)
    return 2 * torch.stack(
        [across - across.clamp(0, columns - 1), down - down.clamp(0, rows - 1)], dim=1
    )


def _corners(position: Tensor, size: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return (cell, offset in half cells, blending share) of both corners along one axis."""
    (low, from_low), (high, from_high) = (_nearest(position, size, side) for side in (-1, 1))
    near_low, near_high = from_low.abs() + _TINY, from_high.abs() + _TINY
    whole = near_low + near_high
    return [(low, from_low, near_high / whole), (high, from_high, near_low / whole)]


def _nearest(position: Tensor, size: int, side: int) -> tuple[Tensor, Tensor]:
    """Return the cell half a cell to one side, kept inside, and the offset in half cells."""
    shifted = (position + side / size + _INSIDE).clamp(-1 + _INSIDE, 1 - _INSIDE)
    cell = ((shifted + 1) * (size / 2)).floor().long().clamp(0, size - 1)
    return cell, 2 * (cell_units(position, size) - cell)


def _four_by_four(grid: Tensor, down: Taps, right: Taps, tile_of: Tensor) -> Tensor:
    """Return the tokens from one before the first tap to two after it, zeros outside."""
    padded = functional.pad(grid.permute(0, 2, 3, 1), (0, 0, 1, 2, 1, 2))  # (T, h + 3, w + 3, D)
    _, height, across, width = padded.shape
    steps = torch.arange(4, device=grid.device)
    row = tile_of[:, None] * height + down.cell[:, :1] + steps  # (B, 4)
    index = row[:, :, None] * across + (right.cell[:, :1] + steps)[:, None, :]  # (B, 4, 4)
    return padded.reshape(-1, width).index_select(0, index.flatten()).view(*index.shape, width)
