"""`gair tile`: grids, filters, compression, appending, export and preview on made scenes."""

from __future__ import annotations

import json
import os
import signal
import time

import geopandas as gpd
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
from PIL import Image
from rasterio.vrt import WarpedVRT
from rasterio.warp import Resampling

from gair_cli.geo.rasters import write_geotiff
from gair_cli.geo.tileset import TileSet, decode_tile
from tests.processes import digests, kill_when, run, start

WEST, NORTH = 384_470.0, 5_820_450.0


def smooth(path, *, size=(240, 260), seed=0, west=WEST, north=NORTH, bands=3, **more):
    """Write a smooth made scene, whose pixels hang on their place alone, and return them."""
    height, width = size
    x = (west + 10 * np.arange(width) + 5)[None, :]
    y = (north - 10 * np.arange(height) - 5)[:, None]
    waves = [2000 + 900 * np.sin(x / (300 + 40 * b) + seed) * np.cos(y / 410) for b in range(bands)]
    pixels = np.stack([np.round(wave) for wave in waves]).astype(np.uint16)
    place = (10.0, 0.0, west, 0.0, -10.0, north)
    names = [f"B{4 - b}" for b in range(bands)]
    given = {"crs": "EPSG:32633", "nodata": 0, "band_names": names, **more}
    write_geotiff(path, pixels, transform=place, **given)
    return pixels


def refused(result, code, *words):
    errors = [line for line in result.stderr.splitlines() if line.startswith("gair: error: ")]
    assert result.exit_code == code, result.stderr
    assert len(errors) == 1
    for word in words:
        assert word in result.stderr


def tile(gair, *words):
    result = gair("tile", *words)
    assert result.exit_code == 0, result.stderr
    return result


def by_cell(tiles):
    arrays = tiles.read(range(len(tiles)))
    rows = tiles.index.select("scene_id", "row", "col").iter_rows()
    return {tuple(row): array for row, array in zip(rows, arrays, strict=True)}


# ---- grids ----


def test_utm_tiles_of_two_scenes_have_the_same_cells_outlines_and_pixels(gair, tmp_path):
    smooth(tmp_path / "a.tif")
    smooth(tmp_path / "b.tif", west=WEST + 500, north=NORTH - 300)
    scenes = (tmp_path / "a.tif", tmp_path / "b.tif")
    tile(gair, *scenes, "-o", tmp_path / "tiles", "--grid", "utm", "--size", 32)
    tiles = TileSet.open(tmp_path / "tiles")
    first, second = sorted(set(tiles.index["scene_id"]))
    cells = by_cell(tiles)
    common = [key[1:] for key in cells if key[0] == first and (second, *key[1:]) in cells]
    assert len(common) > 15
    for cell in common:
        assert (cells[first, *cell] == cells[second, *cell]).all()
        both = tiles.index.filter(row=cell[0], col=cell[1])
        assert len(set(map(tuple, both["transform"].to_list()))) == 1
    assert tiles.index["tile_id"].is_unique().all()
    assert json.loads((tmp_path / "tiles" / "dataset.json").read_text())["grid"] == "utm"


def warped(path, row, crs):
    """Return a tile's pixels as GDAL resamples the scene bilinearly."""
    place = rasterio.Affine(*row["transform"])
    options = {"crs": crs, "transform": place, "width": row["width"], "height": row["height"]}
    with (
        rasterio.open(path) as scene,
        WarpedVRT(scene, resampling=Resampling.bilinear, **options) as found,
    ):
        return found.read()


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # rasterio calls affine's old way
@pytest.mark.parametrize(
    ("words", "crs"),
    [
        (("--grid", "xyz:14", "--size", "64", "--partial", "pad"), "EPSG:3857"),
        (("--reproject", "EPSG:4326", "--size", "64"), "EPSG:4326"),
        (("--reproject", "EPSG:3035", "--size", "64", "--res", "12"), "EPSG:3035"),
        (("--grid", "utm", "--size", "32", "--res", "15"), "EPSG:32633"),
        (("--grid", "majortom:0.6", "--size", "64"), "EPSG:32633"),
    ],
)
def test_resampled_tiles_agree_with_gdal_to_a_grey_level(gair, tmp_path, words, crs):
    smooth(tmp_path / "a.tif", west=WEST + 3, north=NORTH - 4)  # off every grid
    tile(gair, tmp_path / "a.tif", "-o", tmp_path / "tiles", *words)
    tiles = TileSet.open(tmp_path / "tiles")
    assert set(tiles.index["crs"]) == {crs}
    assert len(tiles) >= 4
    arrays = tiles.read(range(len(tiles)))
    for array, row in zip(arrays, tiles.index.iter_rows(named=True), strict=True):
        expected = warped(tmp_path / "a.tif", row, crs).astype(np.int64)
        both = (array > 0) & (expected > 0)
        assert ((array > 0) == (expected > 0)).mean() > 0.97
        assert np.median(np.abs(array.astype(np.int64) - expected)[both]) <= 1


