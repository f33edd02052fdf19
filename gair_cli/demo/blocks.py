"""Which builder fills the blocks of which land use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gair_cli.demo.buildings import centre, estate, houses, industry, towers
from gair_cli.demo.greens import farmland, forest, park
from gair_cli.demo.plan import LandUse

if TYPE_CHECKING:
    from collections.abc import Callable

    from gair_cli.demo.lots import Blocks, Filling

BUILDERS: Final[dict[LandUse, Callable[[Blocks], Filling]]] = {
    LandUse.TOWERS: towers,
    LandUse.CENTRE: centre,
    LandUse.ESTATE: estate,
    LandUse.HOUSES: houses,
    LandUse.INDUSTRY: industry,
    LandUse.PARK: park,
    LandUse.FARMLAND: farmland,
    LandUse.FOREST: forest,
    LandUse.WATER: park,
}
