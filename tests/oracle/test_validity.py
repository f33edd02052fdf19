"""Which pixels count: nodata by value, NaN, mask, alpha or given, against numpy pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from made_rasters import FLOATS, INTEGERS, Kind, pixels_of, translate, write_plain
from oracle.comparing import assert_equals_reference, by_place, tiled
from oracle.reference import cut

from gair_cli.errors import DataError

PARTIALS = ("skip", "pad", "shift")
NODATA = {
    "uint8": 255, "int8": -128, "uint16": 0, "int16": -9999, "uint32": 2**32 - 1, "int32": -(2**31),
    "uint64": 2**64 - 1, "int64": -(2**63), "float32": -3.4028234663852886e38, "float64": -1e30,
}  # fmt: skip
DEFLATED = {"tiled": True, "blockxsize": 32, "blockysize": 16, "compress": "deflate"}


def holed(dtype, value, *, shape=(3, 70, 90), seed=0):
    """Pixels of which a corner holds a value in all bands, and some spots in one band."""
    pixels = pixels_of(Kind("", dtype, shape), seed)
    random = np.random.default_rng(seed + 1)
    pixels[:, :40, :37] = value
    pixels[0, :40, 30:37] = pixels[0, :40, 40:47]  # valid in one band is valid
    pixels[random.random(shape) < 0.05] = value
    return pixels


@pytest.mark.parametrize("partial", PARTIALS)
@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS])
def test_nodata_value_of_the_file_is_left_out_in_every_type(tmp_path, dtype, partial):
    value = NODATA[dtype]
    pixels = holed(dtype, value)
    source = write_plain(tmp_path / "source.tif", pixels)
    words = ("-a_nodata", str(value), "-co", "TILED=YES", "-co", "COMPRESS=DEFLATE")
    signed = ("-co", "PIXELTYPE=SIGNEDBYTE") if dtype == "int8" else ()
    path = translate(source, tmp_path / "scene.tif", *words, *signed)
    cuts = {"size": 22, "stride": 19, "partial": partial}
    assert_equals_reference(
        tiled(path, tmp_path / "tiles", **cuts), cut(pixels, nodata=value, **cuts)
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("stated", [np.nan, None])
def test_nan_is_nodata_whether_the_file_says_so_or_not(tmp_path, dtype, stated):
    pixels = holed(dtype, np.nan)
    path = write_plain(tmp_path / "scene.tif", pixels, nodata=stated, **DEFLATED)
    cuts = {"size": 24, "partial": "pad"}
    expected = cut(pixels, nodata=stated, **cuts)
    assert_equals_reference(tiled(path, tmp_path / "tiles", **cuts), expected)


@pytest.mark.parametrize("stated", [None, 9])
def test_nodata_that_is_given_goes_before_that_of_the_file(tmp_path, stated):
    pixels = holed("uint8", 7)
    path = write_plain(tmp_path / "scene.tif", pixels, nodata=stated)
    cuts = {"size": 24, "partial": "shift", "nodata": 7}
    assert_equals_reference(tiled(path, tmp_path / "tiles", **cuts), cut(pixels, **cuts))


def corner_mask():
    mask = np.ones((70, 90), bool)
    mask[:35, :50] = False
    mask[5:9, 3:20] = True
    return mask


@pytest.mark.parametrize("internal", ["YES", "NO"])
@pytest.mark.parametrize(("dtype", "nodata"), [("uint16", 0), ("int16", -1), ("float32", None)])
def test_mask_band_within_the_file_or_beside_it_is_burnt_in(tmp_path, internal, dtype, nodata):
    pixels, mask = pixels_of(Kind("", dtype)), corner_mask()
    both = np.concatenate([pixels, mask[None].astype(dtype) * 255 % 256])
    source = write_plain(tmp_path / "source.tif", both)
    words = ("-b", 1, "-b", 2, "-b", 3, "-mask", 4, "--config", "GDAL_TIFF_INTERNAL_MASK", internal)
    tiling = ("-co", "TILED=YES", "-co", "BLOCKXSIZE=16", "-co", "BLOCKYSIZE=48")
    path = translate(source, tmp_path / "scene.tif", *map(str, words), *tiling)
    assert (tmp_path / "scene.tif.msk").exists() == (internal == "NO")
    cuts = {"size": 24, "stride": 17, "nodata": nodata}
    expected = cut(pixels, mask=mask, **cuts)
    assert_equals_reference(tiled(path, tmp_path / "tiles", **cuts), expected)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_alpha_band_is_a_mask_and_not_a_band_of_the_tiles(tmp_path, dtype, interleave):
    pixels, mask = pixels_of(Kind("", dtype)), corner_mask()
    opaque = np.iinfo(dtype).max
    both = np.concatenate([pixels, np.where(mask, opaque, 0).astype(dtype)[None]])
    path = write_plain(
        tmp_path / "scene.tif", both, interleave=interleave, photometric="rgb", alpha="yes",
        **DEFLATED,
    )  # fmt: skip
    cuts = {"size": 24, "partial": "pad", "nodata": 0}
    expected = cut(pixels, mask=mask, **cuts)
    tiles = tiled(path, tmp_path / "tiles", **cuts)
    assert len(tiles.info.bands) == 3
    assert_equals_reference(tiles, expected)


def test_half_transparent_pixels_are_valid(tmp_path):
    pixels = pixels_of(Kind("", "uint8", (4, 24, 24)))
    pixels[3] = 1
    pixels[3, :, :5] = 0
    path = write_plain(tmp_path / "scene.tif", pixels, photometric="rgb", alpha="yes")
    (row,) = tiled(path, tmp_path / "tiles", size=24, nodata=0).index.iter_rows(named=True)
    assert row["nodata_fraction"] == pytest.approx(
        1 - ((pixels[:3] != 0).any(0) & (pixels[3] > 0)).mean(), abs=1e-6
    )


def test_mask_that_no_value_can_stand_for_is_refused(tmp_path):
    both = pixels_of(Kind("", "uint8", (4, 24, 24)))
    path = write_plain(tmp_path / "scene.tif", both, photometric="rgb", alpha="yes")
    with pytest.raises(DataError, match=r"scene\.tif") as caught:
        tiled(path, tmp_path / "tiles", size=24)
    assert "--nodata" in caught.value.hint


@pytest.mark.parametrize("value", [1.5, -1, 256, float("nan"), float("inf")])
def test_nodata_beyond_the_type_is_refused_naming_it(tmp_path, value):
    path = write_plain(tmp_path / "scene.tif", pixels_of(Kind("", "uint8")))
    with pytest.raises(DataError, match=r"scene\.tif"):
        tiled(path, tmp_path / "tiles", size=24, nodata=value)


def test_missing_blocks_of_a_sparse_file_hold_its_nodata_value(tmp_path):
    path = tmp_path / "scene.tif"
    pixels = np.full((2, 70, 90), 5, np.uint16)
    part = pixels_of(Kind("", "uint16", (2, 32, 32)))
    with rasterio.open(
        path, "w", driver="GTiff", count=2, height=70, width=90, dtype="uint16", nodata=5,
        crs="EPSG:32633", transform=rasterio.Affine(10, 0, 5e5, 0, -10, 5e6), sparse_ok=True,
        **DEFLATED,
    ) as file:  # fmt: skip
        file.write(part, window=rasterio.windows.Window(32, 16, 32, 32))
    pixels[:, 16:48, 32:64] = part
    cuts = {"size": 20, "stride": 15}
    expected = cut(pixels, nodata=5, **cuts)
    assert_equals_reference(tiled(path, tmp_path / "tiles", **cuts), expected)


@pytest.mark.parametrize("value", [1.7e308, float("inf")])
def test_values_too_large_to_square_are_kept_and_have_no_deviation(tmp_path, value):
    pixels = np.ones((1, 48, 48))
    pixels[0, :5] = value
    pixels[0, 40:] = -value
    path = write_plain(tmp_path / "scene.tif", pixels)
    tiles = tiled(path, tmp_path / "tiles", size=16)
    arrays = {place: array for place, (_, array) in by_place(tiles).items()}
    assert (arrays[0, 0] == pixels[:, :16, :16]).all()
    assert (arrays[2, 2] == pixels[:, 32:, 32:]).all()
    (found,) = tiles.info.statistics
    assert found.count == 48 * 48
    assert np.isnan(found.std)
