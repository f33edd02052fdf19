"""What training does to a tile and a photo, keyed by (seed, epoch, id): no state, no global seed.

A tile that is mirrored or turned takes its positions along, so (x, y) stays the same place. Our
choice throughout: the paper (arXiv 2503.16683) does not say how it augments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from gair_cli.data.order import key_of, random_uniform
from gair_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

_PANORAMA = 1.5
_FAIR = 0.5


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
        exact_too: Read each displaced photo's tile at its own place as well, and compare both. The
            second reading is of one point, not of a disc, and a photo teaches detail in every step.
        colour: Largest change of a photo's contrast (a share) and brightness (in standard
            deviations of the input), for example 0.2.
        bands: Largest change of each band of a tile, the same two ways, each band by itself.
        crop: Least share of a photo's height and width that a random crop keeps; 1 keeps all.
        crop_tiles: The same of tiles, for objective `mocov3` only: a crop moves every position.
    """

    turn_tiles: bool = False
    roll_panoramas: bool = False
    mirror_photos: bool = False
    colour: float = 0.0
    radii_m: tuple[float, ...] = ()
    exact_too: bool = False
    bands: float = 0.0
    crop: float = 1.0
    crop_tiles: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a contrast that could turn a photo into its negative, and negative radii."""
        if not all(0 <= radius < math.inf for radius in self.radii_m):
            raise UsageError(f"recipe.augment.radii_m is {list(self.radii_m)}, wanted 0 or more")
        for name in ("colour", "bands"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise UsageError(f"recipe.augment.{name} is {value}, wanted 0 up to 1")
        for name in ("crop", "crop_tiles"):
            if not 0 < getattr(self, name) <= 1:
                raise UsageError(
                    f"recipe.augment.{name} is {getattr(self, name)}, wanted above 0, up to 1"
                )


def draws(
    ids: Sequence[str], n: int, *, seed: int, epoch: int | NDArray[np.int64], purpose: str
) -> Tensor:
    """Return n uniform numbers for each id.

    Args:
        ids: B sample or tile ids.
        n: Numbers an id.
        seed: Of the run.
        epoch: From 0; or (B,), one an id.
        purpose: What they are for; two purposes are independent.

    Returns:
        (B, n) float64 in [0, 1).
    """
    epochs = np.broadcast_to(epoch, len(ids)).tolist()
    rows = [
        random_uniform(key_of(purpose, seed, one_epoch, one), n)
        for one, one_epoch in zip(ids, epochs, strict=True)
    ]
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


def turn_places(
    xy: Tensor, tile_of: Tensor, size_m: Tensor, *, numbers: Tensor
) -> tuple[Tensor, Tensor]:
    """Bring the positions in tiles to where `turn_tiles` takes the pixels under them.

    Args:
        xy: (B, 2) in [-1, 1].
        tile_of: (B,) int64 in [0, T).
        size_m: (T, 2) width and height in metres.
        numbers: (T, 3) in [0, 1): mirror x, mirror y, swap rows with columns.

    Returns:
        Positions and sizes.
    """
    mirror_x, mirror_y, swap = _orientation(numbers)
    signs = torch.stack([1 - 2 * mirror_x.float(), 1 - 2 * mirror_y.float()], dim=1)  # (T, 2)
    xy = xy * signs[tile_of]
    size_m = torch.where(swap[:, None], size_m.flip(1), size_m)
    return torch.where(swap[tile_of][:, None], xy.flip(1), xy), size_m


def turn_tiles(rs: Tensor, *, numbers: Tensor) -> Tensor:
    """Bring each tile to one of eight orientations; `turn_places` takes positions along.

    Args:
        rs: (T, C, H, W) with H = W, on any device.
        numbers: (T, 3) in [0, 1): mirror x, mirror y, swap rows with columns.

    Returns:
        (T, C, H, W).
    """
    for axes, chosen in zip(((-1,), (-2,), None), _orientation(numbers.to(rs.device)), strict=True):
        other = rs.transpose(-1, -2) if axes is None else rs.flip(axes)
        rs = torch.where(chosen[:, None, None, None], other, rs)
    return rs


def _orientation(numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    mirror_x, mirror_y, swap = (numbers >= _FAIR).unbind(dim=1)
    return mirror_x, mirror_y, swap


def change_bands(rs: Tensor, *, most: float, numbers: Tensor) -> Tensor:
    """Change the contrast and brightness of each band of each tile.

    Args:
        rs: (T, C, H, W) normalised.
        most: Largest change, as a share and in standard deviations.
        numbers: (T, 2 C) in [0, 1): C contrasts, C brightnesses.

    Returns:
        (T, C, H, W).
    """
    spread = most * (2 * numbers.to(rs.device).float() - 1)
    contrast, brightness = spread.chunk(2, dim=1)  # (T, C) each
    return rs * (1 + contrast[:, :, None, None]) + brightness[:, :, None, None]


def crop(images: Tensor, *, keep: float, size: tuple[int, int], numbers: Tensor) -> Tensor:
    """Cut a random part out of each picture, at one size.

    Args:
        images: (N, C, h, w).
        keep: Least share of height and of width that is kept.
        size: Rows and columns wanted.
        numbers: (N, 4) in [0, 1): height, width, top, left.

    Returns:
        (N, C, *size), read bilinearly.
    """
    numbers = numbers.to(images.device, images.dtype)
    share = keep + (1 - keep) * numbers[:, :2].flip(1)  # (N, 2) of width and height
    centre = (1 - share) * (2 * numbers[:, 2:4].flip(1) - 1)
    theta = torch.zeros(len(images), 2, 3, dtype=images.dtype, device=images.device)
    theta[:, 0, 0], theta[:, 1, 1] = share.unbind(1)
    theta[:, :, 2] = centre
    grid = functional.affine_grid(theta, [len(images), 1, *size], align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False, padding_mode="border")


def change_photos(sv: Tensor, augment: Augment, *, numbers: Tensor) -> Tensor:
    """Turn, mirror and colour photos as far as `augment` says.

    Args:
        sv: (B, 3, h, w) normalised photos, on any device.
        augment: How much.
        numbers: (B, 4) in [0, 1): turn, mirror, contrast, brightness.

    Returns:
        (B, 3, h, w).
    """
    width, numbers = sv.shape[-1], numbers.to(sv.device)
    if augment.roll_panoramas and width >= _PANORAMA * sv.shape[-2]:
        shift = (numbers[:, 0] * width).long()
        columns = (torch.arange(width, device=sv.device) + shift[:, None]) % width  # (B, w)
        sv = sv.gather(3, columns[:, None, None, :].expand_as(sv))
    if augment.mirror_photos:
        sv = torch.where((numbers[:, 1] >= _FAIR)[:, None, None, None], sv.flip(-1), sv)
    if augment.colour:
        spread = augment.colour * (2 * numbers[:, 2:4].float() - 1)
        sv = sv * (1 + spread[:, :1, None, None]) + spread[:, 1:, None, None]
    return sv
