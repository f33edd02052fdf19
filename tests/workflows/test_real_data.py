"""The pipeline on real scenes, real photos and real tables, as they lie there."""

from __future__ import annotations

import json

import polars as pl
import pytest

pytestmark = pytest.mark.slow
BANDS = "B1,B2,B3,B4,B5,B6,B7,B8,B8A,B9,B11,B12"
SHORT = ("--preset", "tiny", "--set", "recipe.steps=3", "--set", "recipe.batch_size=8")


def assert_done(result, code=0):
    assert result.exit_code == code, result.stderr
    return result


def test_fourteen_chips_in_their_own_crs_make_one_tile_set(gair, shared_data, tmp_path):
    chips = sorted((shared_data / "s2-chips").glob("*.tif"))
    words = ("--size", "96", "--band-names", BANDS)
    assert_done(gair("tile", *chips, "-o", tmp_path / "tiles", *words))
    index = pl.read_parquet(tmp_path / "tiles" / "index.parquet")
    assert len(chips) == 14
    assert index["scene_id"].n_unique() == 14
    assert index.height == 14 * 4
    assert index["crs"].n_unique() > 5
    assert index["crs"].str.starts_with("EPSG:32").all()
    assert_done(gair("pack", "--tiles", tmp_path / "tiles", "-o", tmp_path / "train"))
    result = gair("pretrain", tmp_path / "train", "-o", tmp_path / "run", *SHORT)
    assert_done(result)
    words = ("--tiles", tmp_path / "tiles", "--model", tmp_path / "run")
    assert_done(gair("embed", *words, "-o", tmp_path / "e.parquet"))
    table = pl.read_parquet(tmp_path / "e.parquet")
    assert table["status"].unique().to_list() == ["ok"]
    assert table["modality"].unique().to_list() == ["rs"]


def test_scene_of_eight_files_without_a_nodata_tag_is_tiled_with_nodata_given(
    gair, shared_data, tmp_path
):
    words = ("tile", "--stack", shared_data / "s2-scene" / "bands", "--nodata", "255")
    assert_done(gair(*words, "--size", "256", "-o", tmp_path / "tiles"))
    index = pl.read_parquet(tmp_path / "tiles" / "index.parquet")
    info = json.loads((tmp_path / "tiles" / "dataset.json").read_text())
    assert [band["name"] for band in info["bands"]] == [f"B{n}" for n in range(1, 9)]
    assert index["crs"].unique().to_list() == ["EPSG:4326"]
    assert 0.1 < index["nodata_fraction"].mean() < 0.4
    assert max(max(values) for values in index["band_max"].to_list()) < 255


def test_three_triples_become_pairs_shards_and_vectors(gair, shared_data, tmp_path):
    triples = pl.read_csv(shared_data / "triples" / "triples.csv")
    scenes = sorted((shared_data / "triples" / "rs").glob("*.tif"))
    tiles, pairs = tmp_path / "tiles", tmp_path / "pairs.parquet"
    assert_done(gair("tile", *scenes, "--size", "full", "-o", tiles))
    table = shared_data / "triples" / "triples.csv"
    words = ("--path-column", "photo", "--lon-column", "lon", "--lat-column", "lat")
    assert_done(gair("pair", table, "--tiles", tiles, "-o", pairs, *words))
    found = pl.read_parquet(pairs).join(triples, left_on="photo_id", right_on="id")
    assert found.height == 3
    for row in found.iter_rows(named=True):
        x = 2 * (row["lon"] - row["west"]) / (row["east"] - row["west"]) - 1
        y = 1 - 2 * (row["lat"] - row["south"]) / (row["north"] - row["south"])
        assert (row["x"], row["y"]) == pytest.approx((x, y), abs=2e-4)
    assert_done(gair("pack", pairs, "--tiles", tiles, "-o", tmp_path / "train"))
    assert pl.read_parquet(tmp_path / "train" / "index.parquet").height == 3


def test_all_real_photos_are_read_from_their_table_as_it_is(gair, shared_data, tmp_path):
    table = shared_data / "photos" / "photos.csv"
    assert_done(gair("pack", table, "-o", tmp_path / "train"))
    index = pl.read_parquet(tmp_path / "train" / "index.parquet")
    assert index.height == pl.read_csv(table).height == 63
    result = gair("pretrain", tmp_path / "train", "-o", tmp_path / "run", *SHORT)
    assert_done(result)
    words = ("--photos", table, "--model", tmp_path / "run")
    assert_done(gair("embed", *words, "-o", tmp_path / "photos.parquet"))
    assert pl.read_parquet(tmp_path / "photos.parquet")["status"].to_list() == ["ok"] * 63


def test_folder_of_photos_with_exif_pairs_by_their_own_positions(gair, shared_data, tmp_path):
    tiles = tmp_path / "tiles"
    scene = shared_data / "global" / "blue_marble.jpg"
    from gair_cli.geo.rasters import read_window, write_geotiff

    transform = (1 / 15, 0.0, -180.0, 0.0, -1 / 15, 90.0)
    write_geotiff(tmp_path / "earth.tif", read_window(scene), crs="EPSG:4326", transform=transform)
    assert_done(gair("tile", tmp_path / "earth.tif", "--size", "300", "-o", tiles))
    photos = shared_data / "photos" / "opensfm"
    words = ("pair", photos, "--tiles", tiles, "-o", tmp_path / "pairs.parquet")
    assert_done(gair(*words), code=5)  # the three Berlin photos carry no position
    frame = pl.read_parquet(tmp_path / "pairs.parquet")
    assert frame.height == 29
    assert frame["photo_id"].str.starts_with("lund").all()
    assert frame["lon"].is_between(13.1, 13.3).all()
    assert frame["lat"].is_between(55.6, 55.8).all()
    rejected = pl.read_parquet(tmp_path / "pairs.rejected.parquet")
    assert rejected["photo_id"].to_list() == ["berlin_01.jpg", "berlin_02.jpg", "berlin_03.jpg"]


def test_temperature_at_the_stations_is_scored_with_the_packaged_model(gair, shared_data, tmp_path):
    table = shared_data / "tables" / "stations.csv"
    words = ("eval", "points", table, "--target", "meanT", "-o", tmp_path / "scores.json")
    assert_done(gair(*words, "--draws", "100"))
    scores = json.loads((tmp_path / "scores.json").read_text())["targets"][0]["scores"]
    value = {(score["method"], score["split"]): score["value"] for score in scores}
    assert value["earth-tiny", "block"] > value["untrained", "block"] > value["constant", "block"]
    assert value["idw", "random"] > 0.9
