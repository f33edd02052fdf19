"""The Python API: arrays in, arrays out; a table in, the same kind of table out."""

import geopandas
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image

import gair_cli
from gair_cli.errors import BadRowsError, DataError, InputError, ModelError, UsageError


@pytest.fixture(scope="module")
def model(tiny_model):
    return gair_cli.load(tiny_model, device="cpu")


POINTS = np.array([[13.4, 52.5], [-0.1, 51.5], [179.9, -17.0]])


def test_points_as_an_array_give_float32_of_length_one(model):
    vectors = model.embed_points(POINTS)
    assert (vectors.shape, vectors.dtype) == ((3, 16), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert model.embed_points(POINTS, space="encoder").shape == (3, 20)


def test_batches_do_not_change_vectors(model):
    one = model.embed_points(POINTS, batch_size=1)
    np.testing.assert_allclose(one, model.embed_points(POINTS), atol=1e-6)


@pytest.mark.parametrize("kind", ["polars", "pandas", "pyarrow", "geopandas"])
def test_a_table_comes_back_as_the_same_kind(model, kind):
    data = {"name": ["a", "b", "c"], "lon": POINTS[:, 0], "lat": POINTS[:, 1]}
    tables = {
        "polars": lambda: pl.DataFrame(data),
        "pandas": lambda: pd.DataFrame(data),
        "pyarrow": lambda: pa.table(data),
        "geopandas": lambda: geopandas.GeoDataFrame(
            {"name": data["name"]}, geometry=geopandas.points_from_xy(*POINTS.T), crs=4326
        ),
    }
    table = tables[kind]()
    out = model.embed_points(table)
    assert type(out) is type(table)
    assert list(out["name"].to_pylist() if kind == "pyarrow" else out["name"]) == ["a", "b", "c"]
    column = out["embedding"].to_pylist() if kind == "pyarrow" else out["embedding"].to_list()
    expected = model.embed_points(POINTS)
    np.testing.assert_allclose(np.stack([np.asarray(v) for v in column]), expected, atol=1e-6)


def test_a_geodataframe_in_another_crs_is_projected(model):
    frame = geopandas.GeoDataFrame(geometry=geopandas.points_from_xy(*POINTS[:2].T), crs=4326)
    out = model.embed_points(frame.to_crs(3857))
    np.testing.assert_allclose(
        np.stack(out["embedding"]), model.embed_points(POINTS[:2]), atol=1e-4
    )


def test_photos_as_paths_arrays_and_table(model, tmp_path):
    pixels = np.random.default_rng(1).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    stack = model.embed_photos(pixels[None])
    np.testing.assert_allclose(model.embed_photos([tmp_path / "a.png"]), stack, atol=1e-5)
    table = pl.DataFrame({"path": [str(tmp_path / "a.png"), str(tmp_path / "none.jpg")]})
    out = model.embed_photos(table)
    assert out["status"].to_list() == ["ok", "unreadable"]
    assert out["embedding"].null_count() == 1
    with pytest.raises(BadRowsError, match="1 of 1"):
        model.embed_photos([tmp_path / "none.jpg"])


def test_tiles_as_arrays_of_different_sizes(model):
    rng = np.random.default_rng(2)
    arrays = [rng.integers(1, 3000, (2, size, 40)).astype(np.uint16) for size in (32, 50)]
    assert model.embed_tiles(arrays).shape == (2, 16)


def test_progress_is_drawn_on_stderr(model, capsys):
    model.embed_points(POINTS, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "points" in captured.err


def test_wrong_inputs_are_refused_with_the_value(model, tmp_path):
    with pytest.raises(UsageError, match="row 1"):
        model.embed_points(np.array([[0, 0], [0, 91.0]]))
    with pytest.raises(UsageError, match=r"\(N, 2\)"):
        model.embed_points(np.zeros((3, 3)))
    with pytest.raises(DataError, match="no coordinate columns"):
        model.embed_points(pl.DataFrame({"a": [1]}))
    with pytest.raises(InputError):
        gair_cli.load(tmp_path / "none")


def test_a_tower_that_is_not_there_is_named(tmp_path):
    from gair_cli.models.config import LocationConfig, ModelConfig
    from gair_cli.models.gair import new_model
    from gair_cli.models.weights import save_model

    location = LocationConfig((1.0,), frequencies=4, hidden=8, depth=1, width=8)
    save_model(new_model(ModelConfig(dim=8, location=location), seed=1), tmp_path / "m")
    model = gair_cli.load(tmp_path / "m", device="cpu")
    with pytest.raises(ModelError, match="it has location"):
        model.embed_photos([np.zeros((4, 4, 3), np.uint8)])
