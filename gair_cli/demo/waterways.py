# ruff: noqa: PLR2004 - the numbers are the drawing: metres and shares, read where they are used
"""Cut the river, flood the lakes and lay the railway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.demo.materials import Material
from gair_cli.demo.noise import mix, unit
from gair_cli.demo.plan import LandUse
from gair_cli.demo.terrain import clear

if TYPE_CHECKING:
    from gair_cli.demo.noise import Floats, SmoothNoise
    from gair_cli.demo.plan import CityPlan
    from gair_cli.demo.sites import Site
    from gair_cli.demo.terrain import Ground

_RIVER_HALF_M: Final = 48.0
_RAILWAY_HALF_M: Final = 7.0


def lay_lakes(
    plan: CityPlan, ground: Ground, site: Site, *, shores: SmoothNoise, x: Floats, y: Floats
) -> None:
    """Flood the middle of the lake districts."""
    rows = np.flatnonzero(ground.land_use == LandUse.WATER)
    if not rows.size:
        return
    districts, index = plan.districts, site.index[rows]
    cosine, sine = np.cos(districts.angle)[index], np.sin(districts.angle)[index]
    dx, dy = x[rows] - districts.x[index], y[rows] - districts.y[index]
    away = np.hypot(0.75 * (cosine * dx + sine * dy), 1.25 * (cosine * dy - sine * dx))
    size = 180 + 70 * unit(mix(index))
    shore = np.minimum(site.border[rows] - 42, size - away)
    shore = shore + 45 * shores(x[rows], y[rows])
    clear(ground, rows[shore > -7], Material.SAND)
    clear(ground, rows[shore > 0], Material.LAKE)


def lay_railway(plan: CityPlan, ground: Ground, *, x: Floats, y: Floats) -> None:
    """Lay two tracks on ballast, with a strip of dry grass beside them."""
    if not plan.railway.near(x, y, reach_m=_RAILWAY_HALF_M + 7):
        return
    centre, slope = plan.railway.at(y)
    distance = np.abs(x - centre) / np.sqrt(1 + slope * slope)
    clear(ground, distance < _RAILWAY_HALF_M + 7, Material.DRY_GRASS)
    ground.trees[(distance < _RAILWAY_HALF_M + 7) & (distance > _RAILWAY_HALF_M + 3)] = 0.35
    clear(ground, distance < _RAILWAY_HALF_M, Material.BALLAST)


def lay_river(plan: CityPlan, ground: Ground, *, x: Floats, y: Floats) -> Floats:
    """Cut the river with its banks; return the distance to the water, negative in it."""
    if not plan.river.near(y, x, reach_m=_RIVER_HALF_M + 45):
        return np.full(len(x), _RIVER_HALF_M, dtype=np.float32)
    centre, slope = plan.river.at(x)
    width = _RIVER_HALF_M + 16 * np.sin(x * np.float32(1 / 700))
    distance = np.abs(y - centre) / np.sqrt(1 + slope * slope) - width
    town = ground.land_use < LandUse.PARK
    bank = distance < 22
    clear(ground, bank, Material.GRASS)
    ground.trees[bank & (distance > 6)] = 0.4
    clear(ground, (distance < 6) & town, Material.PAVEMENT)
    clear(ground, (distance < 3) & ~town, Material.SAND)
    clear(ground, distance < 0, Material.RIVER)
    return np.asarray(distance, dtype=np.float32)
