"""Words become scenes: paths, patterns, lists, standard input, and folders by what they hold."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest

from gair_cli.errors import InputError, UsageError
from gair_cli.geo.inputs.kinds import Kind, kind_of
from gair_cli.geo.inputs.remote import gdal_path
from gair_cli.geo.rasters import write_geotiff
from gair_cli.geo.scenes import SceneOptions, inputs_of, open_scene
from tests.made_products import make_l2a, make_landsat, make_old_l1c, zipped

UTM = {"crs": "EPSG:32633", "transform": (10.0, 0.0, 5e5, 0.0, -10.0, 5e6)}


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_geotiff(path, np.ones((1, 8, 8), np.uint8), **UTM)
    return path


def names(words, **options):
    return [name for name, _ in inputs_of([str(word) for word in words], stack=False, **options)]


def test_patterns_are_expanded_in_order_and_real_names_go_before_them(tmp_path):
    paths = [write(tmp_path / name) for name in ("b.tif", "a.tif", "deep/c.tif", "x[1].tif")]
    assert names([f"{tmp_path}/?.tif"]) == [str(tmp_path / "a.tif"), str(tmp_path / "b.tif")]
    assert names([f"{tmp_path}/**/c.tif"]) == [str(paths[2])]
    assert names([paths[3]]) == [str(paths[3])]
    with pytest.raises(InputError, match="no file matches"):
        names([f"{tmp_path}/*.jp2"])


def test_list_of_scenes_is_relative_to_its_own_folder(tmp_path):
    a, b = write(tmp_path / "data" / "a.tif"), write(tmp_path / "b.tif")
    text = (
        f"\ufeff# scenes\r\na.tif\r\n\r\n  {b}  \nhttps://example.com/c.tif?x=1\n*.tif\nnone.tif\n"
    )
    (tmp_path / "data" / "scenes.txt").write_text(text, encoding="utf-8", newline="")
    assert names([tmp_path / "data" / "scenes.txt"]) == [
        str(a),
        str(b),
        "https://example.com/c.tif?x=1",
        str(a),
        str(tmp_path / "data" / "none.tif"),
    ]


def test_scene_that_a_list_names_but_is_missing_is_a_bad_scene_not_the_end(tmp_path):
    write(tmp_path / "a.tif")
    (tmp_path / "scenes.txt").write_text("a.tif\nnone.tif\n", encoding="utf-8")
    found = inputs_of([str(tmp_path / "scenes.txt")], stack=False)
    with pytest.raises(InputError, match=r"none\.tif does not exist"):
        open_scene(*found[1], options=SceneOptions())


def test_standard_input_lists_scenes_too(tmp_path, monkeypatch):
    path = write(tmp_path / "a.tif")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{path}\n# no\na.tif\n"))
    assert names(["-"]) == [str(path), "a.tif"]


@pytest.mark.parametrize("text", ["", "# nothing\n\n"])
def test_empty_list_is_refused(tmp_path, text):
    (tmp_path / "scenes.txt").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="lists no scene"):
        names([tmp_path / "scenes.txt"])


def test_list_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "scenes.txt").write_bytes(b"II*\0\xff\xfe\xfa")
    with pytest.raises(InputError, match="is no text"):
        names([tmp_path / "scenes.txt"])


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("https://example.com/a.tif", "/vsicurl/https://example.com/a.tif"),
        ("HTTP://example.com/a.tif", "/vsicurl/http://example.com/a.tif"),
        ("s3://bucket/key/a.tif", "/vsis3/bucket/key/a.tif"),
        ("gs://bucket/a.tif", "/vsigs/bucket/a.tif"),
        ("file:///data/a%20b.tif", "/data/a b.tif"),
        ("/vsicurl/https://example.com/a.tif", "/vsicurl/https://example.com/a.tif"),
        ("folder/a.tif", "folder/a.tif"),
    ],
)
def test_addresses_become_what_gdal_opens(word, path):
    assert gdal_path(word) == path


@pytest.mark.parametrize("word", ["https://example.com/a.tif", "/vsis3/bucket/a.tif"])
def test_nothing_is_fetched_offline(monkeypatch, word):
    monkeypatch.setenv("GAIR_OFFLINE", "1")
    with pytest.raises(InputError, match="GAIR_OFFLINE is set"):
        gdal_path(word)
    assert gdal_path("/data/a.tif") == "/data/a.tif"
    monkeypatch.setenv("GAIR_OFFLINE", "0")
    assert gdal_path(word)


def test_address_of_an_unknown_kind_is_refused():
    with pytest.raises(UsageError, match="begin with ftp:// cannot be read"):
        gdal_path("ftp://example.com/a.tif")


def test_folders_are_known_by_what_is_in_them(tmp_path):
    safe = make_l2a(tmp_path, name="one")
    landsat, _ = make_landsat(tmp_path / "two")
    old = make_old_l1c(tmp_path / "three")
    write(tmp_path / "plain" / "a.tif")
    assert kind_of(str(safe.path)) is Kind.SAFE
    assert kind_of(str(old.path)) is Kind.SAFE
    assert kind_of(str(next((old.path / "GRANULE").iterdir()))) is Kind.SAFE
    assert kind_of(str(zipped(safe))) is Kind.SAFE
    assert kind_of(str(landsat)) is Kind.LANDSAT
    assert kind_of(str(next(landsat.glob("*_MTL.txt")))) is Kind.LANDSAT
    assert kind_of(str(tmp_path / "plain")) is Kind.FOLDER
    assert kind_of(str(tmp_path / "plain" / "a.tif")) is Kind.RASTER


def test_plain_folder_is_told_what_to_do(tmp_path):
    with pytest.raises(UsageError, match="is a folder") as caught:
        names([tmp_path])
    assert "--stack" in caught.value.hint
    make_l2a(tmp_path)
    with pytest.raises(UsageError, match="is a folder") as caught:
        names([tmp_path])
    assert f"'{tmp_path}/*.SAFE'" in caught.value.hint
    make_landsat(tmp_path / "landsat")
    with pytest.raises(UsageError, match="and no product") as caught:
        names([tmp_path / "landsat"])
    assert f"'{tmp_path}/landsat/*'" in caught.value.hint


def test_loose_files_of_a_stack_may_lie_on_the_web():
    words = ["https://example.com/x/a_B2.tif?k=1", "https://example.com/x/a_B3.tif?k=2"]
    assert inputs_of(words, stack=True) == [
        ("https://example.com/x", tuple(f"/vsicurl/{word}" for word in words))
    ]


def test_items_that_an_api_serves_are_known_by_their_address():
    served = "/vsicurl/https://example.com/v1/collections/sentinel-2-l2a/items/S2B_33UUP"
    assert kind_of(served) is Kind.STAC
    assert kind_of("/vsicurl/https://example.com/item.json?token=x.tif") is Kind.STAC
    assert kind_of("/vsicurl/https://example.com/items/a.tif") is Kind.RASTER


def test_archive_that_is_no_product_is_told_to_be_unpacked(tmp_path):
    (tmp_path / "LC08.tar.gz").write_bytes(b"x")
    found = inputs_of([str(tmp_path / "LC08.tar.gz")], stack=False)
    with pytest.raises(InputError, match="is an archive") as caught:
        open_scene(*found[0], options=SceneOptions())
    assert "unpack it" in caught.value.hint


def test_missing_scene_and_none_at_all_are_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        names([tmp_path / "none.tif"])
    with pytest.raises(InputError, match="xxx does not exist"):
        names(["x" * 300])
    with pytest.raises(UsageError, match="no scene"):
        names([])
