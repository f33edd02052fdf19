"""The fine path: finer maps of a tile, read over a footprint and added to what the tokens say.

Ours (query `nili-fine`). A token is 8 pixels wide, and between tokens a query can only blend. So a
shallow pyramid of convolutions keeps maps at 1, 2 and 4 pixels, which are read bilinearly at the
same position, as PointRend (arXiv 1912.08193) reads coarse and fine features. Alone that is fragile
where a photo's position is off; so a query is a position and a radius, as mip-NeRF (arXiv
2103.13415) integrates over a cone: each map is averaged over points of a disc, and the radius goes
into the head, too.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from gair_cli.models.sampling import read_grid, taps_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gair_cli.models.config import FineConfig

_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


def disc(points: int) -> Tensor:
    """Return points spread evenly over the unit disc (Vogel's spiral), their mean at 0.

    Args:
        points: At least 1.

    Returns:
        (points, 2) float32 of length 1 at most.
    """
    number = torch.arange(points, dtype=torch.float64)
    radius = ((number + 0.5) / points).sqrt()
    angle = number * _GOLDEN_ANGLE
    spiral = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    spiral = spiral - spiral.mean(dim=0)
    longest = torch.linalg.vector_norm(spiral, dim=1).max()
    inside: Tensor = (spiral / longest.clamp(min=1)).float()
    return inside


def footprint(xy: Tensor, radius_m: Tensor, size_m: Tensor, points: Tensor) -> Tensor:
    """Return the points that stand for a disc about each position, kept inside the tile.

    Args:
        xy: (B, 2) in [-1, 1].
        radius_m: (B,) metres.
        size_m: (B, 2) width and height of each position's tile in metres.
        points: (K, 2) of the unit disc.

    Returns:
        (B, K, 2) in [-1, 1]; all of them are `xy` where the radius is 0.
    """
    reach = 2 * radius_m[:, None] / size_m  # (B, 2) in units of xy
    return (xy[:, None] + reach[:, None] * points).clamp(-1, 1)


def beyond(radius_m: Tensor, size_m: Tensor) -> Tensor:
    """Return how far a footprint counts as the whole tile, (B, 1) in 0..1.

    Up to half the tile's shorter side it is the disc, from the whole side on the tile: what a disc
    covers outside its tile nobody knows, and the tile's mean is the best guess.

    Args:
        radius_m: (B,) metres.
        size_m: (B, 2) metres.
    """
    half = size_m.amin(dim=1) / 2
    return (radius_m / half - 1).clamp(0, 1)[:, None]


class FinePath(nn.Module):
    """Maps of a tile's pixels, and the head that turns a reading of them into an addition.

    Args:
        bands: C, bands of a tile.
        width: D, numbers of the coarse reading and of the addition.
        config: Channels of the maps and width of the head.
    """

    spiral: Tensor

    def __init__(self, bands: int, width: int, config: FineConfig) -> None:
        super().__init__()
        self.config = config
        sizes = [bands, *config.channels]
        self.maps = nn.ModuleList(
            _convolution(old, new, halves=level > 0)
            for level, (old, new) in enumerate(pairwise(sizes))
        )
        self.up = nn.Linear(width + sum(config.channels) + 1, config.hidden)
        self.down = nn.Linear(config.hidden, width)
        nn.init.zeros_(self.down.weight)  # the first step reads as without it
        nn.init.zeros_(self.down.bias)
        self.register_buffer("spiral", disc(config.points))

    def encode(self, rs: Tensor) -> tuple[Tensor, ...]:
        """Return the maps of tiles (T, C, H, W): (T, C_k, H / 2^k, W / 2^k), the finest first."""
        found, last = [], rs.contiguous(memory_format=torch.channels_last)  # as they are read
        for convolution in self.maps:
            last = functional.gelu(convolution(last))
            found.append(last)
        return tuple(found)

    def read(self, maps: Sequence[Tensor], xy: Tensor, tile_of: Tensor) -> Tensor:
        """Return all maps bilinearly at positions.

        Args:
            maps: From `encode`.
            xy: (B, 2) in [-1, 1].
            tile_of: (B,) int64.

        Returns:
            (B, sum of the channels) float32.
        """
        height, width = maps[0].shape[2:]
        parts = []
        for level, one in enumerate(maps):
            across = (xy[:, 0] + 1) * (width / 2 ** (level + 1)) - 0.5  # in cells of this map
            down = (xy[:, 1] + 1) * (height / 2 ** (level + 1)) - 0.5
            rows = taps_at(down, one.shape[2], border=True)
            columns = taps_at(across, one.shape[3], border=True)
            parts.append(read_grid(one, rows, columns, tile_of))
        return torch.cat(parts, dim=1)

    def forward(self, coarse: Tensor, fine: Tensor, radius_px: Tensor) -> Tensor:
        """Return what is added to the coarse reading.

        Args:
            coarse: (B, D).
            fine: (B, sum of the channels), from `read`.
            radius_px: (B,) radius in pixels.

        Returns:
            (B, D).
        """
        told = torch.log1p(radius_px)[:, None].to(coarse.dtype)
        hidden = functional.gelu(self.up(torch.cat([coarse, fine.to(coarse.dtype), told], dim=1)))
        added: Tensor = self.down(hidden)
        return added


def _convolution(old: int, new: int, *, halves: bool) -> nn.Conv2d:
    """Return a convolution whose output pixels lie amid those they stand for."""
    if halves:
        return nn.Conv2d(old, new, 4, stride=2, padding=1, padding_mode="replicate")
    return nn.Conv2d(old, new, 3, padding=1, padding_mode="replicate")
