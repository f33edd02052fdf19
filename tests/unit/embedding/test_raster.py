"""An embedding raster depends on place alone: not on windows, batches, memory or the box."""

import numpy as np
import pytest
import rasterio

from gair_cli.embedding.raster import (
    RasterOptions,
    Working,
    embed_raster,
    plan_raster,
    refuse_large,
)
from gair_cli.embedding.scenes import open_scene
from gair_cli.errors import DataError, UsageError
from gair_cli.geo.rasters import raster_info, write_geotiff


def read(path):
    with rasterio.open(path) as file:
        return file.read(), file.nodata


def run(net, scene_file, output, *, working=None, **options):
    scene = open_scene(scene_file, net.config.rs.input)
    embed_raster(net, scene, output, options=RasterOptions(**options), working=working)
    return read(output)[0]


@pytest.fixture(scope="module")
def whole(net, scene_file, tmp_path_factory):
    return run(net, scene_file, tmp_path_factory.mktemp("whole") / "emb.tif", res_m=20)


@pytest.mark.parametrize("working", [Working(window=29), Working(window=64, batch_size=3),
                                     Working(window=1000, cache_bytes=1)])  # fmt: skip
def test_any_window_batch_and_memory_gives_the_same_values(
    net, scene_file, whole, tmp_path, working
):
    again = run(net, scene_file, tmp_path / "emb.tif", res_m=20, working=working)
    np.testing.assert_allclose(again, whole, atol=1e-5)


def test_a_box_only_selects_pixels_of_the_same_grid(net, scene_file, whole, tmp_path):
    from gair_cli.geo.coordinates import to_lonlat

    corners = to_lonlat(np.array([[400_500.0, 5_799_000.0], [401_100.0, 5_799_600.0]]),
                        "EPSG:32633")  # fmt: skip
    path = tmp_path / "box.tif"
    part = run(net, scene_file, path, res_m=20, bbox=tuple(corners.ravel()))
    left, top = raster_info(path).transform[2], raster_info(path).transform[5]
    col, row = round((left - 400_000) / 20), round((5_800_000 - top) / 20)
    np.testing.assert_allclose(
        part, whole[:, row : row + part.shape[1], col : col + part.shape[2]], atol=1e-5
    )
    assert 30 <= part.shape[1] <= 33
    assert 30 <= part.shape[2] <= 33


def test_components_of_a_box_are_those_of_the_whole_scene(net, scene_file, tmp_path):
    whole = run(net, scene_file, tmp_path / "a.tif", res_m=40, pca=3)
    box = (13.53, 52.34, 13.545, 52.347)
    part = run(net, scene_file, tmp_path / "b.tif", res_m=40, pca=3, bbox=box)
    moved = np.array(raster_info(tmp_path / "b.tif").transform)[[2, 5]]
    col, row = np.rint(np.abs(moved - [400_000, 5_800_000]) / 40).astype(int)
    expected = whole[:, row : row + part.shape[1], col : col + part.shape[2]]
    assert np.isfinite(part).any()
    np.testing.assert_allclose(part, expected, atol=1e-5)


def test_nodata_pixels_and_only_they_are_nodata(net, scene_file, tmp_path):
    dense = run(net, scene_file, tmp_path / "emb.tif")
    assert dense.shape == (16, 150, 170)
    missing = np.isnan(dense).all(axis=0)
    assert missing[:40, :30].all()
    assert missing.sum() == 40 * 30
    assert np.isnan(read(tmp_path / "emb.tif")[1])


def test_joint_vectors_have_length_one(whole):
    lengths = np.linalg.norm(whole, axis=0)
    assert lengths[np.isfinite(lengths)] == pytest.approx(1, abs=1e-5)


def test_no_step_at_the_edges_of_model_tiles_is_larger_than_elsewhere(net, tmp_path):
    """Seams would show as larger differences where tiles of the lattice begin or end."""
    rng = np.random.default_rng(2)
    coarse = rng.normal(1500, 400, (2, 12, 12))
    smooth = np.kron(coarse, np.ones((1, 16, 16)))
    for _ in range(12):  # a smooth field without edges of its own
        smooth = (smooth + np.roll(smooth, 3, 1) + np.roll(smooth, 3, 2)) / 3
    path = tmp_path / "smooth.tif"
    write_geotiff(
        path,
        smooth.astype(np.float32),
        crs="EPSG:32633",
        transform=(10.0, 0.0, 4e5, 0.0, -10.0, 5.8e6),
        band_names=["B2", "B8"],
    )
    dense = run(net, path, tmp_path / "emb.tif", space="encoder")
    step = np.linalg.norm(np.diff(dense, axis=2), axis=0).mean(axis=0)  # (w - 1,)
    edges = [col - 1 for start in range(0, 192, 24) for col in (start, start + 32) if 0 < col < 192]
    assert step[edges].mean() < 1.15 * step.mean()
    assert step[edges].max() < 2 * np.median(step)


