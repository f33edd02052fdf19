"""`gair tile`: real scenes in, tile sets out, and every way it can go wrong."""

from __future__ import annotations

import json
import resource
import shutil
import signal

import duckdb
import geopandas as gpd
import numpy as np
import polars as pl
import pytest
import rasterio
from rasterio.windows import Window

from gair_cli.geo.rasters import write_geotiff
from gair_cli.geo.tileset import TileSet
from tests.processes import digests, kill_when, run

S2 = "B1,B2,B3,B4,B5,B6,B7,B8,B8A,B9,B11,B12"
UTM33 = (10.0, 0.0, 384470.0, 0.0, -10.0, 5820450.0)


def made_scene(path, *, size=(200, 220), bands=3, seed=0, crs="EPSG:32633", **more):
    """Write a made scene and return its pixels."""
    shape = (bands, *size)
    pixels = np.random.default_rng(seed).integers(1, 4000, shape).astype(np.uint16)
    names = more.pop("band_names", [f"B{i + 2}" for i in range(bands)])
    write_geotiff(path, pixels, crs=crs, transform=UTM33, band_names=names, **more)
    return pixels


def refused(result, code, *words):
    lines = result.stderr.strip().splitlines()
    errors = [line for line in lines if line.startswith("gair: error: ")]
    assert result.exit_code == code, result.stderr
    assert len(errors) == 1
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


def rasters(shared_data):
    return sorted(shared_data.rglob("*.tif"))


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # rasterio calls affine's old way
def test_every_real_raster_reads_back_as_rasterio_reads_its_windows(shared_data, gair, tmp_path):
    paths = rasters(shared_data)
    assert len(paths) >= 30
    for number, path in enumerate(paths):
        output = tmp_path / str(number)
        words = ("tile", path, "-o", output, "--size", 96, "--stride", 80, "-q")
        assert gair(*words).exit_code == 0
        check_against_rasterio(output, path, stride=80)
        shutil.rmtree(output)


def check_against_rasterio(output, path, *, stride):
    tiles = TileSet.open(output)
    arrays = tiles.read(range(len(tiles)))
    with rasterio.open(path) as scene:
        for place, row in enumerate(tiles.index.iter_rows(named=True)):
            window = Window(row["col"] * stride, row["row"] * stride, row["width"], row["height"])
            expected = scene.read(window=window)
            assert arrays[place].dtype == expected.dtype
            assert (arrays[place] == expected).all()
            if place % 40 == 0:
                check_member(f"/vsitar/{output}/{row['shard']}/{row['tile_id']}.tif", scene, window)


def check_member(member, scene, window):
    with rasterio.open(member) as tile:
        assert (tile.read() == scene.read(window=window)).all()
        assert tile.crs == scene.crs
        assert tile.transform == scene.window_transform(window)
        assert tile.nodata == scene.nodata
        assert tile.block_shapes == [(window.height, window.width)] * scene.count


def test_chips_of_every_continent_share_one_tile_set(shared_data, gair, tmp_path):
    chips = sorted((shared_data / "s2-chips").glob("*.tif"))
    output = tmp_path / "tiles"
    assert gair("tile", *chips, "--band-names", S2, "-o", output).exit_code == 0
    tiles = TileSet.open(output)
    assert len(tiles) == 14 * 4
    assert tiles.index["scene_id"].n_unique() == 14
    assert tiles.index["crs"].n_unique() > 8
    assert tiles.info.bands == tuple(S2.split(","))
    every = np.stack(tiles.read(range(len(tiles)))).astype(np.float64)  # (T, C, H, W)
    for band, found in enumerate(tiles.info.statistics):
        values = every[:, band]
        assert [found.minimum, found.maximum] == [values.min(), values.max()]
        assert found.mean == pytest.approx(values.mean(), rel=1e-12)
        assert found.std == pytest.approx(values.std(), rel=1e-9)


