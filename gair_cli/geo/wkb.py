"""Polygons as well-known binary: read in any flavour, written in the plain one."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Ring = NDArray[np.float64]

_POLYGON: Final = 3
_COLLECTIONS: Final = frozenset({6, 7})
"""Multipolygon, geometry collection."""

_HAS_Z: Final = 0x80000000
_HAS_M: Final = 0x40000000
_HAS_SRID: Final = 0x20000000
_DEEPEST: Final = 32


def polygon_wkb(rings: Sequence[Ring]) -> bytes:
    """Return a two-dimensional little-endian polygon.

    Args:
        rings: Closed rings (N, 2), the outer one first.
    """
    parts = [struct.pack("<BII", 1, _POLYGON, len(rings))]
    for ring in rings:
        parts.append(struct.pack("<I", len(ring)))
        parts.append(np.ascontiguousarray(ring, "<f8").tobytes())
    return b"".join(parts)


def polygons_of(data: bytes) -> list[list[Ring]]:
    """Return the rings of every polygon in a geometry; heights and measures are left out.

    Points and lines are passed over.

    Args:
        data: WKB in ISO's or PostGIS's flavour.

    Raises:
        DataError: If the bytes are no geometry.
    """
    try:
        return list(_Reader(data).polygons())
    except (struct.error, ValueError) as error:
        raise DataError(f"a geometry is not well-known binary: {error}") from error


class _Reader:
    """Reads one geometry from its first byte on."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def _take(self, form: str) -> tuple[int, ...]:
        found = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return found

    def polygons(self, depth: int = 0) -> Iterator[list[Ring]]:
        """Yield the rings of the polygons from here on."""
        if depth > _DEEPEST:
            raise ValueError("geometries are nested too deeply")
        order = "<" if self._take("B")[0] else ">"
        (code,) = self._take(f"{order}I")
        if code & _HAS_SRID:
            self._take(f"{order}I")
        base = code & 0xFFFFFFF
        kind, flavour = base % 1000, base // 1000
        extra = bool(code & _HAS_Z) + bool(code & _HAS_M) + (0, 1, 1, 2)[min(flavour, 3)]
        if kind == _POLYGON:
            yield self._rings(order, 2 + extra)
        elif kind in _COLLECTIONS:
            for _ in range(self._take(f"{order}I")[0]):
                yield from self.polygons(depth + 1)
        elif depth:
            raise ValueError("points and lines among polygons are not read")

    def _rings(self, order: str, dimensions: int) -> list[Ring]:
        found = []
        for _ in range(self._take(f"{order}I")[0]):
            (count,) = self._take(f"{order}I")
            values = np.frombuffer(
                self._data, f"{order}f8", count=count * dimensions, offset=self._at
            )
            self._at += values.nbytes
            found.append(values.reshape(count, dimensions)[:, :2].astype(np.float64))
        return found