def test_padded_tiles_of_a_grid_are_nodata_outside_the_scene(gair, tmp_path):
    smooth(tmp_path / "a.tif")
    words = ("--grid", "utm", "--size", 64)
    tile(gair, tmp_path / "a.tif", "-o", tmp_path / "pad", *words, "--partial", "pad")
    tile(gair, tmp_path / "a.tif", "-o", tmp_path / "skip", *words)
    padded, whole = TileSet.open(tmp_path / "pad"), TileSet.open(tmp_path / "skip")
    assert whole.index["nodata_fraction"].max() == 0
    assert padded.index["nodata_fraction"].max() > 0.3
    assert set(whole.index["tile_id"]) < set(padded.index["tile_id"])
    valid = (1 - padded.index["nodata_fraction"]).sum() * 64 * 64
    assert valid == pytest.approx(240 * 260, rel=1e-6)  # every pixel of the scene once


def test_scene_over_a_zone_boundary_gives_tiles_of_both_zones(gair, tmp_path):
    pixels = np.full((1, 300, 300), 7, np.uint8)
    place = (0.0003, 0.0, 11.955, 0.0, -0.0003, 50.045)
    write_geotiff(tmp_path / "a.tif", pixels, crs="EPSG:4326", transform=place, nodata=0)
    words = ("--grid", "utm", "--size", 32, "--shard-size", "20kB")
    result = tile(gair, tmp_path / "a.tif", "-o", tmp_path / "tiles", *words)
    assert "resampled to 25 m" in result.stderr
    tiles = TileSet.open(tmp_path / "tiles")
    assert set(tiles.index["crs"]) == {"EPSG:32632", "EPSG:32633"}
    east = tiles.index.filter(pl.col("crs") == "EPSG:32633")
    assert east["centre_lon"].min() >= 12
    assert len(tiles) > 30
    assert all((array == 7).all() for array in tiles.read(range(len(tiles))))


def test_killed_run_over_two_zones_ends_in_the_same_bytes(tmp_path):
    pixels = np.random.default_rng(0).integers(1, 255, (2, 380, 380)).astype(np.uint8)
    place = (0.0003, 0.0, 11.943, 0.0, -0.0003, 50.057)
    write_geotiff(tmp_path / "a.tif", pixels, crs="EPSG:4326", transform=place, nodata=0)
    words = ("tile", tmp_path / "a.tif", "--grid", "utm", "--size", 32, "--stride", 12, "-j", 1,
             "--shard-size", "300kB")  # fmt: skip
    assert run(*words, "-o", tmp_path / "calm").exit_code == 0
    parts = tmp_path / "killed.partial" / "parts"
    seen = lambda: len(list(parts.glob("*.parquet"))) >= 3  # noqa: E731
    assert kill_when(seen, *words, "-o", tmp_path / "killed") == -signal.SIGKILL
    again = run(*words, "-o", tmp_path / "killed")
    assert "kept" in again.stderr
    assert digests(tmp_path / "killed") == digests(tmp_path / "calm")


