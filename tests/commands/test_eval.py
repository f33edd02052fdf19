import contextlib
import csv
import json

import numpy as np
import polars as pl
import pytest
import torch

from gair_cli.models.config import LocationConfig, ModelConfig
from gair_cli.models.gair import new_model
from gair_cli.models.weights import model_hash, save_model


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    """An untrained location model of a few thousand weights."""
    location = LocationConfig(sigmas=(1.0, 16.0), frequencies=32, hidden=64, depth=1, width=48)
    folder = tmp_path_factory.mktemp("models") / "place"
    save_model(new_model(ModelConfig(dim=16, location=location), seed=0), folder)
    return folder


def methods_of(table):
    return {line.split()[0] for line in table.splitlines() if line}


def test_a_strangers_table_with_its_own_column_names(gair, shared_data, model_folder, tmp_path):
    rows = pl.read_csv(shared_data / "tables" / "california_housing.csv").sample(600, seed=1)
    path = tmp_path / "houses.csv"
    rows.rename({"longitude": "east", "latitude": "north"}).write_csv(path)
    done = gair(
        "eval", "points", path, "--lon-column", "east", "--lat-column", "north",
        "--target", "median_house_value", "--target", "ocean_proximity",
        "--model", model_folder, "--draws", 50,
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    names = {"place", "untrained", "constant", "lonlat", "xyz", "idw", "harmonics_L10"}
    assert names <= methods_of(done.stdout)
    assert "r2, random" in done.stdout
    assert "accuracy, block" in done.stdout
    assert "median_house_value: regression, 600 rows" in done.stderr
    assert "ocean_proximity: classification of" in done.stderr


@pytest.mark.parametrize(
    ("table", "target", "block"),
    [("stations.csv", "meanT", "10deg"), ("airports.csv", "elevation", "10deg")],
)
def test_real_tables_are_scored_without_naming_columns(
    gair, shared_data, model_folder, table, target, block
):
    done = gair(
        "eval", "points", shared_data / "tables" / table, "--target", target, "--limit", 800,
        "--model", model_folder, "--draws", 50, "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    record = json.loads(done.stdout)
    result = record["targets"][0]
    assert result["kind"] == "regression"
    assert result["block"] == block
    scores = {(s["method"], s["split"]): s for s in result["scores"]}
    own = scores["place", "block"]
    assert own["model"] == model_hash(model_folder)
    assert (own["n"], own["seed"], own["metric"]) == (800, 0, "r2")
    assert own["low"] <= own["value"] <= own["high"]
    assert scores["idw", "random"]["value"] > scores["constant", "random"]["value"]


def test_without_a_model_the_packaged_one_is_scored_and_beats_itself_untrained(gair, shared_data):
    done = gair(
        "eval", "points", shared_data / "tables" / "stations.csv", "--target", "meanT",
        "--limit", 800, "--draws", 50, "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "model earth-tiny (packaged" in done.stderr
    result = json.loads(done.stdout)["targets"][0]
    scores = {(s["method"], s["split"]): s["value"] for s in result["scores"]}
    assert scores["earth-tiny", "block"] > scores["untrained", "block"]
    paired = {(s["method"], s["split"]): s for s in result["differences"]}
    assert paired["earth-tiny - untrained", "random"]["low"] > 0


def test_namibia_is_a_country(gair, tmp_path, model_folder):
    generator = np.random.default_rng(0)
    west = generator.uniform(12, 20, 60), generator.uniform(-28, -18, 60)
    east = generator.uniform(100, 110, 60), generator.uniform(20, 35, 60)
    path = tmp_path / "cities.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["lat", "lng", "countrycode"])
        writer.writerows((y, x, "NA") for x, y in zip(*west, strict=True))
        writer.writerows((y, x, "CN") for x, y in zip(*east, strict=True))
        writer.writerow([0, 0, ""])
    done = gair(
        "eval", "points", path, "--target", "countrycode", "--model", model_folder, "--json",
        "--draws", 20, "--block", "2deg",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    result = json.loads(done.stdout)["targets"][0]
    assert (result["classes"], result["rows"], result["missing"]) == (2, 120, 1)


def write_embedded(folder, *, n=120, null=()):
    """Labels, and embeddings of the same points by another program (CSV with e0..e3)."""
    generator = np.random.default_rng(3)
    lonlat = np.stack([generator.uniform(-90, 90, n), generator.uniform(-60, 60, n)], axis=1)
    vectors = generator.normal(size=(n, 4))
    label = vectors @ [1.0, -1.0, 0.5, 0.0] + 0.1 * generator.normal(size=n)
    ids = [f"{i:03d}" for i in range(n)]
    places = {"id": ids, "lon": lonlat[:, 0], "lat": lonlat[:, 1]}
    fold = [f"part{i % 3}" for i in range(n)]
    pl.DataFrame({**places, "y": label, "part": fold}).write_csv(folder / "labels.csv")
    columns = {f"e{i}": vectors[:, i].tolist() for i in range(4)}
    for row in null:
        for values in columns.values():
            values[row] = None
    embedded = pl.DataFrame({"id": ids, **columns})
    embedded.sample(fraction=1.0, shuffle=True, seed=0).write_csv(folder / "emb.csv")


def test_embeddings_are_joined_by_id_whatever_their_order(gair, tmp_path):
    write_embedded(tmp_path, null=(5, 7))
    done = gair(
        "eval", "points", tmp_path / "labels.csv", "--target", "y", "--draws", 20,
        "--embeddings", tmp_path / "emb.csv", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    scores = json.loads(done.stdout)["targets"][0]["scores"]
    own = next(s for s in scores if s["method"] == "embedding" and s["split"] == "block")
    assert own["value"] > 0.98
    assert own["n"] == 118
    assert "118 of 120 rows scored: 0 have no embedding, 2 a null one" in done.stderr


def test_labels_may_come_through_a_pipe_and_never_count_as_done_before(gair, tmp_path):
    write_embedded(tmp_path)
    data = (tmp_path / "labels.csv").read_bytes()
    words = ["eval", "points", "-", "--target", "y", "--draws", 20]
    words += ["--embeddings", tmp_path / "emb.csv", "-o", tmp_path / "results.json"]
    assert gair(*words, stdin=data).exit_code == 0
    assert json.loads((tmp_path / "results.json").read_text())["dataset"] == "stdin"
    assert gair(*words, stdin=data).exit_code == 2
    assert gair(*words, "--overwrite", stdin=data).exit_code == 0


def test_given_folds_are_used(gair, tmp_path):
    write_embedded(tmp_path)
    done = gair(
        "eval", "points", tmp_path / "labels.csv", "--target", "y", "--fold-column", "part",
        "--embeddings", tmp_path / "emb.csv", "--draws", 20,
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "y (n = 120)" in done.stdout
    assert "given folds" in done.stderr


def test_results_file_is_whole_repeatable_and_not_overwritten_by_other_results(gair, tmp_path):
    write_embedded(tmp_path)
    words = ["eval", "points", tmp_path / "labels.csv", "--target", "y", "--draws", 20]
    words += ["--embeddings", tmp_path / "emb.csv", "-o", tmp_path / "results.json"]
    first = gair(*words)
    assert (first.exit_code, first.stdout) == (0, "")
    assert "y (n = 120)" in first.stderr
    before = (tmp_path / "results.json").read_bytes()
    again = gair(*words)
    assert again.exit_code == 0
    assert "nothing to do" in again.stderr
    other = gair(*words, "--seed", 1)
    assert other.exit_code == 2
    assert (tmp_path / "results.json").read_bytes() == before
    assert gair(*words, "--seed", 1, "--overwrite").exit_code == 0
    assert gair(*words, "--overwrite").exit_code == 0
    assert (tmp_path / "results.json").read_bytes() == before


def test_a_failed_evaluation_leaves_nothing_and_the_mended_command_runs(gair, tmp_path):
    write_embedded(tmp_path)
    words = ["eval", "points", tmp_path / "labels.csv", "--draws", 20]
    words += ["--embeddings", tmp_path / "emb.csv", "-o", tmp_path / "r.json"]
    before = sorted(tmp_path.iterdir())
    assert gair(*words, "--target", "typo").exit_code == 4
    assert sorted(tmp_path.iterdir()) == before
    done = gair(*words, "--target", "y")
    assert done.exit_code == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path not in before) == [
        "r.json", "r.json.gair.json",
    ]  # fmt: skip


def test_labels_from_a_pipe_are_scored_after_a_killed_run(gair, tmp_path, monkeypatch):
    from gair_cli.evaluation import points_run

    write_embedded(tmp_path)
    words = ["eval", "points", "-", "--target", "y", "--draws", 20]
    words += ["--embeddings", tmp_path / "emb.csv", "-o", tmp_path / "r.json"]
    data = (tmp_path / "labels.csv").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(points_run, "run_points", lambda *_, **__: 1 / 0)
        with contextlib.suppress(ZeroDivisionError):
            gair(*words, stdin=data)
    assert not (tmp_path / "r.json.partial").exists()
    assert gair(*words, stdin=data).exit_code == 0


def test_results_replace_neither_strange_files_nor_folders(gair, tmp_path):
    write_embedded(tmp_path)
    words = ["eval", "points", tmp_path / "labels.csv", "--target", "y", "--draws", 20]
    words += ["--embeddings", tmp_path / "emb.csv"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    assert gair(*words, "-o", tmp_path / "labels.csv").exit_code == 2
    assert gair(*words, "-o", tmp_path / "mine", "--overwrite").exit_code == 2
    assert gair(*words, "-o", tmp_path / "absent" / "r.json").exit_code == 3
    assert (tmp_path / "mine" / "notes.txt").read_text() == "kept"


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--target", "nope"], 4, "no column 'nope'"),
        (["--target", "y", "--block", "2"], 2, "a block is a number with km, m or deg"),
        (["--target", "y", "--block", "170deg"], 4, "spatial blocks"),
        (["--target", "part", "--min-class-rows", "1000"], 4, "none has 1000 rows"),
        (["--target", "y", "--fold-column", "nope"], 4, "no fold column"),
        ([], 2, "--target"),
    ],
)
def test_bad_requests_are_one_clear_line(gair, tmp_path, words, code, text):
    write_embedded(tmp_path)
    done = gair(
        "eval", "points", tmp_path / "labels.csv", "--embeddings", tmp_path / "emb.csv", *words
    )
    assert done.exit_code == code
    assert text in done.stderr
    assert done.stderr.count("gair: error:") == 1


def test_embeddings_and_model_exclude_each_other(gair, tmp_path, model_folder):
    write_embedded(tmp_path)
    done = gair(
        "eval", "points", tmp_path / "labels.csv", "--target", "y",
        "--embeddings", tmp_path / "emb.csv", "--model", model_folder,
    )  # fmt: skip
    assert done.exit_code == 2


def test_a_missing_table_is_an_input_error(gair, tmp_path, model_folder):
    done = gair("eval", "points", tmp_path / "no.csv", "--target", "y", "--model", model_folder)
    assert done.exit_code == 3
    assert "does not exist" in done.stderr


def test_scores_do_not_touch_the_global_generator(gair, tmp_path, model_folder):
    write_embedded(tmp_path)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    gair("eval", "points", tmp_path / "labels.csv", "--target", "y", "--model", model_folder,
         "--draws", 20)  # fmt: skip
    assert torch.rand(1) == expected
