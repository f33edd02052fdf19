# ruff: noqa: PLR2004 - the numbers are the drawing: metres and shares, read where they are used
"""Decide where, when and in which direction photos are taken: any photo by its number alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.demo.acquisition import FIRST_PASS
from gair_cli.demo.camera import FULL_TURN_DEG, Camera
from gair_cli.demo.materials import Material
from gair_cli.demo.plan import LandUse
from gair_cli.demo.sky import Weather, sun_position
from gair_cli.demo.terrain import CAR_M

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from gair_cli.demo.city import City
    from gair_cli.demo.noise import Floats
    from gair_cli.demo.place import Place
    from gair_cli.demo.terrain import Ground

MADE_DATA: Final = "made data"
PERSPECTIVE_FOV_DEG: Final = 78.0
_CANDIDATES: Final = 64
_ROAD_VIEW_SHARE: Final = 0.6
_ROAD_VIEW_SPREAD_DEG: Final = 16.0
_FREE_VIEW_M: Final = (1.5, 3.0, 4.5, 6.5, 9.0)
_DAYS_AROUND: Final = 60
_STREET, _COUNTRY_ROAD, _OPEN = 1.0, 0.45, 0.03
_OPEN_GROUND: Final = (Material.GRASS, Material.PAVEMENT, Material.DRY_GRASS, Material.SAND)


@dataclass(frozen=True, slots=True)
class PhotoPlan:
    """What all photos of a city share.

    Attributes:
        seed: The city's seed.
        width: Columns.
        height: Rows.
        panorama: Equirectangular panoramas instead of perspective pictures.
    """

    seed: int
    width: int
    height: int
    panorama: bool

    @property
    def fov_deg(self) -> float:
        """Horizontal field of view."""
        return FULL_TURN_DEG if self.panorama else PERSPECTIVE_FOV_DEG


@dataclass(frozen=True, slots=True)
class Shot:
    """One photo to be taken.

    Attributes:
        index: Its number.
        x: Metres east of the city's corner.
        y: Metres north of it.
        lon: Degrees, rounded as in the table.
        lat: Degrees, rounded as in the table.
        heading_deg: Clockwise from north, rounded to 0.1.
        moment: UTC.
        clouds: Share of the sky that is covered.
    """

    index: int
    x: float
    y: float
    lon: float
    lat: float
    heading_deg: float
    moment: datetime
    clouds: float

    @property
    def photo_id(self) -> str:
        """Name of the photo: its number with leading zeros."""
        return f"{self.index:07d}"

    @property
    def path(self) -> str:
        """Path relative to the table: a thousand photos a folder."""
        return f"photos/{self.index // 1000:03d}/{self.photo_id}.jpg"

    def camera(self, plan: PhotoPlan) -> Camera:
        """Return the camera of this shot."""
        return Camera(
            self.x, self.y, self.heading_deg, plan.width, plan.height, fov_deg=plan.fov_deg
        )

    def weather(self) -> Weather:
        """Return the light of this shot."""
        azimuth, elevation = sun_position(self.moment, self.lon, self.lat)
        return Weather(azimuth, max(elevation, 0.1), self.clouds, drift=self.index % 97 * 0.83)


def plan_shots(city: City, place: Place, plan: PhotoPlan, numbers: range) -> list[Shot]:
    """Plan photos by number; a number's shot does not depend on which others are planned.

    Args:
        city: The city.
        place: Where it lies.
        plan: What all photos share.
        numbers: Which photos.

    Returns:
        One shot a number, in order: mostly on streets, some in parks and on country roads.
    """
    generators = [np.random.default_rng([plan.seed, 9, number]) for number in numbers]
    x, y = _positions(city, generators)
    road = _road_directions(city, x, y)
    wanted = [_heading(float(deg), gen) for deg, gen in zip(road, generators, strict=True)]
    heading = _turned_from_walls(city, x, y, np.array(wanted))
    lonlat = place.lonlat(x, y).round(7)
    return [
        _shot(number, (float(x[row]), float(y[row])), lonlat[row], float(heading[row]), generator)
        for row, (number, generator) in enumerate(zip(numbers, generators, strict=True))
    ]


def _heading(road_deg: float, generator: np.random.Generator) -> float:
    """Look along the road more often than not, else anywhere; NaN is no road."""
    anywhere = generator.uniform(0, 360)
    along = road_deg + 180 * generator.integers(2) + generator.normal(0, _ROAD_VIEW_SPREAD_DEG)
    looks_along = generator.random() < _ROAD_VIEW_SHARE and np.isfinite(road_deg)
    return float(along if looks_along else anywhere)


def _turned_from_walls(
    city: City, x: Floats, y: Floats, heading: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Turn cameras that would see nothing but a wall, by as little as needed."""
    choices = heading[:, None] + np.array([0, 50, -50, 100, -100, 150, -150, 180.0])
    azimuth = np.radians(90 - choices)[:, :, None]
    reach = np.array(_FREE_VIEW_M)
    ahead_x = (x[:, None, None] + np.cos(azimuth) * reach).astype(np.float32)
    ahead_y = (y[:, None, None] + np.sin(azimuth) * reach).astype(np.float32)
    ground = city.sample(ahead_x.ravel(), ahead_y.ravel())
    free = (ground.height < CAR_M).reshape(ahead_x.shape).all(axis=2)
    return np.asarray(choices[np.arange(len(x)), free.argmax(axis=1)])


