# ruff: noqa: PLR2004 - the numbers are the drawing: metres and shares, read where they are used
"""Lay out what is green: parks, fields and forests, one function a land use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.demo.lots import ground_of, open_ground, walls_of
from gair_cli.demo.materials import Material
from gair_cli.demo.noise import mix, unit

if TYPE_CHECKING:
    from gair_cli.demo.lots import Blocks, Filling

_CROPS: Final = np.array(
    [
        Material.WHEAT, Material.WHEAT, Material.MAIZE, Material.MAIZE, Material.RAPESEED,
        Material.SOIL, Material.GRASS, Material.DRY_GRASS,
    ],
    dtype=np.uint8,
)  # fmt: skip


def park(blocks: Blocks) -> Filling:
    """Lay lawns and meadows, groves, ponds, and now and then a sports ground."""
    filling = open_ground(blocks)
    pond = (blocks.patch < -0.52) & (blocks.clear > 8)
    meadow = blocks.patch > 0.35
    sport = unit(blocks.block, 4) < 0.12
    depth, _, _ = walls_of(blocks.a, blocks.b, blocks.w, blocks.h, inset=(12.0, 12.0))
    lane = sport & (depth > 0) & (depth < 8)
    sand = (blocks.patch < -0.47) & (blocks.clear > 8)
    filling.ground = ground_of(
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


def farmland(blocks: Blocks) -> Filling:
    """Lay fields of one crop each, hedges along some of them."""
    filling = open_ground(blocks)
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
    filling = open_ground(blocks)
    clearing = blocks.patch > 0.62
    young = unit(blocks.block, 3) < 0.15
    filling.ground = ground_of(
        blocks.a,
        (clearing, Material.DRY_GRASS),
        (young, Material.GRASS),
        (unit(blocks.block, 4) < 0.4, Material.CONIFER),
        other=Material.BROADLEAF,
    )
    filling.trees = np.where(clearing, 0.05, np.where(young, 0.4, blocks.green)).astype(np.float32)
    return filling
