"""Find the district and the block of positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.demo.noise import mix
from gair_cli.demo.plan import SITE_MARGIN, SITE_SPACING_M

if TYPE_CHECKING:
    from gair_cli.demo.noise import Floats, Hashes, Ints
    from gair_cli.demo.plan import Districts

_CUT_JITTER: Final = 0.34
_CUTS: Final = (_CUT_JITTER * np.random.default_rng(15).random(4096)).astype(np.float32)
_FAR_KEY: Final = 2**31 - 1
_KEY_BITS: Final = 4
_KEY_MASK: Final = 15


@dataclass(frozen=True, slots=True)
class Site:
    """The district of each position, and the way to its border."""

    index: Ints
    other: Ints
    border: Floats
    normal_x: Floats
    normal_y: Floats


@dataclass(frozen=True, slots=True)
class Grid:
    """Position in the street grid of the district."""

    a: Floats
    b: Floats
    w: Floats
    h: Floats
    block: Hashes

    @property
    def edge_a(self) -> Floats:
        """Distance to the nearer end along the first direction."""
        return np.minimum(self.a, self.w - self.a)

    @property
    def edge_b(self) -> Floats:
        """Distance to the nearer end along the second direction."""
        return np.minimum(self.b, self.h - self.b)


def find_site(districts: Districts, x: Floats, y: Floats) -> Site:
    """Find the nearest and the second nearest site: their border is a main road."""
    last = districts.columns - 2
    column = np.clip(np.floor(x / SITE_SPACING_M).astype(np.int32) + SITE_MARGIN, 1, last)
    row = np.clip(np.floor(y / SITE_SPACING_M).astype(np.int32) + SITE_MARGIN, 1, last)
    base = row * districts.columns + column
    near = np.full(len(x), _FAR_KEY, dtype=np.int32)
    second = near.copy()
    steps = [r * districts.columns + c for r in (-1, 0, 1) for c in (-1, 0, 1)]
    for number, step in enumerate(steps):
        candidate = base + step
        squared = x - districts.x[candidate]
        squared *= squared
        offset = y - districts.y[candidate]
        offset *= offset
        squared += offset
        key = squared.astype(np.int32)
        key <<= _KEY_BITS
        key |= number
        np.minimum(second, np.maximum(near, key), out=second)
        np.minimum(near, key, out=near)
    walk = np.array(steps, dtype=np.int32)
    index, other = base + walk[near & _KEY_MASK], base + walk[second & _KEY_MASK]
    dx = districts.x[other] - districts.x[index]
    dy = districts.y[other] - districts.y[index]
    apart = np.sqrt(dx * dx + dy * dy) + np.float32(1e-3)
    nx, ny = dx / apart, dy / apart
    mid_x = (districts.x[other] + districts.x[index]) / 2
    mid_y = (districts.y[other] + districts.y[index]) / 2
    border = np.maximum((mid_x - x) * nx + (mid_y - y) * ny, 0)
    return Site(index, other, border, nx, ny)


def find_block(districts: Districts, site: Site, x: Floats, y: Floats) -> Grid:
    """Place positions in the blocks of their district; blocks differ in size."""
    index = site.index
    cosine, sine = np.cos(districts.angle)[index], np.sin(districts.angle)[index]
    dx, dy = x - districts.x[index], y - districts.y[index]
    u, v = cosine * dx + sine * dy, cosine * dy - sine * dx
    across, a, w = _cells(u, districts.block_w[index], index * 151)
    along, b, h = _cells(v, districts.block_h[index], mix(index, across))
    return Grid(a, b, w, h, mix(index, across, along))


def _cells(position: Floats, size: Floats, key: Ints | Hashes) -> tuple[Ints, Floats, Floats]:
    """Cut a line into cells of unlike length: number, place inside, and length."""
    number = np.floor(position / size).astype(np.int32)
    number = number - (position < _cut_at(number, size, key))
    start, end = _cut_at(number, size, key), _cut_at(number + 1, size, key)
    return number, position - start, end - start


def _cut_at(number: Ints, size: Floats, key: Ints | Hashes) -> Floats:
    cut = (number + _CUTS[(number * 73 + key.astype(np.int32)) & (len(_CUTS) - 1)]) * size
    return np.asarray(cut, dtype=np.float32)
