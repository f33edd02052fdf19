"""`gair raster` and `gair view pca`: a scene in, a GeoTIFF and a picture out."""

import json

import numpy as np
import pytest
import rasterio
from PIL import Image

from gair_cli.geo.rasters import write_geotiff


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    rng = np.random.default_rng(3)
    pixels = rng.integers(500, 3000, (2, 70, 80)).astype(np.uint16)
    pixels[:, :20, :20] = 0
    grid = {"crs": "EPSG:32633", "transform": (10.0, 0.0, 4e5, 0.0, -10.0, 5.8e6), "nodata": 0}
    write_geotiff(folder / "scene.tif", pixels, band_names=["B2", "B8"], **grid)
    (folder / "stack").mkdir()
    for band, name in zip(pixels, ("B02", "B08"), strict=True):
        write_geotiff(folder / "stack" / f"city_{name}.tif", band[None], **grid)
    return folder / "scene.tif"


def test_a_scene_becomes_a_geotiff_that_says_how_it_was_made(gair, scene, tiny_model, tmp_path):
    out = tmp_path / "emb.tif"
    words = ("raster", scene, "--model", tiny_model, "--res", 20, "--pca", 3, "-o", out)
    result = gair(*words)
    assert result.exit_code == 0, result.stderr
    with rasterio.open(out) as file:
        assert (file.count, file.width, file.height, file.crs.to_epsg()) == (3, 40, 35, 32633)
        own = json.loads(file.tags()["gair"])
        pixels = file.read()
    assert (own["space"], own["pca"], own["stride"]) == ("joint", 3, 24)
    assert np.isnan(pixels[:, :10, :10]).all()
    assert np.isfinite(pixels[:, 10:, 10:]).all()
    components = json.loads((tmp_path / "emb.tif.pca.json").read_text())
    assert np.array(components["axes"]).shape == (3, 16)
    first = out.read_bytes()
    assert "nothing to do" in gair(*words).stderr
    assert gair(*words, "--overwrite", "--window", 16).exit_code == 0
    assert out.read_bytes() == first
    assert gair(*words, "--space", "encoder").exit_code == 2


def test_components_lie_beside_their_own_raster_only(gair, scene, tiny_model, tmp_path):
    out, beside = tmp_path / "emb.tif", tmp_path / "emb.tif.pca.json"
    words = ("raster", scene, "--model", tiny_model, "--res", 40, "-o", out)
    beside.write_text("mine")
    assert gair(*words, "--pca", 3).exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == [beside.name]
    assert gair(*words).exit_code == 0
    assert beside.read_text() == "mine"
    assert gair(*words, "--pca", 3, "--overwrite").exit_code == 0
    components = beside.read_bytes()
    beside.unlink()
    assert gair(*words, "--pca", 3).exit_code == 0
    assert beside.read_bytes() == components
    assert gair(*words, "--overwrite").exit_code == 0
    assert not beside.exists()


def test_a_folder_of_one_band_files_gives_the_same(gair, scene, tiny_model, tmp_path):
    found = []
    for source in (scene, scene.parent / "stack"):
        out = tmp_path / f"{source.name}.emb.tif"
        result = gair("raster", source, "--model", tiny_model, "--res", 40, "-o", out)
        assert result.exit_code == 0, result.stderr
        with rasterio.open(out) as file:
            found.append(file.read())
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_the_grid_of_another_raster_is_taken(gair, scene, tiny_model, tmp_path):
    like = tmp_path / "like.tif"
    write_geotiff(like, np.zeros((1, 9, 11), np.uint8), crs="EPSG:32633",
                  transform=(25.0, 0.0, 400_100.0, 0.0, -25.0, 5_799_900.0))  # fmt: skip
    out = tmp_path / "emb.tif"
    gair("raster", scene, "--model", tiny_model, "--like", like, "-o", out)
    with rasterio.open(out) as file, rasterio.open(like) as other:
        assert (file.transform, file.shape) == (other.transform, other.shape)


def test_large_rasters_ask_first_and_a_dry_run_writes_nothing(gair, scene, tiny_model, tmp_path):
    words = ("raster", scene, "--model", tiny_model, "--res", 0.05, "-o", tmp_path / "emb.tif")
    refused = gair(*words)
    assert refused.exit_code == 2
    assert "--pca" in refused.stderr
    assert gair(*words, "--dry-run").exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_a_missing_scene_is_an_input_error(gair, tiny_model, tmp_path):
    result = gair("raster", tmp_path / "none.tif", "--model", tiny_model, "-o", tmp_path / "e.tif")
    assert result.exit_code == 3


def test_a_picture_is_stretched_and_transparent_where_nothing_is(gair, scene, tiny_model, tmp_path):
    out, picture = tmp_path / "emb.tif", tmp_path / "pca.png"
    gair("raster", scene, "--model", tiny_model, "-o", out)
    assert gair("view", "pca", out, "-o", picture).exit_code == 0
    with Image.open(picture) as image:
        pixels = np.asarray(image)
    assert pixels.shape == (70, 80, 4)
    assert (pixels[:20, :20, 3] == 0).all()
    assert (pixels[20:, 20:, 3] == 255).all()
    assert pixels[20:, 20:, :3].max() == 255
    again = gair("view", "pca", out, "-o", picture)
    assert (again.exit_code, "nothing to do" in again.stderr) == (0, True)
    assert gair("view", "pca", out, "-o", picture, "--max-side", "50").exit_code == 2


def test_a_table_is_drawn_as_a_map(gair, tiny_model, tmp_path):
    points = tmp_path / "pts.csv"
    points.write_text("lon,lat\n" + "".join(f"{i / 10},{i % 7}\n" for i in range(50)))
    gair("embed", "--points", points, "--model", tiny_model, "-o", tmp_path / "emb.parquet")
    result = gair("view", "pca", tmp_path / "emb.parquet", "-o", tmp_path / "map.png")
    assert result.exit_code == 0, result.stderr
    assert "50 places" in result.stderr
