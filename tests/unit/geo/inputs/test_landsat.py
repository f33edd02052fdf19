"""Landsat folders of any collection are read by their metadata file."""

from __future__ import annotations

import numpy as np
import pytest

from gair_cli.errors import DataError, InputError
from gair_cli.geo.rasters import read_window
from gair_cli.geo.scenes import SceneOptions, inputs_of, notes_of, open_scene
from tests.made_products import make_landsat, pixels_of


def opened(path, **options):
    ((name, files),) = inputs_of([str(path)], stack=False)
    return open_scene(name, files, options=SceneOptions(**options))


@pytest.mark.parametrize("form", ["txt", "xml", "json"])
def test_level_2_folder_gives_bands_clouds_date_and_factors(tmp_path, form):
    folder, product = make_landsat(tmp_path, form=form)
    scene = opened(folder)
    assert scene.scene_id == product
    assert scene.band_names == ("B1", "B2", "B3", "B10")
    assert scene.taken_at.isoformat() == "2024-07-11T16:20:01+00:00"
    assert scene.nodata == 0
    assert (scene.bands[0].scale, scene.bands[0].unit_offset) == (2.75e-05, -0.2)
    assert (scene.bands[3].scale, scene.bands[3].unit_offset) == (0.00341802, 149.0)
    assert {band.offset for band in scene.bands} == {0.0}
    assert scene.cloud_source == "bqa"
    assert scene.clouds[0].tests == ((2, 2), (4, 4), (8, 8))
    assert scene.clouds[0].path.endswith("QA_PIXEL.TIF")
    assert (read_window(scene.bands[1].path)[0] == pixels_of("B2", 30)).all()


def test_collection_1_has_its_own_cloud_bit(tmp_path):
    folder, _ = make_landsat(tmp_path, collection=1, level="1TP")
    assert opened(folder).clouds[0].tests == ((16, 16),)


def test_panchromatic_band_comes_only_when_asked_for(tmp_path):
    folder, _ = make_landsat(tmp_path, collection=1, level="1TP")
    assert opened(folder).band_names == ("B1", "B2", "B3")
    assert "B8 is left out" in notes_of([opened(folder)])[0]
    scene = opened(folder, bands=("B1", "B8"))
    assert scene.band_names == ("B1", "B8")
    assert (scene.width, scene.transform[0]) == (80, 15.0)


def test_folder_without_quality_band_has_no_clouds(tmp_path):
    folder, _ = make_landsat(tmp_path, quality=False)
    assert opened(folder).clouds == ()
    with pytest.raises(DataError, match="no cloud source bqa; it has none"):
        opened(folder, cloud_source="bqa")


def test_file_outside_the_folder_is_refused_by_name(tmp_path):
    folder, product = make_landsat(tmp_path)
    path = folder / f"{product}_MTL.txt"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(f"{product}_SR_B2.TIF", "../../x_B2.TIF"), encoding="utf-8")
    with pytest.raises(InputError, match=r"outside the folder: \.\./\.\./x_B2\.TIF"):
        opened(path)


def test_metadata_cut_short_are_refused(tmp_path):
    folder, product = make_landsat(tmp_path)
    (folder / f"{product}_MTL.txt").write_text("GROUP = X\n", encoding="utf-8")
    for path in (folder, folder / f"{product}_MTL.txt"):
        with pytest.raises(InputError, match="names no band files"):
            opened(path)


def test_real_folder_whose_files_are_named_otherwise(shared_data):
    folder = shared_data / "landsat8"
    scene = opened(folder)
    bands = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B9", "B10", "B11")
    assert scene.band_names == bands
    assert scene.scene_id == "LC80200392015216LGN00"
    assert scene.taken_at.isoformat() == "2015-08-04T16:19:21+00:00"
    assert notes_of([scene]) == ["band files that the metadata name are not there: B8"]
    assert notes_of([scene, scene])[0].endswith("(2 scenes)")
    assert [band.path for band in scene.bands] == [str(folder / f"l8_{b}.tif") for b in bands]
    (clouds,) = scene.clouds
    bits = read_window(clouds.path)[0]
    ((mask, value),) = clouds.tests
    assert np.count_nonzero((bits & mask) == value) == 2591 + 41 + 20140 + 4


def test_real_quality_band_of_a_stack_means_what_the_metadata_beside_it_say(shared_data):
    ((name, files),) = inputs_of([str(shared_data / "landsat8")], stack=True)
    scene = open_scene(name, files, options=SceneOptions(stack=True, cloud_source="bqa"))
    assert "BQA" not in scene.band_names
    assert scene.clouds[0].tests == ((0xC000, 0xC000),)
    with_it = open_scene(name, files, options=SceneOptions(stack=True))
    assert with_it.band_names[-1] == "BQA"
    assert with_it.clouds == ()
