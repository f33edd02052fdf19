"""Say what is at any position of the made city: `City.sample` is the one source of truth.

The satellite scene, the street photos and the labels all ask it, so they agree. It is a pure
function of position: nothing of the city is kept in memory, whatever its size.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from gair_cli.demo.blocks import BUILDERS
from gair_cli.demo.lots import Blocks, Filling
from gair_cli.demo.materials import STYLE_ROOF, Material
from gair_cli.demo.noise import SmoothNoise, SmoothShift
from gair_cli.demo.plan import CityPlan, LandUse, plan_city
from gair_cli.demo.sites import Grid, Site, find_block, find_site
from gair_cli.demo.streets import lay_main_roads, lay_streets, main_road_half
from gair_cli.demo.terrain import CAR_M, PAVEMENT_M, Ground
from gair_cli.demo.trees import TreeLattice
from gair_cli.demo.waterways import lay_lakes, lay_railway, lay_river

if TYPE_CHECKING:
    from gair_cli.demo.noise import Codes, Flags, Floats, Ints


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
        plan = self.plan
        bent_x, bent_y = self._bend(x, y)
        site = find_site(plan.districts, bent_x, bent_y)
        grid = find_block(plan.districts, site, bent_x, bent_y)
        ground = self._fill(site, grid, self._patch(x, y))
        lay_streets(plan, ground, site, grid)
        lay_lakes(plan, ground, site, shores=self._shore, x=x, y=y)
        lay_railway(plan, ground, x=x, y=y)
        river = lay_river(plan, ground, x=x, y=y)
        lay_main_roads(plan, ground, site, river=river, x=bent_x, y=bent_y)
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

    def _fill(self, site: Site, grid: Grid, patch: Floats) -> Ground:
        """Ask the builder of each land use for its positions; streets are laid later."""
        districts = self.plan.districts
        use = districts.land_use[site.index]
        count = len(use)
        filling = _blank(count)
        inner = districts.street[site.index] + PAVEMENT_M
        border = site.border - main_road_half(districts, site) - PAVEMENT_M
        reach = np.where(use < LandUse.PARK, inner, inner - PAVEMENT_M)
        inside = np.minimum(grid.edge_a, grid.edge_b) >= reach
        for code in np.unique(use):
            rows = np.flatnonzero((use == code) & inside)
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
