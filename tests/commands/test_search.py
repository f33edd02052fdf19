"""`gair search`: photo to places and back, refusals, maps; and `gair info`."""

import io
import json
import re

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pytest
from PIL import Image

from gair_cli.embedding.table import read_embeddings


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Places, and photos at places (made data)."""
    folder = tmp_path_factory.mktemp("search")
    rng = np.random.default_rng(8)
    lonlat = np.stack([rng.uniform(13, 13.1, 60), rng.uniform(52, 52.1, 60)], axis=1)
    table = pl.DataFrame({"id": [f"p{i}" for i in range(60)], "lon": lonlat[:, 0],
                          "lat": lonlat[:, 1]})  # fmt: skip
    table.write_csv(folder / "places.csv")
    for i in range(6):
        pixels = np.full((30, 40, 3), 40 * i, np.uint8)
        pixels[:15] = rng.integers(0, 255, 3)
        Image.fromarray(pixels).save(folder / f"{i}.jpg")
    photos = (
        table.head(6)
        .select("lon", "lat")
        .with_columns(
            pl.Series("photo_id", [f"photo {i}" for i in range(6)]),
            pl.Series("path", [f"{i}.jpg" for i in range(6)]),
        )
    )
    photos.write_csv(folder / "photos.csv")
    return folder


@pytest.fixture
def tables(gair, folder, tiny_model):
    for what, name in (("--points", "places"), ("--photos", "photos")):
        words = (what, folder / f"{name}.csv", "-o", folder / f"{name}.parquet")
        assert gair("embed", "--model", tiny_model, *words).exit_code == 0
    return folder


def best_rows(query, table, k):
    scores = table.vectors.astype(np.float64) @ query.astype(np.float64)
    return [table.ids[i] for i in np.argsort(-scores, kind="stable")[:k]]


def test_a_photo_finds_the_places_that_brute_force_finds(gair, tables, tiny_model):
    result = gair("search", "--photo", tables / "3.jpg", "--in", tables / "places.parquet",
                  "--model", tiny_model, "-k", 7, "-f", "csv")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    found = pl.read_csv(io.StringIO(result.stdout))
    photos = read_embeddings(tables / "photos.parquet")
    places = read_embeddings(tables / "places.parquet")
    assert found["id"].to_list() == best_rows(photos.vectors[3], places, 7)
    assert found["rank"].to_list() == [1, 2, 3, 4, 5, 6, 7]


def test_a_place_finds_photos_with_distances(gair, tables, tiny_model):
    result = gair("search", "--at", "13.05,52.05", "--in", tables / "photos.parquet",
                  "--model", tiny_model, "-k", 3, "--json")  # fmt: skip
    content = json.loads(result.stdout)
    assert content["lonlat"] == [13.05, 52.05]
    assert len(content["results"]) == 3
    assert all(0 < row["distance_m"] < 10_000 for row in content["results"])


def test_a_row_finds_others_but_not_itself_and_needs_no_model(gair, tables):
    result = gair("search", "--similar-to", "p5", "--in", tables / "places.parquet", "-k", 60)
    table = pa.ipc.open_stream(io.BytesIO(result.stdout_bytes)).read_all()
    assert table.num_rows == 59
    assert "p5" not in table.column("id").to_pylist()


def test_another_model_is_refused(gair, tables, tmp_path):
    from gair_cli.models.config import LocationConfig, ModelConfig
    from gair_cli.models.gair import new_model
    from gair_cli.models.weights import save_model

    location = LocationConfig((1.0,), frequencies=4, hidden=8, depth=1, width=8)
    save_model(new_model(ModelConfig(dim=16, location=location), seed=1), tmp_path / "other")
    result = gair("search", "--at", "13,52", "--in", tables / "places.parquet",
                  "--model", tmp_path / "other")  # fmt: skip
    assert result.exit_code == 6
    assert "different models" in result.stderr


def test_modalities_are_not_mixed_outside_the_joint_space(gair, folder, tiny_model, tmp_path):
    out = tmp_path / "encoder.parquet"
    gair("embed", "--points", folder / "places.csv", "--model", tiny_model,
         "--space", "encoder", "-o", out)  # fmt: skip
    result = gair("search", "--photo", folder / "1.jpg", "--in", out, "--model", tiny_model)
    assert result.exit_code == 6
    assert "--space joint" in result.stderr


def test_queries_that_make_no_sense_are_usage_errors(gair, tables, tiny_model):
    inside = ("--in", tables / "places.parquet", "--model", tiny_model)
    assert gair("search", *inside).exit_code == 2
    assert gair("search", *inside, "--at", "13", "--photo", tables / "1.jpg").exit_code == 2
    assert gair("search", *inside, "--at", "52,130").exit_code == 2
    assert gair("search", *inside, "--similar-to", "nobody").exit_code == 4
    assert gair("search", *inside, "--photo", tables / "none.jpg").exit_code == 3


def test_the_html_map_is_one_file_with_photos_and_without_network(gair, tables, tiny_model):
    page = tables / "found.html"
    words = ("search", "--photo", tables / "2.jpg", "--in", tables / "photos.parquet",
             "--model", tiny_model, "--map", page, "-k", 4, "-f", "csv")  # fmt: skip
    assert gair(*words, "--overwrite").exit_code == 0
    text = page.read_text()
    links = set(re.findall(r"(?:src|href)=\"([^\"]{0,30})", text))
    assert all(link.startswith("data:image/jpeg;base64,") for link in links)
    assert set(re.findall(r"https?://[^\"\s]+", text)) == {"http://www.w3.org/2000/svg"}
    data = json.loads(text.split('type="application/json">')[1].split("</script>")[0])
    assert [hit["rank"] for hit in data["hits"]] == [1, 2, 3, 4]
    assert data["hits"][0]["id"] == "photo 2"
    assert all(hit["picture"] for hit in data["hits"])
    assert len(data["others"]) == 6
    first = page.read_bytes()
    again = gair(*words)
    assert (again.exit_code, again.stdout.count("\n")) == (0, 5)
    assert page.read_bytes() == first
    other = (*words[:-4], "-k", 3, "-f", "csv")
    assert gair(*other).exit_code == 2
    assert page.read_bytes() == first
    assert gair(*other, "--overwrite").exit_code == 0
    assert page.read_bytes() != first


def test_text_from_the_table_cannot_break_out_of_the_page(gair, tiny_model, tmp_path):
    csv = tmp_path / "evil.csv"
    csv.write_text("id,lon,lat\n</script><b>x,13.0,52.0\nplain,13.1,52.1\n")
    out = tmp_path / "evil.parquet"
    gair("embed", "--points", csv, "--model", tiny_model, "-o", out)
    page = tmp_path / "map.html"
    assert gair("search", "--at", "13,52", "--in", out, "--model", tiny_model, "--map", page,
                "-f", "csv").exit_code == 0  # fmt: skip
    assert "<b>x" not in page.read_text()


def test_the_png_map_is_a_picture(gair, tables, tiny_model):
    path = tables / "found.png"
    result = gair("search", "--at", "13.05,52.05", "--in", tables / "photos.parquet",
                  "--model", tiny_model, "--map", path, "-f", "csv", "--overwrite")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    with Image.open(path) as image:
        assert image.size > (800, 600)


def test_results_are_written_with_paths_that_lead_to_the_photos(gair, tables, tmp_path):
    out = tmp_path / "found.parquet"
    gair("search", "--similar-to", "photo 1", "--in", tables / "photos.parquet", "-o", out)
    path = pl.read_parquet(out)["path"][0]
    assert (tmp_path / path).resolve().is_file()


def test_info_tells_what_an_embedding_table_and_a_model_are(gair, tables, tiny_model):
    facts = json.loads(gair("info", tables / "photos.parquet", "--json").stdout)
    assert (facts["kind"], facts["rows"], facts["modality"]) == ("embedding table", 6, "sv")
    assert facts["status"] == {"ok": 6}
    assert len(facts["model_sha256"]) == 64
    model = json.loads(gair("info", tiny_model, "--json").stdout)
    assert model["towers"] == ["rs", "sv", "location"]
    assert model["bands"] == ["B2", "B8"]


def test_info_without_a_path_tells_versions_and_gdal(gair):
    result = gair("info")
    assert result.exit_code == 0
    assert re.search(r"^gair +0\.", result.stdout, re.MULTILINE)
    assert "gdal" in result.stdout


def test_info_on_nothing_is_an_input_error(gair, tmp_path):
    assert gair("info", tmp_path / "none").exit_code == 3
