# ruff: noqa: PLR2004 - the numbers are the drawing: metres and shares, read where they are used
"""Lay streets between blocks and main roads between districts, with bridges and parked cars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.demo.materials import Material
from gair_cli.demo.noise import mix, unit
from gair_cli.demo.plan import LandUse
from gair_cli.demo.terrain import PAVEMENT_M, clear

if TYPE_CHECKING:
    from gair_cli.demo.noise import Flags, Floats, Hashes
    from gair_cli.demo.plan import CityPlan, Districts
    from gair_cli.demo.sites import Grid, Site
    from gair_cli.demo.terrain import Ground

_MAIN_ROADS_M: Final = np.array([10.5, 7.6, 6.2], dtype=np.float32)
_COUNTRY_ROAD_M: Final = 3.6
_BANK_M: Final = 8.0
_BRIDGE_COSINE: Final = 0.72
_CAR_SLOT_M: Final = 6.2
_CAR_LENGTH: Final = 0.70
_CAR_SHARE: Final = 0.42


def main_road_half(districts: Districts, site: Site) -> Floats:
    """Return the half width of the road on the border; both sides agree."""
    use = districts.land_use
    country = np.minimum(use[site.index], use[site.other]) >= LandUse.FARMLAND
    road = _MAIN_ROADS_M[(site.index + site.other) % len(_MAIN_ROADS_M)]
    return np.where(country, np.float32(_COUNTRY_ROAD_M), road)


def lay_streets(plan: CityPlan, ground: Ground, site: Site, grid: Grid) -> None:
    """Lay the streets between blocks: asphalt in town, gravel in parks and country."""
    half = plan.districts.street[site.index]
    edge_a, edge_b = grid.edge_a, grid.edge_b
    edge = np.minimum(edge_a, edge_b)
    country = ground.land_use >= LandUse.PARK
    walk = (edge < half + PAVEMENT_M) & ~country
    clear(ground, walk, Material.PAVEMENT)
    ground.trees[walk & (edge > half + 0.6)] = 0.16
    street = edge < half
    clear(ground, street, Material.ASPHALT)
    ground.ground[street & country] = Material.GRAVEL
    along = np.where(edge_a < edge_b, grid.b, grid.a)
    town = street & ~country
    _mark_road(ground, town, distance=edge, half=half, along=along)
    _park_cars(ground, town, grid.block)


def lay_main_roads(
    plan: CityPlan, ground: Ground, site: Site, *, river: Floats, x: Floats, y: Floats
) -> None:
    """Lay the roads between districts, and bridges where they cross the river."""
    half = main_road_half(plan.districts, site)
    free = river > _BANK_M
    if not free.all():
        _, slope = plan.river.at(x)
        along = np.abs(site.normal_x + site.normal_y * slope) / np.sqrt(1 + slope * slope)
        free |= along > _BRIDGE_COSINE
    walk = (site.border < half + PAVEMENT_M) & free
    clear(ground, walk, Material.PAVEMENT)
    ground.trees[walk & (site.border > half + 0.6) & (river > 2)] = 0.45
    ground.ground[walk & (half < _COUNTRY_ROAD_M + 1)] = Material.DRY_GRASS
    road = (site.border < half) & free
    clear(ground, road, Material.FRESH_ASPHALT)
    along = site.normal_x * y - site.normal_y * x
    _mark_road(ground, road, distance=site.border, half=half, along=along)


def _park_cars(ground: Ground, street: Flags, block: Hashes) -> None:
    """Park cars along the kerbs: a bonnet, a cabin, a boot, in slots of equal length."""
    kerb = ground.road_half - ground.road
    rows = np.flatnonzero(street & (kerb > 0.3) & (kerb < 2.1) & (ground.road_half > 3.6))
    slot = np.floor(ground.road_along[rows] / _CAR_SLOT_M)
    place = ground.road_along[rows] / _CAR_SLOT_M - slot
    car = mix(block[rows], slot.astype(np.int32))
    parked = (place < _CAR_LENGTH) & (unit(car) < _CAR_SHARE)
    rows, car, place = rows[parked], car[parked], place[parked] / _CAR_LENGTH
    cabin = (place > 0.2) & (place < 0.8)
    ground.height[rows] = ground.eave[rows] = np.where(cabin, 1.45, 0.88).astype(np.float32)
    ground.building[rows] = car
    ground.box[rows] = True


def _mark_road(
    ground: Ground, where: Flags, *, distance: Floats, half: Floats, along: Floats
) -> None:
    """Remember the road's geometry for its markings."""
    ground.road[where] = distance[where]
    ground.road_half[where] = half[where]
    ground.road_along[where] = along[where]
