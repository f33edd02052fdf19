"""When the satellite passes: the date, the sun, the season, the clouds and the swath's edge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from gair_cli.demo.sky import sun_position

FIRST_PASS: Final = datetime(2024, 6, 15, 10, 20, 31, tzinfo=UTC)
_DAYS_APART: Final = (0, 65, 115, -70, 300, 365, 420, 480, -140, 350)
_GREENEST_DAY: Final = 160
_YELLOW_AFTER_DAYS: Final = 110.0


@dataclass(frozen=True, slots=True)
class Acquisition:
    """One pass over the city.

    Attributes:
        number: From 0.
        moment: UTC.
        sun_azimuth: Radians from east, counter-clockwise.
        sun_elevation: Radians above the horizon.
        dryness: 0 when everything is green, towards 1 in winter.
        cloud_level: Threshold of the cloud field; higher is clearer.
        edge: Where the swath ends in the west: share of the extent at the north edge, and how
            fast that shrinks southwards.
    """

    number: int
    moment: datetime
    sun_azimuth: float
    sun_elevation: float
    dryness: float
    cloud_level: float
    edge: tuple[float, float]


def plan_acquisition(seed: int, number: int, *, lon: float, lat: float) -> Acquisition:
    """Plan a pass; the first is on 15 June 2024, the others lie in other seasons.

    Args:
        seed: The city's seed.
        number: Which pass, from 0.
        lon: Longitude of the city, degrees.
        lat: Latitude of the city, degrees.

    Returns:
        The pass.
    """
    generator = np.random.default_rng([seed, 6, number])
    years, turn = divmod(number, len(_DAYS_APART))
    moment = FIRST_PASS + timedelta(days=_DAYS_APART[turn] + 730 * years)
    azimuth, elevation = sun_position(moment, lon, lat)
    from_peak = abs(moment.timetuple().tm_yday - _GREENEST_DAY)
    dryness = float(np.clip(from_peak / _YELLOW_AFTER_DAYS - 0.15, 0, 0.85))
    level = float(generator.uniform(0.62, 0.74))
    edge = (float(generator.uniform(0.035, 0.06)), float(generator.uniform(0.07, 0.12)))
    return Acquisition(number, moment, azimuth, elevation, dryness, level, edge)
