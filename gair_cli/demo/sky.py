"""The sun's place, the weather, and what the sky looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.demo.noise import Flags, Floats, SmoothNoise

if TYPE_CHECKING:
    from datetime import datetime

    from gair_cli.demo.camera import Rays

_CLOUDS: Final = SmoothNoise([77, 1], wavelength_m=1.0)
_ZENITH: Final = np.array([0.13, 0.30, 0.68], dtype=np.float32)
_HORIZON: Final = np.array([0.62, 0.76, 0.90], dtype=np.float32)
_CLOUD: Final = np.array([0.93, 0.94, 0.96], dtype=np.float32)
_GREY: Final = np.array([0.66, 0.69, 0.73], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Weather:
    """Light at the moment of a photo.

    Attributes:
        sun_azimuth: Radians from east, counter-clockwise.
        sun_elevation: Radians above the horizon.
        clouds: Share of the sky that is covered, in [0, 1].
        drift: Moves the pattern of clouds.
    """

    sun_azimuth: float
    sun_elevation: float
    clouds: float
    drift: float

    @property
    def direct(self) -> float:
        """Strength of direct sunlight."""
        return float(1.15 * (1 - self.clouds) ** 0.8)

    @property
    def ambient(self) -> float:
        """Strength of the light from the sky."""
        return 0.42 + 0.28 * self.clouds


def sun_position(moment: datetime, lon: float, lat: float) -> tuple[float, float]:
    """Return azimuth (radians from east, counter-clockwise) and elevation of the sun.

    Good to about a degree: declination by one cosine, no equation of time.
    """
    day = moment.timetuple().tm_yday
    hour = moment.hour + moment.minute / 60 + lon / 15
    declination = np.radians(-23.44) * np.cos(2 * np.pi * (day + 10) / 365.25)
    angle, phi = np.radians(15 * (hour - 12)), np.radians(lat)
    south = np.cos(angle) * np.cos(declination) * np.sin(phi) - np.sin(declination) * np.cos(phi)
    west = np.sin(angle) * np.cos(declination)
    up = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(angle)
    return float(np.arctan2(-south, -west)), float(np.arcsin(np.clip(up, -1, 1)))


def haze_colour(weather: Weather) -> Floats:
    """Return the linear RGB that far things fade to: the sky at the horizon, (3,)."""
    return _HORIZON + (_overcast(weather) - _HORIZON) * np.float32(weather.clouds)


def paint_sky(beams: Rays, where: Flags, weather: Weather) -> Floats:
    """Return linear RGB of the sky.

    Args:
        beams: All rays of a camera.
        where: The pixels that see the sky, (H, W).
        weather: Clouds and sun.

    Returns:
        Colours of those pixels, (N, 3).
    """
    _, columns = np.nonzero(where)
    azimuth, slope = beams.azimuth[columns], np.maximum(beams.slope[where], 0)
    up = slope / np.sqrt(1 + slope**2)
    base = _HORIZON + (_ZENITH - _HORIZON) * np.sqrt(up)[:, None]
    cover = _cloud_cover(azimuth, slope, weather)[:, None]
    picture = base + (_overcast(weather) - base) * cover
    return np.asarray(picture + _glow(azimuth, up, weather)[:, None], dtype=np.float32)


def _overcast(weather: Weather) -> Floats:
    return _CLOUD + (_GREY - _CLOUD) * np.float32(min(1.0, 1.15 * weather.clouds))


def _cloud_cover(azimuth: Floats, slope: Floats, weather: Weather) -> Floats:
    """Look at a layer of clouds from below, so that they shrink towards the horizon."""
    reach = 1 / (slope + np.float32(0.12))
    x = np.cos(azimuth) * reach + np.float32(weather.drift)
    y = np.sin(azimuth) * reach
    field = _CLOUDS(x, y) + 0.5 * _CLOUDS(2.1 * x, 2.1 * y) + 0.25 * _CLOUDS(4.3 * x, 4.3 * y)
    cover = np.clip((field - 1.0 + 2.2 * weather.clouds) * 1.6, 0, 1)
    return np.asarray(cover, dtype=np.float32)


def _glow(azimuth: Floats, up: Floats, weather: Weather) -> Floats:
    level = np.sqrt(1 - up**2) * np.float32(np.cos(weather.sun_elevation))
    turn = np.cos(azimuth - np.float32(weather.sun_azimuth))
    towards = np.clip(level * turn + up * np.float32(np.sin(weather.sun_elevation)), 0, 1)
    return np.asarray(0.5 * weather.direct * towards**24, dtype=np.float32)
