# ruff: noqa: PLR2004 - the numbers are the drawing: metres and shares, read where they are used
"""Paint walls and roofs: storeys, windows, shop fronts, containers and cars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.demo.materials import STYLE_ROOF, STYLE_WALL, STYLE_WINDOWS, WALL_COLOURS, Windows
from gair_cli.demo.materials import camera_colours as _camera_colours
from gair_cli.demo.noise import Flags, Floats, Hashes, mix, unit
from gair_cli.demo.plan import LandUse
from gair_cli.demo.terrain import CAR_M

if TYPE_CHECKING:
    from gair_cli.demo.sky import Weather
    from gair_cli.demo.terrain import Ground

STOREY_M: Final = 3.2
_COLOURS: Final = _camera_colours()
_GLASS: Final = np.array([0.055, 0.075, 0.10], dtype=np.float32)
_CURTAIN_GLASS: Final = np.array([0.80, 0.92, 1.02], dtype=np.float32)
_PAINTS: Final = np.array(
    [(0.42, 0.04, 0.03), (0.05, 0.13, 0.40), (0.60, 0.62, 0.64), (0.03, 0.03, 0.035),
     (0.75, 0.75, 0.74), (0.30, 0.31, 0.32), (0.05, 0.20, 0.12), (0.55, 0.40, 0.05)],
    dtype=np.float32,
)  # fmt: skip
_WINDOW_SHAPE: Final = np.array(
    [(2.7, 0.42, 0.28, 0.78), (1.5, 0.92, 0.36, 0.80), (1.35, 0.93, 0.07, 0.94),
     (6.0, 0.70, 0.62, 0.85)],
    dtype=np.float32,
)  # fmt: skip
"""Pitch (m), share of glass along the wall, sill and lintel (share of the storey), by `Windows`."""


@dataclass(frozen=True, slots=True)
class Wall:
    """Pixels on walls and roofs, all arrays (N,).

    Attributes:
        there: What the city is at the wall.
        z: Height above the ground, metres.
        pixel_m: Size of a pixel on the wall, metres.
    """

    there: Ground
    z: Floats
    pixel_m: Floats


def paint_buildings(wall: Wall, weather: Weather, sunny: Floats) -> Floats:
    """Return linear RGB of pixels on buildings.

    Args:
        wall: The pixels.
        weather: The light.
        sunny: 1 where the sun reaches, 0 in shadow, (N,).

    Returns:
        Colours, (N, 3).
    """
    roof = (wall.z > wall.there.eave + 0.05) & ~wall.there.box
    colour = np.where(roof[:, None], _roofs(wall), _facades(wall))
    boxes = wall.there.box
    if boxes.any():
        colour = np.where(boxes[:, None], _boxes(wall), colour)
    return np.asarray(colour * _light(wall, roof, weather, sunny)[:, None], dtype=np.float32)


def _light(wall: Wall, roof: Flags, weather: Weather, sunny: Floats) -> Floats:
    towards = np.cos(wall.there.facing - np.float32(weather.sun_azimuth))
    flat = np.cos(np.float32(weather.sun_elevation)) * np.clip(towards, 0, 1)
    steep = np.float32(0.75 * np.sin(weather.sun_elevation)) + 0.55 * flat
    near_ground = 0.72 + 0.28 * np.clip(wall.z / 5, 0, 1)
    ambient = np.float32(weather.ambient) * np.where(roof, 1.15, near_ground)
    return np.asarray(ambient + weather.direct * sunny * np.where(roof, steep, flat))


def _roofs(wall: Wall) -> Floats:
    shade = 0.85 + 0.3 * unit(wall.there.building, 2)
    course = 1 - 0.10 * (np.mod(wall.z, 0.7) < 0.25) * (wall.pixel_m < 0.3)
    return np.asarray(_COLOURS[STYLE_ROOF[wall.there.style]] * (shade * course)[:, None])


def _facades(wall: Wall) -> Floats:
    there = wall.there
    tint = 0.82 + 0.36 * unit(there.building, 2)
    material = STYLE_WALL[there.style]
    base = WALL_COLOURS[material] * tint[:, None]
    kind = STYLE_WINDOWS[there.style]
    glass, share = _windows(wall, kind)
    pane = _panes(wall, kind, base)
    plinth = (wall.z < 0.6)[:, None]
    base = np.where(plinth, base * np.float32(0.7), base)
    colour = base + (pane - base) * glass[:, None]
    soft = np.clip(wall.pixel_m * 1.4 - 0.5, 0, 1)
    mean = base + (pane - base) * share[:, None]
    colour += (mean - colour) * soft[:, None]
    return _shop_fronts(wall, colour)


def _windows(wall: Wall, kind: Hashes) -> tuple[Floats, Floats]:
    """Return how much of each pixel is glass, and the mean of the facade."""
    pitch, wide, sill, lintel = _WINDOW_SHAPE[kind].T
    pitch = pitch * (0.85 + 0.4 * unit(wall.there.building, 3))
    across = np.mod(wall.there.along / pitch, 1)
    up = np.mod(wall.z / np.float32(STOREY_M), 1)
    soft_x, soft_y = wall.pixel_m / pitch + 0.02, wall.pixel_m / STOREY_M + 0.02
    column = np.clip((wide / 2 - np.abs(across - 0.5)) / soft_x + 0.5, 0, 1)
    middle, half = (sill + lintel) / 2, (lintel - sill) / 2
    row = np.clip((half - np.abs(up - middle)) / soft_y + 0.5, 0, 1)
    top = wall.there.eave - wall.z
    row = np.where(top < 0.5, 0, row)
    hall = (kind == Windows.INDUSTRIAL) & (top > 3.4)
    return np.where(hall, 0, column * row), wide * (lintel - sill)


def _panes(wall: Wall, kind: Hashes, base: Floats) -> Floats:
    """Colour the glass: dark, some with blinds, curtain walls mirror the sky higher up."""
    pitch = _WINDOW_SHAPE[kind, 0] * (0.85 + 0.4 * unit(wall.there.building, 3))
    window = mix(
        wall.there.building,
        np.floor(wall.there.along / pitch).astype(np.int32),
        np.floor(wall.z / STOREY_M).astype(np.int32),
    )
    blind = unit(window, 1)[:, None]
    dark = np.where(blind > 0.85, np.float32(0.38), _GLASS * (0.6 + 1.2 * blind))
    mirror = base * _CURTAIN_GLASS * (0.75 + 0.3 * blind)
    mirror = mirror * (1 + 0.6 * np.clip(wall.z / 60, 0, 1))[:, None]
    return np.where((kind == Windows.CURTAIN)[:, None], mirror, dark)


def _shop_fronts(wall: Wall, colour: Floats) -> Floats:
    """Give the ground floors of the centre shop windows under coloured boards."""
    there = wall.there
    shop = (there.land_use <= LandUse.CENTRE) & (wall.z < STOREY_M) & (there.eave > 8)
    shop &= unit(there.building, 4) < 0.65
    if not shop.any():
        return colour
    paint = _PAINTS[(unit(there.building, 5) * len(_PAINTS)).astype(np.int64)]
    board = (wall.z > 2.5) & (wall.z < 3.05)
    pane = (wall.z > 0.5) & (wall.z < 2.4) & (np.mod(there.along, 2.2) > 0.25)
    warm = np.array([0.22, 0.19, 0.14], dtype=np.float32)
    colour = np.where((shop & board)[:, None], paint, colour)
    return np.where((shop & pane)[:, None], warm, colour)


def _boxes(wall: Wall) -> Floats:
    """Paint containers (ribbed) and cars (windows above the body, wheels below)."""
    there = wall.there
    colour = _PAINTS[(unit(there.building, 5) * len(_PAINTS)).astype(np.int64)]
    freight = _PAINTS[(there.building & np.uint32(1)).astype(np.int64)]
    car = there.eave < CAR_M
    colour = np.where(car[:, None], colour, freight)
    rib = (~car & (np.mod(there.along, 0.5) < 0.2)) * np.float32(0.25)
    glass = car & (wall.z > 0.88) & (wall.z < 1.32)
    wheel = car & (wall.z < 0.35)
    colour = np.where(glass[:, None], _GLASS, colour * (1 - rib)[:, None])
    return np.where(wheel[:, None], np.float32(0.02), colour)