def test_majortom_rows_and_columns_are_those_of_the_cell_below_the_tile(gair, tmp_path):
    from gair_cli.geo.grid_majortom import MajorTomGrid

    smooth(tmp_path / "a.tif")
    words = ("--grid", "majortom:0.5", "--size", 50)
    tile(gair, tmp_path / "a.tif", "-o", tmp_path / "tiles", *words)
    tiles = TileSet.open(tmp_path / "tiles")
    grid = MajorTomGrid(0.5)
    for row in tiles.index.iter_rows(named=True):
        found = grid.cell_at(row["centre_lon"], row["centre_lat"])
        assert found == (row["row"], row["col"])
    assert tiles.index["row"].min() > 10_000


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--grid", "hexagon"), "hexagon"),
        (("--grid", "utm", "--partial", "shift"), "--partial shift"),
        (("--grid", "xyz:12", "--reproject", "EPSG:3857"), "--reproject"),
        (("--res", "10"), "--res"),
        (("--compress", "lz4"), "lz4"),
        (("--compress", "zstd:20"), "20"),
        (("--datetime", "yesterday"), "yesterday"),
        (("--bbox", "1,2,3"), "W,S,E,N"),
        (("--bbox", "1,2,1,3"), "no box"),
        (("--resampling", "lanczos"), "lanczos"),
        (("--memory", "much"), "much"),
        (("--offset", "B2=x"), "B2=x"),
        (("--append", "--overwrite"), "--append"),
    ],
)
def test_options_that_make_no_sense_are_usage_errors(gair, tmp_path, words, text):
    smooth(tmp_path / "a.tif")
    refused(gair("tile", tmp_path / "a.tif", "-o", tmp_path / "tiles", *words), 2, text)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_resampled_scene_without_a_nodata_value_asks_for_one(gair, tmp_path):
    smooth(tmp_path / "a.tif", nodata=None)
    words = (tmp_path / "a.tif", "--reproject", "EPSG:4326", "--size", 64, "-o", tmp_path / "tiles")
    refused(gair("tile", *words), 4, "a.tif", "padding", "--nodata")
    tile(gair, *words, "--nodata", 0)


# ---- filters ----


def plan_of(gair, *words):
    result = tile(gair, *words, "--dry-run", "--json")
    return json.loads(result.stdout)


def test_box_and_region_keep_the_same_tiles_and_spare_the_other_blocks(gair, tmp_path):
    smooth(tmp_path / "a.tif", size=(1100, 1100))
    box = (13.30, 52.50, 13.31, 52.505)
    gpd.GeoDataFrame(geometry=[shapely.box(*box)], crs=4326).to_file(tmp_path / "r.geojson")
    text = ",".join(map(str, box))
    words = (tmp_path / "a.tif", "--size", 32)
    tile(gair, *words, "-o", tmp_path / "box", "--bbox", text)
    tile(gair, *words, "-o", tmp_path / "file", "--region", tmp_path / "r.geojson")
    tile(gair, *words, "-o", tmp_path / "all")
    boxed, filed, every = (TileSet.open(tmp_path / name) for name in ("box", "file", "all"))
    assert boxed.index["tile_id"].to_list() == filed.index["tile_id"].to_list()
    outlines = gpd.read_parquet(tmp_path / "all" / "index.parquet")
    shared = shapely.area(shapely.intersection(outlines.geometry.to_numpy(), shapely.box(*box)))
    wanted = outlines[shared > 0]
    assert set(boxed.index["tile_id"]) == set(wanted["tile_id"])
    assert 3 < len(boxed) < len(every) / 10
    whole = plan_of(gair, *words, "-o", tmp_path / "x")
    part = plan_of(gair, *words, "-o", tmp_path / "x", "--bbox", text)
    assert part["decoded_bytes"] < whole["decoded_bytes"] / 4
    refused(
        gair("tile", *words, "-o", tmp_path / "none", "--bbox", "0,0,1,1"), 4, "shares area", "bbox"
    )


