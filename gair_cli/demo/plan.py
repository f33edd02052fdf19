# ruff: noqa: PLR2004 - the numbers are the drawing: metres and shares, read where they are used
"""Plan a made city: where its centres, districts, river and railway lie.

The plan is a few small tables. All detail follows from them by position, so a larger extent is a
larger city: one centre that grows with it, and satellite towns around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gair_cli.demo.noise import Codes, Floats

SITE_SPACING_M: Final = 640.0
SITE_MARGIN: Final = 3
_CURVE_STEP_M: Final = 20.0
_FAR_M: Final = 1e9


class LandUse(IntEnum):
    """What a district is for; the label of a point."""

    TOWERS = 0
    CENTRE = 1
    ESTATE = 2
    HOUSES = 3
    INDUSTRY = 4
    PARK = 5
    FARMLAND = 6
    FOREST = 7
    WATER = 8


@dataclass(frozen=True, slots=True)
class Districts:
    """One row a district; the row of a site is `iy * columns + ix`.

    Attributes:
        columns: Number of sites along x (and y).
        x: Site positions in metres, (sites,).
        y: The same, northwards.
        land_use: `LandUse` codes.
        angle: Direction of the street grid, radians.
        block_w: Mean length of a block along the first street direction, metres.
        block_h: Mean length along the second.
        street: Half width of a street, metres.
        styles: Building styles, first, second and rare, (sites, 3).
        height: Factor on building heights.
        green: Share of the open ground that trees cover.
    """

    columns: int
    x: Floats
    y: Floats
    land_use: Codes
    angle: Floats
    block_w: Floats
    block_h: Floats
    street: Floats
    styles: Codes
    height: Floats
    green: Floats


@dataclass(frozen=True, slots=True)
class Curve:
    """A river or railway: offset across as a table along one axis.

    Attributes:
        offsets: Centre line at each step, metres.
        slopes: Its slope at each step.
        start: Where the table begins, metres.
    """

    offsets: Floats
    slopes: Floats
    start: float

    def near(self, across: Floats, along: Floats, *, reach_m: float) -> bool:
        """Tell whether any of the positions can lie within a distance of the line."""
        first, last = (
            int(np.clip((float(edge) - self.start) // _CURVE_STEP_M, 0, len(self.offsets) - 1))
            for edge in (along.min(initial=_FAR_M), along.max(initial=-_FAR_M))
        )
        part = self.offsets[first : last + 2]
        if not part.size or not across.size:
            return False
        reach = reach_m * (1 + float(np.abs(self.slopes[first : last + 2]).max()))
        return bool(across.min() < part.max() + reach and across.max() > part.min() - reach)

    def at(self, along: Floats) -> tuple[Floats, Floats]:
        """Return offset and slope of the centre line at positions along the axis."""
        place = np.clip((along - self.start) / _CURVE_STEP_M, 0, len(self.offsets) - 1.001)
        step = place.astype(np.int32)
        share = place - step
        offset = self.offsets[step] + share * (self.offsets[step + 1] - self.offsets[step])
        return offset, self.slopes[step]


@dataclass(frozen=True, slots=True)
class CityPlan:
    """Everything that a seed and an extent decide.

    Attributes:
        seed: The seed.
        extent_m: Edge of the square, metres; positions run from 0 to it, north and east.
        districts: The districts.
        river: Centre line as y of x.
        railway: Centre line as x of y.
    """

    seed: int
    extent_m: float
    districts: Districts
    river: Curve
    railway: Curve


def plan_city(seed: int, extent_m: float) -> CityPlan:
    """Draw the plan of a city.

    Args:
        seed: Any number; another seed is another city.
        extent_m: Edge of the square in metres.

    Returns:
        The plan; the same arguments give the same plan.
    """
    generator = np.random.default_rng([seed, 1])
    river = _curve(generator, extent_m, middle=0.40, swing=0.10)
    railway = _curve(generator, extent_m, middle=0.62, swing=0.05)
    return CityPlan(seed, extent_m, _districts(generator, extent_m), river, railway)


def _curve(
    generator: np.random.Generator, extent_m: float, *, middle: float, swing: float
) -> Curve:
    """Add three waves to a slanted line."""
    along = np.arange(-2000, extent_m + 2000, _CURVE_STEP_M)
    offset = (middle + generator.uniform(-0.06, 0.06)) * extent_m
    line = offset + generator.uniform(-0.12, 0.12) * (along - extent_m / 2)
    for wave_m, height_m in ((9000, swing * min(extent_m, 9000)), (3300, 170), (1400, 45)):
        wave = 2 * np.pi * along / (wave_m * generator.uniform(0.8, 1.2))
        line += height_m * np.sin(wave + generator.uniform(0, 2 * np.pi))
    slopes = np.gradient(line, _CURVE_STEP_M)
    return Curve(line.astype(np.float32), slopes.astype(np.float32), float(along[0]))


def _districts(generator: np.random.Generator, extent_m: float) -> Districts:
    columns = int(np.ceil(extent_m / SITE_SPACING_M)) + 2 * SITE_MARGIN
    iy, ix = np.divmod(np.arange(columns**2), columns)
    jitter = generator.uniform(-0.36, 0.36, (2, columns**2))
    x = (ix - SITE_MARGIN + 0.5 + jitter[0]) * SITE_SPACING_M
    y = (iy - SITE_MARGIN + 0.5 + jitter[1]) * SITE_SPACING_M
    use = _land_uses(generator, _urbanity(generator, x, y, extent_m))
    shape = _SHAPES[use]
    random = generator.random((5, columns**2))
    return Districts(
        columns=columns,
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        land_use=use.astype(np.uint8),
        angle=_angles(generator, x, y, extent_m),
        block_w=(shape[:, 0] * (0.8 + 0.4 * random[0])).astype(np.float32),
        block_h=(shape[:, 1] * (0.8 + 0.4 * random[1])).astype(np.float32),
        street=(shape[:, 2] * (0.85 + 0.3 * random[2])).astype(np.float32),
        styles=_styles(generator, use),
        height=(0.7 + 0.6 * random[3]).astype(np.float32),
        green=(shape[:, 3] * (0.4 + 1.2 * random[4])).astype(np.float32),
    )


_SHAPES: Final = np.array(
    [
        (105, 85, 7.5, 0.10), (95, 75, 6.5, 0.12), (190, 130, 5.0, 0.28), (140, 62, 4.0, 0.30),
        (230, 170, 6.0, 0.05), (170, 120, 2.0, 0.30), (290, 190, 1.8, 0.00),
        (330, 330, 2.0, 0.93), (260, 260, 2.0, 0.35),
    ],
)  # fmt: skip
"""Block length, block width, half street width (m) and tree share, by land use."""

_STYLES: Final = {
    LandUse.TOWERS: (8, 9, 6, 7),
    LandUse.CENTRE: (0, 2, 3, 4, 5, 13, 1),
    LandUse.ESTATE: (6, 7, 5, 2),
    LandUse.HOUSES: (1, 0, 3, 13, 14, 2),
    LandUse.INDUSTRY: (10, 11, 12, 6),
}


def _styles(generator: np.random.Generator, use: NDArray[np.int64]) -> Codes:
    """Give each district its own three styles out of those of its land use."""
    result = np.zeros((len(use), 3), dtype=np.uint8)
    for row, code in enumerate(use):
        choices = _STYLES.get(LandUse(int(code)), (1, 14, 0))
        result[row] = generator.permutation(choices)[:3]
    return result


def _urbanity(
    generator: np.random.Generator, x: Floats, y: Floats, extent_m: float
) -> NDArray[np.float64]:
    """Return 1 in the middle of the main centre and 0 in the country."""
    main = (0.5 + generator.uniform(-0.07, 0.07, 2)) * extent_m
    radius_m = min(0.34 * extent_m, 9000.0)
    result = np.exp(-(np.hypot(x - main[0], y - main[1]) ** 2) / (2 * (0.62 * radius_m) ** 2))
    for _ in range(int((extent_m / 5000) ** 2)):
        town = generator.uniform(0.05, 0.95, 2) * extent_m
        size_m, rank = generator.uniform(500, 1300), generator.uniform(0.35, 0.75)
        distance = np.hypot(x - town[0], y - town[1])
        result = np.maximum(result, rank * np.exp(-(distance**2) / (2 * size_m**2)))
    return np.asarray(result + generator.normal(0, 0.07, len(x)), dtype=np.float64)


def _land_uses(generator: np.random.Generator, urbanity: NDArray[np.float64]) -> NDArray[np.int64]:
    """Choose by urbanity, then sprinkle parks, industry, lakes and forests."""
    random = generator.random((2, len(urbanity)))
    country = np.where(random[0] < 0.68, LandUse.FARMLAND, LandUse.FOREST)
    country = np.where(random[0] > 0.94, LandUse.WATER, country)
    use = np.select(
        [urbanity > 0.90, urbanity > 0.62, urbanity > 0.42, urbanity > 0.17],
        [
            np.where(random[0] < 0.6, LandUse.TOWERS, LandUse.CENTRE),
            np.where(random[0] < 0.8, LandUse.CENTRE, LandUse.ESTATE),
            np.where(random[0] < 0.45, LandUse.ESTATE, LandUse.HOUSES),
            np.where(random[0] < 0.80, LandUse.HOUSES, LandUse.ESTATE),
        ],
        country,
    )
    town = (urbanity > 0.17) & (urbanity < 0.92)
    use = np.where(town & (random[1] < 0.09), LandUse.PARK, use)
    use = np.where(town & (random[1] > 0.965), LandUse.WATER, use)
    edge = (urbanity > 0.12) & (urbanity < 0.55)
    chosen = np.where(edge & (random[1] > 0.76) & (random[1] < 0.94), LandUse.INDUSTRY, use)
    return np.asarray(chosen, dtype=np.int64)


def _angles(generator: np.random.Generator, x: Floats, y: Floats, extent_m: float) -> Floats:
    """Turn the street grids around the centre, with a will of their own."""
    around = np.arctan2(y - extent_m / 2, x - extent_m / 2)
    return np.asarray(around + generator.normal(0, 0.35, len(x)), dtype=np.float32)
