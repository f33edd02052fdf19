"""`gair demo`: the same bytes from the same seed, whole or not at all, and made data throughout."""

import csv
import filecmp
import json
import shutil

import numpy as np
import polars as pl
import pytest
from PIL import Image

from gair_cli.demo import write_tables
from gair_cli.demo.make import make_city
from gair_cli.demo.options import CityOptions
from gair_cli.geo.coordinates import from_lonlat
from gair_cli.geo.rasters import raster_info, read_window
from gair_cli.geo.tables import read_photo_table, read_points

WORDS = (
    "--extent", "1.28", "--photos", "110", "--photo-size", "48x36", "--points", "30", "--seed", "7",
)  # fmt: skip
OPTIONS = CityOptions(
    seed=7, extent_km=1.28, photos=110, photo_width=48, photo_height=36, points=30
)


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "city"
    assert make_city(folder, OPTIONS) == "new"
    return folder


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def assert_same_bytes(first, second):
    names = files_of(first)
    assert names == files_of(second)
    _, different, missing = filecmp.cmpfiles(first, second, names, shallow=False)
    assert (different, missing) == ([], [])


def test_same_seed_gives_the_same_bytes_whatever_the_jobs(city, gair, tmp_path):
    result = gair("demo", tmp_path / "again", *WORDS, "--jobs", 2)
    assert result.exit_code == 0, result.stderr
    assert_same_bytes(city, tmp_path / "again")
    assert result.stdout == ""
    assert "made data" in result.stderr
    assert "next: gair tile" in result.stderr


def test_finished_city_is_left_alone_and_another_refused(gair, tmp_path):
    small = ("--extent", "0.5", "--photos", 2, "--points", 2, "--photo-size", "32x24", "-j", 1)
    assert gair("demo", tmp_path / "city", *small).exit_code == 0
    assert "nothing to do" in gair("demo", tmp_path / "city", *small).stderr
    before = (tmp_path / "city/photos.csv").read_bytes()
    other = gair("demo", tmp_path / "city", *small, "--seed", 1)
    assert other.exit_code == 2
    assert (tmp_path / "city/photos.csv").read_bytes() == before
    assert gair("demo", tmp_path / "city", *small, "--seed", 1, "--overwrite").exit_code == 0
    assert (tmp_path / "city/photos.csv").read_bytes() != before


def test_interrupted_city_keeps_its_chunks_and_ends_in_the_same_bytes(city, tmp_path, monkeypatch):
    drawn = []
    original = write_tables._draw_chunk

    def stops_late(folder, options, start):
        drawn.append(start)
        if len(drawn) == 3:
            raise KeyboardInterrupt
        return original(folder, options, start)

    monkeypatch.setattr(write_tables, "_draw_chunk", stops_late)
    with pytest.raises(KeyboardInterrupt):
        make_city(tmp_path / "city", OPTIONS)
    assert not (tmp_path / "city").exists()
    assert make_city(tmp_path / "city", OPTIONS) == "resumed"
    assert drawn == [0, 50, 100, 100]
    assert_same_bytes(city, tmp_path / "city")


def test_scene_has_sentinel_bands_in_utm_with_nodata_and_classes(city):
    scene, classes = raster_info(city / "scene.tif"), raster_info(city / "scene_SCL.tif")
    assert scene.bands == (
        "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12",
    )  # fmt: skip
    assert (scene.dtype, scene.nodata, scene.width, scene.height) == ("uint16", 0, 128, 128)
    assert scene.crs.startswith("EPSG:326")
    assert scene.transform[0] == 10
    assert scene.transform[4] == -10
    assert (classes.dtype, classes.bands, classes.transform) == ("uint8", ("SCL",), scene.transform)
    nodata = (read_window(city / "scene.tif") == 0).all(axis=0)
    assert 0 < nodata.mean() < 0.3
    np.testing.assert_array_equal(nodata, read_window(city / "scene_SCL.tif")[0] == 0)


