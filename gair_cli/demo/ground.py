# ruff: noqa: PLR2004 - the numbers are the drawing: metres and shares, read where they are used
"""Paint the ground: materials with their grain, road markings, crop rows, sleepers, water."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.demo.materials import Material, camera_colours
from gair_cli.demo.noise import Flags, Floats, SmoothNoise

if TYPE_CHECKING:
    from gair_cli.demo.sky import Weather
    from gair_cli.demo.terrain import Ground

_COLOURS: Final = camera_colours()
_COARSE: Final = SmoothNoise([77, 2], wavelength_m=2.7)
_FINE: Final = SmoothNoise([77, 3], wavelength_m=0.35)
_MARKING: Final = np.float32(0.62)
_SKY_IN_WATER: Final = np.array([0.33, 0.43, 0.56], dtype=np.float32)
_GRAIN: Final = np.full(len(Material), 0.10, dtype=np.float32)
_GRAIN[[Material.GRASS, Material.DRY_GRASS, Material.WHEAT, Material.BROADLEAF]] = 0.30
_GRAIN[[Material.MAIZE, Material.RAPESEED, Material.CONIFER, Material.BALLAST]] = 0.38
_GRAIN[[Material.LAKE, Material.RIVER]] = 0.12
_MAIN_ROAD_HALF_M: Final = 6.0


@dataclass(frozen=True, slots=True)
class Floor:
    """Pixels on the ground, all arrays (N,).

    Attributes:
        there: What the city is there.
        x: Metres east.
        y: Metres north.
        distance: From the camera, metres.
        pixel_m: Depth of a pixel on the ground, metres.
    """

    there: Ground
    x: Floats
    y: Floats
    distance: Floats
    pixel_m: Floats


def paint_ground(floor: Floor, weather: Weather, sunny: Floats) -> Floats:
    """Return linear RGB of pixels on the ground.

    Args:
        floor: The pixels.
        weather: The light.
        sunny: 1 where the sun reaches, 0 in shadow, (N,).

    Returns:
        Colours, (N, 3).
    """
    code = floor.there.ground
    colour: Floats = _COLOURS[code] * (1 + _grain(floor))[:, None]
    colour = np.where(_markings(floor)[:, None], _MARKING, colour)
    colour = np.where(_joints(floor)[:, None], colour * np.float32(0.72), colour)
    colour = _water(floor, colour)
    light = weather.ambient + weather.direct * np.sin(weather.sun_elevation) * sunny
    return np.asarray(colour * light[:, None], dtype=np.float32)


def _grain(floor: Floor) -> Floats:
    coarse = _COARSE(floor.x, floor.y) / (1 + floor.pixel_m / 2)
    fine = _FINE(floor.x, floor.y) / (1 + (floor.pixel_m / 0.25) ** 2)
    return np.asarray(_GRAIN[floor.there.ground] * (0.8 * coarse + 0.8 * fine), dtype=np.float32)


def _markings(floor: Floor) -> Flags:
    """Paint edge lines and a dashed middle line on roads."""
    there = floor.there
    asphalt = (there.ground == Material.ASPHALT) | (there.ground == Material.FRESH_ASPHALT)
    on_road = (there.road_half > 0) & asphalt & (floor.pixel_m < 1.5)
    half = 0.08 + 0.2 * floor.pixel_m
    dash = np.mod(there.road_along, 7) < 3
    middle = (there.road < half) & dash
    wide = there.road_half > _MAIN_ROAD_HALF_M
    edge = wide & (np.abs(there.road - there.road_half + 0.4) < half)
    lane = wide & (np.abs(there.road - there.road_half / 2) < half) & dash
    return np.asarray(on_road & (middle | edge | lane))


def _joints(floor: Floor) -> Flags:
    """Draw kerbs, slabs of pavement, rows of crops and sleepers, where near enough."""
    there, near = floor.there, floor.pixel_m
    slab = (np.mod(floor.x, 1.0) < 0.06) | (np.mod(floor.y, 1.0) < 0.06)
    paved = np.isin(there.ground, (Material.PAVEMENT, Material.CONCRETE)) & slab & (near < 0.25)
    field = np.isin(there.ground, (Material.MAIZE, Material.SOIL, Material.RAPESEED))
    row = field & (np.mod(there.along + floor.x, 1.5) < 0.55) & (near < 0.9)
    sleeper = (there.ground == Material.BALLAST) & (np.mod(floor.y, 0.7) < 0.28) & (near < 0.4)
    return np.asarray(paved | row | sleeper)


def _water(floor: Floor, colour: Floats) -> Floats:
    """Let water mirror the sky, the more the flatter one looks at it."""
    wet = (floor.there.ground == Material.LAKE) | (floor.there.ground == Material.RIVER)
    if not wet.any():
        return colour
    share = np.clip(0.35 + 0.55 * floor.distance / 120, 0, 0.75)
    ripple = 1 + 0.35 * _COARSE(floor.x * 2, floor.y) / (1 + floor.pixel_m)
    mirrored = colour + (_SKY_IN_WATER * ripple[:, None] - colour) * share[:, None]
    return np.where(wet[:, None], mirrored, colour)
