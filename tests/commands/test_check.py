"""`gair check`: verdict lines with the fix, on everything that gair writes."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile

import numpy as np
import polars as pl
import pytest
from made_tiles import at_metres, grid, write_tile_set
from PIL import Image


def lines(result):
    """Verdict level by subject."""
    rows = [line.split("  ", 1) for line in result.stdout.splitlines() if "  " in line]
    return {rest.split(":")[0].strip(): level for level, rest in rows if level}


@pytest.fixture
def tiles(tmp_path):
    return write_tile_set(tmp_path / "tiles", grid(8, 8))


@pytest.fixture
def pairs(gair, tmp_path, tiles):
    random = np.random.default_rng(0)
    x, y = random.uniform(0, 7680, (2, 100))
    lonlat = at_metres(385_920.0 + x, 5_820_480.0 - y)
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "a.jpg")
    frame = pl.DataFrame(
        {
            "photo_id": [str(number) for number in range(100)],
            "path": "images/a.jpg",
            "lon": lonlat[:, 0],
            "lat": lonlat[:, 1],
        }
    )
    frame.write_csv(tmp_path / "photos.csv")
    output = tmp_path / "pairs.parquet"
    done = gair("pair", tmp_path / "photos.csv", "--tiles", tiles, "-o", output, "--seed", "1")
    assert done.exit_code == 0, done.stderr
    return output


def changed(pairs, **columns):
    path = pairs.with_name("changed.parquet")
    pl.read_parquet(pairs).with_columns(**columns).write_parquet(path)
    return path


def test_a_good_pair_table_is_ok_line_by_line(gair, pairs):
    result = gair("check", pairs)
    assert result.exit_code == 0, result.stdout
    found = lines(result)
    assert set(found.values()) == {"ok"}, result.stdout
    assert {"pairs", "ids", "inside", "splits", "leakage", "photos"} <= set(found)


def test_positions_are_compared_with_the_tile_set(gair, pairs, tiles):
    found = lines(gair("check", pairs, "--tiles", tiles))
    assert found["positions"] == "ok"
    assert found["overlap"] == "ok"
    mirrored = gair("check", changed(pairs, x=-pl.col("x")), "--tiles", tiles)
    assert lines(mirrored)["positions"] == "fail"
    assert mirrored.exit_code == 4
    assert "fix: run gair pair again" in mirrored.stdout


@pytest.mark.parametrize(
    ("columns", "subject", "level"),
    [
        ({"x": pl.col("x") * 3}, "inside", "fail"),
        ({"sample_id": pl.lit("one")}, "ids", "fail"),
        ({"path": pl.lit("images/none.jpg")}, "photos", "fail"),
        ({"split": pl.lit("test")}, "splits", "fail"),
        ({"split": pl.lit("train")}, "splits", "warn"),
        ({"split": pl.Series(["train", "test"] * 50)}, "leakage", "warn"),
        ({"heading": pl.lit(400.0)}, "headings", "warn"),
        ({"days_apart": pl.lit(900.0)}, "dates", "warn"),
    ],
)
def test_each_fault_has_its_line(gair, pairs, columns, subject, level):
    result = gair("check", changed(pairs, **columns))
    assert lines(result)[subject] == level, result.stdout
    assert "fix: " in result.stdout
    assert result.exit_code == (4 if level == "fail" else 0)


def test_a_tile_set_of_another_place_is_named(gair, pairs, tmp_path):
    other = write_tile_set(tmp_path / "other", grid(2, 2, scene="elsewhere"))
    result = gair("check", pairs, "--tiles", other)
    assert result.exit_code == 4
    assert lines(result)["tiles"] == "fail"


def test_a_tile_set_without_its_shards_fails(gair, tiles):
    result = gair("check", tiles)
    assert result.exit_code == 4
    found = lines(result)
    assert (found["shards"], found["pixels"], found["ids"]) == ("fail", "fail", "ok")
    assert "gair tile --overwrite" in result.stdout


def test_json_has_every_line_and_the_verdict(gair, pairs):
    content = json.loads(gair("check", pairs, "--json").stdout)
    assert content["kind"] == "pair table"
    assert content["verdict"] == "ok"
    assert {"level", "subject", "detail", "fix"} == set(content["findings"][0])


def test_an_embedding_table_is_judged(gair, tmp_path):
    random = np.random.default_rng(0)
    vectors = random.normal(size=(50, 8))
    path = tmp_path / "emb.csv"
    names = [f"e{number}" for number in range(8)]
    frame = pl.DataFrame(vectors, schema=names).with_columns(id=pl.int_range(50).cast(pl.String))
    frame.write_csv(path)
    found = lines(gair("check", path))
    assert found["spread"] == "ok"
    assert found["origin"] == "warn"
    same = frame.with_columns(pl.lit(1.0).alias(name) for name in names)
    same.write_csv(path)
    assert lines(gair("check", path))["spread"] == "warn"


def test_missing_and_foreign_paths_are_exit_3(gair, tmp_path):
    assert gair("check", tmp_path / "none").exit_code == 3
    (tmp_path / "empty").mkdir()
    assert gair("check", tmp_path / "empty").exit_code == 3
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    assert gair("check", tmp_path / "a.csv").exit_code == 3


def test_tiles_are_for_pair_tables_only(gair, tiles):
    assert gair("check", tiles, "--tiles", tiles).exit_code == 2


def test_command_imports_no_torch():
    code = (
        "import sys, gair_cli.commands.check, gair_cli.commands.pair; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_model_folder_is_judged(gair, tmp_path):
    from gair_cli.models.config import preset_config
    from gair_cli.models.gair import GairModel
    from gair_cli.models.weights import save_model

    config = preset_config("tiny", towers=("location",))
    model = GairModel(config)
    save_model(model, tmp_path / "model", card="# made", extra={})
    result = gair("check", tmp_path / "model")
    assert result.exit_code == 0, result.stdout + result.stderr
    assert lines(result)["weights"] == "ok"


@pytest.mark.slow
def test_frozen_city_scores_as_its_design_says(gair, shared_data, tmp_path):
    city = shared_data / "made-city"
    with tarfile.open(city / "photos.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    tiles, pairs = tmp_path / "tiles", tmp_path / "pairs.parquet"
    assert gair("tile", city / "scene.tif", "-o", tiles).exit_code == 0
    words = ("--photos-root", tmp_path, "--split-column", "split")
    done = gair("pair", city / "photos.csv", "--tiles", tiles, "-o", pairs, *words)
    assert done.exit_code == 0, done.stderr
    result = gair("check", pairs, "--tiles", tiles, "--limit", 3000, "--json")
    assert result.exit_code == 0, result.stdout
    content = json.loads(result.stdout)
    assert content["verdict"] == "ok"
    scores = content["probe"]
    assert scores["given"] >= 0.18
    assert max(scores["mirrored_x"], scores["mirrored_y"], scores["swapped"]) <= scores["given"] / 3
    assert scores["shifted"] <= scores["given"] / 2
