# ruff: noqa: PLR2004 - the numbers are the drawing: metres and shares, read where they are used
"""Build towns: towers, closed blocks, slabs, houses and halls, one function a land use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gair_cli.demo.lots import built, cut, ground_of, storeys, walls_of
from gair_cli.demo.materials import Material
from gair_cli.demo.noise import mix, unit

if TYPE_CHECKING:
    from gair_cli.demo.lots import Blocks, Filling


def towers(blocks: Blocks) -> Filling:
    """Raise high houses on paved lots, some lots left as squares with trees."""
    lots = cut(blocks, w=46, h=42)
    inset = 4 + 5 * unit(lots.lot, 2)
    walls = walls_of(lots.a, lots.b, lots.w, lots.h, inset=(inset, inset))
    tall = 22 + 95 * unit(lots.lot, 3) ** 2.2 * blocks.height
    keep = unit(lots.lot, 4) > 0.14
    filling = built(blocks, lots.lot, walls, tall=storeys(tall), keep=keep)
    filling.ground = ground_of(
        lots.a, (~keep & (walls[0] > 2), Material.GRASS), other=Material.PAVEMENT
    )
    filling.trees = np.where(keep, np.float32(0.05), np.float32(0.5))
    return filling


def centre(blocks: Blocks) -> Filling:
    """Close each block with a ring of houses around a courtyard; some blocks are squares."""
    depth, along, face = walls_of(blocks.a, blocks.b, blocks.w, blocks.h, inset=(0.0, 0.0))
    ring = np.minimum(depth, blocks.clear)
    number = np.floor(along / 19).astype(np.int32)
    house = mix(blocks.block, number, face.astype(np.int32))
    square = unit(blocks.block, 5) < 0.07
    back = 13.5 - ring
    nearest = np.minimum(ring, back)
    tall = 13 + 12 * unit(house, 3) * blocks.height
    filling = built(
        blocks, house, (nearest, along, face), tall=storeys(tall), keep=~square, pitch=0.5
    )
    yard = unit(blocks.block, 6)
    hall = (ring > 21) & (yard > 0.55) & ~square
    filling.height[hall] = filling.eave[hall] = 4.8
    filling.building[hall] = blocks.block[hall]
    filling.ground = ground_of(
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
    lots = cut(blocks, w=74, h=44)
    walls = walls_of(lots.a, lots.b, lots.w, lots.h, inset=(7.0, (lots.h - 13) / 2))
    tall = 14 + 24 * unit(lots.lot, 3) * blocks.height
    keep = unit(lots.lot, 4) > 0.12
    filling = built(blocks, lots.lot, walls, tall=storeys(tall), keep=keep)
    parking = (lots.b < 9) & (unit(lots.lot, 5) < 0.5)
    pitch = ~keep & (walls[0] > -6)
    filling.ground = ground_of(
        lots.a, (parking, Material.ASPHALT), (pitch, Material.RUNNING_TRACK), other=Material.GRASS
    )
    filling.trees = np.where(parking | pitch, 0, blocks.green).astype(np.float32)
    return filling


def houses(blocks: Blocks) -> Filling:
    """Set houses with pitched roofs into gardens."""
    lots = cut(blocks, w=21, h=27)
    shift = 3 * unit(lots.lot, 2)
    walls = walls_of(lots.a, lots.b, lots.w, lots.h, inset=(3 + shift / 2, 6 + shift))
    tall = np.where(unit(lots.lot, 3) < 0.4 * blocks.height, np.float32(6.2), np.float32(3.4))
    keep = unit(lots.lot, 4) > 0.06
    filling = built(blocks, lots.lot, walls, tall=tall, keep=keep, pitch=0.85)
    drive = (lots.a < 3) & (lots.b < 9)
    terrace = (walls[0] > -2.2) & (unit(lots.lot, 5) < 0.5)
    dry = unit(lots.lot, 6) < 0.25
    filling.ground = ground_of(
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
    lots = cut(blocks, w=105, h=82)
    inset = 9 + 10 * unit(lots.lot, 2)
    walls = walls_of(lots.a, lots.b, lots.w, lots.h, inset=(inset, inset))
    keep = unit(lots.lot, 4) > 0.16
    tall = 7 + 8 * unit(lots.lot, 3) * blocks.height
    filling = built(blocks, lots.lot, walls, tall=tall.astype(np.float32), keep=keep)
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
    filling.ground = ground_of(
        lots.a,
        (edge < 1.5, Material.DRY_GRASS),
        (worn < 0.45, Material.CONCRETE),
        (worn < 0.75, Material.ASPHALT),
        other=Material.GRAVEL,
    )
    filling.trees = np.where(edge < 2.5, np.float32(0.25), np.float32(0))
    return filling