def test_period_keeps_scenes_of_it_and_names_those_without_a_date(gair, tmp_path):
    ids = [f"S2B_MSIL2A_202406{day}T101559_N0510_R065_T33UUU_20240630T130846" for day in (10, 20)]
    for seed, name in enumerate([*ids, "undated"]):
        smooth(tmp_path / f"{name}.tif", seed=seed)
    scenes = sorted(tmp_path.glob("*.tif"))
    result = tile(gair, *scenes, "-o", tmp_path / "tiles", "--datetime", "2024-06-15/..")
    assert set(TileSet.open(tmp_path / "tiles").index["scene_id"]) == {ids[1]}
    assert "1 scene left out for having no date" in result.stderr
    assert "undated.tif" in result.stderr
    assert "1 scene left out: not taken" in result.stderr
    words = ("-o", tmp_path / "none", "--datetime", "2030-01-01/..")
    refused(gair("tile", *scenes, *words), 4, "--datetime", "undated.tif")


def test_limit_of_clouds_needs_something_that_says_where_they_are(gair, tmp_path, shared_data):
    smooth(tmp_path / "a.tif")
    words = (tmp_path / "a.tif", "-o", tmp_path / "tiles", "--max-cloud", "0.1")
    refused(gair("tile", *words), 4, "a.tif", "cloudy")
    landsat = shared_data / "landsat8"
    tile(gair, landsat, "-o", tmp_path / "all")
    tile(gair, landsat, "-o", tmp_path / "clear", "--max-cloud", "0.05")
    every, clear = (TileSet.open(tmp_path / name).index for name in ("all", "clear"))
    assert every["cloud_fraction"].null_count() == 0
    kept = every.filter(pl.col("cloud_fraction") <= 0.05)
    assert 0 < len(kept) < len(every)
    assert set(clear["tile_id"]) == set(kept["tile_id"])


def test_scenes_without_a_tile_are_named(gair, tmp_path):
    smooth(tmp_path / "large.tif")
    smooth(tmp_path / "small.tif", size=(50, 60))
    scenes = (tmp_path / "large.tif", tmp_path / "small.tif")
    result = tile(gair, *scenes, "-o", tmp_path / "tiles")
    assert "1 scene left out: no whole tile lies in it" in result.stderr
    assert "small.tif" in result.stderr
    padded = tile(gair, *scenes, "-o", tmp_path / "padded", "--partial", "pad")
    assert "left out: no" not in padded.stderr
    smooth(tmp_path / "away.tif", west=WEST + 100_000)
    words = (scenes[0], tmp_path / "away.tif", "-o", tmp_path / "here", "--bbox", "13,52,14,53")
    assert "no tile of it shares area with --bbox" in tile(gair, *words).stderr
    refused(gair("tile", scenes[0], "-o", tmp_path / "x", "--bbox", "0,0,1,1"), 4, "of 1 scene ")


