"""Say what is at any position of the made city: `City.sample` is the one source of truth.

The satellite scene, the street photos and the labels all ask it, so they agree. It is a pure
function of position: nothing of the city is kept in memory, whatever its size.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from gair_cli.demo.blocks import BUILDERS, Blocks, Filling
from gair_cli.demo.materials import STYLE_ROOF, Material
from gair_cli.demo.noise import Codes, Flags, Floats, Hashes, Ints, SmoothNoise, SmoothShift, mix, unit
from gair_cli.demo.plan import SITE_SPACING_M, CityPlan, LandUse, plan_city
from gair_cli.demo.trees import TreeLattice

PAVEMENT_M: Final = 2.6
CAR_M: Final = 1.6
RIVER_HALF_M: Final = 48.0
RAILWAY_HALF_M: Final = 7.0
_SITE_MARGIN: Final = 3
_CUT_JITTER: Final = 0.34
_MAIN_ROADS_M: Final = np.array([10.5, 7.6, 6.2], dtype=np.float32)
_COUNTRY_ROAD_M: Final = 3.6
_FAR_KEY: Final = 2**31 - 1
_KEY_BITS: Final = 4
_KEY_MASK: Final = 15
_CAR_SLOT_M: Final = 6.2
_CAR_LENGTH: Final = 0.70
_CAR_SHARE: Final = 0.42


@dataclass(slots=True)
class Ground:
    """What is at N positions, all arrays (N,).

    Attributes:
        ground: `Material` on the ground, under trees but not under buildings.
        height: Of the building in metres, 0 where none.
        eave: Height of its walls.
        style: Row of `BUILDING_STYLES`.
        along: Place along the nearest wall, metres.
        facing: Direction the nearest wall looks to, radians from east, counter-clockwise.
        building: Hash of the building.
        box: A container, not a building.
        trees: Density of trees.
        land_use: `LandUse`.
        road: Distance to the middle of the road, metres; 0 where there is none within reach.
        road_half: Half width of that road, 0 off the road.
        road_along: Place along the road, metres.
    """

    ground: Codes
    height: Floats
    eave: Floats
    style: Codes
    along: Floats
    facing: Floats
    building: Hashes
    box: Flags
    trees: Floats
    land_use: Codes
    road: Floats
    road_half: Floats
    road_along: Floats


@dataclass(frozen=True, slots=True)
class _Site:
    """The district of each position, and the way to its border."""

    index: Ints
    other: Ints
    border: Floats
    normal_x: Floats
    normal_y: Floats


@dataclass(frozen=True, slots=True)
class _Grid:
    """Position in the street grid of the district."""

    a: Floats
    b: Floats
    w: Floats
    h: Floats
    block: Hashes


class City:
    """A made city.

    Args:
        seed: Another seed is another city.
        extent_m: Edge of the square in metres; positions run from 0 to it, east and north.
    """

    __slots__ = ("_bend", "_patch", "_shore", "plan", "trees")

    def __init__(self, seed: int, extent_m: float) -> None:
        self.plan: CityPlan = plan_city(seed, extent_m)
        self.trees = TreeLattice(seed)
        self._bend = SmoothShift([seed, 3], wavelength_m=1300, reach_m=85)
        self._shore = SmoothNoise([seed, 4], wavelength_m=170)
        self._patch = SmoothNoise([seed, 5], wavelength_m=75)

    def sample(self, x: Floats, y: Floats) -> Ground:
        """Say what is at positions.

        Args:
            x: Metres east of the south-west corner, (N,) float32.
            y: Metres north of it, (N,) float32.

        Returns:
            What is there; outside the extent the city goes on for some hundred metres.
        """
        bent_x, bent_y = self._bend(x, y)
        site = self._site(bent_x, bent_y)
        grid = self._grid(site, bent_x, bent_y)
        ground = self._fill(site, grid, self._patch(x, y))
        self._lay_streets(ground, site, grid)
        self._lay_lakes(ground, site, x, y)
        self._lay_railway(ground, x, y)
        river = self._lay_river(ground, x, y)
        self._lay_main_roads(ground, site, river, bent_x, bent_y)
        return ground

    def cover(self, ground: Ground, x: Floats, y: Floats) -> tuple[Flags, Floats]:
        """Tell where trees cover the ground, and how high; never above buildings."""
        covered = np.zeros(len(x), dtype=np.bool_)
        height = np.zeros(len(x), dtype=np.float32)
        some = np.flatnonzero((ground.trees > 0) & (ground.height == 0))
        covered[some], height[some] = self.trees.cover(x[some], y[some], ground.trees[some])
        return covered, height

    def top_material(self, ground: Ground, covered: Flags) -> Codes:
        """Return the material that a satellite sees."""
        roof = STYLE_ROOF[ground.style]
        paint = np.where(ground.building & 1, Material.CONTAINER_RED, Material.CONTAINER_BLUE)
        roof = np.where(ground.box, np.where(ground.height < CAR_M, ground.ground, paint), roof)
        leaf = np.where(ground.ground == Material.CONIFER, Material.CONIFER, Material.BROADLEAF)
        below = np.where(covered, leaf, ground.ground)
        return np.where(ground.height > 0, roof, below).astype(np.uint8)

    def _site(self, x: Floats, y: Floats) -> _Site:
        """Find the nearest and the second nearest site: their border is a main road."""
        districts = self.plan.districts
        last = districts.columns - 2
        column = np.clip(np.floor(x / SITE_SPACING_M).astype(np.int32) + _SITE_MARGIN, 1, last)
        row = np.clip(np.floor(y / SITE_SPACING_M).astype(np.int32) + _SITE_MARGIN, 1, last)
        base = row * districts.columns + column
        near = np.full(len(x), _FAR_KEY, dtype=np.int32)
        second = near.copy()
        steps = [r * districts.columns + c for r in (-1, 0, 1) for c in (-1, 0, 1)]
        for number, step in enumerate(steps):
            candidate = base + step
            squared = (x - districts.x[candidate]) ** 2 + (y - districts.y[candidate]) ** 2
            key = (squared.astype(np.int32) << _KEY_BITS) | number
            second = np.minimum(second, np.maximum(near, key))
            near = np.minimum(near, key)
        walk = np.array(steps, dtype=np.int32)
        index, other = base + walk[near & _KEY_MASK], base + walk[second & _KEY_MASK]
        dx = districts.x[other] - districts.x[index]
        dy = districts.y[other] - districts.y[index]
        apart = np.sqrt(dx * dx + dy * dy) + np.float32(1e-3)
        nx, ny = dx / apart, dy / apart
        mid_x = (districts.x[other] + districts.x[index]) / 2
        mid_y = (districts.y[other] + districts.y[index]) / 2
        border = np.maximum((mid_x - x) * nx + (mid_y - y) * ny, 0)
        return _Site(index, other, border, nx, ny)

    def _grid(self, site: _Site, x: Floats, y: Floats) -> _Grid:
        """Place positions in the blocks of their district; blocks differ in size."""
        districts, index = self.plan.districts, site.index
        cosine, sine = np.cos(districts.angle)[index], np.sin(districts.angle)[index]
        dx, dy = x - districts.x[index], y - districts.y[index]
        u, v = cosine * dx + sine * dy, cosine * dy - sine * dx
        across, a, w = _cells(u, districts.block_w[index], index)
        along, b, h = _cells(v, districts.block_h[index], mix(index, across))
        return _Grid(a, b, w, h, mix(index, across, along))

    def _fill(self, site: _Site, grid: _Grid, patch: Floats) -> Ground:
        """Ask the builder of each land use for its positions."""
        districts = self.plan.districts
        use = districts.land_use[site.index]
        count = len(use)
        filling = _blank(count)
        inner = districts.street[site.index] + PAVEMENT_M
        border = site.border - self._main_half(site) - PAVEMENT_M
        for code in np.unique(use):
            rows = np.flatnonzero(use == code)
            district, cut = site.index[rows], inner[rows]
            a, b = grid.a[rows] - cut, grid.b[rows] - cut
            w, h = grid.w[rows] - 2 * cut, grid.h[rows] - 2 * cut
            edge = np.minimum(np.minimum(a, w - a), np.minimum(b, h - b))
            blocks = Blocks(
                a, b, w, h, np.minimum(edge, border[rows]), grid.block[rows],
                districts.styles[district], districts.height[district],
                districts.green[district], patch[rows],
            )  # fmt: skip
            _scatter(filling, rows, BUILDERS[LandUse(int(code))](blocks))
        quarter = np.float32(np.pi / 2) * filling.face
        zeros = np.zeros(count, dtype=np.float32)
        return Ground(
            filling.ground, filling.height, filling.eave, filling.style, filling.along,
            districts.angle[site.index] + quarter, filling.building, filling.box,
            filling.trees, use, zeros, zeros.copy(), zeros.copy(),
        )  # fmt: skip

    def _main_half(self, site: _Site) -> Floats:
        """Return the half width of the road on the border; both sides agree."""
        use = self.plan.districts.land_use
        country = np.minimum(use[site.index], use[site.other]) >= LandUse.FARMLAND
        road = _MAIN_ROADS_M[(site.index + site.other) % len(_MAIN_ROADS_M)]
        return np.where(country, np.float32(_COUNTRY_ROAD_M), road)

    def _lay_streets(self, ground: Ground, site: _Site, grid: _Grid) -> None:
        """Lay the streets between blocks: asphalt in town, gravel in parks and country."""
        half = self.plan.districts.street[site.index]
        edge_a = np.minimum(grid.a, grid.w - grid.a)
        edge_b = np.minimum(grid.b, grid.h - grid.b)
        edge = np.minimum(edge_a, edge_b)
        country = ground.land_use >= LandUse.PARK
        walk = (edge < half + PAVEMENT_M) & ~country
        _clear(ground, walk, Material.PAVEMENT)
        ground.trees[walk & (edge > half + 0.6)] = 0.16
        street = edge < half
        _clear(ground, street, Material.ASPHALT)
        ground.ground[street & country] = Material.GRAVEL
        along = np.where(edge_a < edge_b, grid.b, grid.a)
        town = street & ~country
        _mark_road(ground, town, distance=edge, half=half, along=along)
        _park_cars(ground, town, grid.block)

    def _lay_lakes(self, ground: Ground, site: _Site, x: Floats, y: Floats) -> None:
        """Flood the middle of the lake districts."""
        rows = np.flatnonzero(ground.land_use == LandUse.WATER)
        if not rows.size:
            return
        districts, index = self.plan.districts, site.index[rows]
        cosine, sine = np.cos(districts.angle)[index], np.sin(districts.angle)[index]
        dx, dy = x[rows] - districts.x[index], y[rows] - districts.y[index]
        away = np.hypot(0.75 * (cosine * dx + sine * dy), 1.25 * (cosine * dy - sine * dx))
        size = 180 + 70 * unit(mix(index))
        shore = np.minimum(site.border[rows] - 42, size - away)
        shore = shore + 45 * self._shore(x[rows], y[rows])
        _clear(ground, rows[shore > -7], Material.SAND)
        _clear(ground, rows[shore > 0], Material.LAKE)

    def _lay_railway(self, ground: Ground, x: Floats, y: Floats) -> None:
        """Lay two tracks on ballast, with a strip of dry grass beside them."""
        centre, slope = self.plan.railway.at(y)
        distance = np.abs(x - centre) / np.sqrt(1 + slope * slope)
        _clear(ground, distance < RAILWAY_HALF_M + 7, Material.DRY_GRASS)
        ground.trees[(distance < RAILWAY_HALF_M + 7) & (distance > RAILWAY_HALF_M + 3)] = 0.35
        _clear(ground, distance < RAILWAY_HALF_M, Material.BALLAST)

    def _lay_river(self, ground: Ground, x: Floats, y: Floats) -> Floats:
        """Cut the river with its banks; return the distance to the water, negative in it."""
        centre, slope = self.plan.river.at(x)
        width = RIVER_HALF_M + 16 * np.sin(x * np.float32(1 / 700))
        distance = np.abs(y - centre) / np.sqrt(1 + slope * slope) - width
        town = ground.land_use < LandUse.PARK
        bank = distance < 22
        _clear(ground, bank, Material.GRASS)
        ground.trees[bank & (distance > 6)] = 0.4
        _clear(ground, (distance < 6) & town, Material.PAVEMENT)
        _clear(ground, (distance < 3) & ~town, Material.SAND)
        _clear(ground, distance < 0, Material.RIVER)
        return np.asarray(distance, dtype=np.float32)

    def _lay_main_roads(
        self, ground: Ground, site: _Site, river: Floats, x: Floats, y: Floats
    ) -> None:
        """Lay the roads between districts, and bridges where they cross the river."""
        half = self._main_half(site)
        _, slope = self.plan.river.at(x)
        along_river = np.abs(site.normal_x + site.normal_y * slope) / np.sqrt(1 + slope * slope)
        free = (river > 8) | (along_river > 0.72)
        walk = (site.border < half + PAVEMENT_M) & free
        _clear(ground, walk, Material.PAVEMENT)
        ground.trees[walk & (site.border > half + 0.6) & (river > 2)] = 0.45
        ground.ground[walk & (half < _COUNTRY_ROAD_M + 1)] = Material.DRY_GRASS
        road = (site.border < half) & free
        _clear(ground, road, Material.FRESH_ASPHALT)
        along = site.normal_x * y - site.normal_y * x
        _mark_road(ground, road, distance=site.border, half=half, along=along)


def _cells(position: Floats, size: Floats, key: Ints | Hashes) -> tuple[Ints, Floats, Floats]:
    """Cut a line into cells of unlike length: number, place inside, and length."""
    number = np.floor(position / size).astype(np.int32)
    number = number - (position < _cut_at(number, size, key))
    start, end = _cut_at(number, size, key), _cut_at(number + 1, size, key)
    return number, position - start, end - start


def _cut_at(number: Ints, size: Floats, key: Ints | Hashes) -> Floats:
    return (number + np.float32(_CUT_JITTER) * unit(mix(number, key))) * size


def _blank(count: int) -> Filling:
    zeros = np.zeros(count, dtype=np.float32)
    codes = np.zeros(count, dtype=np.uint8)
    hashes = np.zeros(count, dtype=np.uint32)
    return Filling(
        codes, zeros, zeros.copy(), codes.copy(), zeros.copy(), codes.copy(), hashes,
        zeros.copy(), np.zeros(count, dtype=np.bool_),
    )  # fmt: skip


def _scatter(target: Filling, rows: Ints, source: Filling) -> None:
    for item in fields(Filling):
        getattr(target, item.name)[rows] = getattr(source, item.name)


def _clear(ground: Ground, where: Flags | Ints, material: Material) -> None:
    """Remove what stands there and lay a material; a road that was there goes too."""
    ground.ground[where] = material
    for values in (ground.height, ground.eave, ground.trees, ground.road, ground.road_half):
        values[where] = 0
    ground.box[where] = False


def _park_cars(ground: Ground, street: Flags, block: Hashes) -> None:
    """Park cars along the kerbs: a bonnet, a cabin, a boot, in slots of equal length."""
    kerb = ground.road_half - ground.road
    rows = np.flatnonzero(street & (kerb > 0.3) & (kerb < 2.1) & (ground.road_half > 3.6))
    slot = np.floor(ground.road_along[rows] / _CAR_SLOT_M)
    place = ground.road_along[rows] / _CAR_SLOT_M - slot
    car = mix(block[rows], slot.astype(np.int32))
    parked = (place < _CAR_LENGTH) & (unit(car) < _CAR_SHARE)
    rows, car, place = rows[parked], car[parked], place[parked] / _CAR_LENGTH
    cabin = (place > 0.2) & (place < 0.8)
    ground.height[rows] = ground.eave[rows] = np.where(cabin, 1.45, 0.88).astype(np.float32)
    ground.building[rows] = car
    ground.box[rows] = True


def _mark_road(
    ground: Ground, where: Flags, *, distance: Floats, half: Floats, along: Floats
) -> None:
    """Remember the road's geometry for its markings."""
    ground.road[where] = distance[where]
    ground.road_half[where] = half[where]
    ground.road_along[where] = along[where]
