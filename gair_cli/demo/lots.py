# ruff: noqa: PLR2004 - the numbers are the drawing: metres and shares, read where they are used
"""Blocks and lots: what the builders of all land uses get, give back and share.

Lengths are metres.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gair_cli.demo.noise import mix, unit

if TYPE_CHECKING:
    from gair_cli.demo.materials import Material
    from gair_cli.demo.noise import Codes, Flags, Floats, Hashes, Ints


@dataclass(frozen=True, slots=True)
class Blocks:
    """Positions inside blocks, all arrays (N,).

    Attributes:
        a: From one end of the block, along its first side; streets and pavements are cut off.
        b: The same along the second side.
        w: Length of the first side.
        h: Length of the second side.
        clear: Distance to the nearest street or main road.
        block: Hash of the block.
        styles: The district's styles, (N, 3).
        height: The district's factor on heights.
        green: The district's share of trees.
        patch: A smooth field in [-1, 1] for meadows, groves and ponds.
    """

    a: Floats
    b: Floats
    w: Floats
    h: Floats
    clear: Floats
    block: Hashes
    styles: Codes
    height: Floats
    green: Floats
    patch: Floats


@dataclass(slots=True)
class Filling:
    """What is there, all arrays (N,).

    Attributes:
        ground: `Material` of the ground.
        height: Of the building, 0 where none.
        eave: Height of its walls; the roof is between eave and height.
        style: Row of `BUILDING_STYLES`.
        along: Position along the nearest wall.
        face: Which of the four walls is nearest: it looks to `face` quarter turns from the grid.
        building: Hash of the building.
        trees: Density of trees.
        box: Stacked containers instead of a building.
    """

    ground: Codes
    height: Floats
    eave: Floats
    style: Codes
    along: Floats
    face: Codes
    building: Hashes
    trees: Floats
    box: Flags = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))


@dataclass(frozen=True, slots=True)
class Lots:
    """A block cut into lots: position, size and hash."""

    a: Floats
    b: Floats
    w: Floats
    h: Floats
    lot: Hashes


def cut(blocks: Blocks, *, w: float, h: float) -> Lots:
    """Cut blocks into equal lots of about w x h."""
    ia, a, size_a = _split(blocks.a, blocks.w, w)
    ib, b, size_b = _split(blocks.b, blocks.h, h)
    return Lots(a, b, size_a, size_b, mix(blocks.block, ia, ib))


def _split(position: Floats, length: Floats, target: float) -> tuple[Ints, Floats, Floats]:
    count = np.maximum(1, np.rint(length / np.float32(target)))
    size = np.maximum(length / count, np.float32(0.1))
    number = np.clip(np.floor(position / size), 0, count - 1)
    return number.astype(np.int32), position - number * size, size


def walls_of(
    a: Floats, b: Floats, w: Floats, h: Floats, *, inset: tuple[Floats | float, Floats | float]
) -> tuple[Floats, Floats, Codes]:
    """Return depth behind the nearest wall (negative outside), place along it, and its face."""
    depth_a = np.minimum(a, w - a) - inset[0]
    depth_b = np.minimum(b, h - b) - inset[1]
    first = depth_a < depth_b
    face = np.where(first, np.where(a > w / 2, 0, 2), np.where(b > h / 2, 1, 3))
    return (
        np.minimum(depth_a, depth_b).astype(np.float32),
        np.where(first, b, a).astype(np.float32),
        face.astype(np.uint8),
    )


def _style(blocks: Blocks, chance: Floats) -> Codes:
    """Mostly the district's first style, sometimes its second, rarely its third."""
    choice = (chance > 0.62).astype(np.int64) + (chance > 0.90)
    return np.take_along_axis(blocks.styles, choice[:, None], axis=1)[:, 0]


def ground_of(like: Floats, *choices: tuple[Flags, Material], other: Material) -> Codes:
    """Return the material of the first true choice."""
    result = np.full(like.shape, int(other), dtype=np.uint8)
    for flags, material in reversed(choices):
        result[flags] = material
    return result


def built(
    blocks: Blocks,
    hashes: Hashes,
    walls: tuple[Floats, Floats, Codes],
    *,
    tall: Floats,
    keep: Flags,
    pitch: float = 0.0,
) -> Filling:
    """Raise buildings where `keep` and inside the walls; `pitch` is the slope of the roof."""
    depth, along, face = walls
    inside = keep & (depth > 0) & (blocks.clear > 0)
    eave = np.where(inside, tall, 0).astype(np.float32)
    rise = np.where(inside, np.float32(pitch) * np.minimum(depth, 6), 0).astype(np.float32)
    empty = np.zeros(len(depth), dtype=np.uint8)
    return Filling(
        ground=empty,
        height=eave + rise,
        eave=eave,
        style=_style(blocks, unit(hashes, 1)),
        along=along,
        face=face,
        building=hashes,
        trees=np.zeros(len(depth), dtype=np.float32),
        box=np.zeros(len(depth), dtype=np.bool_),
    )


def storeys(tall: Floats) -> Floats:
    """Round heights to whole storeys of 3.2 m."""
    return np.asarray(np.maximum(1, np.rint(tall / 3.2)) * 3.2, dtype=np.float32)


def open_ground(blocks: Blocks) -> Filling:
    """Return blocks on which nothing stands."""
    zeros = np.zeros(len(blocks.a), dtype=np.float32)
    nothing = np.zeros(len(blocks.a), dtype=np.uint8)
    flags = np.zeros(len(blocks.a), dtype=np.bool_)
    return Filling(
        nothing, zeros, zeros.copy(), nothing.copy(), zeros.copy(), nothing.copy(),
        blocks.block, zeros.copy(), flags,
    )  # fmt: skip