def _shot(
    number: int, position: tuple[float, float], lonlat: NDArray[np.float64], heading: float,
    generator: np.random.Generator,
) -> Shot:  # fmt: skip
    """Draw date and weather."""
    lon, lat = float(lonlat[0]), float(lonlat[1])
    day = FIRST_PASS.replace(hour=0, minute=0, second=0)
    day += timedelta(days=int(generator.integers(-_DAYS_AROUND, _DAYS_AROUND + 1)))
    minutes = int(generator.integers(7 * 60, 18 * 60)) - round(lon * 4)
    clouds = float(generator.beta(1.1, 1.7))
    degrees = round(heading % 360, 1) % 360
    return Shot(number, *position, lon, lat, degrees, day + timedelta(minutes=minutes), clouds)


def _positions(city: City, generators: list[np.random.Generator]) -> tuple[Floats, Floats]:
    """Draw candidates for each photo and keep the first that suits."""
    extent = city.plan.extent_m
    draws = np.stack([generator.random((3, _CANDIDATES)) for generator in generators])
    x = (draws[:, 0] * (extent - 2) + 1).astype(np.float32)
    y = (draws[:, 1] * (extent - 2) + 1).astype(np.float32)
    ground = city.sample(x.ravel(), y.ravel())
    suits = _suitability(ground).reshape(x.shape)
    chosen = np.where(draws[:, 2] < suits, 2, suits > 0).argmax(axis=1)
    rows = np.arange(len(x))
    return x[rows, chosen], y[rows, chosen]


def _suitability(ground: Ground) -> Floats:
    """Return how likely a photo is taken at positions, in [0, 1]."""
    free = (ground.height == 0) & (ground.trees < 0.9)
    asphalt = np.isin(ground.ground, (Material.ASPHALT, Material.FRESH_ASPHALT))
    road = asphalt & (ground.road_half > 0)
    town = ground.land_use < LandUse.PARK
    track = (ground.ground == Material.GRAVEL) | (road & ~town)
    other = np.isin(ground.ground, [int(code) for code in _OPEN_GROUND])
    suits = np.select([road & town, track, other], [_STREET, _COUNTRY_ROAD, _OPEN], 0.0)
    return np.where(free, suits, 0).astype(np.float32)


def _road_directions(city: City, x: Floats, y: Floats) -> Floats:
    """Return the compass direction of the road at positions, NaN where there is none."""
    step = np.float32(0.4)
    here, east, north = city.sample(x, y), city.sample(x + step, y), city.sample(x, y + step)
    across_x, across_y = east.road - here.road, north.road - here.road
    heading = np.degrees(np.arctan2(-across_y, across_x))
    on_road = (here.road_half > 0) & (east.road_half > 0) & (north.road_half > 0)
    return np.where(on_road, heading, np.nan).astype(np.float32)