def test_folder_of_bands_is_one_scene_and_its_border_is_left_out(shared_data, gair, tmp_path):
    folder = shared_data / "s2-scene" / "bands"
    output = tmp_path / "tiles"
    result = gair("tile", folder, "--stack", "--nodata", "255", "-o", output)
    assert result.exit_code == 0
    tiles = TileSet.open(output)
    assert tiles.info.bands == tuple(f"B{n}" for n in range(1, 9))
    with rasterio.open(folder / "B03.tif") as band:
        pixels = band.read(1)
    blocks = pixels[: 22 * 96, : 27 * 96].reshape(22, 96, 27, 96).transpose(0, 2, 1, 3)
    assert len(tiles) < 22 * 27
    for row in tiles.index.iter_rows(named=True):
        block = blocks[row["row"], row["col"]].astype(np.float64)
        valid = block[block != 255]
        mean, deviation = row["band_mean"][2], row["band_std"][2]
        assert mean == pytest.approx(valid.mean(), rel=1e-12) if valid.size else mean is None
        assert deviation == pytest.approx(valid.std(), abs=1e-9) if valid.size else True
    chosen = tiles.index.filter(pl.col("nodata_fraction") > 0)
    assert chosen.height > 10


def test_landsat_bands_are_named_by_their_files_and_dated_by_their_metadata(
    shared_data, gair, tmp_path
):
    output = tmp_path / "tiles"
    result = gair("tile", shared_data / "landsat8", "--stack", "-o", output, "--bands", "B4,BQA")
    assert result.exit_code == 0
    tiles = TileSet.open(output)
    assert tiles.info.bands == ("B4", "BQA")
    assert tiles.index["scene_id"].unique().to_list() == ["LC80200392015216LGN00"]
    assert str(tiles.index["datetime"][0]) == "2015-08-04 16:19:21+00:00"


def test_triples_become_one_tile_each_with_size_full(shared_data, gair, tmp_path):
    paths = sorted((shared_data / "triples" / "rs").glob("*.tif"))
    output = tmp_path / "tiles"
    assert gair("tile", *paths, "--size", "full", "-o", output).exit_code == 0
    tiles = TileSet.open(output)
    assert sorted(zip(tiles.index["width"], tiles.index["height"], strict=True)) == [
        (245, 199),
        (246, 181),
        (246, 192),
    ]
    assert json.loads((output / "dataset.json").read_text())["size"] is None


def test_index_opens_in_geopandas_and_duckdb(gair, tmp_path):
    made_scene(tmp_path / "scene.tif")
    assert gair("tile", tmp_path / "scene.tif", "-o", tmp_path / "tiles").exit_code == 0
    frame = gpd.read_parquet(tmp_path / "tiles" / "index.parquet")
    assert frame.crs == "OGC:CRS84"
    assert frame.geometry.is_valid.all()
    corner = frame[(frame.row == 0) & (frame.col == 0)].to_crs(32633).geometry.iloc[0].bounds
    assert corner == pytest.approx((384470, 5819490, 385430, 5820450), abs=0.5)
    table = duckdb.read_parquet(str(tmp_path / "tiles" / "index.parquet"))
    count = table.aggregate("count(*), min(bbox.xmin)").fetchall()[0]
    assert count == (4, pytest.approx(frame.total_bounds[0], abs=1e-12))


def test_dataset_describes_the_tiles_and_holds_no_path_or_time(gair, tmp_path):
    made_scene(tmp_path / "scene.tif", nodata=0)
    gair("tile", tmp_path / "scene.tif", "-o", tmp_path / "tiles", "--stride", 48)
    text = (tmp_path / "tiles" / "dataset.json").read_text()
    content = json.loads(text)
    assert str(tmp_path) not in text
    assert [band["name"] for band in content["bands"]] == ["B2", "B3", "B4"]
    assert (content["size"], content["stride"], content["nodata"]) == (96, 48, 0)
    assert (content["codec"], content["predictor"], content["dtype"]) == ("zstd", 2, "uint16")
    assert content["counts"] == {"scenes": 1, "shards": 1, "tiles": 9}


