"""The lattice covers a scene as promised, and an unreadable scene leaves the others alone."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gair_cli.errors import DataError, UsageError
from gair_cli.geo.grid_layouts import tile_lattice
from gair_cli.geo.rasters import write_geotiff
from gair_cli.geo.scenes import SceneOptions, inputs_of, open_scene
from gair_cli.geo.tile_index import COUNT, M2, pooled
from gair_cli.geo.tile_plan import TilingOptions, plan_tiles
from gair_cli.geo.tileset import TileSet
from gair_cli.geo.tiling import tile_scenes

LENGTHS = st.tuples(st.integers(1, 300), st.integers(1, 120), st.integers(1, 150))
UTM = {"crs": "EPSG:32633", "transform": (10.0, 0.0, 5e5, 0.0, -10.0, 5e6)}


def starts(length, size, stride, partial):
    return tile_lattice((length, 1), (size, 1), (stride, 1), partial)[0]


@given(LENGTHS)
def test_skipped_edges_leave_every_whole_tile_and_no_other(lengths):
    length, size, stride = lengths
    assert starts(*lengths, "skip") == list(range(0, length - size + 1, stride))


@given(LENGTHS)
def test_padded_tiles_cover_every_pixel_that_a_stride_does_not_leap_over(lengths):
    length, size, stride = lengths
    covered = np.zeros(length + size + stride, bool)
    found = starts(*lengths, "pad")
    for start in found:
        assert start % stride == 0
        covered[start : start + size] = True
    if stride <= size:
        assert covered[:length].all()
        assert all(start < length for start in found)


@given(LENGTHS)
def test_shifted_tiles_stay_inside_and_reach_the_edge(lengths):
    length, size, stride = lengths
    found = starts(*lengths, "shift")
    assert all(start + size <= length for start in found)
    if size <= length and stride <= size:
        assert found[-1] + size == length
    assert len(set(found)) == len(found)


def scene(folder, name, shape=(1, 40, 50), *, seed=0, **more):
    pixels = np.random.default_rng(seed).integers(1, 200, shape).astype(np.uint8)
    write_geotiff(folder / name, pixels, **{**UTM, **more})
    return folder / name


@pytest.mark.parametrize(
    ("names", "bands"),
    [
        (["l8_B1.tif", "l8_B10.tif", "l8_B2.tif", "l8_BQA.tif"], ["B1", "B2", "B10", "BQA"]),
        (["B08.tif", "B8A.tif", "B09.tif"], ["B8", "B8A", "B9"]),
        (
            ["T33UUP_20240615_B02_10m.tif", "T33UUP_20240615_B03_10m.tif"],
            ["B2", "B3"],
        ),
        (["x_red.tif", "x_green.tif"], ["green", "red"]),
    ],
)
def test_files_of_a_stack_name_its_bands(tmp_path, names, bands):
    for name in names:
        scene(tmp_path, name)
    ((name, files),) = inputs_of([tmp_path], stack=True)
    assert open_scene(name, files, options=SceneOptions(stack=True)).band_names == tuple(bands)


def test_stack_whose_bands_do_not_cover_its_grid_needs_a_nodata_value(tmp_path):
    scene(tmp_path, "B2.tif")
    scene(tmp_path, "B3.tif", (1, 40, 51))
    with pytest.raises(DataError, match=r"band B2 \(50 x 40 pixels\) does not cover band B3"):
        plan_tiles([tmp_path], TilingOptions(scenes=SceneOptions(stack=True)))
    with pytest.raises(UsageError, match="is a folder"):
        plan_tiles([tmp_path], TilingOptions())


def test_unnamed_bands_get_numbers_and_ids_hang_on_the_content(tmp_path):
    first = open_scene("a.tif", [scene(tmp_path, "a.tif", (2, 9, 9))], options=SceneOptions())
    assert first.band_names == ("band1", "band2")
    assert first.scene_id.startswith("a-")
    other = open_scene("a.tif", [scene(tmp_path, "a.tif", (2, 9, 8))], options=SceneOptions())
    assert other.scene_id != first.scene_id


def test_sentinel_2_products_keep_their_id_and_date(tmp_path):
    product = "S2B_MSIL2A_20240615T101559_N0510_R065_T33UUU_20240615T130846"
    path = scene(tmp_path, f"{product}.tif")
    found = open_scene(str(path), [path], options=SceneOptions())
    assert found.scene_id == product
    assert found.taken_at.isoformat() == "2024-06-15T10:15:59+00:00"


def test_same_scene_twice_and_two_nodata_values_are_refused(tmp_path):
    first = scene(tmp_path, "a.tif", nodata=0)
    with pytest.raises(DataError, match="the same scene"):
        plan_tiles([first, first], TilingOptions(size=8))
    with pytest.raises(DataError, match="nodata differs"):
        plan_tiles([first, scene(tmp_path, "b.tif", nodata=1)], TilingOptions(size=8))


def masked_scene(folder):
    """Write a scene of 16 by 16 pixels whose mask leaves out the first four columns."""
    import rasterio

    path = scene(folder, "a.tif", (1, 16, 16))
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "r+") as raster,
    ):
        mask = np.full((16, 16), 255, np.uint8)
        mask[:, :4] = 0
        raster.write_mask(mask)
        return path, raster.read(1)


def test_mask_band_decides_what_is_valid(tmp_path):
    path, pixels = masked_scene(tmp_path)
    burnt = TilingOptions(size=8, scenes=SceneOptions(nodata=255))
    tile_scenes([path], tmp_path / "tiles", options=burnt)
    tiles = TileSet.open(tmp_path / "tiles")
    row = tiles.index.with_row_index("place").filter(row=0, col=0).row(0, named=True)
    assert row["nodata_fraction"] == pytest.approx(0.5)
    assert row["band_mean"] == pytest.approx([pixels[:8, 4:8].mean()], rel=1e-12)
    found = tiles.read([row["place"]])[0][0]
    assert (found[:, :4] == 255).all()
    assert (found[:, 4:] == pixels[:8, 4:8]).all()


def test_masked_integers_without_a_nodata_value_are_refused(tmp_path):
    path, _ = masked_scene(tmp_path)
    with pytest.raises(DataError, match="masks pixels") as caught:
        tile_scenes([path], tmp_path / "tiles", options=TilingOptions(size=8))
    assert "--nodata 0" in caught.value.hint
    assert not (tmp_path / "tiles").exists()


def test_alpha_band_that_masks_nothing_in_a_tile_needs_no_nodata_value(tmp_path):
    pixels = np.full((4, 16, 16), 7, np.uint8)
    pixels[3] = 255
    pixels[3, :, :8] = 0
    write_rgba(tmp_path / "a.tif", pixels)
    tile_scenes([tmp_path / "a.tif"], tmp_path / "tiles", options=TilingOptions(size=8))
    tiles = TileSet.open(tmp_path / "tiles")
    assert set(tiles.index["col"]) == {1}
    assert len(tiles.info.bands) == 3
    with pytest.raises(DataError, match="masks pixels"):
        tile_scenes([tmp_path / "a.tif"], tmp_path / "whole", options=TilingOptions(size=16))


def write_rgba(path, pixels):
    """Write (4, H, W) bytes as red, green, blue and alpha."""
    import rasterio

    profile = {"driver": "GTiff", "count": 4, "dtype": "uint8", "crs": UTM["crs"]}
    height, width = pixels.shape[1:]
    place = rasterio.Affine(*UTM["transform"])
    with rasterio.open(
        path, "w", **profile, height=height, width=width, transform=place, photometric="RGB",
        alpha="YES",
    ) as raster:  # fmt: skip
        raster.write(pixels)


def test_tiles_of_nodata_only_are_left_out_and_others_by_their_share(tmp_path):
    pixels = np.ones((2, 16, 24), np.uint8)
    pixels[:, :, :8] = 0
    pixels[:, :, 8:14] = 0
    pixels[0, :, 12:14] = 5  # valid in one band is valid
    write_geotiff(tmp_path / "a.tif", pixels, **UTM, nodata=0)
    tile_scenes([tmp_path / "a.tif"], tmp_path / "all", options=TilingOptions(size=8))
    index = TileSet.open(tmp_path / "all").index
    assert sorted(set(index["col"])) == [1, 2]
    assert index.filter(col=1)["nodata_fraction"].to_list() == [0.5, 0.5]
    few = TilingOptions(size=8, max_nodata=0.4)
    tile_scenes([tmp_path / "a.tif"], tmp_path / "few", options=few)
    assert set(TileSet.open(tmp_path / "few").index["col"]) == {2}


def test_pooled_statistics_are_those_of_all_values_together():
    random = np.random.default_rng(0)
    parts = [random.normal(1e6, 1, 50), random.normal(-3, 100, 7), np.array([])]
    rows = pl.DataFrame(
        {
            COUNT: [[float(part.size)] for part in parts],
            "band_min": [[part.min() if part.size else None] for part in parts],
            "band_max": [[part.max() if part.size else None] for part in parts],
            "band_mean": [[part.mean() if part.size else None] for part in parts],
            M2: [[part.var() * part.size if part.size else 0.0] for part in parts],
        }
    )
    found = pooled(rows, 1)[0]
    every = np.concatenate(parts)
    assert (found.count, found.minimum, found.maximum) == (57, every.min(), every.max())
    assert found.mean == pytest.approx(every.mean(), rel=1e-12)
    assert found.std == pytest.approx(every.std(), rel=1e-12)