def test_every_file_says_made_data(city):
    for name in ("scene.tif", "scene_SCL.tif"):
        tags = raster_info(city / name).tags
        assert "made data" in tags["TIFFTAG_IMAGEDESCRIPTION"]
        assert tags["source"] == "made data"
    for name in ("photos.csv", "points.csv"):
        assert set(pl.read_csv(city / name)["source"]) == {"made data"}
    assert "made data" in (city / "README.txt").read_text()
    for path in city.rglob("*.jpg"):
        with Image.open(path) as image:
            assert "made data" in image.getexif()[0x010E]


def test_tables_are_read_like_anybody_elses(city):
    photos = read_photo_table(city / "photos.csv")
    frame = getattr(photos, "frame", photos)
    assert len(frame) == 110
    points = read_points(city / "points.csv")
    assert points.ids[:2] == ["000000", "000001"]


def test_headers_equal_the_table(city):
    with (city / "photos.csv").open() as table:
        for row in csv.DictReader(table):
            with Image.open(city / row["path"]) as image:
                header = image.getexif()
            gps = header.get_ifd(0x8825)
            lat, lon = (
                sum(float(part) / 60**power for power, part in enumerate(gps[key]))
                for key in (2, 4)
            )
            assert image.size == (48, 36)
            assert lon == pytest.approx(abs(float(row["lon"])), abs=1e-7)
            assert lat == pytest.approx(float(row["lat"]), abs=1e-7)
            assert float(gps[17]) == pytest.approx(float(row["heading"]), abs=1e-6)
            taken = header.get_ifd(0x8769)[0x9003]
            assert taken == row["captured_at"].replace("-", ":").replace("T", " ").rstrip("Z")


def test_photos_and_points_lie_inside_the_scene(city):
    scene = raster_info(city / "scene.tif")
    for name in ("photos.csv", "points.csv"):
        frame = pl.read_csv(city / name)
        xy = from_lonlat(frame.select("lon", "lat").to_numpy(), scene.crs)
        column = (xy[:, 0] - scene.transform[2]) / 10
        row = (scene.transform[5] - xy[:, 1]) / 10
        assert ((column > 0) & (column < 128) & (row > 0) & (row < 128)).all()


def test_several_scenes_show_the_same_place_on_other_days(tmp_path):
    options = CityOptions(extent_km=0.5, scenes=2, photos=0, points=0)
    make_city(tmp_path / "city", options)
    first, second = (raster_info(tmp_path / "city" / f"scene{n}.tif") for n in ("", "-2"))
    assert first.transform == second.transform
    assert first.tags["TIFFTAG_DATETIME"] != second.tags["TIFFTAG_DATETIME"]
    assert (tmp_path / "city/photos.csv").read_text().count("\n") == 1


def test_plan_is_noted_beside_the_folder_and_no_time_inside(city):
    manifest = json.loads((city.parent / "city.gair.json").read_text())
    assert manifest["plan"]["seed"] == 7
    assert "plan.json" not in files_of(city)
    assert not any(name.startswith("rows") for name in files_of(city))


@pytest.mark.parametrize(
    "words",
    [("--extent", "0.1"), ("--photo-size", "big"), ("--photos", "-1"), ("--seed", "-3")],
)
def test_senseless_sizes_are_refused_with_exit_2(gair, tmp_path, words):
    result = gair("demo", tmp_path / "city", *words)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 2
    assert list(tmp_path.iterdir()) == []


def test_dry_run_writes_nothing(gair, tmp_path):
    result = gair("demo", tmp_path / "city", "--dry-run")
    assert result.exit_code == 0
    assert "300 photos" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_panoramas_are_twice_as_wide_as_high(tmp_path):
    options = CityOptions(extent_km=0.5, photos=2, photo_width=64, photo_height=32, panorama=True,
                          points=0)  # fmt: skip
    make_city(tmp_path / "city", options)
    with Image.open(tmp_path / "city/photos/000/0000001.jpg") as image:
        assert image.size == (64, 32)
    assert pl.read_csv(tmp_path / "city/photos.csv")["fov"].to_list() == [360, 360]
    shutil.rmtree(tmp_path / "city")