def test_standard_output_is_no_tile_set(gair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    smooth(tmp_path / "a.tif")
    refused(gair("tile", "a.tif", "-o", "-"), 2, "folder", "-o FOLDER")
    assert not (tmp_path / "-").exists()


def test_band_pattern_without_a_stack_is_refused(gair, tmp_path):
    smooth(tmp_path / "a.tif")
    words = (tmp_path / "a.tif", "-o", tmp_path / "tiles", "--band-pattern", "B(.)")
    refused(gair("tile", *words), 2, "--band-pattern", "--stack")


def test_gdals_words_stand_alone_in_errors(gair, tmp_path):
    smooth(tmp_path / "a.tif")
    (tmp_path / "region.geojson").write_text("{broken")
    words = (tmp_path / "a.tif", "-o", tmp_path / "tiles", "--region", tmp_path / "region.geojson")
    result = gair("tile", *words)
    refused(result, 3, "region.geojson", "not recognized", "ogrinfo")
    assert "NULL pointer" not in result.stderr
    (tmp_path / "b.tif").write_text("no raster")
    result = gair("tile", tmp_path / "b.tif", "-o", tmp_path / "tiles")
    refused(result, 3, "b.tif", "not recognized", "gdalinfo")
    assert "NULL pointer" not in result.stderr


def test_a_folder_of_scenes_hints_at_a_pattern_that_works(gair, tmp_path):
    (tmp_path / "scenes").mkdir()
    smooth(tmp_path / "scenes" / "a.tif")
    result = gair("tile", f"{tmp_path}/scenes/", "-o", tmp_path / "tiles")
    refused(result, 2, f"'{tmp_path}/scenes/*.tif'")


@pytest.mark.parametrize(
    ("west", "bounds"), [(710_000, (178.887, 179.246)), (800_000, (179.695, -179.946))]
)
def test_info_gives_the_bounds_of_tiles_across_the_antimeridian(gair, tmp_path, west, bounds):
    smooth(tmp_path / "a.tif", size=(100, 4000), west=float(west), north=1000.0, crs="EPSG:32660")
    tile(gair, tmp_path / "a.tif", "-o", tmp_path / "tiles", "--size", 100)
    found = json.loads(gair("info", tmp_path / "tiles", "--json").stdout)["bounds"]
    assert found[::2] == pytest.approx(bounds, abs=2e-3)
    assert found[1::2] == pytest.approx((0, 1000 / 110_574), abs=2e-4)


def test_dataset_spells_the_greatest_integer_as_nodata_within_its_type(gair, tmp_path):
    pixels = np.full((1, 20, 20), 7, np.uint64)
    place = (10.0, 0.0, WEST, 0.0, -10.0, NORTH)
    write_geotiff(tmp_path / "a.tif", pixels, transform=place, crs="EPSG:32633")
    words = (tmp_path / "a.tif", "-o", tmp_path / "tiles", "--size", 20, "--nodata", 2**64 - 1)
    tile(gair, *words)
    found = json.loads((tmp_path / "tiles" / "dataset.json").read_text())["nodata"]
    assert found == 18446744073709551615
    assert len(TileSet.open(tmp_path / "tiles")) == 1


# ---- bytes ----


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize(
    ("codec", "name", "level", "predictor"),
    [("none", "none", None, 1), ("zstd:19", "zstd", 19, 2), ("zstd", "zstd", 1, 2)],
)
def test_tiles_of_every_codec_read_alike(gair, tmp_path, codec, name, level, predictor):
    pixels = smooth(tmp_path / "a.tif")
    tile(gair, tmp_path / "a.tif", "-o", tmp_path / "tiles", "--compress", codec, "--size", 60)
    tiles = TileSet.open(tmp_path / "tiles")
    content = json.loads((tmp_path / "tiles" / "dataset.json").read_text())
    assert (content["codec"], content["level"], content["predictor"]) == (name, level, predictor)
    for row, array in zip(tiles.index.iter_rows(named=True), tiles.read(range(16)), strict=True):
        top, left = 60 * row["row"], 60 * row["col"]
        assert (array == pixels[:, top : top + 60, left : left + 60]).all()
    member = tiles.member_bytes(3)
    assert (decode_tile(member) == tiles.read([3])[0]).all()
    with rasterio.MemoryFile(member) as file, file.open() as found:
        assert (found.read() == tiles.read([3])[0]).all()
        assert found.compression is (None if level is None else rasterio.enums.Compression.zstd)
    assert tiles.info.level == level


def test_dataset_records_bands_products_and_how_they_were_resampled(gair, tmp_path):
    smooth(tmp_path / "a.tif")
    words = ("--grid", "utm", "--res", 20, "--size", 32, "--resampling", "B2=nearest",
             "--offset", "B4=-100")  # fmt: skip
    tile(gair, tmp_path / "a.tif", "-o", tmp_path / "tiles", *words)
    content = json.loads((tmp_path / "tiles" / "dataset.json").read_text())
    bands = {band["name"]: band for band in content["bands"]}
    assert content["res"] == 20
    assert bands["B4"]["resolution"] == [10, 10]
    assert [bands[name]["resampling"] for name in ("B4", "B2")] == ["bilinear", "nearest"]
    assert [bands[name]["radiometric_offset"] for name in ("B4", "B2")] == [-100, 0]
    assert content["products"][0]["scene_id"].startswith("a-")
    assert content["products"][0]["cloud_source"] is None
    info = TileSet.open(tmp_path / "tiles").info
    assert info.facts[0].radiometric_offset == -100
    assert json.loads(json.dumps(info.to_dict())) == content


def test_memory_limit_changes_no_byte_and_one_too_small_is_refused(gair, tmp_path):
    smooth(tmp_path / "a.tif", size=(700, 700))
    words = (tmp_path / "a.tif", "--size", 64, "--stride", 32)
    tile(gair, *words, "-o", tmp_path / "free")
    needed = plan_of(gair, *words, "-o", tmp_path / "x")["memory_bytes"]
    tile(gair, *words, "-o", tmp_path / "tight", "--memory", needed)
    assert digests(tmp_path / "free") == digests(tmp_path / "tight")
    refused(gair("tile", *words, "-o", tmp_path / "no", "--memory", "1kB"), 4, "--memory")


def test_dry_run_says_rows_bytes_minutes_memory_and_schema_and_writes_nothing(gair, tmp_path):
    smooth(tmp_path / "a.tif")
    words = (tmp_path / "a.tif", "-o", tmp_path / "tiles", "--size", 60)
    text = tile(gair, *words, "-n").stderr
    for word in (
        "16 tiles",
        "0.3 MB",
        "block",
        "at a time",
        "with",
        "MB/s a core",
        "tile_id String",
    ):
        assert word in text
    found = plan_of(gair, *words)
    assert (found["tiles"], found["scenes"], found["bad"]) == (16, 1, 0)
    assert found["bytes"] == 16 * 60 * 60 * 3 * 2
    assert found["minutes"] > 0
    assert found["memory_bytes"] > 0
    assert found["schema"]["nodata_fraction"] == "Float32"
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


# ---- runs ----


def test_second_run_on_one_output_stops_with_a_clear_line(gair, tmp_path):
    smooth(tmp_path / "a.tif", size=(700, 700))
    words = ("tile", tmp_path / "a.tif", "-o", tmp_path / "tiles", "--stride", 12, "-j", 1,
             "--shard-size", "1MB")  # fmt: skip
    first = start(*words)
    parts = tmp_path / "tiles.partial" / "parts"
    while first.poll() is None and not list(parts.glob("*.parquet")):
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGSTOP)
    try:
        refused(gair(*words), 2, "tiles.partial is in use")
        refused(gair(*words, "--append"), 2, "tiles.partial is in use")
        refused(gair(*words, "--overwrite"), 2, "tiles.partial is in use")
    finally:
        os.kill(first.pid, signal.SIGCONT)
        first.terminate()
        first.communicate()
    assert gair(*words).exit_code == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stopped_run_names_the_command_that_goes_on(tmp_path, number, code):
    smooth(tmp_path / "a b.tif", size=(700, 700))
    words = ("tile", tmp_path / "a b.tif", "-o", tmp_path / "tiles", "--stride", 12, "-j", 1,
             "--shard-size", "1MB")  # fmt: skip
    process = start(*words)
    parts = tmp_path / "tiles.partial" / "parts"
    while process.poll() is None and not list(parts.glob("*.parquet")):
        time.sleep(0.01)
    process.send_signal(number)
    text = process.communicate()[1].decode()
    assert process.returncode == code
    assert f"go on with: gair tile '{tmp_path}/a b.tif' -o" in text
    again = run(*words)
    assert again.exit_code == 0
    assert "resumed: kept" in again.stderr


