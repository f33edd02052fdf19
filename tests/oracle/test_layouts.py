"""Tiles of a raster of any layout are, byte for byte, the windows that rasterio reads."""

from __future__ import annotations

import pytest
import rasterio
from made_rasters import every_kind, make
from oracle.comparing import assert_equals_reference, tiled
from oracle.reference import cut
from rasterio.windows import Window

# tiles that straddle blocks, leap over pixels, are larger than blocks, or the whole raster
CUTS = (
    {"size": 24, "stride": 20},
    {"size": 32, "partial": "shift"},
    {"size": 17, "stride": 29},
    {"size": 45, "stride": 11},
    {"size": None},
)
KINDS = every_kind()


@pytest.mark.parametrize(
    ("kind", "cuts"),
    [(kind, CUTS[number % len(CUTS)]) for number, kind in enumerate(KINDS)],
    ids=[str(kind) for kind in KINDS],
)
def test_tiles_of_every_layout_are_the_windows_of_the_raster(kind, cuts, tmp_path):
    made = make(kind, tmp_path)
    expected = cut(made.pixels, **cuts)
    assert_equals_reference(tiled(made.path, tmp_path / "tiles", **cuts), expected)
    with rasterio.open(made.path) as raster:
        for tile in expected[:: max(1, len(expected) // 4)]:
            height, width = tile.pixels.shape[1:]
            window = Window(tile.left, tile.top, width, height)
            assert raster.read(window=window).tobytes() == tile.pixels.tobytes()
