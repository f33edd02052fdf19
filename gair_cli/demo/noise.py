"""Randomness that belongs to a place: the same seed and position give the same value.

Nothing here keeps a state, so any window of the city can be drawn alone, in any order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats: TypeAlias = NDArray[np.floating[Any]]
Ints: TypeAlias = NDArray[np.integer[Any]]
Hashes: TypeAlias = NDArray[np.unsignedinteger[Any]]
Codes: TypeAlias = NDArray[np.uint8]
Flags: TypeAlias = NDArray[np.bool_]

_BITS = 8
_PERIOD = 1 << _BITS
_LAST = _PERIOD - 1
_ODD = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1, 0xD3A2646D, 0xFD7046C5)


def mix(*parts: Ints | Hashes | int) -> Hashes:
    """Hash integers of equal shape into uniform 32-bit numbers."""
    result: Hashes = np.asarray(0x2545F491, dtype=np.uint32)
    with np.errstate(over="ignore"):
        for number, part in enumerate(parts):
            value = np.asarray(part).astype(np.uint32)
            result = (result ^ (value * np.uint32(_ODD[number]))) * np.uint32(0x2C1B3C6D)
            result = result ^ (result >> np.uint32(15))
        result = result * np.uint32(0x297A2D39)
    return result ^ (result >> np.uint32(14))


def unit(hashes: Hashes, stream: int = 0) -> Floats:
    """Turn hashes into float32 numbers in [0, 1); streams 0 to 6 are independent enough."""
    with np.errstate(over="ignore"):
        scrambled = (hashes ^ (hashes >> np.uint32(13))) * np.uint32(_ODD[stream])
    return (scrambled >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


class SmoothNoise:
    """Value noise in [-1, 1]: random numbers on a lattice, joined smoothly.

    Args:
        seed: Numbers that key the field.
        wavelength_m: Spacing of the lattice.
    """

    __slots__ = ("_scale", "_table")

    def __init__(self, seed: Sequence[int], *, wavelength_m: float) -> None:
        generator = np.random.default_rng(list(seed))
        self._table = generator.uniform(-1, 1, _PERIOD * _PERIOD).astype(np.float32)
        self._scale = np.float32(1 / wavelength_m)

    def __call__(self, x: Floats, y: Floats) -> Floats:
        """Return the field at positions in metres, shape as given."""
        return _interpolate((self._table,), x * self._scale, y * self._scale)[0]


class SmoothShift:
    """Two fields of value noise that move positions a little: straight streets bend.

    Args:
        seed: Numbers that key the fields.
        wavelength_m: Spacing of the lattice.
        reach_m: Largest move in each direction.
    """

    __slots__ = ("_reach", "_scale", "_tables")

    def __init__(self, seed: Sequence[int], *, wavelength_m: float, reach_m: float) -> None:
        generator = np.random.default_rng(list(seed))
        self._tables = generator.uniform(-1, 1, (2, _PERIOD * _PERIOD)).astype(np.float32)
        self._scale = np.float32(1 / wavelength_m)
        self._reach = np.float32(reach_m)

    def __call__(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return moved positions, metres, shape as given."""
        tables = (self._tables[0], self._tables[1])
        dx, dy = _interpolate(tables, x * self._scale, y * self._scale)
        return x + self._reach * dx, y + self._reach * dy


def _interpolate(tables: Sequence[Floats], x: Floats, y: Floats) -> list[Floats]:
    column, right = _cell(x)
    row, up = _cell(y)
    low, high = row << _BITS, ((row + 1) & _LAST) << _BITS
    after = (column + 1) & _LAST
    corners = (low + column, low + after, high + column, high + after)
    result = []
    for table in tables:
        south = _between(table[corners[0]], table[corners[1]], right)
        north = _between(table[corners[2]], table[corners[3]], right)
        result.append(_between(south, north, up))
    return result


def _cell(scaled: Floats) -> tuple[Ints, Floats]:
    floor = np.floor(scaled)
    part = scaled - floor
    return floor.astype(np.int32) & _LAST, part * part * (3 - 2 * part)


def _between(a: Floats, b: Floats, share: Floats) -> Floats:
    return a + (b - a) * share