def test_no_resume_starts_anew(tmp_path):
    smooth(tmp_path / "a.tif", size=(700, 700))
    words = ("tile", tmp_path / "a.tif", "-o", tmp_path / "tiles", "--stride", 12, "-j", 1,
             "--shard-size", "1MB")  # fmt: skip
    parts = tmp_path / "tiles.partial" / "parts"
    seen = lambda: len(list(parts.glob("*.parquet"))) >= 2  # noqa: E731
    assert kill_when(seen, *words) == -signal.SIGKILL
    again = run(*words, "--no-resume")
    assert again.exit_code == 0
    assert "kept" not in again.stderr


def test_several_runs_append_and_what_does_not_fit_is_refused(gair, tmp_path):
    for seed, name in enumerate("abc"):
        smooth(tmp_path / f"{name}.tif", seed=seed, west=WEST + 700 * seed)
    words = ("-o", tmp_path / "tiles", "--append", "--grid", "utm", "--size", 32)
    for name in "abc":
        tile(gair, tmp_path / f"{name}.tif", *words)
    tiles = TileSet.open(tmp_path / "tiles")
    assert tiles.info.counts["scenes"] == tiles.info.counts["shards"] == 3
    assert [product["scene_id"][0] for product in tiles.info.products] == ["a", "b", "c"]
    scenes = [tmp_path / f"{name}.tif" for name in "abc"]
    tile(gair, *scenes, "-o", tmp_path / "once", *words[3:])
    once = TileSet.open(tmp_path / "once")
    assert once.index["tile_id"].to_list() == tiles.index["tile_id"].to_list()
    assert all(
        (mine == theirs).all()
        for mine, theirs in zip(
            tiles.read(range(len(tiles))), once.read(range(len(once))), strict=True
        )
    )
    smooth(tmp_path / "d.tif", seed=9)
    for more, text in ((("--grid", "scene"), "grid"), (("--res", "20"), "resolution"),
                       (("--compress", "none"), "compression")):  # fmt: skip
        refused(gair("tile", tmp_path / "d.tif", *words, *more), 4, text)
    assert not (tmp_path / "tiles.partial").exists()


