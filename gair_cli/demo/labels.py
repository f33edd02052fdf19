"""Points with labels that follow from the map: what a model of places should be able to tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.demo.materials import Material
from gair_cli.demo.noise import Codes, Flags, Floats, SmoothNoise
from gair_cli.demo.plan import LandUse
from gair_cli.demo.terrain import CAR_M

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gair_cli.demo.city import City
    from gair_cli.demo.place import Place
    from gair_cli.demo.terrain import Ground

AROUND_M: Final = 100.0
FARTHEST_WATER_M: Final = 1000.0
_AROUND_STEP_M: Final = 10.0
_WATER_STEP_M: Final = 10.0
_SQUARE_M: Final = 5000.0
_POINTS_AT_ONCE: Final = 100
_EDGE_M: Final = 30.0
_INCOME_WAVE_M: Final = 2600.0


@dataclass(frozen=True, slots=True)
class LabelledPoints:
    """Points and their labels, all arrays (N,).

    Attributes:
        x: Metres east of the city's corner.
        y: Metres north of it.
        lonlat: Degrees, (N, 2).
        land_use: `LandUse` codes.
        building_density: Share of the ground within 100 m that is built on.
        mean_height: Mean height of what is built there, metres; 0 where nothing is.
        water_distance: To the nearest water in metres, at most 1,000; good to about 8 m, and
            water narrower than 10 m may be missed.
        income: A smooth field, about 20 to 100.
    """

    x: Floats
    y: Floats
    lonlat: NDArray[np.float64]
    land_use: Codes
    building_density: Floats
    mean_height: Floats
    water_distance: Floats
    income: Floats


def label_points(city: City, place: Place, numbers: range) -> LabelledPoints:
    """Draw points all over the city and label them; a number's point is always the same.

    Args:
        city: The city.
        place: Where it lies.
        numbers: Which points.

    Returns:
        The points in order.
    """
    seed, extent = city.plan.seed, city.plan.extent_m
    draws = np.stack([np.random.default_rng([seed, 11, n]).random(2) for n in numbers])
    position = (_EDGE_M + draws * (extent - 2 * _EDGE_M)).astype(np.float32)
    x, y = position[:, 0], position[:, 1]
    density, height = _buildings_around(city, x, y)
    return LabelledPoints(
        x=x,
        y=y,
        lonlat=place.lonlat(x, y).round(7),
        land_use=land_use_at(city, x, y),
        building_density=density,
        mean_height=height,
        water_distance=_water_distances(city, x, y),
        income=income_at(city, x, y),
    )


def land_use_at(city: City, x: Floats, y: Floats) -> Codes:
    """Return the land use of positions: that of the district, or water where there is some."""
    ground = city.sample(x, y)
    green = (ground.land_use == LandUse.WATER) & ~_is_water(ground)
    use = np.where(green, LandUse.PARK, ground.land_use)
    return np.where(_is_water(ground), LandUse.WATER, use).astype(np.uint8)


def income_at(city: City, x: Floats, y: Floats) -> Floats:
    """Return a smooth field over the city: two waves of value noise, and nothing else."""
    seed = city.plan.seed
    large = SmoothNoise([seed, 12], wavelength_m=_INCOME_WAVE_M)
    small = SmoothNoise([seed, 13], wavelength_m=_INCOME_WAVE_M / 2.3)
    return np.asarray(58 + 30 * large(x, y) + 11 * small(x, y), dtype=np.float32)


def _is_water(ground: Ground) -> Flags:
    wet = (ground.ground == Material.LAKE) | (ground.ground == Material.RIVER)
    return np.asarray(wet & (ground.height == 0))


def _buildings_around(city: City, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return share built and mean height within `AROUND_M`, from a grid of 10 m."""
    span = np.arange(-AROUND_M, AROUND_M + 1, _AROUND_STEP_M, dtype=np.float32)
    dx, dy = np.meshgrid(span, span)
    inside = np.hypot(dx, dy) <= AROUND_M
    dx, dy = dx[inside], dy[inside]
    share, mean = np.zeros_like(x), np.zeros_like(x)
    for start in range(0, len(x), _POINTS_AT_ONCE):
        part = slice(start, start + _POINTS_AT_ONCE)
        ground = city.sample((x[part, None] + dx).ravel(), (y[part, None] + dy).ravel())
        built = np.where(ground.box, 0, ground.height).reshape(-1, len(dx))
        count = (built > CAR_M).sum(axis=1)
        share[part] = count / len(dx)
        mean[part] = built.sum(axis=1) / np.maximum(count, 1)
    return share, mean


def _water_distances(city: City, x: Floats, y: Floats) -> Floats:
    """Return the distance to water, square by square so that memory stays bounded."""
    result = np.full(len(x), FARTHEST_WATER_M, dtype=np.float32)
    square = np.stack([x // _SQUARE_M, y // _SQUARE_M], axis=1).astype(np.int32)
    for corner in np.unique(square, axis=0):
        rows = np.flatnonzero((square == corner).all(axis=1))
        west, south = corner * _SQUARE_M - FARTHEST_WATER_M
        water = _water_cells(city, float(west), float(south))
        for start in range(0, len(rows), _POINTS_AT_ONCE):
            part = rows[start : start + _POINTS_AT_ONCE]
            result[part] = _nearest(x[part], y[part], water)
    return result


def _nearest(x: Floats, y: Floats, water: tuple[Floats, Floats]) -> Floats:
    squared = (x[:, None] - water[0]) ** 2 + (y[:, None] - water[1]) ** 2
    nearest = np.sqrt(squared.min(axis=1, initial=FARTHEST_WATER_M**2))
    return np.where(nearest < _WATER_STEP_M * 0.75, 0, nearest).astype(np.float32)


def _water_cells(city: City, west: float, south: float) -> tuple[Floats, Floats]:
    """Return the water cells in and around a square, inside the city."""
    edge = _SQUARE_M + 2 * FARTHEST_WATER_M
    steps = np.arange(_WATER_STEP_M / 2, edge, _WATER_STEP_M)
    x = (west + steps).astype(np.float32)
    y = (south + steps).astype(np.float32)
    extent = city.plan.extent_m
    x, y = x[(x > 0) & (x < extent)], y[(y > 0) & (y < extent)]
    found_x, found_y = [], []
    for line in np.array_split(y, max(1, len(y) // 100)):
        grid_x, grid_y = (axis.ravel() for axis in np.meshgrid(x, line))
        wet = _is_water(city.sample(grid_x, grid_y))
        found_x.append(grid_x[wet])
        found_y.append(grid_y[wet])
    return np.concatenate(found_x), np.concatenate(found_y)
