"""What the made city is made of: a spectrum for each material, and colours for the camera.

Reflectances are our own round numbers in the range of published spectral libraries, times
10,000, in the order of `records.SENTINEL2_L2A_BANDS`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from gair_cli.demo.noise import Floats


class Material(IntEnum):
    """Everything a ray or a pixel can meet."""

    ASPHALT = 0
    FRESH_ASPHALT = 1
    PAVEMENT = 2
    CONCRETE = 3
    GRAVEL = 4
    SOIL = 5
    SAND = 6
    GRASS = 7
    DRY_GRASS = 8
    WHEAT = 9
    MAIZE = 10
    RAPESEED = 11
    BROADLEAF = 12
    CONIFER = 13
    LAKE = 14
    RIVER = 15
    BALLAST = 16
    RUNNING_TRACK = 17
    TILE_ROOF = 18
    SLATE_ROOF = 19
    BITUMEN_ROOF = 20
    PALE_ROOF = 21
    WHITE_METAL_ROOF = 22
    BLUE_METAL_ROOF = 23
    COPPER_ROOF = 24
    SEDUM_ROOF = 25
    CONTAINER_RED = 26
    CONTAINER_BLUE = 27


_SPECTRA: Final[dict[Material, tuple[int, ...]]] = {
    Material.ASPHALT: (640, 730, 820, 890, 950, 1000, 1040, 1080, 1110, 1130, 1260, 1210),
    Material.FRESH_ASPHALT: (430, 480, 520, 560, 600, 630, 660, 690, 710, 720, 800, 780),
    Material.PAVEMENT: (1250, 1420, 1610, 1740, 1830, 1900, 1950, 2010, 2050, 2070, 2300, 2150),
    Material.CONCRETE: (1650, 1830, 2030, 2170, 2260, 2330, 2380, 2430, 2470, 2490, 2700, 2500),
    Material.GRAVEL: (1100, 1330, 1680, 1980, 2120, 2220, 2290, 2350, 2400, 2420, 2750, 2450),
    Material.SOIL: (620, 780, 1060, 1430, 1700, 1880, 2010, 2160, 2300, 2350, 3050, 2600),
    Material.SAND: (1500, 1850, 2400, 2900, 3100, 3250, 3350, 3450, 3550, 3560, 4000, 3600),
    Material.GRASS: (290, 360, 690, 440, 1080, 2650, 3250, 3480, 3680, 3720, 2100, 1050),
    Material.DRY_GRASS: (420, 560, 920, 900, 1450, 2400, 2760, 2950, 3100, 3150, 2700, 1700),
    Material.WHEAT: (620, 860, 1370, 1760, 2150, 2600, 2850, 3050, 3200, 3250, 3000, 1900),
    Material.MAIZE: (240, 300, 600, 330, 1000, 3050, 3950, 4250, 4450, 4450, 2150, 950),
    Material.RAPESEED: (330, 430, 1500, 1420, 1950, 3250, 3850, 4150, 4350, 4350, 2350, 1250),
    Material.BROADLEAF: (200, 240, 460, 270, 820, 2350, 2950, 3120, 3320, 3350, 1550, 700),
    Material.CONIFER: (150, 180, 310, 190, 500, 1500, 1950, 2080, 2220, 2260, 980, 420),
    Material.LAKE: (430, 410, 370, 230, 180, 140, 130, 110, 100, 95, 50, 30),
    Material.RIVER: (500, 530, 600, 430, 330, 230, 210, 190, 170, 150, 70, 45),
    Material.BALLAST: (700, 800, 920, 1060, 1150, 1220, 1280, 1330, 1370, 1390, 1700, 1600),
    Material.RUNNING_TRACK: (500, 560, 780, 1900, 2100, 2200, 2260, 2330, 2390, 2400, 2500, 2100),
    Material.TILE_ROOF: (500, 570, 800, 1750, 2080, 2240, 2350, 2500, 2620, 2680, 3000, 2500),
    Material.SLATE_ROOF: (560, 600, 640, 660, 690, 710, 730, 750, 770, 780, 900, 880),
    Material.BITUMEN_ROOF: (880, 960, 1050, 1120, 1170, 1210, 1240, 1280, 1300, 1310, 1500, 1450),
    Material.PALE_ROOF: (2000, 2250, 2480, 2630, 2700, 2750, 2790, 2830, 2860, 2880, 3000, 2800),
    Material.WHITE_METAL_ROOF: (
        3600, 3900, 4100, 4220, 4260, 4280, 4290, 4300, 4300, 4250, 4100, 3800,
    ),
    Material.BLUE_METAL_ROOF: (
        1250, 1750, 1550, 1100, 1150, 1350, 1600, 1800, 1900, 1950, 2200, 2000,
    ),
    Material.COPPER_ROOF: (
        800, 1150, 1500, 1050, 1080, 1150, 1230, 1320, 1400, 1430, 1800, 1700,
    ),
    Material.SEDUM_ROOF: (420, 540, 820, 800, 1250, 2000, 2350, 2500, 2620, 2660, 2300, 1500),
    Material.CONTAINER_RED: (550, 600, 700, 2000, 2300, 2400, 2450, 2500, 2550, 2560, 2300, 1900),
    Material.CONTAINER_BLUE: (900, 1300, 900, 600, 620, 900, 1300, 1500, 1600, 1650, 1900, 1700),
}  # fmt: skip

SPECTRA: Final[Floats] = np.array([_SPECTRA[m] for m in Material], dtype=np.float32)
"""Reflectance times 10,000, (materials, 12)."""

VEGETATION: Final = np.isin(
    np.arange(len(Material)),
    [
        Material.GRASS, Material.DRY_GRASS, Material.MAIZE, Material.RAPESEED, Material.BROADLEAF,
        Material.SEDUM_ROOF,
    ],
)  # fmt: skip
"""Which materials turn yellow when the season ends."""


class Wall(IntEnum):
    """What facades are made of."""

    RED_BRICK = 0
    BROWN_BRICK = 1
    WHITE_PLASTER = 2
    YELLOW_PLASTER = 3
    PINK_PLASTER = 4
    SANDSTONE = 5
    CONCRETE = 6
    PALE_PANEL = 7
    BLUE_GLASS = 8
    GREEN_GLASS = 9
    WHITE_METAL = 10
    BLUE_METAL = 11
    SLATE = 12
    WOOD = 13


WALL_COLOURS: Final[Floats] = np.array(
    [
        (0.30, 0.10, 0.065), (0.19, 0.115, 0.08), (0.62, 0.60, 0.55), (0.62, 0.47, 0.20),
        (0.58, 0.33, 0.26), (0.50, 0.41, 0.28), (0.33, 0.33, 0.31), (0.50, 0.49, 0.46),
        (0.13, 0.20, 0.28), (0.15, 0.21, 0.19), (0.66, 0.67, 0.68), (0.12, 0.25, 0.46),
        (0.11, 0.12, 0.13), (0.26, 0.15, 0.08),
    ],
    dtype=np.float32,
)  # fmt: skip
"""Linear RGB reflectance of each `Wall`."""


class Windows(IntEnum):
    """How windows are set into a facade."""

    PUNCHED = 0
    RIBBON = 1
    CURTAIN = 2
    INDUSTRIAL = 3


BUILDING_STYLES: Final = (
    (Wall.RED_BRICK, Material.TILE_ROOF, Windows.PUNCHED),
    (Wall.WHITE_PLASTER, Material.TILE_ROOF, Windows.PUNCHED),
    (Wall.YELLOW_PLASTER, Material.SLATE_ROOF, Windows.PUNCHED),
    (Wall.PINK_PLASTER, Material.TILE_ROOF, Windows.PUNCHED),
    (Wall.SANDSTONE, Material.COPPER_ROOF, Windows.PUNCHED),
    (Wall.BROWN_BRICK, Material.BITUMEN_ROOF, Windows.PUNCHED),
    (Wall.CONCRETE, Material.BITUMEN_ROOF, Windows.RIBBON),
    (Wall.PALE_PANEL, Material.PALE_ROOF, Windows.RIBBON),
    (Wall.BLUE_GLASS, Material.BITUMEN_ROOF, Windows.CURTAIN),
    (Wall.GREEN_GLASS, Material.PALE_ROOF, Windows.CURTAIN),
    (Wall.WHITE_METAL, Material.WHITE_METAL_ROOF, Windows.INDUSTRIAL),
    (Wall.BLUE_METAL, Material.BLUE_METAL_ROOF, Windows.INDUSTRIAL),
    (Wall.RED_BRICK, Material.BITUMEN_ROOF, Windows.INDUSTRIAL),
    (Wall.SLATE, Material.SLATE_ROOF, Windows.PUNCHED),
    (Wall.WOOD, Material.SEDUM_ROOF, Windows.PUNCHED),
)
"""(facade, roof, windows): a roof goes with its facade, so a photo and a pixel can agree."""

STYLE_WALL: Final = np.array([style[0] for style in BUILDING_STYLES], dtype=np.uint8)
STYLE_ROOF: Final = np.array([style[1] for style in BUILDING_STYLES], dtype=np.uint8)
STYLE_WINDOWS: Final = np.array([style[2] for style in BUILDING_STYLES], dtype=np.uint8)


def camera_colours() -> Floats:
    """Return linear RGB of each material as a camera sees it, (materials, 3), about [0, 1].

    Red, green and blue are B4, B3 and B2, a little more saturated, since a camera corrects for
    the haze that a satellite measures.
    """
    rgb = SPECTRA[:, [3, 2, 1]] / 10_000
    grey = rgb.mean(axis=1, keepdims=True)
    colours = np.clip(grey + (rgb - grey) * np.float32(1.35), 0.004, 1) * np.float32(1.25)
    return np.asarray(colours, dtype=np.float32)
