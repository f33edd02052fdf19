"""STAC items are scenes: assets become bands, by role and by the names the item gives."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gair_cli.errors import DataError, InputError
from gair_cli.geo.rasters import read_window
from gair_cli.geo.scenes import SceneOptions, inputs_of, open_scene
from tests.made_products import pixels_of, write_image
from tests.web_server import serving

TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"
S2 = "S2B_MSIL2A_20240615T101559_N0510_R065_T33UUP_20240615T130846"


def band(name, file, **more):
    described = {"href": file, "type": TIFF, "roles": ["data"], "eo:bands": [{"name": name}]}
    return {**described, **more}


def write_item(folder, assets, *, identity="an item/1", **properties):
    facts = {"datetime": "2024-06-15T10:16:21.5Z", **properties}
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": identity,
        "geometry": None,
        "properties": facts,
        "assets": assets,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "item.json").write_text(json.dumps(item), encoding="utf-8")
    return folder / "item.json"


def write_rasters(folder):
    for name, metres in (("B2", 10), ("B3", 10), ("B5", 20)):
        path = folder / f"{name}.tif"
        write_image(path, pixels_of(name, metres), metres=metres, driver="GTiff")
    classes = np.full((60, 60), 8, np.uint8)
    write_image(folder / "SCL.tif", classes, metres=20, driver="GTiff")
    rgb = np.ones((3, 120, 120), np.uint8)
    write_image(folder / "TCI.tif", rgb, metres=10, driver="GTiff")


def assets():
    return {
        "thumbnail": {"href": "t.jpg", "type": "image/jpeg", "roles": ["thumbnail"]},
        "info": {"href": "i.json", "type": "application/json", "roles": ["metadata"]},
        "visual": {
            "href": "TCI.tif", "type": TIFF, "roles": ["data"],
            "eo:bands": [{"name": "B04"}, {"name": "B03"}, {"name": "B02"}],
        },
        "B02": band("B02", "./B2.tif", **{"raster:bands": [{"nodata": 0, "scale": 0.0001, "offset": -0.1}]}),  # noqa: E501
        "green": band("B03", "B3.tif"),
        "B05": band("B05", "B5.tif"),
        "scl": {"href": "SCL.tif", "type": TIFF, "roles": ["data"]},
    }  # fmt: skip


def opened(path, **options):
    ((name, files),) = inputs_of([str(path)], stack=False)
    return open_scene(name, files, options=SceneOptions(**options))


def test_item_with_assets_beside_it_is_a_scene(tmp_path):
    write_rasters(tmp_path)
    scene = opened(write_item(tmp_path, assets()))
    assert scene.band_names == ("B2", "B3", "B5")
    assert scene.scene_id.startswith("an_item_1-")
    assert len(scene.scene_id) == len("an_item_1-") + 8
    assert scene.taken_at.isoformat() == "2024-06-15T10:16:21.500000+00:00"
    assert (scene.bands[0].scale, scene.bands[0].unit_offset) == (0.0001, -0.1)
    assert scene.bands[0].offset == 0.0
    assert scene.nodata == 0
    assert scene.cloud_source == "scl"
    assert [b.resolution for b in scene.bands] == [(10, 10), (10, 10), (20, 20)]
    assert (read_window(scene.bands[1].path)[0] == pixels_of("B3", 10)).all()


def test_item_of_a_sentinel_2_product_keeps_its_id(tmp_path):
    write_rasters(tmp_path)
    only = {"B02": assets()["B02"]}
    path = write_item(tmp_path, only, identity=S2, datetime=None, start_datetime="2024-06-15")
    scene = opened(path)
    assert scene.scene_id == S2
    assert scene.taken_at.isoformat() == "2024-06-15T00:00:00+00:00"


def test_bands_of_stac_1_1_and_bands_of_one_file_are_understood(tmp_path):
    stack = np.stack([pixels_of("B2", 10), pixels_of("B3", 10)])
    write_image(tmp_path / "both.tif", stack, metres=10, driver="GTiff")
    described = [{"name": "B02", "nodata": 0}, {"name": "B03", "nodata": 0}]
    found = {"data": {"href": "both.tif", "type": TIFF, "roles": ["data"], "bands": described}}
    scene = opened(write_item(tmp_path, found))
    assert scene.band_names == ("B2", "B3")
    assert [b.number for b in scene.bands] == [1, 2]


def test_item_without_band_names_takes_the_keys_of_its_assets(tmp_path):
    write_rasters(tmp_path)
    found = {key: {"href": f"{key}.tif", "type": TIFF, "roles": ["data"]} for key in ("B2", "B3")}
    assert opened(write_item(tmp_path, found)).band_names == ("B2", "B3")


def test_of_two_files_of_a_band_the_geotiff_is_read(tmp_path):
    write_rasters(tmp_path)
    found = {
        "blue-jp2": band("B02", "B2.jp2", type="image/jp2"),
        "blue": band("B02", "B2.tif"),
    }
    scene = opened(write_item(tmp_path, found))
    assert [b.path for b in scene.bands] == [str(tmp_path / "B2.tif")]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "is no JSON"),
        ("[]", "is no STAC item"),
        ('{"type": "FeatureCollection", "features": []}', "type 'FeatureCollection'"),
        ('{"type": "Feature", "geometry": null}', "is no STAC item"),
        ("[" * 100_000, "is no JSON"),
        ('{"type": "Feature", "stac_version": "1.0.0", "assets": {"a": 1}}', "asset a has no href"),
    ],
)
def test_json_that_is_no_item_is_refused(tmp_path, text, match):
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=match):
        opened(tmp_path / "x.json")


def test_item_without_data_lists_what_it_has(tmp_path):
    found = {"thumbnail": {"href": "t.jpg", "type": "image/jpeg", "roles": ["thumbnail"]}}
    with pytest.raises(DataError, match="no data assets; it has thumbnail"):
        opened(write_item(tmp_path, found))


def test_missing_asset_is_named(tmp_path):
    path = write_item(tmp_path, {"B02": band("B02", "none.tif")})
    with pytest.raises(InputError, match=r"none\.tif does not exist"):
        opened(path)


def test_item_and_assets_on_the_web_are_read_over_it(tmp_path):
    write_rasters(tmp_path / "data")
    found = {
        "B02": band("B02", "../data/B2.tif"),
        "B05": band("B05", "../data/B5.tif"),
    }
    write_item(tmp_path / "items", found)
    with serving(tmp_path) as (url, _):
        scene = opened(f"{url}/items/item.json")
        assert scene.bands[0].path == f"/vsicurl/{url}/data/B2.tif"
        assert (read_window(scene.bands[1].path)[0] == pixels_of("B5", 20)).all()
        found["B02"]["href"] = f"{url}/data/B2.tif"
        local = opened(write_item(tmp_path / "here", found | {"B05": band("B5", "../data/B5.tif")}))
        assert local.band_names == ("B2", "B5")
        assert local.bands[1].path == f"{tmp_path}/here/../data/B5.tif"
