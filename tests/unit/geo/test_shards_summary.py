"""What a folder of training shards says about its tiles."""

import json

import numpy as np
import polars as pl
import pytest
import shapely

from gair_cli.geo.rasters import write_geotiff
from gair_cli.geo.shards_summary import pooled_statistics, tiles_metadata
from gair_cli.geo.tile_plan import TilingOptions
from gair_cli.geo.tileset import TileSet
from gair_cli.geo.tiling import tile_scenes


def made_tiles(folder, pixels, *, west=5e5, crs="EPSG:32633"):
    transform = (100.0, 0.0, west, 0.0, -100.0, 4e5)
    write_geotiff(folder / "scene.tif", pixels, crs=crs, transform=transform, nodata=0)
    tile_scenes([folder / "scene.tif"], folder / "tiles", options=TilingOptions(size=8))
    return TileSet.open(folder / "tiles")


@pytest.fixture
def uneven(tmp_path):
    """Two tiles; band 0 has a hole in the first one where band 1 has values."""
    pixels = np.random.default_rng(0).integers(1, 200, (2, 8, 16)).astype(np.uint8)
    pixels[0, :7, :8] = 0
    return made_tiles(tmp_path, pixels), pixels


def test_statistics_of_all_tiles_are_those_of_the_valid_pixels_of_each_band(uneven):
    tiles, pixels = uneven
    found = pooled_statistics(tiles.index, tiles)
    for one, band in zip(found, pixels, strict=True):
        valid = band[band > 0].astype(float)
        assert one.count == valid.size
        assert (one.minimum, one.maximum) == (valid.min(), valid.max())
        assert (one.mean, one.std) == pytest.approx((valid.mean(), valid.std()))


def test_statistics_of_some_tiles_are_their_own(uneven):
    tiles, pixels = uneven
    some = tiles.index.filter(pl.col("col") == 1)
    found = pooled_statistics(some, tiles)
    for one, band in zip(found, pixels[:, :, 8:].astype(float), strict=True):
        assert one.count == 64
        assert (one.mean, one.std) == pytest.approx((band.mean(), band.std()))


def test_metadata_of_a_tile_over_the_antimeridian(tmp_path):
    tiles = made_tiles(tmp_path, np.ones((1, 8, 8), np.uint8), west=166_300, crs="EPSG:32601")
    geo = json.loads(tiles_metadata(tiles.index)["geo"])["columns"]["geometry"]
    outline = shapely.from_wkb(tiles.index["geometry"][0])
    assert geo["geometry_types"] == [outline.geom_type] == ["MultiPolygon"]
    assert geo["bbox"][0::2] == [-180, 180]
    assert geo["bbox"][1::2] == pytest.approx(outline.bounds[1::2])


def test_photos_alone_have_neither_statistics_nor_geometry():
    none = pl.DataFrame(schema={"tile_id": pl.String})
    assert pooled_statistics(none, None) == ()
    assert tiles_metadata(none) == {}
