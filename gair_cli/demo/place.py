"""Where on Earth a made city lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.demo.surface import PIXEL_M
from gair_cli.geo.coordinates import to_lonlat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gair_cli.records import Transform

_FIRST_PLACE: Final = (33, 380_000.0, 5_810_000.0)


@dataclass(frozen=True, slots=True)
class Place:
    """The south-west corner of a city.

    Attributes:
        crs: UTM zone as `EPSG:326xx`.
        east_m: Easting of the corner.
        north_m: Northing of the corner.
    """

    crs: str
    east_m: float
    north_m: float

    def lonlat(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return longitude and latitude of positions in the city, (N, 2) degrees."""
        east = np.asarray(x, dtype=np.float64) + self.east_m
        north = np.asarray(y, dtype=np.float64) + self.north_m
        return to_lonlat(np.stack([east, north], axis=1), self.crs)

    def transform(self, pixels: int) -> Transform:
        """Return the transform of a north-up raster of the city with so many rows."""
        top = self.north_m + pixels * PIXEL_M
        return (PIXEL_M, 0.0, self.east_m, 0.0, -PIXEL_M, top)


def place_of(seed: int) -> Place:
    """Give each seed its own place between 36 and 56 degrees north, on the 10 m grid."""
    zone, east, north = _FIRST_PLACE
    if seed != 0:
        generator = np.random.default_rng([abs(seed), 10])
        zone = int(generator.integers(29, 38))
        east = float(generator.integers(28, 60)) * 10_000
        north = float(generator.integers(400, 620)) * 10_000
    return Place(f"EPSG:{32600 + zone}", east, north)
