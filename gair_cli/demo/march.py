"""Walk along the rays and find what each pixel sees: sky, ground, wall or roof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.demo.camera import EYE_M, Camera, Rays

if TYPE_CHECKING:
    from gair_cli.demo.city import City
    from gair_cli.demo.noise import Codes, Flags, Floats, Ints
    from gair_cli.demo.terrain import Ground

FAR_TREES_M: Final = 55.0
_STEPS: Final = 74
_NEAREST_M: Final = 1.3
_FARTHEST_M: Final = 900.0
_EVEN_M: Final = 3.0
_CUTS_A_STEP: Final = 5
_LOWEST_M: Final = 0.3

SKY, GROUND, BUILT, CANOPY = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Hits:
    """What the pixels see; (H, W) unless said otherwise.

    Attributes:
        kind: SKY, GROUND, BUILT or CANOPY.
        distance: Horizontal distance in metres; infinite for sky.
        surface: Row of `built` for BUILT pixels.
        built: The city at the visible walls.
    """

    kind: Codes
    distance: Floats
    surface: Ints
    built: Ground


def march(city: City, camera: Camera, beams: Rays) -> Hits:
    """Find what every pixel of a camera sees.

    Args:
        city: The city.
        camera: Where it stands.
        beams: Its rays.

    Returns:
        One hit a pixel. Trees nearer than `FAR_TREES_M` are left out: they are drawn one by one.
    """
    distances = np.geomspace(_NEAREST_M + _EVEN_M, _FARTHEST_M + _EVEN_M, _STEPS) - _EVEN_M
    distances = distances.astype(np.float32)
    height, canopy = _heights(city, camera, beams, distances)
    step = _first_step(height, distances, beams)
    columns = np.arange(camera.width)[None, :]
    inside = np.minimum(step, _STEPS - 1)
    seen = height[columns, inside]
    kind = np.where(seen > _LOWEST_M, BUILT, GROUND)
    kind = np.where((kind == BUILT) & canopy[columns, inside], CANOPY, kind)
    kind = np.where(step == _STEPS, SKY, kind)
    kind = np.where((step == _STEPS) & (beams.slope < 0), GROUND, kind).astype(np.uint8)
    surface, built, wall_distance = _walls(city, camera, beams, (kind, inside, distances, height))
    flat = np.minimum(EYE_M / np.maximum(-beams.slope, 1e-6), 20_000)
    distance = np.where(kind == GROUND, flat, distances[inside])
    distance = np.where(kind == SKY, np.inf, distance).astype(np.float32)
    distance[kind == BUILT] = wall_distance[surface[kind == BUILT]]
    return Hits(kind, distance, surface, built)


def _heights(city: City, camera: Camera, beams: Rays, distances: Floats) -> tuple[Floats, Flags]:
    """Return heights along the rays, (W, steps), and where they are those of trees."""
    x = np.float32(camera.x) + np.cos(beams.azimuth)[:, None] * distances
    y = np.float32(camera.y) + np.sin(beams.azimuth)[:, None] * distances
    shape = x.shape
    ground = city.sample(x.ravel(), y.ravel())
    ground.trees[np.broadcast_to(distances < FAR_TREES_M, shape).ravel()] = 0
    covered, canopy = city.cover(ground, x.ravel(), y.ravel())
    height = np.maximum(ground.height, canopy).reshape(shape)
    return height, covered.reshape(shape)


def _first_step(height: Floats, distances: Floats, beams: Rays) -> Ints:
    """Return the first step whose horizon reaches each pixel's slope, `_STEPS` where none does."""
    horizon = np.maximum.accumulate((height - np.float32(EYE_M)) / distances, axis=1)
    width = len(height)
    apart = np.arange(width, dtype=np.float64) * 1000
    keys = (horizon + apart[:, None]).ravel()
    wanted = beams.slope + apart[None, :]
    found = np.searchsorted(keys, wanted.ravel()).reshape(beams.slope.shape)
    step = np.clip(found - np.arange(width)[None, :] * _STEPS, 0, _STEPS)
    return np.asarray(step, dtype=np.int32)


def _walls(
    city: City, camera: Camera, beams: Rays, scene: tuple[Codes, Ints, Floats, Floats]
) -> tuple[Ints, Ground, Floats]:
    """Find the exact distance of every visible wall, and what the city is there."""
    kind, step, distances, height = scene
    _, columns = np.nonzero(kind == BUILT)
    steps = step[kind == BUILT]
    pairs, inverse = np.unique(columns * _STEPS + steps, return_inverse=True)
    surface = np.zeros(kind.shape, dtype=np.int32)
    surface[kind == BUILT] = inverse
    column, number = np.divmod(pairs, _STEPS)
    cosine, sine = np.cos(beams.azimuth[column]), np.sin(beams.azimuth[column])
    near, far = distances[np.maximum(number - 1, 0)], distances[number]
    level = np.minimum(height[column, number], height[column, np.maximum(number - 1, 0)] + 1)
    share = np.arange(1, _CUTS_A_STEP + 1, dtype=np.float32) / _CUTS_A_STEP
    tried = near[:, None] + (far - near)[:, None] * share
    x = camera.x + cosine[:, None] * tried
    y = camera.y + sine[:, None] * tried
    there = city.sample(x.ravel().astype(np.float32), y.ravel().astype(np.float32))
    inside = there.height.reshape(tried.shape) >= level[:, None] - _LOWEST_M / 2
    inside[:, -1] = True
    first = inside.argmax(axis=1)
    rows = np.arange(len(pairs))
    return surface, there.rows(rows * _CUTS_A_STEP + first), tried[rows, first]
