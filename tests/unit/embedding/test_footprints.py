"""Query nili-fine through the loops: metres become tile units, rasters have their pixel's scale."""

import numpy as np
import pytest
import rasterio
import torch

from gair_cli.data.transforms import RsInput
from gair_cli.embedding.localised import embed_at
from gair_cli.embedding.raster import RasterOptions, Working, embed_raster
from gair_cli.embedding.scenes import open_scene
from gair_cli.geo.coordinates import to_lonlat
from gair_cli.geo.tileset import TileSet
from gair_cli.geo.tiling import TilingOptions, tile_scenes
from gair_cli.models.config import FineConfig, ModelConfig, RsConfig
from gair_cli.models.gair import new_model


@pytest.fixture(scope="module")
def fine():
    """A model whose fine path says something, for the made scene's two bands."""
    given = RsInput(("B2", "B8"), (1500.0, 2200.0), (500.0, 900.0), 32, nodata=0)
    rs = RsConfig(given, patch=8, width=8, depth=1, heads=2)
    config = ModelConfig(dim=6, rs=rs, query="nili-fine", fine=FineConfig((4, 5), 9))
    model = new_model(config, seed=0).eval()
    torch.nn.init.normal_(model.fine.down.weight)
    return model


@pytest.fixture(scope="module")
def tiles(scene_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tileset") / "tiles"
    tile_scenes([scene_file], folder, options=TilingOptions(size=32))
    return TileSet.open(folder)


def places(count=20):
    metres = np.random.default_rng(0).uniform(420, 1250, (count, 2))
    return to_lonlat(metres * [1, -1] + [400_000, 5_800_000], "EPSG:32633")


def test_a_radius_is_in_metres_on_the_ground(fine, tiles):
    lonlat, radius = places(), np.linspace(0, 90, 20)
    found = embed_at(fine, tiles, lonlat, radius_m=radius, space="encoder")
    from gair_cli.geo.locator import TileLocator

    located = TileLocator(tiles.index).locate(lonlat)
    for row in (0, 7, 19):
        array = tiles.read([int(located.row[row])], bands=["B2", "B8"])
        with torch.inference_mode():
            field = fine.encode_tiles(
                fine.config.rs.input.prepare_many(array), size_m=torch.tensor([[320.0, 320.0]])
            )
            xy = torch.tensor(located.xy[row : row + 1], dtype=torch.float32)
            told = torch.tensor([radius[row]], dtype=torch.float32)
            wanted = fine.localize(field, xy, radius_m=told)
        # a unit of UTM is a metre to 4 in 10,000
        np.testing.assert_allclose(found.vectors[row], wanted[0].numpy(), atol=2e-3)


def test_a_radius_changes_what_is_read_and_zeros_are_points(fine, tiles):
    lonlat = places()
    points = embed_at(fine, tiles, lonlat, space="encoder").vectors
    zeros = embed_at(fine, tiles, lonlat, radius_m=np.zeros(20), space="encoder").vectors
    mixed = embed_at(fine, tiles, lonlat, radius_m=np.eye(20)[0] * 50, space="encoder").vectors
    wide = embed_at(fine, tiles, lonlat, radius_m=50.0, space="encoder").vectors
    np.testing.assert_array_equal(points, zeros)
    np.testing.assert_allclose(mixed[1:], points[1:], atol=1e-4)
    assert np.abs(wide - points).max(axis=1).min() > 1e-3
    np.testing.assert_allclose(mixed[0], wide[0], atol=1e-4)


def raster(model, scene_file, output, *, res_m, working=None):
    scene = open_scene(scene_file, model.config.rs.input)
    options = RasterOptions(res_m=res_m, space="encoder")
    embed_raster(model, scene, output, options=options, working=working)
    with rasterio.open(output) as file:
        return file.read()


def test_a_raster_depends_on_place_and_pixel_size_alone(fine, scene_file, tmp_path):
    whole = raster(fine, scene_file, tmp_path / "a.tif", res_m=20)
    parts = Working(window=23, batch_size=2, cache_bytes=1)
    again = raster(fine, scene_file, tmp_path / "b.tif", res_m=20, working=parts)
    assert np.isfinite(whole).any()
    np.testing.assert_allclose(again, whole, atol=1e-4)
    # a coarser raster is read over larger footprints: no subsample of a finer one
    coarse = raster(fine, scene_file, tmp_path / "c.tif", res_m=60)
    middle = whole[:, 1::3, 1::3][:, : coarse.shape[1], : coarse.shape[2]]
    both = np.isfinite(coarse[:, : middle.shape[1], : middle.shape[2]]) & np.isfinite(middle)
    gap = np.abs(coarse[:, : middle.shape[1], : middle.shape[2]] - middle)[both]
    assert gap.max() > 1e-2