def test_bad_scenes_are_named_each_time_and_kept_through_appends(gair, tmp_path):
    for seed, name in enumerate(("a", "bad", "c")):
        smooth(tmp_path / f"{name}.tif", seed=seed, size=(700, 700))
    data = (tmp_path / "bad.tif").read_bytes()
    (tmp_path / "bad.tif").write_bytes(data[: len(data) * 2 // 3])
    words = ("tile", tmp_path / "a.tif", tmp_path / "bad.tif", "-o", tmp_path / "tiles", "--append")
    refused(gair(*words), 5, "bad.tif")
    table = tmp_path / "tiles.rejected.parquet"
    table.unlink()
    refused(gair(*words), 5, "bad.tif")
    assert pl.read_parquet(table)["scene"].to_list() == [str(tmp_path / "bad.tif")]
    tile(gair, tmp_path / "c.tif", "-o", tmp_path / "tiles", "--append")
    assert pl.read_parquet(table)["scene"].to_list() == [str(tmp_path / "bad.tif")]


def test_kill_after_publishing_has_not_lost_the_rejected_scenes(gair, tmp_path, monkeypatch):
    from gair_cli.geo import tile_run

    smooth(tmp_path / "a.tif")
    (tmp_path / "bad.tif").write_bytes(b"II*\0nothing")

    def killed(_output):
        raise KeyboardInterrupt

    words = ("tile", tmp_path / "a.tif", tmp_path / "bad.tif", "-o", tmp_path / "tiles")
    with monkeypatch.context() as patch:
        patch.setattr(tile_run, "remove_parts", killed)
        assert gair(*words).exit_code == 130
    assert (tmp_path / "tiles").is_dir()
    assert pl.read_parquet(tmp_path / "tiles.rejected.parquet").height == 1
    refused(gair(*words), 5, "bad.tif")


def test_scenes_come_from_standard_input_and_the_report_goes_to_standard_output(gair, tmp_path):
    smooth(tmp_path / "a.tif")
    listed = f"{tmp_path / 'a.tif'}\n".encode()
    result = gair("tile", "-", "-o", tmp_path / "tiles", "--json", stdin=listed)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["status"], found["tiles"], found["bad"]) == ("new", 4, [])
    assert len(TileSet.open(tmp_path / "tiles")) == 4


# ---- export and preview ----


def test_exported_files_are_the_members_and_the_table_is_stac(gair, tmp_path):
    product = "S2B_MSIL2A_20240615T101559_N0510_R065_T33UUU_20240615T130846"
    smooth(tmp_path / f"{product}.tif")
    words = ("tile", tmp_path / f"{product}.tif", "-o", tmp_path / "tiles", "--size", 60)
    result = tile(gair, *words[1:], "--export", tmp_path / "loose")
    assert "16 GeoTIFFs and items.parquet" in result.stderr
    tiles = TileSet.open(tmp_path / "tiles")
    for row, name in enumerate(tiles.index["tile_id"]):
        assert (tmp_path / "loose" / f"{name}.tif").read_bytes() == tiles.member_bytes(row)
    items = gpd.read_parquet(tmp_path / "loose" / "items.parquet")
    assert len(items) == 16
    assert items.crs == "OGC:CRS84"
    assert items["id"].tolist() == tiles.index["tile_id"].to_list()
    first = items.iloc[0]
    assert (first["type"], first["stac_version"], first["collection"]) == (
        "Feature",
        "1.1.0",
        "tiles",
    )
    assert str(first["datetime"]) == "2024-06-15 10:15:59+00:00"
    assert (first["proj:code"], list(first["proj:shape"])) == ("EPSG:32633", [60, 60])
    assert first["gair:scene_id"] == product
    with rasterio.open(tmp_path / "loose" / first["assets"]["data"]["href"]) as found:
        assert list(found.transform)[:6] == list(first["proj:transform"])
        assert [band["name"] for band in first["assets"]["data"]["bands"]] == list(
            found.descriptions
        )
    metadata = pq.read_metadata(tmp_path / "loose" / "items.parquet").metadata
    stac = json.loads(metadata[b"stac-geoparquet"])
    assert stac["version"] == "1.1.0"
    assert stac["collections"]["tiles"]["extent"]["temporal"]["interval"] == [
        ["2024-06-15T10:15:59Z", "2024-06-15T10:15:59Z"]
    ]
    before = digests(tmp_path / "loose")
    again = tile(gair, "-o", tmp_path / "tiles", "--export", tmp_path / "loose")
    assert "holds the 16 tiles already" in again.stderr
    assert digests(tmp_path / "loose") == before


def test_interrupted_export_keeps_its_files_and_another_folder_is_refused(gair, tmp_path):
    from gair_cli.errors import OutputExistsError
    from gair_cli.geo.tile_export import export_tiles

    smooth(tmp_path / "a.tif")
    tile(gair, tmp_path / "a.tif", "-o", tmp_path / "tiles", "--size", 60)
    tiles = TileSet.open(tmp_path / "tiles")
    done = []

    def stop(count):
        done.append(count)
        if len(done) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_tiles(tiles, tmp_path / "loose", progress=stop)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "loose.partial").glob("*.tif")}
    assert len(kept) == 5
    assert not (tmp_path / "loose").exists()
    assert export_tiles(tiles, tmp_path / "loose")
    for path, stamp in kept.items():
        assert (tmp_path / "loose" / path.name).stat().st_mtime_ns == stamp
    (tmp_path / "mine").mkdir()
    with pytest.raises(OutputExistsError):
        export_tiles(tiles, tmp_path / "mine")


