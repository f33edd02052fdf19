"""`gair embed`: inputs, formats, pipes, statuses, resume."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from PIL import Image

from gair_cli.embedding.table import read_embeddings


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    path = tmp_path_factory.mktemp("points") / "pts.csv"
    rng = np.random.default_rng(4)
    frame = pl.DataFrame({
        "id": [f"{i:03d}" for i in range(300)],
        "lat": rng.uniform(-80, 80, 300).round(5),
        "lon": rng.uniform(-180, 180, 300).round(5),
        "status": ["open"] * 300,
        "income": rng.normal(size=300).round(3),
    })  # fmt: skip
    frame.write_csv(path)
    return path


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(5)
    for name in ("a", "b", "c"):
        pixels = rng.integers(0, 255, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photo")
    table = pl.DataFrame({"photo_id": ["x", "y", "z", "x"],
                          "path": ["a.jpg", "broken.jpg", "c.jpg", "a.jpg"]})  # fmt: skip
    table.write_csv(folder / "photos.csv")
    return folder


def test_points_become_a_geoparquet_with_space_model_and_the_users_columns(
    gair, points, tiny_model, tmp_path
):
    out = tmp_path / "emb.parquet"
    result = gair("embed", "--points", points, "--model", tiny_model, "-o", out)
    assert result.exit_code == 0, result.stderr
    assert f"wrote {out}" in result.stderr
    schema = pq.read_schema(out)
    assert schema.field("embedding").type == pa.list_(pa.float32(), 16)
    assert schema.names == ["id", "modality", "embedding", "status", "geometry", "bbox",
                            "lat", "lon", "input_status", "income"]  # fmt: skip
    own = json.loads(schema.metadata[b"gair"])
    assert (own["space"], own["modality"], own["licence"]) == ("joint", "location", "CC0-1.0")
    assert len(own["model_sha256"]) == 64
    assert json.loads(schema.metadata[b"emb"])["emb:dimensions"] == 16
    table = read_embeddings(out)
    assert table.ids[:2] == ["000", "001"]
    assert np.linalg.norm(table.vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_geopandas_and_duckdb_open_the_table(gair, points, tiny_model, tmp_path):
    import duckdb
    import geopandas

    out = tmp_path / "emb.parquet"
    gair("embed", "--points", points, "--model", tiny_model, "-o", out)
    frame = geopandas.read_parquet(out)
    given = pl.read_csv(points)
    assert frame.crs.to_epsg() in {4326, None} or frame.crs.name.startswith("WGS 84")
    assert frame.geometry.x.tolist() == pytest.approx(given["lon"].to_list())
    rows = duckdb.sql(f"select count(*), min(len(embedding)) from '{out}'").fetchall()  # noqa: S608
    assert rows == [(300, 16)]


def test_api_and_command_give_the_same_vectors(gair, points, tiny_model, tmp_path):
    import gair_cli

    out = tmp_path / "emb.npy"
    result = gair("embed", "--points", points, "--model", tiny_model, "-o", out,
                  "--space", "encoder")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    given = pl.read_csv(points)
    model = gair_cli.load(tiny_model, device="cpu")
    expected = model.embed_points(given.select("lon", "lat").to_numpy(), space="encoder")
    np.testing.assert_allclose(np.load(out), expected, atol=1e-6)
    assert (tmp_path / "emb.npy.ids.txt").read_text().split()[:2] == ["000", "001"]


@pytest.mark.parametrize("name", ["emb.csv", "emb.arrow", "emb.parquet", "emb.npy"])
def test_every_format_is_read_back_alike(gair, points, tiny_model, tmp_path, name):
    out = tmp_path / name
    assert gair("embed", "--points", points, "--model", tiny_model, "-o", out).exit_code == 0
    table = read_embeddings(out)
    assert table.vectors.shape == (300, 16)
    assert table.ids[7] == "007"
    again = tmp_path / "again.parquet"
    gair("embed", "--points", points, "--model", tiny_model, "-o", again)
    np.testing.assert_allclose(table.vectors, read_embeddings(again).vectors, atol=1e-6)


def test_geojson_text_has_one_feature_a_line(gair, points, tiny_model, tmp_path):
    out = tmp_path / "emb.geojsonl"
    gair("embed", "--points", points, "--model", tiny_model, "-o", out, "--limit", 5)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == 5
    assert lines[0]["geometry"]["type"] == "Point"
    assert len(lines[0]["properties"]["embedding"]) == 16


def test_a_pipe_gets_an_arrow_stream(gair, points, tiny_model):
    result = gair("embed", "--points", points, "--model", tiny_model)
    table = pa.ipc.open_stream(io.BytesIO(result.stdout_bytes)).read_all()
    assert table.num_rows == 300
    assert b"gair" in table.schema.metadata


def test_stdin_and_csv_work_in_a_pipe(gair, points, tiny_model):
    result = gair("embed", "--points", "-", "-f", "csv", "--model", tiny_model,
                  stdin=points.read_bytes())  # fmt: skip
    lines = result.stdout.splitlines()
    assert lines[0].startswith("id,modality,status,lat,lon,input_status,income,e0,e1,")
    assert len(lines) == 301
    assert lines[1].startswith("000,location,ok,")


def test_float16_halves_the_vectors(gair, points, tiny_model, tmp_path):
    out = tmp_path / "half.parquet"
    gair("embed", "--points", points, "--model", tiny_model, "-o", out, "--dtype", "float16")
    assert pq.read_schema(out).field("embedding").type == pa.list_(pa.float16(), 16)
    assert np.isfinite(read_embeddings(out).vectors).all()


def test_keep_columns_chooses_what_is_carried(gair, points, tiny_model, tmp_path):
    out = tmp_path / "emb.parquet"
    gair("embed", "--points", points, "--model", tiny_model, "-o", out,
         "--keep-columns", "income")  # fmt: skip
    assert pq.read_schema(out).names[-1] == "income"
    result = gair("embed", "--points", points, "--model", tiny_model, "--keep-columns", "wealth")
    assert result.exit_code == 4
    assert "wealth" in result.stderr


def test_unreadable_photos_keep_their_row_and_end_in_exit_5(gair, photos, tiny_model, tmp_path):
    out = tmp_path / "photos.parquet"
    result = gair("embed", "--photos", photos / "photos.csv", "--model", tiny_model, "-o", out)
    assert result.exit_code == 5
    assert "unreadable" in result.stderr
    table = read_embeddings(out)
    assert table.ids == ["x", "y", "z", "x"]
    assert table.status.tolist() == ["ok", "unreadable", "ok", "ok"]
    assert np.isnan(table.vectors[1]).all()
    np.testing.assert_allclose(table.vectors[0], table.vectors[3], atol=1e-6)
    rejected = pl.read_parquet(tmp_path / "photos.rejected.parquet")
    assert rejected["id"].to_list() == ["y"]
    assert pq.read_table(out).column("embedding").null_count == 1


def test_photo_paths_are_relative_to_the_new_table(gair, photos, tiny_model):
    out = photos.parent / "photos.parquet"
    gair("embed", "--photos", photos / "photos.csv", "--model", tiny_model, "-o", out)
    path = read_embeddings(out).frame["path"][0]
    assert (out.parent / path).resolve() == (photos / "a.jpg").resolve()


def test_a_folder_of_photos_is_embedded(gair, photos, tiny_model, tmp_path):
    out = tmp_path / "folder.parquet"
    result = gair("embed", "--photos", photos, "--model", tiny_model, "-o", out)
    assert result.exit_code == 5
    assert sorted(read_embeddings(out).ids) == ["a.jpg", "b.jpg", "broken.jpg", "c.jpg"]


def test_too_many_unreadable_photos_stop_at_once(gair, photos, tiny_model, tmp_path):
    result = gair("embed", "--photos", photos, "--model", tiny_model, "--max-bad", 0,
                  "-o", tmp_path / "none.parquet")  # fmt: skip
    assert result.exit_code == 5
    assert not (tmp_path / "none.parquet").exists()


@pytest.mark.parametrize("row_group", [1, 2, 4])
def test_the_same_command_again_does_not_get_past_max_bad(
    gair, photos, tiny_model, tmp_path, row_group
):
    paths = ["a.jpg", "broken.jpg", "b.jpg", "broken.jpg", "c.jpg"]
    table = tmp_path / "photos.csv"
    pl.DataFrame({"path": [str(photos / path) for path in paths]}).write_csv(table)
    out = tmp_path / "emb.parquet"
    words = ("embed", "--photos", table, "--model", tiny_model, "--row-group", row_group, "-o", out)
    for _ in range(4):
        result = gair(*words, "--max-bad", 1)
        assert (result.exit_code, out.exists()) == (5, False)
        assert "2 of 5 photos are bad" in result.stderr
    assert gair(*words, "--max-bad", 2).exit_code in {0, 5}
    assert read_embeddings(out).status.tolist().count("unreadable") == 2


def test_bad_rows_are_set_aside_with_reasons(gair, tiny_model, tmp_path):
    csv = tmp_path / "pts.csv"
    csv.write_text("id,lon,lat\na,1,2\nb,,3\nc,4,95\nd,5,6\ne,7,8\n")
    out = tmp_path / "emb.parquet"
    result = gair("embed", "--points", csv, "--model", tiny_model, "-o", out)
    assert result.exit_code == 5
    assert read_embeddings(out).ids == ["a", "d", "e"]
    rejected = pl.read_parquet(tmp_path / "emb.rejected.parquet")
    assert rejected["reason"].to_list() == ["no coordinates", "latitude beyond 90"]
    csv.write_text("id,lon,lat\na,1,2\n")
    assert (
        gair("embed", "--points", csv, "--model", tiny_model, "-o", out, "--overwrite").exit_code
        == 0
    )
    assert not (tmp_path / "emb.rejected.parquet").exists()


def test_the_same_command_again_has_nothing_to_do_and_another_is_refused(
    gair, points, tiny_model, tmp_path
):
    out = tmp_path / "emb.parquet"
    words = ("embed", "--points", points, "--model", tiny_model, "-o", out)
    assert gair(*words).exit_code == 0
    again = gair(*words)
    assert (again.exit_code, "nothing to do" in again.stderr) == (0, True)
    other = gair(*words, "--space", "encoder")
    assert other.exit_code == 2
    assert "--overwrite" in other.stderr
    assert gair(*words, "--space", "encoder", "--overwrite").exit_code == 0


def test_dry_run_writes_nothing(gair, points, tiny_model, tmp_path):
    out = tmp_path / "emb.parquet"
    result = gair("embed", "--points", points, "--model", tiny_model, "-o", out, "-n")
    assert (result.exit_code, list(tmp_path.iterdir())) == (0, [])
    assert "300 rows" in result.stderr


def test_inputs_that_do_not_go_together_are_a_usage_error(gair, points, photos, tiny_model):
    result = gair("embed", "--points", points, "--photos", photos, "--model", tiny_model)
    assert result.exit_code == 2
    assert gair("embed", "--model", tiny_model).exit_code == 2


COMMAND = [sys.executable, "-m", "gair_cli", "embed"]


def test_head_ends_the_pipe_quietly(points, tiny_model, tmp_path):
    big = tmp_path / "big.csv"
    body = points.read_text().split("\n", 1)
    big.write_text(body[0] + "\n" + body[1] * 60)
    line = (f"set -o pipefail; {' '.join(COMMAND)} --points - -f csv --model {tiny_model} "
            f"< {big} | head -n 3")  # fmt: skip
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
    assert "rror" not in done.stderr


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(points, tiny_model, tmp_path):
    big = tmp_path / "big.csv"
    body = points.read_text().split("\n", 1)
    big.write_text(body[0] + "\n" + body[1] * 20)
    words = ["--points", str(big), "--model", str(tiny_model), "--row-group", "250"]
    undisturbed, killed = tmp_path / "one.parquet", tmp_path / "two.parquet"
    subprocess.run([*COMMAND, *words, "-o", undisturbed], check=True, capture_output=True)
    run = subprocess.Popen([*COMMAND, *words, "-o", killed], stderr=subprocess.PIPE)
    partial = tmp_path / "two.parquet.partial"
    deadline = time.monotonic() + 120
    while len(list(partial.glob("rows-*.arrow"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    assert not killed.exists()
    again = subprocess.run([*COMMAND, *words, "-o", killed], capture_output=True, text=True,
                           check=True)  # fmt: skip
    assert "kept" in again.stderr
    assert killed.read_bytes() == undisturbed.read_bytes()
    assert not partial.exists()


@pytest.mark.parametrize("name", ["stations", "airports", "cities15000", "california_housing"])
def test_strangers_tables_are_embedded_at_their_own_places(
    gair, shared_data, tiny_model, tmp_path, name
):
    source = shared_data / "tables" / f"{name}.csv"
    out = tmp_path / "emb.parquet"
    result = gair("embed", "--points", source, "--model", tiny_model, "-o", out, "--limit", 500)
    assert result.exit_code == 0, result.stderr
    table, given = read_embeddings(out), pl.read_csv(source, infer_schema=False)
    names = {column.lower(): column for column in given.columns}
    lon = next(names[n] for n in ("lon", "lng", "long", "longitude") if n in names)
    expected = given[lon].head(500).cast(pl.Float64).to_list()
    assert table.lonlat[:, 0].tolist() == pytest.approx(expected)
    assert (table.status == "ok").all()


def test_real_photos_are_embedded_from_their_table_as_it_is(
    gair, shared_data, tiny_model, tmp_path
):
    out = tmp_path / "photos.parquet"
    source = shared_data / "photos" / "photos.csv"
    result = gair("embed", "--photos", source, "--model", tiny_model, "-o", out)
    assert result.exit_code == 0, result.stderr
    table = read_embeddings(out)
    assert (len(table), set(table.status)) == (63, {"ok"})
    assert np.isfinite(table.lonlat).all()
    assert (tmp_path / table.frame["path"][0]).resolve().is_file()