def test_order_of_scenes_and_threads_leave_ids_and_pixels_alone(gair, tmp_path):
    made_scene(tmp_path / "a.tif", seed=1)
    made_scene(tmp_path / "b.tif", seed=2, crs="EPSG:32755")
    gair("tile", tmp_path / "a.tif", tmp_path / "b.tif", "-o", tmp_path / "one", "-j", 1)
    gair("tile", tmp_path / "a.tif", tmp_path / "b.tif", "-o", tmp_path / "four", "-j", 4)
    gair("tile", tmp_path / "b.tif", tmp_path / "a.tif", "-o", tmp_path / "turned")
    assert digests(tmp_path / "one") == digests(tmp_path / "four")
    first, turned = TileSet.open(tmp_path / "one"), TileSet.open(tmp_path / "turned")
    assert first.index["tile_id"].to_list() == turned.index["tile_id"].to_list()


def test_killed_run_keeps_finished_shards_and_ends_in_the_same_bytes(tmp_path):
    made_scene(tmp_path / "scene.tif", size=(700, 700), bands=2)
    words = ("tile", tmp_path / "scene.tif", "--stride", 24, "--shard-size", "3MB", "-j", 1)
    assert run(*words, "-o", tmp_path / "calm").exit_code == 0
    partial = tmp_path / "killed.partial"
    seen = lambda: len(list(partial.glob("parts/*.parquet"))) >= 3  # noqa: E731
    assert kill_when(seen, *words, "-o", tmp_path / "killed") == -signal.SIGKILL
    assert not (tmp_path / "killed").exists()
    again = run(*words, "-o", tmp_path / "killed")
    assert again.exit_code == 0
    assert "kept" in again.stderr
    assert digests(tmp_path / "killed") == digests(tmp_path / "calm")


def test_interrupt_stops_soon_with_exit_130_and_keeps_shards(tmp_path):
    made_scene(tmp_path / "scene.tif", size=(900, 900), bands=2)
    words = ("tile", tmp_path / "scene.tif", "--stride", 12, "--shard-size", "3MB")
    partial = tmp_path / "tiles.partial"
    seen = lambda: len(list(partial.glob("parts/*.parquet"))) >= 1  # noqa: E731
    assert kill_when(seen, *words, "-o", tmp_path / "tiles", number=signal.SIGINT) == 130
    assert not list(partial.rglob("*.tmp"))


def test_same_command_again_has_nothing_to_do_and_another_is_refused(gair, tmp_path):
    made_scene(tmp_path / "scene.tif")
    words = ("tile", tmp_path / "scene.tif", "-o", tmp_path / "tiles")
    gair(*words)
    before = digests(tmp_path / "tiles")
    again = gair(*words)
    assert again.exit_code == 0
    assert "nothing to do" in again.stderr
    refused(gair(*words, "--stride", 48), 2, "tiles", "--overwrite")
    assert digests(tmp_path / "tiles") == before
    assert gair(*words, "--stride", 48, "--overwrite").exit_code == 0
    assert len(TileSet.open(tmp_path / "tiles")) == 9