@pytest.mark.parametrize("scenes", [1, 2])
def test_preview_draws_a_map_and_tiles_in_colour(gair, tmp_path, scenes):
    for seed in range(scenes):
        smooth(tmp_path / f"{seed}.tif", seed=seed, west=WEST + 3000 * seed)
    paths = [tmp_path / f"{seed}.tif" for seed in range(scenes)]
    tile(gair, *paths, "-o", tmp_path / "tiles", "--size", 30, "--preview")
    picture = np.asarray(Image.open(tmp_path / "tiles.preview.png").convert("RGB"), np.float64)
    assert picture.shape[1] > 1500
    colourful = np.ptp(picture, axis=-1) > 30
    middle = picture.shape[1] // 2
    assert colourful[:, :middle].mean() > 0.02  # the outlines
    assert colourful[:, middle:].mean() > 0.1  # the tiles
    before = digests(tmp_path / "tiles.preview.png")
    tile(gair, "-o", tmp_path / "tiles", "--preview")
    assert digests(tmp_path / "tiles.preview.png") == before


def test_without_a_scene_there_must_be_something_to_do(gair, tmp_path):
    refused(gair("tile", "-o", tmp_path / "tiles"), 2, "no scene")
    refused(gair("tile", "-o", tmp_path / "tiles", "--preview"), 3, "does not exist")
