"""Real scenes, tiled, against rasterio and numpy: pixels, statistics, shares, and clear errors."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from oracle.comparing import assert_equals_reference, by_place, tiled
from oracle.reference import cut

from gair_cli.geo.tileset import TileSet

LARGE = 3_000_000
BANDS = (1, 2, 3, 4, 5, 6, 7, 9, 10, 11)


def pixels_of(path):
    with rasterio.open(path) as raster:
        return raster.read(), raster.nodata


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # rasterio calls affine's old way
def test_every_real_raster_equals_the_reference_byte_by_byte(shared_data, tmp_path):
    paths = sorted(shared_data.rglob("*.tif"))
    assert len(paths) >= 30
    for number, path in enumerate(paths):
        pixels, nodata = pixels_of(path)
        cuts = {"size": 512} if pixels.size > LARGE else {"size": 96, "stride": 71}
        cuts["partial"] = "shift"
        tiles = tiled(path, tmp_path / str(number), **cuts)
        assert_equals_reference(tiles, cut(pixels, nodata=nodata, **cuts))


def test_stack_without_a_nodata_tag_takes_the_value_that_is_given(shared_data, gair, tmp_path):
    folder = shared_data / "s2-scene" / "bands"
    words = ("--stack", "--nodata", 255, "--size", 256, "--bands", "B2,B8", "--partial", "pad")
    result = gair("tile", folder, *words, "-o", tmp_path / "tiles")
    assert result.exit_code == 0, result.stderr
    pixels = np.concatenate([pixels_of(folder / f"B0{band}.tif")[0] for band in (2, 8)])
    expected = cut(pixels, size=256, partial="pad", nodata=255)
    assert len(expected) < 9 * 11  # a third of the scene is none
    assert_equals_reference(TileSet.open(tmp_path / "tiles"), expected)


def test_quality_band_of_a_real_landsat_scene_gives_its_cloud_shares(shared_data, gair, tmp_path):
    folder = shared_data / "landsat8"
    words = ("--size", 64, "--cloud-source", "bqa", "-o", tmp_path / "tiles")
    result = gair("tile", folder, *words)
    assert result.exit_code == 0, result.stderr
    tiles = TileSet.open(tmp_path / "tiles")
    assert tiles.info.bands == tuple(f"B{band}" for band in BANDS)
    pixels = np.concatenate([pixels_of(folder / f"l8_B{band}.tif")[0] for band in BANDS])
    expected = cut(pixels, size=64, nodata=0)
    assert_equals_reference(tiles, expected)
    quality = pixels_of(folder / "l8_BQA.tif")[0][0]
    cloudy = quality >> 14 & 0b11 == 0b11
    found = by_place(tiles)
    shares = {}
    for tile in expected:
        part = cloudy[tile.top : tile.top + 64, tile.left : tile.left + 64]
        shares[tile.row, tile.col] = (part & tile.valid.any(axis=0)).mean()
        row, _ = found[tile.row, tile.col]
        assert row["cloud_fraction"] == pytest.approx(shares[tile.row, tile.col], abs=1e-6)
    assert max(shares.values()) > 0.2  # the scene is cloudy


def test_picture_of_the_whole_earth_without_a_place_is_refused_naming_it(
    shared_data, gair, tmp_path
):
    path = shared_data / "global" / "blue_marble.jpg"
    for words in ((), ("--assume-crs", "EPSG:4326")):
        result = gair("tile", path, "-o", tmp_path / "tiles", *words)
        assert result.exit_code == 4
        assert "blue_marble.jpg has no" in result.stderr.splitlines()[0]
        assert result.stderr.splitlines()[1].startswith("hint: ")
        assert not (tmp_path / "tiles").exists()
