"""Rasters on the web: asked for again when a server is unwell, given up in bounded time."""

from __future__ import annotations

import shutil

import numpy as np
import polars as pl
import pytest

from gair_cli.geo.inputs.fingerprints import input_fingerprints
from gair_cli.geo.inputs.remote import is_remote, spoken
from gair_cli.geo.rasters import write_geotiff
from gair_cli.geo.tileset import TileSet
from tests.processes import digests, run
from tests.web_server import Trouble, now, serving

UTM = {"crs": "EPSG:32633", "transform": (10.0, 0.0, 5e5, 0.0, -10.0, 5e6)}


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(("a", "b")):
        pixels = np.random.default_rng(number).integers(1, 4000, (2, 300, 300)).astype(np.uint16)
        place = {**UTM, "transform": (10.0, 0.0, 5e5 + 1e5 * number, 0.0, -10.0, 5e6)}
        (tmp_path / "web").mkdir(exist_ok=True)
        write_geotiff(tmp_path / "web" / f"{name}.tif", pixels, **place)
    return tmp_path / "web"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setenv("GDAL_HTTP_TIMEOUT", "1")
    monkeypatch.setenv("GDAL_HTTP_RETRY_DELAY", "0.1")


def test_remote_scenes_give_the_tiles_of_local_ones(folder, tmp_path):
    with serving(folder) as (url, trouble):
        done = run("tile", f"{url}/a.tif", "-o", tmp_path / "web-tiles", "-q")
    assert done.exit_code == 0, done.stderr
    local = tmp_path / "a.tif"
    shutil.copy(folder / "a.tif", local)
    assert run("tile", local, "-o", tmp_path / "tiles", "-q").exit_code == 0
    ours, theirs = (TileSet.open(tmp_path / name) for name in ("web-tiles", "tiles"))
    assert ours.index["band_mean"].to_list() == theirs.index["band_mean"].to_list()
    assert all(name == "a.tif" for _, name, _ in trouble.requests)


@pytest.mark.parametrize(
    "trouble",
    [
        {"unwell": {"a.tif": 2}},
        {"stalled": {"a.tif": 2}},
        {"unwell": {"a.tif": 2}, "well": 4},
        {"stalled": {"a.tif": 1}, "well": 4},
    ],
)
def test_server_that_recovers_is_asked_again(folder, tmp_path, trouble):
    with serving(folder, Trouble(**trouble)) as (url, seen):
        done = run("tile", f"{url}/a.tif", "-o", tmp_path / "tiles", "-q")
    assert done.exit_code == 0, done.stderr
    assert len(TileSet.open(tmp_path / "tiles")) == 9
    assert len(seen.requests) > 2


@pytest.mark.parametrize(
    "trouble",
    [
        {"unwell": {"a.tif": None}},
        {"stalled": {"a.tif": None}},
        {"unwell": {"a.tif": None}, "well": 5},
    ],
)
def test_scene_of_a_dead_server_is_named_and_the_others_go_on(
    folder, tmp_path, trouble, monkeypatch
):
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "1")
    started = now()
    with serving(folder, Trouble(**trouble)) as (url, _):
        done = run("tile", f"{url}/a.tif", f"{url}/b.tif", "-o", tmp_path / "tiles")
        alone = run("tile", f"{url}/b.tif", "-o", tmp_path / "alone", "-q")
    assert now() - started < 60
    assert done.exit_code == 5, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("gair: error:")]
    assert len(errors) == 1
    assert f"{url}/a.tif" in errors[0]
    assert "fetched" in errors[0]
    rejected = pl.read_parquet(tmp_path / "tiles.rejected.parquet")
    assert rejected["scene"].to_list() == [f"{url}/a.tif"]
    assert alone.exit_code == 0
    assert digests(tmp_path / "tiles" / "shards") == digests(tmp_path / "alone" / "shards")


def test_missing_remote_scene_alone_is_exit_3(folder, tmp_path):
    with serving(folder) as (url, _):
        done = run("tile", f"{url}/none.tif", "-o", tmp_path / "tiles")
    assert done.exit_code == 3
    assert "none.tif" in done.stderr
    assert "hint: check the address" in done.stderr


def test_fingerprint_of_a_remote_file_is_what_its_server_says(folder):
    with serving(folder) as (url, seen):
        path = f"/vsicurl/{url}/a.tif"
        first = input_fingerprints([path])
        assert first == input_fingerprints([path])
        assert first == input_fingerprints([f"{path}?key=of-the-day"])
        assert [request[0] for request in seen.requests] == ["HEAD", "HEAD", "HEAD"]
        write_geotiff(folder / "a.tif", np.ones((1, 8, 8), np.uint8), **UTM)
        assert input_fingerprints([path]) != first
    assert input_fingerprints([path]) == [f"{url}/a.tif"]
    assert input_fingerprints(["/vsis3/bucket/key.tif"]) == ["/vsis3/bucket/key.tif"]


def test_remote_paths_are_known_and_spoken_as_people_write_them():
    assert is_remote("/vsicurl/https://example.com/a.tif")
    assert is_remote("/vsizip/vsis3/bucket/a.zip/a.tif")
    assert not is_remote("/vsizip/{/data/a.zip}/a.tif")
    assert not is_remote("/data/vsicurl/a.tif")
    assert spoken("/vsicurl/https://example.com/a.tif") == "https://example.com/a.tif"
    assert spoken("/vsis3/bucket/a.tif") == "s3://bucket/a.tif"
    assert spoken("/data/a.tif") == "/data/a.tif"
