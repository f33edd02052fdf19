"""NILI, neural implicit local interpolation: read a token grid at any position.

Source: GAIR (arXiv 2503.16683), after LIIF (arXiv 2012.09161). Four neighbouring cells each give a
3x3 neighbourhood of tokens and the offset of the position from their centre to a head; the four
answers are blended by the area of the opposite rectangle. Three forms are equal, and each is the
fastest somewhere:

- corners: the definition, four times the work; the oracle of the tests;
- gather: only the tokens around each position are read; for few positions;
- convolution: one 3x3 convolution over the grid, then sampling; for dense maps.

With the released head, one linear layer, blending comes first: the gather form blends 4x4 tokens
to one 3x3, and the convolution form samples bilinearly. A head with a hidden layer (LIIF's) is
blended behind its GELU, so that its last layer, too, runs once a position.

The offset counts half cells (-1 and 1 are a cell's edges), as the released weights have it.
Ours can start as the identity, so that NILI reads like bilinear interpolation at the first step.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from gair_cli.models.sampling import cell_units, linear_taps, read_bilinear

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gair_cli.models.sampling import Taps

_SIDE = 3
_TAPS = _SIDE * _SIDE
_CENTRE = _TAPS // 2
_INSIDE = 1e-6
_TINY = 1e-9


Form: TypeAlias = Literal["auto", "gather", "convolve"]


class Nili(nn.Module):
    """A head over 3x3 tokens and an offset, read at positions of a grid.

    Args:
        width: D, numbers a token.
        identity: Start as the identity (centre token passes, the rest counts nothing); else
            random.
        hidden: Width of a hidden layer with GELU; 0 is the released head, one linear layer. With
            the identity start the hidden layer's answer is added to the bilinear reading.
        frequencies: Fourier features of the offset, sin and cos of its whole turns times 1/2, 1,
            2..., beside the offset itself (LIIF's positional code); 0 is the released form.
    """

    def __init__(
        self, width: int, *, identity: bool = True, hidden: int = 0, frequencies: int = 0
    ) -> None:
        super().__init__()
        self.width = width
        self.form: Form = "auto"
        self.frequencies = frequencies
        self.linear = nn.Linear(_TAPS * width + 2 + 4 * frequencies, hidden or width)
        self.out = nn.Linear(hidden, width) if hidden else None
        self.residual = identity and hidden > 0
        if identity:
            self._start_as_identity()

    def _start_as_identity(self) -> None:
        last = self.linear if self.out is None else self.out
        with torch.no_grad():
            last.weight.zero_()
            last.bias.zero_()
            if self.out is None:
                channel = torch.arange(self.width)
                self.linear.weight[channel, channel * _TAPS + _CENTRE] = 1

    @property
    def kernel(self) -> Tensor:
        """The token part of the first layer as a convolution kernel, (D or hidden, D, 3, 3)."""
        flat = self.linear.weight[:, : _TAPS * self.width]
        return flat.reshape(-1, self.width, _SIDE, _SIDE)

    @property
    def offset_weight(self) -> Tensor:
        """The offset part of the first layer: (x, y), then its Fourier features."""
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
        if self.form != "auto":
            return (self.convolve if self.form == "convolve" else self.gather)(grid, xy, tile_of)
        cells = grid.shape[0] * grid.shape[2] * grid.shape[3]
        form = self.convolve if xy.shape[0] > cells else self.gather
        return form(grid, xy, tile_of)

    def mean(self, grid: Tensor) -> Tensor:
        """Return the field's mean over the centres of each grid's cells, (T, D)."""
        tiles, _, rows, columns = grid.shape
        if self.out is None:
            padded = functional.pad(grid, (1, 1, 1, 1))
            taps = [
                padded[:, :, row : row + rows, column : column + columns].mean(dim=(2, 3))
                for row in range(_SIDE)
                for column in range(_SIDE)
            ]
            tokens = torch.stack(taps, dim=2).flatten(1)  # (T, 9 D), channel-major
            inner = self._offset_features(tokens.new_zeros(tiles, 2)).to(tokens.dtype)
            answer: Tensor = self.linear(torch.cat([tokens, inner], dim=1))
            return answer
        centres = cell_centres(rows, columns, grid.device)
        everywhere = centres.repeat(tiles, 1)
        tile_of = torch.arange(tiles, device=grid.device).repeat_interleave(rows * columns)
        return self.convolve(grid, everywhere, tile_of).view(tiles, -1, self.width).mean(dim=1)

    def corners(self, grid: Tensor, xy: Tensor, tile_of: Tensor) -> Tensor:
        """Return the field by the definition, corner by corner; arguments as in `forward`.

        The opposite rectangle's share of the area is taken axis by axis: on the last cell's very
        centre all four areas are 0, but not the shares.
        """
        columns = grid.shape[3]
        unfolded = functional.unfold(grid, _SIDE, padding=1)  # (T, 9 D, h w)
        field = grid.new_zeros(xy.shape[0], self.width)
        for corner in _corners(xy, grid):
            tokens = unfolded[tile_of, :, corner.row * columns + corner.column]  # (B, 9 D)
            offset = self._offset_features(corner.offset).to(tokens.dtype)
            answer = self.linear(torch.cat([tokens, offset], dim=1))
            if self.out is not None:
                answer = self.out(functional.gelu(answer))
            if self.residual:
                answer = answer + tokens[:, _CENTRE::_TAPS]
            field = field + corner.share * answer
        return field

    def gather(self, grid: Tensor, xy: Tensor, tile_of: Tensor) -> Tensor:
        """Return the field from the 4x4 tokens around each position; arguments as in `forward`."""
        rows, columns = grid.shape[2:]
        down = linear_taps(xy[:, 1], rows, border=True)
        right = linear_taps(xy[:, 0], columns, border=True)
        block = _four_by_four(grid, down, right, tile_of)  # (B, 4, 4, D)
        if self.out is not None:
            return self._gather_hidden(grid, xy, block, (down.cell[:, 0], right.cell[:, 0]))
        part = down.weight[:, 1, None, None, None].to(block.dtype)
        block = torch.lerp(block[:, :3], block[:, 1:], part)  # (B, 3, 4, D)
        part = right.weight[:, 1, None, None, None].to(block.dtype)
        block = torch.lerp(block[:, :, :3], block[:, :, 1:], part)  # (B, 3, 3, D)
        offset = self._blended_offset(grid, xy).to(block.dtype)
        field: Tensor = self.linear(torch.cat([_channel_major(block), offset], dim=1))
        return field

    def _gather_hidden(
        self, grid: Tensor, xy: Tensor, block: Tensor, first: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Blend the hidden layer's answers of the four windows of a (B, 4, 4, D) block."""
        near: Tensor | float = 0.0
        tokens: Tensor | float = 0.0
        for corner in _corners(xy, grid):
            # at the border both corners are one cell; a rounding beyond the block has no share
            window = _window(block, corner.row > first[0], corner.column > first[1])
            offset = self._offset_features(corner.offset).to(block.dtype)
            answer = self.linear(torch.cat([_channel_major(window), offset], dim=1))
            near = near + corner.share * functional.gelu(answer)
            tokens = tokens + corner.share * window[:, 1, 1]
        return self._finished(near, tokens)

    def convolve(self, grid: Tensor, xy: Tensor, tile_of: Tensor) -> Tensor:
        """Return the field by convolving the whole grid once; arguments as in `forward`."""
        dense = functional.conv2d(grid, self.kernel, self.linear.bias, padding=1)
        if self.out is None:
            offset = self._blended_offset(grid, xy)
            return read_bilinear(dense, xy, tile_of, border=True) + offset @ self.offset_weight.T
        rows, columns = grid.shape[2:]
        cells = dense.permute(0, 2, 3, 1).flatten(0, 2)  # (T h w, hidden)
        near: Tensor | float = 0.0
        for corner in _corners(xy, grid):
            at = (tile_of * rows + corner.row) * columns + corner.column
            offset = self._offset_features(corner.offset).to(cells.dtype)
            answer = cells.index_select(0, at) + offset @ self.offset_weight.T
            near = near + corner.share * functional.gelu(answer)
        residual = read_bilinear(grid, xy, tile_of, border=True) if self.residual else 0.0
        return self._finished(near, residual)

    def _finished(self, near: Tensor | float, residual: Tensor | float) -> Tensor:
        if self.out is None:
            raise AssertionError("only a head with a hidden layer is blended before its last one")
        field: Tensor = self.out(near)
        return field + residual if self.residual else field

    def _offset_features(self, offset: Tensor) -> Tensor:
        """Return (B, 2 + 4 F): the offset (x, y), then sin and cos of its multiples."""
        if not self.frequencies:
            return offset
        turns = math.pi * 2.0 ** torch.arange(self.frequencies, device=offset.device)
        angle = (offset[:, :, None] * turns).flatten(1)  # (B, 2 F)
        return torch.cat([offset, torch.sin(angle), torch.cos(angle)], dim=1)

    def _blended_offset(self, grid: Tensor, xy: Tensor) -> Tensor:
        """Return what the four corners' offset features blend to, (B, 2 + 4 F)."""
        if not self.frequencies:
            return outer_offset(xy, grid.shape[2], grid.shape[3])
        corners = _corners(xy, grid)
        return torch.stack(
            [corner.share * self._offset_features(corner.offset) for corner in corners]
        ).sum(dim=0)


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


def cell_centres(rows: int, columns: int, device: torch.device) -> Tensor:
    """Return the centres (x, y) of a grid's cells in [-1, 1], row by row: (rows columns, 2)."""
    across = (2 * torch.arange(columns, device=device) + 1) / columns - 1
    down = (2 * torch.arange(rows, device=device) + 1) / rows - 1
    return torch.stack(torch.meshgrid(across, down, indexing="xy"), dim=2).reshape(-1, 2)


class _Corner(NamedTuple):
    """One of the four cells about each position.

    Attributes:
        row: (B,) int64.
        column: (B,) int64.
        offset: (B, 2) from its centre to the position (x, y), in half cells.
        share: (B, 1) of the blend.
    """

    row: Tensor
    column: Tensor
    offset: Tensor
    share: Tensor


def _corners(xy: Tensor, grid: Tensor) -> Iterator[_Corner]:
    """Yield the corners: upper left, upper right, lower left, lower right."""
    rows, columns = grid.shape[2:]
    for row, offset_y, share_y in _along(xy[:, 1], rows):
        for column, offset_x, share_x in _along(xy[:, 0], columns):
            offset = torch.stack([offset_x, offset_y], dim=1)
            yield _Corner(row, column, offset, (share_x * share_y)[:, None])


def _along(position: Tensor, size: int) -> list[tuple[Tensor, Tensor, Tensor]]:
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


def _window(block: Tensor, lower: Tensor, right: Tensor) -> Tensor:
    """Return one of the four 3x3 windows of each (B, 4, 4, D) block, (B, 3, 3, D)."""
    rows = torch.where(lower[:, None, None, None], block[:, 1:], block[:, :3])
    return torch.where(right[:, None, None, None], rows[:, :, 1:], rows[:, :, :3])


def _channel_major(window: Tensor) -> Tensor:
    """Return (B, 3, 3, D) as the rows that `unfold` gives, (B, 9 D)."""
    return window.flatten(1, 2).transpose(1, 2).flatten(1)
