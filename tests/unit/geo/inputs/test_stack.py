"""One-band files become one scene: names from files or a pattern, one grid for all."""

from __future__ import annotations

import numpy as np
import pytest

from gair_cli.errors import DataError, InputError, UsageError
from gair_cli.geo.rasters import write_geotiff
from gair_cli.geo.scenes import SceneOptions, inputs_of, notes_of, open_scene

CRS = "EPSG:32633"
WEST, NORTH = 5e5, 5e6


def write(path, *, metres=10, side_m=1200, west=WEST, north=NORTH, dtype=np.uint16, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    side = side_m // metres
    transform = (float(metres), 0.0, west, 0.0, -float(metres), north)
    pixels = np.ones((1, side, side), dtype)
    write_geotiff(path, pixels, transform=transform, **{"crs": CRS, **more})


def stacked(folder, **options):
    ((name, files),) = inputs_of([str(folder)], stack=True)
    return open_scene(name, files, options=SceneOptions(stack=True, **options))


def test_grid_of_a_stack_is_that_of_its_finest_band(tmp_path):
    for name, metres in (("B1", 60), ("B2", 10), ("B5", 20)):
        write(tmp_path / f"x_{name}.tif", metres=metres)
    scene = stacked(tmp_path)
    assert scene.band_names == ("B1", "B2", "B5")
    assert [band.resolution for band in scene.bands] == [(60, 60), (10, 10), (20, 20)]
    assert (scene.width, scene.height) == (120, 120)
    assert scene.transform == (10.0, 0.0, WEST, 0.0, -10.0, NORTH)


def test_of_equally_fine_bands_the_one_that_covers_most_gives_the_grid(tmp_path):
    write(tmp_path / "B2.tif", side_m=600)
    write(tmp_path / "B3.tif", side_m=1200)
    with pytest.raises(DataError, match=r"band B2 .* does not cover band B3"):
        stacked(tmp_path)
    scene = stacked(tmp_path, nodata=0)
    assert (scene.width, scene.height, scene.nodata) == (120, 120, 0)


def test_coarse_band_that_reaches_farther_is_fine_and_one_that_falls_short_is_not(tmp_path):
    write(tmp_path / "B2.tif", metres=10, side_m=600)
    write(tmp_path / "B5.tif", metres=20, side_m=1200, west=WEST - 20, north=NORTH + 20)
    assert stacked(tmp_path).width == 60
    write(tmp_path / "B5.tif", metres=20, side_m=1200, west=WEST + 20)
    with pytest.raises(DataError, match="band B5"):
        stacked(tmp_path)


def test_stack_of_two_crss_or_types_is_refused_by_name(tmp_path):
    write(tmp_path / "B2.tif")
    write(tmp_path / "B3.tif", crs="EPSG:32634")
    with pytest.raises(DataError, match="band B3 has crs EPSG:32634, but B2 has EPSG:32633"):
        stacked(tmp_path)
    write(tmp_path / "B3.tif", dtype=np.uint8)
    with pytest.raises(DataError, match="different types: B2 uint16, B3 uint8"):
        stacked(tmp_path)


@pytest.mark.parametrize("pattern", [r"_(?P<band>b\d+)_", r"scene_(b\d+)_", "b[234]"])
def test_pattern_names_bands_and_leaves_out_what_does_not_match(tmp_path, pattern):
    for name in ("scene_b2_10m", "scene_b4_10m", "overview"):
        write(tmp_path / f"{name}.tif")
    scene = stacked(tmp_path, band_pattern=pattern)
    assert scene.band_names == ("B2", "B4")
    assert notes_of([scene]) == ["no band of the pattern in overview.tif: left out"]


def test_pattern_for_no_file_for_two_of_a_band_or_that_is_none_is_refused(tmp_path):
    for name in ("a_B2", "b_B2"):
        write(tmp_path / f"{name}.tif")
    with pytest.raises(InputError, match="matches the band pattern 'X'"):
        stacked(tmp_path, band_pattern="X")
    with pytest.raises(DataError, match=r"two files hold band B2: .*a_B2.tif and .*b_B2.tif"):
        stacked(tmp_path, band_pattern=r"(B\d)")
    with pytest.raises(DataError, match="two files hold band B2"):
        stacked(tmp_path)
    assert stacked(tmp_path, band_names=("x", "y")).band_names == ("x", "y")
    with pytest.raises(UsageError, match="is no regular expression"):
        stacked(tmp_path, band_pattern="(")


def test_file_with_several_bands_is_refused(tmp_path):
    place = {"crs": CRS, "transform": (10.0, 0.0, WEST, 0.0, -10.0, NORTH)}
    write_geotiff(tmp_path / "two.tif", np.ones((2, 8, 8), np.uint8), **place)
    with pytest.raises(DataError, match="has 2 bands; --stack takes one-band files"):
        stacked(tmp_path)


def test_class_band_is_a_cloud_source_and_no_data_band(tmp_path):
    write(tmp_path / "x_B2.tif")
    write(tmp_path / "x_SCL.tif", metres=20, dtype=np.uint8)
    scene = stacked(tmp_path)
    assert scene.band_names == ("B2",)
    assert scene.cloud_source == "scl"
    assert stacked(tmp_path, bands=("SCL",)).bands[0].resampling == "nearest"


def test_real_bands_of_one_scene_stack(shared_data):
    scene = stacked(shared_data / "s2-scene" / "bands", nodata=255)
    assert scene.band_names == ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8")
    assert (scene.width, scene.height, scene.dtype) == (2629, 2201, "uint8")
    assert scene.crs == "EPSG:4326"


def test_a_stack_whose_files_have_masks_says_which_one_counts(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    for name in ("B1", "B2"):
        write(tmp_path / f"x_{name}.tif", dtype=np.float32)
        if name == "B2":
            assert "notes" not in stacked(tmp_path).product
        with rasterio.open(tmp_path / f"x_{name}.tif", "r+") as file:
            file.write_mask(np.eye(120, dtype=np.uint8) * 255)
    scene = stacked(tmp_path)
    assert scene.mask == str(tmp_path / "x_B1.tif")
    assert notes_of([scene]) == ["2 files have masks: that of x_B1.tif counts for all bands"]