def test_a_south_up_scene_gives_the_same_places_north_up(net, scene_file, whole, tmp_path):
    with rasterio.open(scene_file) as file:
        pixels = file.read()
    flipped = tmp_path / "south_up.tif"
    write_geotiff(
        flipped,
        np.ascontiguousarray(pixels[:, ::-1]),
        crs="EPSG:32633",
        nodata=0,
        transform=(10.0, 0.0, 4e5, 0.0, 10.0, 5.8e6 - 1500),
        band_names=["B2", "B8"],
    )
    scene = open_scene(flipped, net.config.rs.input)
    grid = plan_raster(net, scene, RasterOptions(res_m=20)).grid
    assert grid.transform == (20, 0, 4e5, 0, -20, 5.8e6)
    again = run(net, flipped, tmp_path / "emb.tif", res_m=20)
    assert (np.isnan(again[0]) == np.isnan(whole[0])).mean() > 0.99


def test_a_scene_smaller_than_a_tile_is_embedded_whole(net, tmp_path):
    path = tmp_path / "small.tif"
    write_geotiff(
        path,
        np.full((2, 9, 14), 1200, np.uint16),
        crs="EPSG:32633",
        nodata=0,
        transform=(10.0, 0.0, 4e5, 0.0, -10.0, 5.8e6),
        band_names=["B2", "B8"],
    )
    assert np.isfinite(run(net, path, tmp_path / "emb.tif")).all()


def test_the_result_is_a_cloud_optimised_geotiff(net, scene_file, tmp_path):
    strip = (13.53, 52.341, 13.56, 52.3415)
    run(net, scene_file, tmp_path / "emb.tif", res_m=2.5, bbox=strip)
    with rasterio.open(tmp_path / "emb.tif") as file:
        assert file.profile["tiled"]
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.overviews(1) != []
        assert file.descriptions[0] == "e0"


def test_large_rasters_are_refused_with_their_size(net, scene_file):
    scene = open_scene(scene_file, net.config.rs.input)
    plan = plan_raster(net, scene, RasterOptions(res_m=0.1))
    with pytest.raises(UsageError, match="GB") as caught:
        refuse_large(plan)
    assert "--pca" in caught.value.hint


def test_a_box_elsewhere_and_too_many_components_are_refused(net, scene_file):
    scene = open_scene(scene_file, net.config.rs.input)
    with pytest.raises(DataError, match="outside"):
        plan_raster(net, scene, RasterOptions(bbox=(2.0, 48.0, 3.0, 49.0)))
    with pytest.raises(UsageError, match="16 numbers"):
        plan_raster(net, scene, RasterOptions(pca=17))


def test_a_scene_without_one_of_the_bands_is_refused(net, tmp_path):
    path = tmp_path / "other.tif"
    write_geotiff(
        path,
        np.ones((1, 5, 5), np.uint16),
        crs="EPSG:32633",
        transform=(10.0, 0.0, 4e5, 0.0, -10.0, 5.8e6),
        band_names=["B2"],
    )
    with pytest.raises(DataError, match="B8"):
        open_scene(path, net.config.rs.input)


@pytest.mark.parametrize("packed", [False, True])
def test_products_of_several_resolutions_are_read_with_their_offsets(tmp_path, net, packed):
    from tests.made_products import make_l2a, zipped

    safe = make_l2a(tmp_path, clouds=False)
    scene = open_scene(zipped(safe) if packed else safe.path, net.config.rs.input)
    found = scene.read(3, 5, 100, 90)
    for pixels, band in zip(found, net.config.rs.input.bands, strict=True):
        stored = safe.pixels[band, 10][5:95, 3:103].astype(np.float32)
        expected = np.where(stored == 0, np.nan, np.maximum(stored - 1000, 1))
        np.testing.assert_array_equal(pixels, expected)


def test_coarser_bands_of_a_product_are_brought_onto_the_finest_grid(tmp_path):
    from gair_cli.geo.scene_pixels import ScenePixels, is_plain
    from gair_cli.geo.scenes import SceneOptions
    from gair_cli.geo.scenes import open_scene as open_product
    from tests.made_products import make_l2a

    safe = make_l2a(tmp_path)
    options = SceneOptions(bands=("B2", "B5"), resampling="nearest")
    scene = open_product("x", [safe.path], options=options)
    assert not is_plain(scene)
    stored = safe.pixels["B5", 20].astype(int)
    expected = np.where(stored == 0, 0, np.maximum(stored - 1000, 1)).repeat(2, 0).repeat(2, 1)
    assert (ScenePixels(scene).read((4, 6, 50, 60))[1] == expected[6:66, 4:54]).all()
