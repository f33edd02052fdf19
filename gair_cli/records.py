"""Words that every module shares: axis orders, band names, spaces, modalities, statuses.

Coordinates are longitude before latitude in degrees, bounds are west, south, east, north, a
transform is (a, b, c, d, e, f) as in rasterio, and a position inside a tile is (x, y) in [-1, 1]:
x follows columns and y follows rows, so the top left corner of the array is (-1, -1).
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

Space: TypeAlias = Literal["joint", "encoder"]
Modality: TypeAlias = Literal["rs", "sv", "location", "rs_at"]
Status: TypeAlias = Literal["ok", "nodata", "outside", "unreadable"]
Transform: TypeAlias = tuple[float, float, float, float, float, float]
Bounds: TypeAlias = tuple[float, float, float, float]

SPACES: Final[tuple[Space, ...]] = ("joint", "encoder")
MODALITIES: Final[tuple[Modality, ...]] = ("rs", "sv", "location", "rs_at")

SENTINEL2_BANDS: Final = (
    "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12",
)  # fmt: skip
"""All thirteen bands of Sentinel-2, in the order of the instrument."""

SENTINEL2_L2A_BANDS: Final = tuple(band for band in SENTINEL2_BANDS if band != "B10")
"""The twelve bands of a surface-reflectance product: no cirrus band."""

EARTH_RADIUS_M: Final = 6_371_008.8
"""Mean radius of the Earth (IUGG), for great-circle distances."""


def canonical_band(name: str) -> str:
    """Return a band's name as gair spells it: `b02` and `B02` are `B2`, others stay.

    Args:
        name: A band name as found in a file or an option.

    Returns:
        The name used for matching.
    """
    text = name.strip()
    upper = text.upper()
    if len(upper) > 1 and upper[0] == "B" and upper[1:].rstrip("A").isdigit():
        candidate = "B" + upper[1:].lstrip("0")
        if candidate in SENTINEL2_BANDS:
            return candidate
    return text
