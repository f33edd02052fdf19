"""Draw one street photo: what a camera sees at a place of the city, in some weather."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.demo.camera import EYE_M, Camera, Rays, rays
from gair_cli.demo.facade import Wall, paint_buildings
from gair_cli.demo.ground import Floor, paint_ground
from gair_cli.demo.march import BUILT, CANOPY, GROUND, SKY, Hits, march
from gair_cli.demo.materials import Material, camera_colours
from gair_cli.demo.noise import Codes, Floats, SmoothNoise
from gair_cli.demo.shadow import shadow_height
from gair_cli.demo.sky import haze_colour, paint_sky
from gair_cli.demo.sprites import draw_trees, near_trees

if TYPE_CHECKING:
    from gair_cli.demo.city import City
    from gair_cli.demo.sky import Weather

_SHADOW_CELL_M: Final = 3.2
_SHADOW_CELLS: Final = 50
_HAZE_M: Final = 2600.0
_LEAF: Final = camera_colours()[Material.BROADLEAF]
_CANOPY_GRAIN: Final = SmoothNoise([77, 5], wavelength_m=2.2)
_NOISE: Final = np.float32(7.0)
_FARTHEST_M: Final = 1500.0


def draw_photo(
    city: City, camera: Camera, weather: Weather, generator: np.random.Generator
) -> Codes:
    """Draw a photo.

    Args:
        city: The city.
        camera: Where it stands and looks.
        weather: The light.
        generator: For the noise of the sensor.

    Returns:
        The photo, (H, W, 3) uint8.
    """
    beams = rays(camera)
    hits = march(city, camera, beams)
    picture = np.empty((camera.height, camera.width, 3), dtype=np.float32)
    picture[hits.kind == SKY] = paint_sky(beams, hits.kind == SKY, weather)
    shade = _Shade(city, camera, weather)
    _fill_ground(picture, city, camera, beams, hits, weather=weather, shade=shade)
    _fill_buildings(picture, camera, beams, hits, weather=weather, shade=shade)
    _fill_canopy(picture, beams, hits, weather=weather)
    trees = near_trees(city, camera)
    lit = shade.sunny(trees[0], trees[1], trees[3] * 0.8)
    draw_trees(picture, hits.distance, camera, trees, weather=weather, sunny=lit)
    veil = 1 - np.exp(-np.where(hits.kind == SKY, 0, hits.distance) / _HAZE_M)
    picture += (haze_colour(weather) - picture) * veil[..., None].astype(np.float32)
    return _develop(picture, generator)


class _Shade:
    """Shadows on a small grid around a camera."""

    __slots__ = ("_height", "_x", "_y")

    def __init__(self, city: City, camera: Camera, weather: Weather) -> None:
        self._x = camera.x - _SHADOW_CELL_M * _SHADOW_CELLS / 2
        self._y = camera.y + _SHADOW_CELL_M * _SHADOW_CELLS / 2
        steps = ((np.arange(_SHADOW_CELLS) + 0.5) * _SHADOW_CELL_M).astype(np.float32)
        x, y = np.meshgrid(self._x + steps, self._y - steps)
        flat_x, flat_y = x.ravel().astype(np.float32), y.ravel().astype(np.float32)
        there = city.sample(flat_x, flat_y)
        _, canopy = city.cover(there, flat_x, flat_y)
        height = np.maximum(there.height, canopy).reshape(x.shape)
        self._height = shadow_height(
            height,
            resolution_m=_SHADOW_CELL_M,
            azimuth=weather.sun_azimuth,
            elevation=weather.sun_elevation,
        )

    def sunny(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """Return 1 where the sun reaches, 0 in shadow, soft between cells."""
        column = np.clip((x - self._x) / _SHADOW_CELL_M - 0.5, 0, _SHADOW_CELLS - 1.01)
        row = np.clip((self._y - y) / _SHADOW_CELL_M - 0.5, 0, _SHADOW_CELLS - 1.01)
        i, j = row.astype(np.int32), column.astype(np.int32)
        down, right = row - i, column - j
        total = np.zeros(len(x), dtype=np.float32)
        for di, dj, share in (
            (0, 0, (1 - down) * (1 - right)), (0, 1, (1 - down) * right),
            (1, 0, down * (1 - right)), (1, 1, down * right),
        ):  # fmt: skip
            total += share * (self._height[i + di, j + dj] <= z + 0.15)
        return np.asarray(np.clip(total * 1.6 - 0.3, 0, 1))


def _fill_ground(
    picture: Floats, city: City, camera: Camera, beams: Rays, hits: Hits, *, weather: Weather,
    shade: _Shade,
) -> None:  # fmt: skip
    rows, columns = np.nonzero(hits.kind == GROUND)
    distance = np.minimum(hits.distance[rows, columns], _FARTHEST_M)
    azimuth = beams.azimuth[columns]
    x = (camera.x + np.cos(azimuth) * distance).astype(np.float32)
    y = (camera.y + np.sin(azimuth) * distance).astype(np.float32)
    pixel_m = distance * distance / (EYE_M * camera.focal)
    floor = Floor(city.sample(x, y), x, y, distance, pixel_m.astype(np.float32))
    sunny = shade.sunny(x, y, np.zeros_like(x))
    picture[rows, columns] = paint_ground(floor, weather, sunny)


def _fill_buildings(
    picture: Floats, camera: Camera, beams: Rays, hits: Hits, *, weather: Weather, shade: _Shade
) -> None:
    rows, columns = np.nonzero(hits.kind == BUILT)
    if not rows.size:
        return
    distance = hits.distance[rows, columns]
    z = EYE_M + beams.slope[rows, columns] * distance
    there = hits.built.rows(hits.surface[rows, columns])
    out = there.facing
    azimuth = beams.azimuth[columns]
    x = camera.x + np.cos(azimuth) * distance + 2.2 * np.cos(out)
    y = camera.y + np.sin(azimuth) * distance + 2.2 * np.sin(out)
    wall = Wall(there, z, distance / np.float32(camera.focal))
    picture[rows, columns] = paint_buildings(wall, weather, shade.sunny(x, y, z))


def _fill_canopy(picture: Floats, beams: Rays, hits: Hits, *, weather: Weather) -> None:
    rows, columns = np.nonzero(hits.kind == CANOPY)
    if not rows.size:
        return
    distance = hits.distance[rows, columns]
    z = EYE_M + beams.slope[rows, columns] * distance
    side = beams.azimuth[columns] * distance + distance
    grain = _CANOPY_GRAIN(side.astype(np.float32), z * 1.3)
    light = (weather.ambient + 0.5 * weather.direct) * np.clip(
        0.45 + z / 22 + 0.3 * grain, 0.2, 1.2
    )
    picture[rows, columns] = _LEAF * light[:, None]


def _develop(picture: Floats, generator: np.random.Generator) -> Codes:
    """Expose, add the sensor's noise, and encode for the eye."""
    grey = picture.mean(axis=2)
    exposure = np.clip((0.34 / max(float(grey.mean()), 0.05)) ** 0.35, 0.8, 1.35)
    noise = generator.random(picture.shape, dtype=np.float32) - np.float32(0.5)
    light = np.clip(picture * np.float32(exposure), 0, None)
    light = light / (1 + 0.18 * light**2)
    value = 255 * np.sqrt(light) + _NOISE * noise
    return np.asarray(np.clip(value + 0.5, 0, 255), dtype=np.uint8)
