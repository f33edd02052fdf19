"""What training does to a tile and a photo, keyed by (seed, epoch, id): no state, no global seed.

A tile that is mirrored or turned takes its positions along, so (x, y) stays the same place. Our
choice throughout: the paper (arXiv 2503.16683) does not say how it augments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from gair_cli.data.order import key_of, random_uniform
from gair_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

_PANORAMA = 1.5


@dataclass(frozen=True, slots=True)
class Augment:
    """How much is changed; zeros and `false` change nothing.

    Attributes:
        turn_tiles: Mirror and turn each tile into one of its eight orientations.
        roll_panoramas: Turn panoramas (input at least 1.5 times as wide as high) about the
            vertical by any angle. Leave it off where the column says the compass direction.
        mirror_photos: Mirror half of the photos left to right.
        radii_m: Radii in metres, one of which is drawn for each photo: its query gets the radius,
            and its position is moved by as much in any direction, so that a model learns what a
            radius means. A photo with an accuracy of its own keeps that, and its place. For query
            `nili-fine`; others ignore a radius, and nothing is moved.
        colour: Largest change of a photo's contrast (a share) and brightness (in standard
            deviations of the input), for example 0.2.
    """

    turn_tiles: bool = False
    roll_panoramas: bool = False
    mirror_photos: bool = False
    colour: float = 0.0
    radii_m: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a contrast that could turn a photo into its negative, and negative radii."""
        if not all(0 <= radius < math.inf for radius in self.radii_m):
            raise UsageError(f"recipe.augment.radii_m is {list(self.radii_m)}, wanted 0 or more")
        if not 0 <= self.colour < 1:
            raise UsageError(f"recipe.augment.colour is {self.colour}, wanted 0 up to 1")


def draws(ids: Sequence[str], n: int, *, seed: int, epoch: int, purpose: str) -> Tensor:
    """Return n uniform numbers for each id.

    Args:
        ids: B sample or tile ids.
        n: Numbers an id.
        seed: Of the run.
        epoch: From 0.
        purpose: What they are for; two purposes are independent.

    Returns:
        (B, n) float64 in [0, 1).
    """
    rows = [random_uniform(key_of(purpose, seed, epoch, one), n) for one in ids]
    return torch.tensor([row.tolist() for row in rows], dtype=torch.float64).reshape(len(ids), n)


def displace(
    xy: Tensor, radius_m: Tensor, size_m: Tensor, *, radii: Sequence[float], numbers: Tensor
) -> tuple[Tensor, Tensor]:
    """Draw a radius for each position that has none, and move it by as much.

    Args:
        xy: (B, 2) in [-1, 1].
        radius_m: (B,) metres; only where it is 0 is anything drawn.
        size_m: (B, 2) width and height of each position's tile in metres.
        radii: At least one, in metres.
        numbers: (B, 2) in [0, 1): which radius, which direction.

    Returns:
        Positions, which stay inside their tiles, and radii.
    """
    choice = (numbers[:, 0] * len(radii)).long().clamp(max=len(radii) - 1)
    drawn = torch.tensor(radii, dtype=torch.float32)[choice]
    drawn = torch.where(radius_m > 0, 0.0, drawn)
    angle = 2 * math.pi * numbers[:, 1].float()
    step = 2 * drawn[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1) / size_m
    moved = xy + step
    back = xy - step  # the other way, where this one leads out of the tile
    moved = torch.where(moved.abs() <= 1, moved, back).clamp(-1, 1)
    return moved, radius_m + drawn


def turn_tiles(
    rs: Tensor, xy: Tensor, tile_of: Tensor, *, size_m: Tensor, numbers: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Bring each tile, and the positions in it, to one of eight orientations.

    Args:
        rs: (T, C, H, W) with H = W.
        xy: (B, 2) in [-1, 1].
        tile_of: (B,) int64 in [0, T).
        size_m: (T, 2) width and height in metres.
        numbers: (T, 3) in [0, 1): mirror x, mirror y, swap rows with columns.

    Returns:
        Tiles, positions and sizes; a position is over the same pixel as before.
    """
    mirror_x, mirror_y, swap = (numbers >= 0.5).unbind(dim=1)  # noqa: PLR2004 - a fair coin
    rs = torch.where(mirror_x[:, None, None, None], rs.flip(-1), rs)
    rs = torch.where(mirror_y[:, None, None, None], rs.flip(-2), rs)
    rs = torch.where(swap[:, None, None, None], rs.transpose(-1, -2), rs)
    signs = torch.stack([1 - 2 * mirror_x.float(), 1 - 2 * mirror_y.float()], dim=1)  # (T, 2)
    xy = xy * signs[tile_of]
    size_m = torch.where(swap[:, None], size_m.flip(1), size_m)
    return rs, torch.where(swap[tile_of][:, None], xy.flip(1), xy), size_m


def change_photos(sv: Tensor, augment: Augment, *, numbers: Tensor) -> Tensor:
    """Turn, mirror and colour photos as far as `augment` says.

    Args:
        sv: (B, 3, h, w) normalised photos.
        augment: How much.
        numbers: (B, 4) in [0, 1): turn, mirror, contrast, brightness.

    Returns:
        (B, 3, h, w).
    """
    width = sv.shape[-1]
    if augment.roll_panoramas and width >= _PANORAMA * sv.shape[-2]:
        shift = (numbers[:, 0] * width).long()
        columns = (torch.arange(width) + shift[:, None]) % width  # (B, w)
        sv = sv.gather(3, columns[:, None, None, :].expand_as(sv))
    if augment.mirror_photos:
        sv = torch.where((numbers[:, 1] >= 0.5)[:, None, None, None], sv.flip(-1), sv)  # noqa: PLR2004 - a fair coin
    if augment.colour:
        spread = augment.colour * (2 * numbers[:, 2:4].float() - 1)
        sv = sv * (1 + spread[:, :1, None, None]) + spread[:, 1:, None, None]
    return sv
