# ruff: noqa: PLR2004 - the numbers are the drawing: metres and shares, read where they are used
"""Draw the near trees one by one: a crown with light from above and from the sun, and a trunk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.demo.camera import EYE_M, Camera, project
from gair_cli.demo.march import FAR_TREES_M
from gair_cli.demo.materials import Material, camera_colours
from gair_cli.demo.noise import Floats, Ints, SmoothNoise

if TYPE_CHECKING:
    from gair_cli.demo.city import City
    from gair_cli.demo.sky import Weather

_NEAREST_M: Final = 3.5
_TRUNK_SHARE: Final = 0.09
_BARK: Final = np.array([0.10, 0.075, 0.055], dtype=np.float32)
_LEAF: Final = camera_colours()[Material.BROADLEAF]
_LEAVES: Final = SmoothNoise([77, 4], wavelength_m=1.0)


@dataclass(frozen=True, slots=True)
class _Sprites:
    """Trees in the picture, far ones first, all arrays (trees,)."""

    column: Floats
    distance: Floats
    depth: Floats
    radius: Floats
    height: Floats
    tone: Floats
    sunny: Floats


def near_trees(city: City, camera: Camera) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return x, y, radius, height and tone of the trees that stand around a camera."""
    trees = city.trees.near(camera.x, camera.y, radius_m=FAR_TREES_M)
    there = city.sample(trees.x.astype(np.float32), trees.y.astype(np.float32))
    keep = (trees.chance < there.trees) & (there.height == 0)
    keep &= np.hypot(trees.x - camera.x, trees.y - camera.y) > _NEAREST_M
    tone = np.where(there.ground == Material.CONIFER, 0.75, 0.9 + trees.chance)
    return trees.x[keep], trees.y[keep], trees.radius[keep], trees.height[keep], tone[keep]


def draw_trees(
    picture: Floats,
    depth_map: Floats,
    camera: Camera,
    trees: tuple[Floats, Floats, Floats, Floats, Floats],
    *,
    weather: Weather,
    sunny: Floats,
) -> None:
    """Draw trees into a picture where they are nearer than what is there.

    Args:
        picture: Linear RGB, (H, W, 3); changed in place.
        depth_map: Distance of each pixel, (H, W); changed in place.
        camera: The camera.
        trees: From `near_trees`.
        weather: The light.
        sunny: 1 for trees in the sun, 0 in shadow, (trees,).
    """
    sprites = _visible(camera, trees, sunny)
    if not len(sprites.column):
        return
    tree, row, column = _pixels(sprites, camera)
    keep = sprites.distance[tree] < depth_map[row, column]
    tree, row, column = tree[keep], row[keep], column[keep]
    across = (column + 0.5 - sprites.column[tree]) * sprites.depth[tree] / camera.focal
    up = EYE_M + (camera.horizon_row - row - 0.5) * sprites.depth[tree] / camera.focal
    crown, trunk, colour = _look(sprites, tree, across, up, weather)
    seen = crown | trunk
    picture[row[seen], column[seen]] = colour[seen]
    depth_map[row[seen], column[seen]] = sprites.distance[tree[seen]]


def _visible(
    camera: Camera, trees: tuple[Floats, Floats, Floats, Floats, Floats], sunny: Floats
) -> _Sprites:
    column, distance, depth = project(camera, trees[0], trees[1])
    reach = trees[2] * camera.focal / np.maximum(depth, 0.1)
    keep = (depth > 1.5) & (column + reach > 0) & (column - reach < camera.width)
    rows = np.flatnonzero(keep)
    rows = rows[np.argsort(-distance[rows], kind="stable")]
    return _Sprites(
        column[rows], distance[rows], depth[rows], trees[2][rows], trees[3][rows],
        trees[4][rows], sunny[rows],
    )  # fmt: skip


def _pixels(sprites: _Sprites, camera: Camera) -> tuple[Ints, Ints, Ints]:
    """List the pixels of each tree's box: tree, row, column."""
    scale = camera.focal / sprites.depth
    left = np.clip(sprites.column - sprites.radius * scale, 0, camera.width).astype(np.int64)
    right = np.clip(sprites.column + sprites.radius * scale + 1, 0, camera.width).astype(np.int64)
    top = camera.horizon_row - (sprites.height - EYE_M) * scale
    bottom = camera.horizon_row + EYE_M * scale
    top = np.clip(top, 0, camera.height).astype(np.int64)
    bottom = np.clip(bottom + 1, 0, camera.height).astype(np.int64)
    wide = np.maximum(right - left, 0)
    count = wide * np.maximum(bottom - top, 0)
    tree = np.repeat(np.arange(len(count)), count)
    number = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    down, along = np.divmod(number, np.maximum(wide[tree], 1))
    return tree, top[tree] + down, left[tree] + along


def _look(
    sprites: _Sprites, tree: Ints, across: Floats, up: Floats, weather: Weather
) -> tuple[Ints, Ints, Floats]:
    """Return where the crowns and trunks are, and their colours."""
    height, radius = sprites.height[tree], sprites.radius[tree]
    base = np.minimum(2.3, 0.35 * height)
    middle, half = (height + base) / 2, (height - base) / 2
    wave = np.float32(1.7)
    leaves = _LEAVES(across * wave + 7 * tree.astype(np.float32), up * wave)
    leaves = leaves + 0.6 * _LEAVES(across * 4 + 3 * tree.astype(np.float32), up * 4)
    rim = (across / radius) ** 2 + ((up - middle) / half) ** 2 + 0.28 * leaves
    crown = rim < 0.85
    trunk = (np.abs(across) < _TRUNK_SHARE * radius + 0.05) & (up < middle) & (up > 0) & ~crown
    light = 0.62 + 0.38 * (up - middle) / half + 0.28 * leaves
    strength = weather.ambient + 0.65 * weather.direct * sprites.sunny[tree]
    shade = np.clip(light, 0.18, 1.3) * sprites.tone[tree] * strength
    colour = np.where(crown[:, None], _LEAF * shade[:, None], _BARK * strength[:, None])
    return crown, trunk, colour.astype(np.float32)
