"""Sentinel-2 products are read by what their own metadata say, in every layout they came in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from gair_cli.errors import DataError, InputError
from gair_cli.geo.rasters import read_window
from gair_cli.geo.scenes import SceneOptions, input_fingerprints, inputs_of, open_scene
from tests.made_products import METRES, make_l1c, make_l2a, make_old_l1c, zipped

L2A_BANDS = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12")


def opened(path, **options):
    ((name, files),) = inputs_of([path], stack=False)
    return open_scene(name, files, options=SceneOptions(**options))


@pytest.mark.parametrize("packed", [False, True])
def test_l2a_bands_come_at_their_finest_with_offset_clouds_and_date(tmp_path, packed):
    safe = make_l2a(tmp_path)
    scene = opened(zipped(safe) if packed else safe.path)
    assert scene.scene_id == safe.product_id
    assert scene.band_names == L2A_BANDS
    assert (scene.dtype, scene.nodata) == ("uint16", 0)
    assert scene.taken_at.isoformat(timespec="seconds") == "2024-06-15T10:15:59+00:00"
    assert (scene.width, scene.height) == (120, 120)
    assert scene.transform == (10.0, 0.0, 399960.0, 0.0, -10.0, 5200020.0)
    assert scene.crs == "EPSG:32633"
    assert {band.offset for band in scene.bands} == {-1000.0}
    for band in scene.bands:
        metres = METRES[band.name]
        assert band.resolution == (metres, metres)
        assert (read_window(band.path)[0] == safe.pixels[band.name, metres]).all()
        assert rasterio_reads(band.path) == safe.pixels[band.name, metres].tolist()


def rasterio_reads(path):
    with rasterio.open(path) as raster:
        return raster.read(1).tolist()


def test_scene_classes_are_the_clouds_of_l2a(tmp_path):
    safe = make_l2a(tmp_path)
    scene = opened(safe.path)
    (band,) = scene.clouds
    assert scene.cloud_source == "scl"
    assert band.tests == ((255, 8), (255, 9), (255, 10))
    assert (read_window(band.path)[0] == safe.pixels["SCL", 20]).all()
    assert opened(safe.path, cloud_source="none").clouds == ()
    with pytest.raises(DataError, match="no cloud source qa60; it has scl"):
        opened(safe.path, cloud_source="qa60")


def test_offsets_are_recorded_and_given_ones_win(tmp_path):
    safe = make_l2a(tmp_path)
    product = opened(safe.path, bands=("B2", "B3")).product
    assert product["baseline"] == "05.10"
    assert product["quantification"] == 10000.0
    assert product["offsets"] == {"B2": -1000.0, "B3": -1000.0}
    assert [band.offset for band in opened(safe.path, bands=("B2",), offset=5.0).bands] == [5.0]
    partly = opened(safe.path, bands=("B2", "B3"), offset={"B02": 0.0})
    assert [band.offset for band in partly.bands] == [0.0, -1000.0]
    with pytest.raises(DataError, match="--offset names band B10"):
        opened(safe.path, offset={"B10": 1.0})


def test_offsets_go_by_band_id_as_the_spectral_information_numbers_them(tmp_path):
    safe = make_l1c(tmp_path, offset=None)
    path = safe.path / "MTD_MSIL1C.xml"
    spectral = (
        '<Spectral_Information bandId="0" physicalBand="B4"/>'
        '<Spectral_Information bandId="3" physicalBand="B1"/>'
        '<Radiometric_Offset_List><RADIO_ADD_OFFSET band_id="0">-7</RADIO_ADD_OFFSET>'
        "</Radiometric_Offset_List></Product_Image_Characteristics>"
    )
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("</Product_Image_Characteristics>", spectral), encoding="utf-8")
    offsets = {band.name: band.offset for band in opened(safe.path).bands}
    assert (offsets["B4"], offsets["B1"], offsets["B2"]) == (-7.0, 0.0, 0.0)


def test_products_before_baseline_4_have_no_offset(tmp_path):
    scene = opened(make_l1c(tmp_path, baseline="02.09", offset=None).path)
    assert {band.offset for band in scene.bands} == {0.0}
    assert "offsets" not in scene.product
    assert "notes" not in scene.product


def test_l1c_has_thirteen_bands_and_its_class_masks_are_clouds(tmp_path):
    safe = make_l1c(tmp_path)
    scene = opened(safe.path)
    assert scene.band_names == tuple(METRES)
    assert scene.cloud_source == "qa60"
    assert [(band.number, band.tests) for band in scene.clouds] == [(1, ((1, 1),)), (2, ((1, 1),))]
    assert (read_window(scene.clouds[0].path) == safe.pixels["CLASSI", 60]).all()


def test_qa60_band_goes_before_other_masks(tmp_path):
    safe = make_l1c(tmp_path, mask="qa60")
    scene = opened(safe.path)
    assert scene.cloud_source == "qa60"
    assert scene.clouds[0].tests == ((1024, 1024), (2048, 2048))
    assert (read_window(scene.clouds[0].path)[0] == safe.pixels["QA60", 60]).all()


def test_cloud_outlines_of_older_products_are_drawn_with_their_holes(tmp_path):
    safe = make_l1c(tmp_path, baseline="02.09", offset=None, mask="polygons")
    scene = opened(safe.path)
    expected = np.zeros((20, 20), np.uint8)
    expected[:10, :10] = 1
    expected[2:6, 2:6] = 0
    expected[15:, 15:] = 1
    (band,) = scene.clouds
    with rasterio.open(band.path) as mask:
        assert mask.transform[:6] == (60.0, 0.0, 399960.0, 0.0, -60.0, 5200020.0)
        assert (mask.read(1) == expected).all()
    assert opened(safe.path).clouds == scene.clouds


def test_product_without_any_mask_has_no_clouds(tmp_path):
    scene = opened(make_l1c(tmp_path, mask=None).path)
    assert (scene.clouds, scene.cloud_source) == ((), None)


def test_granules_of_the_first_layout_are_scenes_of_their_own(tmp_path):
    safe = make_old_l1c(tmp_path, ("T33UUP", "T33UUQ"))
    with pytest.raises(InputError, match="holds 2 granules") as caught:
        opened(zipped(safe))
    assert "unpack it" in caught.value.hint
    found = inputs_of([safe.path], stack=False)
    assert inputs_of([f"{safe.path}/GRANULE/*"], stack=False) == found
    scenes = [open_scene(name, files, options=SceneOptions()) for name, files in found]
    assert [scene.scene_id for scene in scenes] == [
        f"{safe.product_id}_T33UUP",
        f"{safe.product_id}_T33UUQ",
    ]
    assert all(scene.band_names == tuple(METRES) for scene in scenes)
    assert (read_window(scenes[1].bands[1].path)[0] == safe.pixels["B2", 10]).all()
    assert scenes[0].product["level"] == "L1C"


def test_first_layout_with_one_granule_keeps_the_product_id(tmp_path):
    safe = make_old_l1c(tmp_path)
    assert opened(safe.path).scene_id == safe.product_id


def test_product_is_known_by_its_metadata_under_any_name(tmp_path):
    safe = make_l2a(tmp_path, name="renamed")
    assert opened(safe.path).scene_id == safe.product_id
    assert opened(safe.path / "MTD_MSIL2A.xml").scene_id == safe.product_id


def test_bands_choose_files_grid_and_order(tmp_path):
    safe = make_l2a(tmp_path)
    scene = opened(safe.path, bands=("B09", "B1"))
    assert scene.band_names == ("B9", "B1")
    assert (scene.width, scene.height) == (20, 20)
    assert scene.transform[0] == 60.0


def test_missing_band_file_is_named_unless_others_are_asked_for(tmp_path):
    safe = make_l2a(tmp_path)
    (next(safe.path.rglob("*_B04_10m.jp2"))).unlink()
    with pytest.raises(InputError, match="_B04_10m, which its metadata name"):
        opened(safe.path)
    assert opened(safe.path, bands=("B2", "B8")).band_names == ("B2", "B8")


def test_kernels_are_given_for_all_bands_or_some(tmp_path):
    safe = make_l2a(tmp_path)
    kernels = {b.name: b.resampling for b in opened(safe.path, resampling={"B5": "cubic"}).bands}
    assert (kernels["B5"], kernels["B6"]) == ("cubic", "bilinear")
    assert {b.resampling for b in opened(safe.path, resampling="average").bands} == {"average"}


def test_files_of_other_bands_do_not_count(tmp_path):
    safe = make_l2a(tmp_path)
    chosen = {"bands": ("B2", "AOT"), "cloud_source": "none"}
    with pytest.raises(DataError, match=r"no band AOT; it has .*, SCL"):
        opened(safe.path, **chosen)
    files = opened(safe.path, bands=("B2",)).files
    names = sorted(Path(file).name.rpartition("_")[0] for file in files)
    assert names == ["MTD", "T33UUP_20240615T101559_B02", "T33UUP_20240615T101559_SCL"]
    archive = zipped(safe)
    assert len(input_fingerprints(opened(archive).files)) == 1


def test_product_uri_that_no_id_can_be_is_not_taken_as_one(tmp_path):
    safe = make_l2a(tmp_path)
    path = safe.path / "MTD_MSIL2A.xml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(f"{safe.product_id}.SAFE", "../a b.SAFE"), encoding="utf-8")
    scene_id = opened(safe.path).scene_id
    assert scene_id.startswith(".._a b-")


def test_changed_metadata_or_pixels_change_the_fingerprints(tmp_path):
    safe = make_l2a(tmp_path)
    before = input_fingerprints(opened(safe.path).files)
    assert input_fingerprints(opened(safe.path).files) == before
    path = safe.path / "MTD_MSIL2A.xml"
    path.write_text(path.read_text(encoding="utf-8").replace("-1000", "-900"), encoding="utf-8")
    assert input_fingerprints(opened(safe.path).files) != before
