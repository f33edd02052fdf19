"""What is at positions of the city: the record that all layers fill and all pictures read."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gair_cli.demo.materials import Material
    from gair_cli.demo.noise import Codes, Flags, Floats, Hashes, Ints

PAVEMENT_M: Final = 2.6
CAR_M: Final = 1.6
"""Boxes lower than this are cars, higher ones containers."""


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

    def rows(self, numbers: Ints) -> Ground:
        """Return the positions of the given numbers."""
        return Ground(*(getattr(self, item.name)[numbers] for item in fields(self)))


def clear(ground: Ground, where: Flags | Ints, material: Material) -> None:
    """Remove what stands there and lay a material; a road that was there goes too."""
    ground.ground[where] = material
    for values in (ground.height, ground.eave, ground.trees, ground.road, ground.road_half):
        values[where] = 0
    ground.box[where] = False