def cut_off(path):
    """Drop the last third of a file, so that it opens and fails late."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])


@pytest.mark.parametrize("shard_size", ["100MB", "200kB"])
def test_corrupt_scene_among_good_ones_leaves_no_trace_but_its_reason(gair, tmp_path, shard_size):
    for name, seed in (("a", 1), ("bad", 2), ("c", 3)):
        made_scene(tmp_path / f"{name}.tif", seed=seed, size=(500, 500))
    cut_off(tmp_path / "bad.tif")
    paths = [tmp_path / f"{name}.tif" for name in ("a", "bad", "c")]
    result = gair("tile", *paths, "-o", tmp_path / "tiles", "--shard-size", shard_size)
    refused(result, 5, "bad.tif")
    reasons = pl.read_parquet(tmp_path / "tiles.rejected.parquet")
    assert reasons["scene"].to_list() == [str(tmp_path / "bad.tif")]
    paths.pop(1)
    assert gair("tile", *paths, "-o", tmp_path / "good", "--shard-size", shard_size).exit_code == 0
    assert digests(tmp_path / "tiles" / "shards") == digests(tmp_path / "good" / "shards")
    names = ("tile_id", "offset", "band_mean")
    ours, good = (TileSet.open(tmp_path / name).index for name in ("tiles", "good"))
    assert ours.select(names).equals(good.select(names))


def test_reasons_of_an_earlier_run_go_when_every_scene_can_be_read(gair, tmp_path):
    for name, seed in (("a", 1), ("bad", 2)):
        made_scene(tmp_path / f"{name}.tif", seed=seed, size=(500, 500))
    cut_off(tmp_path / "bad.tif")
    words = ("tile", tmp_path / "a.tif", tmp_path / "bad.tif", "-o", tmp_path / "tiles")
    assert gair(*words).exit_code == 5
    assert (tmp_path / "tiles.rejected.parquet").exists()
    again = gair(*words)
    refused(again, 5, "bad.tif")  # the scene is as bad as it was
    assert "nothing to do" not in again.stderr
    assert (tmp_path / "tiles.rejected.parquet").exists()
    made_scene(tmp_path / "bad.tif", seed=2, size=(500, 500))
    result = gair(*words, "--overwrite")
    assert result.exit_code == 0
    assert "50 tiles from 2 scenes in 1 shard (0 left" in result.stderr
    assert not (tmp_path / "tiles.rejected.parquet").exists()


def test_resumed_run_remembers_the_corrupt_scene_and_what_was_left_out(tmp_path):
    for name, seed in (("a", 1), ("bad", 2), ("c", 3)):
        made_scene(tmp_path / f"{name}.tif", seed=seed, size=(500, 500), nodata=0)
    cut_off(tmp_path / "bad.tif")
    blank_corner(tmp_path / "a.tif")
    paths = [tmp_path / f"{name}.tif" for name in ("a", "bad", "c")]
    words = ("tile", *paths, "--stride", 24, "--shard-size", "1MB", "-j", 1)
    calm = run(*words, "-o", tmp_path / "calm")
    refused(calm, 5, "bad.tif")
    parts = tmp_path / "killed.partial" / "parts"
    seen = lambda: (parts / "bad.json").exists() and len(later(parts)) > 1  # noqa: E731
    assert kill_when(seen, *words, "-o", tmp_path / "killed") == -signal.SIGKILL
    again = run(*words, "-o", tmp_path / "killed")
    refused(again, 5, "bad.tif")
    assert "kept" in again.stderr
    counted = [line for line in calm.stderr.splitlines() if "left out for nodata" in line]
    assert "(0 left out" not in counted[0]
    assert counted[0] in again.stderr.splitlines()
    assert digests(tmp_path / "killed") == digests(tmp_path / "calm")
    tables = [pl.read_parquet(tmp_path / f"{name}.rejected.parquet") for name in ("calm", "killed")]
    assert tables[0].equals(tables[1])


def blank_corner(path):
    """Make 120 by 120 pixels nodata, which leaves a tile of 96 empty."""
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as scene:
        scene.write(np.zeros((scene.count, 120, 120), np.uint16), window=Window(0, 0, 120, 120))


def later(parts):
    """Return the finished index parts that are newer than the note of bad scenes."""
    noted = (parts / "bad.json").stat().st_mtime_ns
    return [path for path in parts.glob("*.parquet") if path.stat().st_mtime_ns > noted]


def test_corrupt_scene_alone_is_refused_and_leaves_nothing(gair, tmp_path):
    made_scene(tmp_path / "bad.tif", size=(500, 500))
    cut_off(tmp_path / "bad.tif")
    refused(gair("tile", tmp_path / "bad.tif", "-o", tmp_path / "tiles"), 3, "bad.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.tif"]


def test_file_size_limit_ends_with_exit_1_and_the_next_run_is_whole(tmp_path):
    made_scene(tmp_path / "scene.tif", size=(600, 600))
    words = ("tile", tmp_path / "scene.tif", "-o", tmp_path / "tiles")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # noqa: E731
    result = run(*words, preexec_fn=limit)
    refused(result, 1, "full")
    assert not (tmp_path / "tiles").exists()
    assert not list(tmp_path.rglob("*.tar*"))
    assert run(*words).exit_code == 0


def test_scene_without_crs_asks_for_one_and_takes_it(gair, tmp_path):
    made_scene(tmp_path / "scene.tif", crs=None)
    words = ("tile", tmp_path / "scene.tif", "-o", tmp_path / "tiles")
    refused(gair(*words), 4, "scene.tif", "--assume-crs")
    assert gair(*words, "--assume-crs", "EPSG:32633").exit_code == 0
    assert TileSet.open(tmp_path / "tiles").index["crs"][0] == "EPSG:32633"


def test_unlike_scenes_are_refused_naming_both(gair, tmp_path):
    made_scene(tmp_path / "three.tif")
    made_scene(tmp_path / "four.tif", bands=4)
    words = ("tile", tmp_path / "three.tif", tmp_path / "four.tif", "-o", tmp_path / "tiles")
    refused(gair(*words), 4, "three.tif", "four.tif", "B2,B3,B4,B5")
    assert gair(*words, "--bands", "B02,B03").exit_code == 0


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("--bands", "B2,B99"), 4, "B99"),
        (("--band-names", "B2,B3"), 4, "2 names"),
        (("--size", "300"), 4, "--partial pad"),
        (("--size", "0"), 2, "0"),
        (("--shard-size", "many"), 2, "many"),
        (("--nodata", "-5"), 4, "-5"),
        (("--partial", "pad"), 4, "nodata"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(gair, tmp_path, words, code, text):
    made_scene(tmp_path / "scene.tif")
    result = gair("tile", tmp_path / "scene.tif", "-o", tmp_path / "tiles", *words)
    refused(result, code, text)
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]


def test_dry_run_counts_and_writes_nothing(gair, tmp_path):
    made_scene(tmp_path / "scene.tif")
    result = gair("tile", tmp_path / "scene.tif", "-o", tmp_path / "tiles", "--dry-run")
    assert result.exit_code == 0
    assert "4 tiles at most from 1 scene," in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]


def test_padded_tiles_cover_the_edge_with_nodata(gair, tmp_path):
    pixels = made_scene(tmp_path / "scene.tif", nodata=0)
    gair("tile", tmp_path / "scene.tif", "-o", tmp_path / "tiles", "--partial", "pad")
    tiles = TileSet.open(tmp_path / "tiles")
    assert len(tiles) == 9
    corner = tiles.index.with_row_index("place").filter(row=2, col=2)
    array = tiles.read(corner["place"].to_list())[0]
    assert (array[:, :8, :28] == pixels[:, 192:, 192:]).all()
    assert (array[:, 8:] == 0).all()
    assert corner["nodata_fraction"][0] == pytest.approx(1 - 8 * 28 / 96**2, abs=1e-6)


def test_appended_scenes_join_and_earlier_bytes_stay(gair, tmp_path):
    made_scene(tmp_path / "a.tif", seed=1)
    made_scene(tmp_path / "b.tif", seed=2)
    gair("tile", tmp_path / "a.tif", "-o", tmp_path / "tiles")
    before = digests(tmp_path / "tiles" / "shards")
    words = ("tile", tmp_path / "b.tif", "-o", tmp_path / "tiles", "--append")
    assert gair(*words).exit_code == 0
    after = TileSet.open(tmp_path / "tiles")
    assert before.items() <= digests(tmp_path / "tiles" / "shards").items()
    assert after.info.counts == {"scenes": 2, "shards": 2, "tiles": 8}
    gair("tile", tmp_path / "a.tif", tmp_path / "b.tif", "-o", tmp_path / "both")
    whole = TileSet.open(tmp_path / "both")
    assert after.index["tile_id"].to_list() == whole.index["tile_id"].to_list()
    for mine, theirs in zip(after.info.statistics, whole.info.statistics, strict=True):
        assert mine.mean == pytest.approx(theirs.mean, rel=1e-12)
        assert mine.std == pytest.approx(theirs.std, rel=1e-12)
    assert "nothing to do" in gair(*words).stderr
    made_scene(tmp_path / "c.tif", bands=2)
    refused(gair("tile", tmp_path / "c.tif", *words[2:]), 4, "B2,B3,B4")
