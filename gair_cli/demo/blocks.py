"""Fill blocks: houses, towers, halls, courtyards, lawns and fields, one function a land use.

A builder gets positions inside blocks and says what stands and lies there. Lengths are metres.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.demo.materials import Material
from gair_cli.demo.noise import Codes, Flags, Floats, Hashes, Ints, mix, unit
from gair_cli.demo.plan import LandUse

if TYPE_CHECKING:
    from collections.abc import Callable


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
class _Lots:
    """A block cut into lots: position, size and hash."""

    a: Floats
    b: Floats
    w: Floats
    h: Floats
    lot: Hashes


def _cut(blocks: Blocks, *, w: float, h: float) -> _Lots:
    """Cut blocks into equal lots of about w x h."""
    ia, a, size_a = _split(blocks.a, blocks.w, w)
    ib, b, size_b = _split(blocks.b, blocks.h, h)
    return _Lots(a, b, size_a, size_b, mix(blocks.block, ia, ib))


def _split(position: Floats, length: Floats, target: float) -> tuple[Ints, Floats, Floats]:
    count = np.maximum(1, np.rint(length / np.float32(target)))
    size = np.maximum(length / count, np.float32(0.1))
    number = np.clip(np.floor(position / size), 0, count - 1)
    return number.astype(np.int32), position - number * size, size


def _walls(
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


def _ground(like: Floats, *choices: tuple[Flags, Material], other: Material) -> Codes:
    """Return the material of the first true choice."""
    result = np.full(like.shape, int(other), dtype=np.uint8)
    for flags, material in reversed(choices):
        result[flags] = material
    return result


def _built(
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


def towers(blocks: Blocks) -> Filling:
    """Raise high houses on paved lots, some lots left as squares with trees."""
    lots = _cut(blocks, w=46, h=42)
    inset = 4 + 5 * unit(lots.lot, 2)
    walls = _walls(lots.a, lots.b, lots.w, lots.h, inset=(inset, inset))
    tall = 22 + 95 * unit(lots.lot, 3) ** 2.2 * blocks.height
    keep = unit(lots.lot, 4) > 0.14
    filling = _built(blocks, lots.lot, walls, tall=_storeys(tall), keep=keep)
    filling.ground = _ground(
        lots.a, (~keep & (walls[0] > 2), Material.GRASS), other=Material.PAVEMENT
    )
    filling.trees = np.where(keep, np.float32(0.05), np.float32(0.5))
    return filling


def _storeys(tall: Floats) -> Floats:
    """Round heights to whole storeys of 3.2 m."""
    return (np.maximum(1, np.rint(tall / 3.2)) * np.float32(3.2)).astype(np.float32)


def centre(blocks: Blocks) -> Filling:
    """Close each block with a ring of houses around a courtyard; some blocks are squares."""
    depth, along, face = _walls(blocks.a, blocks.b, blocks.w, blocks.h, inset=(0.0, 0.0))
    ring = np.minimum(depth, blocks.clear)
    number = np.floor(along / 19).astype(np.int32)
    house = mix(blocks.block, number, face.astype(np.int32))
    square = unit(blocks.block, 5) < 0.07
    back = 13.5 - ring
    nearest = np.minimum(ring, back)
    tall = 13 + 12 * unit(house, 3) * blocks.height
    filling = _built(
        blocks, house, (nearest, along, face), tall=_storeys(tall), keep=~square, pitch=0.5
    )
    yard = unit(blocks.block, 6)
    hall = (ring > 21) & (yard > 0.55) & ~square
    filling.height[hall] = filling.eave[hall] = 4.8
    filling.building[hall] = blocks.block[hall]
    filling.ground = _ground(
        ring,
        (square, Material.PAVEMENT),
        ((ring > 14) & (yard < 0.5), Material.GRASS),
        other=Material.PAVEMENT,
    )
    open_yard = np.where(ring > 15, blocks.green * 2, 0)
    filling.trees = np.where(square, np.float32(0.35), open_yard).astype(np.float32)
    return filling


def estate(blocks: Blocks) -> Filling:
    """Set long slabs on lawns, with car parks between them."""
    lots = _cut(blocks, w=74, h=44)
    walls = _walls(lots.a, lots.b, lots.w, lots.h, inset=(7.0, (lots.h - 13) / 2))
    tall = 14 + 24 * unit(lots.lot, 3) * blocks.height
    keep = unit(lots.lot, 4) > 0.12
    filling = _built(blocks, lots.lot, walls, tall=_storeys(tall), keep=keep)
    parking = (lots.b < 9) & (unit(lots.lot, 5) < 0.5)
    pitch = ~keep & (walls[0] > -6)
    filling.ground = _ground(
        lots.a, (parking, Material.ASPHALT), (pitch, Material.RUNNING_TRACK), other=Material.GRASS
    )
    filling.trees = np.where(parking | pitch, 0, blocks.green).astype(np.float32)
    return filling


def houses(blocks: Blocks) -> Filling:
    """Set houses with pitched roofs into gardens."""
    lots = _cut(blocks, w=21, h=27)
    shift = 3 * unit(lots.lot, 2)
    walls = _walls(lots.a, lots.b, lots.w, lots.h, inset=(3 + shift / 2, 6 + shift))
    tall = np.where(unit(lots.lot, 3) < 0.4 * blocks.height, np.float32(6.2), np.float32(3.4))
    keep = unit(lots.lot, 4) > 0.06
    filling = _built(blocks, lots.lot, walls, tall=tall, keep=keep, pitch=0.85)
    drive = (lots.a < 3) & (lots.b < 9)
    terrace = (walls[0] > -2.2) & (unit(lots.lot, 5) < 0.5)
    dry = unit(lots.lot, 6) < 0.25
    filling.ground = _ground(
        lots.a,
        (drive, Material.PAVEMENT),
        (terrace, Material.CONCRETE),
        (dry, Material.DRY_GRASS),
        other=Material.GRASS,
    )
    filling.trees = np.where(walls[0] < -1.5, blocks.green, 0).astype(np.float32)
    return filling


def industry(blocks: Blocks) -> Filling:
    """Set large halls on concrete yards with stacks of containers."""
    lots = _cut(blocks, w=105, h=82)
    inset = 9 + 10 * unit(lots.lot, 2)
    walls = _walls(lots.a, lots.b, lots.w, lots.h, inset=(inset, inset))
    keep = unit(lots.lot, 4) > 0.16
    tall = 7 + 8 * unit(lots.lot, 3) * blocks.height
    filling = _built(blocks, lots.lot, walls, tall=tall.astype(np.float32), keep=keep)
    stack_a, stack_b = np.floor(lots.a / 12.4), np.floor(lots.b / 5.2)
    stack = mix(lots.lot, stack_a.astype(np.int32), stack_b.astype(np.int32))
    edge = np.minimum(np.minimum(lots.a, lots.w - lots.a), np.minimum(lots.b, lots.h - lots.b))
    piled = (~keep | (inset > 15)) & (walls[0] < -3) & (edge > 3) & (blocks.clear > 0)
    rim = (lots.a - stack_a * 12.4 > 0.4) & (lots.b - stack_b * 5.2 > 2.7)
    box = piled & rim & (unit(stack, 3) < 0.45)
    filling.height[box] = filling.eave[box] = 2.6 + 2.6 * (unit(stack, 4)[box] > 0.5)
    filling.box = box
    filling.building = np.where(box, stack, filling.building)
    worn = unit(lots.lot, 5)
    filling.ground = _ground(
        lots.a,
        (edge < 1.5, Material.DRY_GRASS),
        (worn < 0.45, Material.CONCRETE),
        (worn < 0.75, Material.ASPHALT),
        other=Material.GRAVEL,
    )
    filling.trees = np.where(edge < 2.5, np.float32(0.25), np.float32(0))
    return filling


def park(blocks: Blocks) -> Filling:
    """Lay lawns and meadows, groves, ponds, and now and then a sports ground."""
    filling = _open(blocks)
    pond = (blocks.patch < -0.52) & (blocks.clear > 8)
    meadow = blocks.patch > 0.35
    sport = unit(blocks.block, 4) < 0.12
    depth, _, _ = _walls(blocks.a, blocks.b, blocks.w, blocks.h, inset=(12.0, 12.0))
    lane = sport & (depth > 0) & (depth < 8)
    sand = (blocks.patch < -0.47) & (blocks.clear > 8)
    filling.ground = _ground(
        blocks.a,
        (lane, Material.RUNNING_TRACK),
        (sport & (depth > 0), Material.GRASS),
        (pond, Material.LAKE),
        (sand, Material.SAND),
        (meadow, Material.DRY_GRASS),
        other=Material.GRASS,
    )
    grove = np.clip(blocks.green * (1 + 2.2 * blocks.patch), 0.04, 0.9)
    filling.trees = np.where(sand | (sport & (depth > -4)), 0, grove).astype(np.float32)
    return filling


def _open(blocks: Blocks) -> Filling:
    zeros = np.zeros(len(blocks.a), dtype=np.float32)
    nothing = np.zeros(len(blocks.a), dtype=np.uint8)
    flags = np.zeros(len(blocks.a), dtype=np.bool_)
    return Filling(
        nothing, zeros, zeros.copy(), nothing.copy(), zeros.copy(), nothing.copy(),
        blocks.block, zeros.copy(), flags,
    )  # fmt: skip


_CROPS: Final = np.array(
    [
        Material.WHEAT, Material.WHEAT, Material.MAIZE, Material.MAIZE, Material.RAPESEED,
        Material.SOIL, Material.GRASS, Material.DRY_GRASS,
    ],
    dtype=np.uint8,
)  # fmt: skip


def farmland(blocks: Blocks) -> Filling:
    """Lay fields of one crop each, hedges along some of them."""
    filling = _open(blocks)
    strips = np.where(unit(blocks.block, 3) < 0.5, 70, 140).astype(np.float32)
    field_number = np.floor(blocks.a / strips).astype(np.int32)
    parcel = mix(blocks.block, field_number)
    filling.ground = _CROPS[(unit(parcel, 4) * len(_CROPS)).astype(np.int64)]
    hedge = (blocks.clear < 5) & (unit(blocks.block, 5) < 0.3)
    filling.ground[blocks.clear < 2.5] = Material.DRY_GRASS
    filling.trees = np.where(hedge, np.float32(0.7), np.float32(0))
    farm_a, farm_b = blocks.w / 2, blocks.h
    yard = (unit(blocks.block, 6) < 0.10) & (np.abs(blocks.a - farm_a) < 32)
    yard &= farm_b - blocks.b < 50
    barn = (np.abs(blocks.a - farm_a) < 9) & (np.abs(farm_b - blocks.b - 25) < 18)
    filling.ground[yard] = Material.GRAVEL
    filling.height = np.where(yard & barn, np.float32(7.0), np.float32(0))
    filling.eave = filling.height * np.float32(0.7)
    filling.along = blocks.b.copy()
    filling.style = np.ones(len(blocks.a), dtype=np.uint8)
    filling.trees[yard] = 0.15
    return filling


def forest(blocks: Blocks) -> Filling:
    """Grow trees close together, with clearings."""
    filling = _open(blocks)
    clearing = blocks.patch > 0.62
    young = unit(blocks.block, 3) < 0.15
    filling.ground = _ground(
        blocks.a,
        (clearing, Material.DRY_GRASS),
        (young, Material.GRASS),
        (unit(blocks.block, 4) < 0.4, Material.CONIFER),
        other=Material.BROADLEAF,
    )
    filling.trees = np.where(clearing, 0.05, np.where(young, 0.4, blocks.green)).astype(np.float32)
    return filling


BUILDERS: Final[dict[LandUse, Callable[[Blocks], Filling]]] = {
    LandUse.TOWERS: towers,
    LandUse.CENTRE: centre,
    LandUse.ESTATE: estate,
    LandUse.HOUSES: houses,
    LandUse.INDUSTRY: industry,
    LandUse.PARK: park,
    LandUse.FARMLAND: farmland,
    LandUse.FOREST: forest,
    LandUse.WATER: park,
}
