"""How near places of one split come to places of another, on the ground.

Places are put into space on the WGS84 ellipsoid, where a tree finds the nearest. A straight line
through space is turned into an arc: up to 100 km that is within 1e-4 of the geodesic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.records import EARTH_RADIUS_M

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SEMI_MAJOR_M: Final = 6_378_137.0
_FLATTENING: Final = 1 / 298.257_223_563
_DIAMETER_M: Final = 2 * EARTH_RADIUS_M


def earth_centred(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N, 3) metres from the Earth's centre of (N, 2) degrees on the WGS84 ellipsoid."""
    lon, lat = np.radians(lonlat).T
    squared = _FLATTENING * (2 - _FLATTENING)
    normal = _SEMI_MAJOR_M / np.sqrt(1 - squared * np.sin(lat) ** 2)
    flat = normal * np.cos(lat)
    height = normal * (1 - squared) * np.sin(lat)
    return np.stack([flat * np.cos(lon), flat * np.sin(lon), height], axis=1)


class Places:
    """Places that others are measured to.

    Args:
        lonlat: (N, 2) degrees; N may be 0.
    """

    def __init__(self, lonlat: NDArray[np.float64]) -> None:
        from scipy.spatial import cKDTree  # noqa: PLC0415 - slow to load, and for few

        self._tree = cKDTree(earth_centred(lonlat)) if len(lonlat) else None

    def __len__(self) -> int:
        return 0 if self._tree is None else int(self._tree.n)

    def distances(
        self, lonlat: NDArray[np.float64], *, most: float = np.inf
    ) -> NDArray[np.float64]:
        """Return the distance of each place to the nearest of these.

        Args:
            lonlat: (n, 2) degrees.
            most: Larger distances are not looked for: they come out as infinite.

        Returns:
            (n,) metres along the ground.
        """
        if self._tree is None or not len(lonlat):
            return np.full(len(lonlat), np.inf)
        bound = _chord(most) * (1 + 1e-12)
        found = self._tree.query(earth_centred(lonlat), distance_upper_bound=bound)[0]
        arcs = np.full(len(lonlat), np.inf)
        held = np.isfinite(found)
        arcs[held] = _DIAMETER_M * np.arcsin(np.minimum(found[held] / _DIAMETER_M, 1.0))
        return arcs


def _chord(arc: float) -> float:
    if arc >= _DIAMETER_M * np.pi / 2:
        return float(np.inf)
    return float(_DIAMETER_M * np.sin(arc / _DIAMETER_M))
