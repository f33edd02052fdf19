import json

import polars as pl
import pytest

from gair_cli.data.transforms import BandStatistics
from gair_cli.geo.tileset import TileSet
from gair_cli.models.config import LocationConfig, ModelConfig, preset_config
from gair_cli.models.gair import new_model
from gair_cli.models.weights import save_model

METRICS = "median rank rank in own tile median m within 25 m within 100 m within 1000 m"


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    """A made city of nine tiles, 40 photos, pairs, and an untrained tiny model."""
    from gair_cli.commands.main import main

    folder = tmp_path_factory.mktemp("city")
    steps = [
        ["demo", folder / "c", "--extent", 2.88, "--photos", 40, "--points", 10,
         "--photo-size", "96x64", "-q"],
        ["tile", folder / "c" / "scene.tif", "-o", folder / "tiles", "-q"],
        ["pair", folder / "c" / "photos.csv", "--tiles", folder / "tiles", "-o",
         folder / "pairs.parquet", "-q"],
    ]  # fmt: skip
    for words in steps:
        assert main([str(word) for word in words]) == 0
    info = TileSet.open(folder / "tiles").info
    bands = BandStatistics(
        info.bands,
        tuple(one.mean for one in info.statistics),
        tuple(one.std for one in info.statistics),
        info.nodata,
    )
    save_model(new_model(preset_config("tiny", bands=bands), seed=0), folder / "model")
    return folder


def evaluate(gair, city, *words, model="model"):
    return gair(
        "eval", "retrieval", city / "pairs.parquet", "--tiles", city / "tiles",
        "--model", city / model, "--draws", 20, *words,
    )  # fmt: skip


def test_every_direction_query_and_metric_has_a_score(gair, city):
    done = evaluate(gair, city, "--split", "all", "--json")
    assert done.exit_code == 0, done.stderr
    scores = json.loads(done.stdout)["scores"]
    found = {(s["task"], s["method"], s["metric"]): s["value"] for s in scores}
    assert {s["task"] for s in scores} == {
        "SV->RS", "RS->SV", "SV->location", "location->SV", "RS->location", "location->RS",
        "SV->place in own tile",
    }  # fmt: skip
    for query in ("at the photo", "moved 20 m", "moved 50 m", "moved 100 m", "tile mean"):
        for metric in ("R@1", "R@5", "R@10", "median rank", "rank in own tile", "median m",
                       "within 25 m", "within 100 m", "within 1000 m"):  # fmt: skip
            assert ("SV->RS", query, metric) in found
    assert found["SV->RS", "chance", "R@10"] == 25.0
    assert {s["n"] for s in scores} == {40}
    assert "40 of 40 photos of split all, 8 tiles, 3 blocks" in done.stderr


def test_the_seed_draws_the_photos_and_repeats(gair, city):
    words = ("--split", "all", "--limit", 8, "--shift", 30)
    first, again = (evaluate(gair, city, *words, "--json").stdout for _ in range(2))
    other = evaluate(gair, city, *words, "--seed", 1, "--json").stdout
    assert first == again
    assert first != other
    assert "8 of 40 photos" in first
    assert "moved 30 m" in first


def test_an_empty_split_names_those_that_are_there(gair, city):
    done = evaluate(gair, city, "--split", "nowhere")
    assert done.exit_code == 4
    assert "no pair is in split 'nowhere'; there are" in done.stderr


def test_a_model_of_one_tower_cannot_retrieve(gair, city):
    location = LocationConfig(sigmas=(1.0,), frequencies=8, hidden=8, depth=1, width=8)
    save_model(new_model(ModelConfig(dim=8, location=location), seed=0), city / "alone")
    done = evaluate(gair, city, "--split", "all", model="alone")
    assert done.exit_code == 6
    assert "has the location tower only" in done.stderr


def test_pairs_of_other_tiles_are_refused(gair, city):
    pairs = pl.read_parquet(city / "pairs.parquet")
    strange = city / "strange.parquet"
    pairs.with_columns(pl.lit("0" * 16).alias("tile_id")).write_parquet(strange)
    done = gair("eval", "retrieval", strange, "--tiles", city / "tiles", "--split", "all",
                "--model", city / "model")  # fmt: skip
    assert done.exit_code == 4
    assert "is not in the tile set" in done.stderr


def test_photos_that_cannot_be_read_are_counted_and_left_out(gair, city):
    pairs = pl.read_parquet(city / "pairs.parquet")
    broken = city / "broken.parquet"
    paths = pairs["path"].to_list()
    paths[3] = "absent.jpg"
    pairs.with_columns(pl.Series("path", paths)).write_parquet(broken)
    done = gair("eval", "retrieval", broken, "--tiles", city / "tiles", "--split", "all",
                "--model", city / "model", "--draws", 20, "--shift", 20)  # fmt: skip
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["SV->RS", "(n", "=", "39)", "R@1", "R@5", "R@10", *METRICS.split()]
    assert "95 % interval by bootstrap of spatial blocks" in lines[-1]
    assert "1 photos could not be read and are left out" in done.stderr


def test_photos_of_one_block_are_scored_without_an_interval_and_the_table_says_so(gair, city):
    words = ("--split", "all", "--shift", 20, "--block", "80deg")
    done = evaluate(gair, city, *words)
    assert done.exit_code == 0, done.stderr
    assert "no interval: all rows are in one spatial block" in done.stdout
    assert "[" not in done.stdout.split("R@k and within")[0]
    scores = json.loads(evaluate(gair, city, *words, "--json").stdout)["scores"]
    assert {(score["low"], score["high"]) for score in scores} == {(None, None)}


def test_a_pair_without_a_path_counts_as_a_photo_that_cannot_be_read(gair, city):
    pairs = pl.read_parquet(city / "pairs.parquet")
    paths = [None if row == 5 else path for row, path in enumerate(pairs["path"])]
    pairs.with_columns(pl.Series("path", paths)).write_parquet(city / "null.parquet")
    words = ("--tiles", city / "tiles", "--split", "all", "--model", city / "model")
    words = (*words, "--draws", 20, "--shift", 20)
    done = gair("eval", "retrieval", city / "null.parquet", *words)
    assert done.exit_code == 0, done.stderr
    assert "1 photos could not be read and are left out" in done.stderr
    nowhere = gair("eval", "retrieval", city / "pairs.parquet", *words, "--limit", 6,
                   "--photos-root", city / "absent")  # fmt: skip
    assert nowhere.exit_code == 4
    assert "none of the 6 photos can be read" in nowhere.stderr
