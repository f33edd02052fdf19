"""Single rasters as scenes, and what makes one a product: its name, never its tags."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from gair_cli.errors import DataError, UsageError
from gair_cli.geo.products import parse_date, product_named
from gair_cli.geo.rasters import raster_info, write_geotiff
from gair_cli.geo.scenes import SceneOptions, open_scene

UTM = {"crs": "EPSG:32633", "transform": (10.0, 0.0, 5e5, 0.0, -10.0, 5e6)}
S2 = "S2B_MSIL2A_20240615T101559_N0510_R065_T33UUU_20240615T130846"
OLD_S2 = "S2A_OPER_PRD_MSIL1C_PDMC_20160218T173456_R065_V20160218T102032_20160218T102032"
LANDSAT = "LC08_L2SP_022039_20240711_20240712_02_T1"


def write(path, *, shape=(1, 8, 8), **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_geotiff(path, np.ones(shape, np.uint16), **{**UTM, **more})
    return path


def opened(path, **options):
    return open_scene(str(path), [path], options=SceneOptions(**options))


@pytest.mark.parametrize(
    ("name", "product", "date"),
    [
        (S2, S2, "2024-06-15T10:15:59+00:00"),
        (f"{S2}.SAFE.zip", S2, "2024-06-15T10:15:59+00:00"),
        (f"{S2}.tif", S2, "2024-06-15T10:15:59+00:00"),
        (f"{OLD_S2}.SAFE", OLD_S2, "2016-02-18T10:20:32+00:00"),
        (LANDSAT, LANDSAT, "2024-07-11T00:00:00+00:00"),
        ("LC80200392015216LGN00", "LC80200392015216LGN00", "2015-08-04T00:00:00+00:00"),
    ],
)
def test_names_of_products_tell_id_and_date(name, product, date):
    found = product_named(name)
    assert found.product_id == product
    assert found.taken_at.isoformat() == date


@pytest.mark.parametrize("name", ["", "scene.tif", f"{S2}_B02.jp2", f"crop_{S2}.tif", "S2A.SAFE"])
def test_other_names_are_no_products(name):
    assert product_named(name) is None


def test_two_crops_of_a_product_are_two_scenes_and_their_file_named_so_is_the_product(tmp_path):
    tags = {"PRODUCT_URI": f"{S2}.SAFE"}
    east = (10.0, 0.0, 6e5, 0.0, -10.0, 5e6)
    first = opened(write(tmp_path / "a.tif", tags=tags))
    second = opened(write(tmp_path / "b.tif", tags=tags, transform=east))
    whole = opened(write(tmp_path / f"{S2}.tif", tags=tags))
    assert whole.scene_id == S2
    assert len({first.scene_id, second.scene_id, S2}) == 3
    for crop in (first, second):
        assert crop.scene_id[: len(S2) + 1] == f"{S2}-"
        assert len(crop.scene_id) == len(S2) + 9
        assert crop.taken_at.isoformat() == "2024-06-15T10:15:59+00:00"
        assert crop.product["product_id"] == S2


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2024:06:15 10:15:59", "2024-06-15T10:15:59+00:00"),
        ("20240615T101559", "2024-06-15T10:15:59+00:00"),
        ("2024-06-15T12:15:59+02:00", "2024-06-15T10:15:59+00:00"),
        ("2024-06-15T10:15:59.5Z", "2024-06-15T10:15:59.500000+00:00"),
        ("2024-06-15", "2024-06-15T00:00:00+00:00"),
    ],
)
def test_dates_of_all_spellings_are_utc(text, date):
    assert parse_date(text).isoformat() == date


def test_what_is_no_date_is_none():
    assert parse_date("last summer") is None


def test_loose_offset_tags_are_ignored(tmp_path, shared_data):
    path = write(tmp_path / "a.tif", tags={"BOA_ADD_OFFSET": "-1000"})
    assert opened(path).bands[0].offset == 0.0
    real = opened(shared_data / "triples" / "rs" / "tokyo_rs.tif")
    assert {band.offset for band in real.bands} == {0.0}
    assert opened(path, offset=-1000.0).bands[0].offset == -1000.0


def test_complex_numbers_are_refused_with_a_hint(tmp_path):
    profile = {"driver": "GTiff", "count": 1, "dtype": "complex64", "width": 4, "height": 4}
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 5e5, 0, -10, 5e6)}
    with rasterio.open(tmp_path / "c.tif", "w", **profile, **place) as raster:
        raster.write(np.zeros((1, 4, 4), np.complex64))
    with pytest.raises(DataError, match=r"c\.tif holds complex numbers") as caught:
        opened(tmp_path / "c.tif")
    assert caught.value.hint


def test_scale_and_offset_of_bands_are_recorded(tmp_path):
    path = write(tmp_path / "a.tif", shape=(2, 8, 8))
    with rasterio.open(path, "r+") as raster:
        raster.scales, raster.offsets = (0.5, 1.0), (-3.0, 0.0)
    if raster_info(path).scales == (None, None):
        pytest.skip("the extension is older than this test")
    bands = opened(path).bands
    assert (bands[0].scale, bands[0].unit_offset) == (0.5, -3.0)


def test_band_named_as_a_class_band_is_the_cloud_source_of_a_raster(tmp_path):
    path = write(tmp_path / "a.tif", shape=(3, 8, 8), band_names=["B2", "B3", "QA60"])
    scene = opened(path)
    assert scene.band_names == ("B2", "B3")
    assert (scene.cloud_source, scene.clouds[0].number) == ("qa60", 3)
    assert scene.clouds[0].tests == ((1024, 1024), (2048, 2048))
    assert opened(path, bands=("B2", "QA60")).band_names == ("B2", "QA60")
    assert opened(path, band_names=("a", "b", "c")).clouds == ()


def test_options_that_do_not_exist_are_refused():
    with pytest.raises(UsageError, match="resampling 'lanczos' is unknown"):
        SceneOptions(resampling="lanczos")
    with pytest.raises(UsageError, match="resampling 'mode' is unknown"):
        SceneOptions(resampling={"B2": "mode"})
    with pytest.raises(UsageError, match="cloud source 'fmask' is unknown"):
        SceneOptions(cloud_source="fmask")


def test_band_asked_for_twice_or_not_there_is_refused(tmp_path):
    path = write(tmp_path / "a.tif", shape=(2, 8, 8), band_names=["B2", "B3"])
    with pytest.raises(DataError, match="B2 is asked for twice"):
        opened(path, bands=("B2", "B2"))
    with pytest.raises(DataError, match="no band B9; it has B2, B3"):
        opened(path, bands=("B9",))


def test_jp2_vrt_and_cog_are_scenes(tmp_path):
    from tests.made_products import pixels_of, write_image

    pixels = pixels_of("B2", 10)
    write_image(tmp_path / "a.jp2", pixels, metres=10)
    write_image(tmp_path / "a.tif", pixels, metres=10, driver="COG")
    vrt = (tmp_path / "a.tif").read_bytes() and vrt_of(tmp_path / "a.tif")
    scenes = [opened(tmp_path / "a.jp2"), opened(tmp_path / "a.tif"), opened(vrt)]
    assert len({(scene.grid, scene.dtype, scene.band_names) for scene in scenes}) == 1


def vrt_of(path):
    import subprocess

    from tests.made_rasters import tool

    out = path.with_suffix(".vrt")
    subprocess.run([tool("gdalbuildvrt"), "-q", out, path], check=True)
    return out
