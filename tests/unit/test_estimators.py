"""A model in a scikit-learn pipeline."""

import numpy as np
import polars as pl
import pytest

import gair_cli
from gair_cli.errors import DataError, UsageError

sklearn = pytest.importorskip("sklearn")
from sklearn.base import clone  # noqa: E402
from sklearn.linear_model import Ridge  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402

from gair_cli.estimators import PlaceEmbedder  # noqa: E402

PLACES = np.random.default_rng(0).uniform((-170, -80), (170, 80), (40, 2))


def test_it_embeds_as_the_model_does():
    step = PlaceEmbedder().fit(PLACES)
    model = gair_cli.load()
    wanted = model.embed_points(PLACES, space="encoder")
    np.testing.assert_array_equal(step.transform(PLACES), wanted)
    assert step.get_feature_names_out()[0] == "e0"
    assert len(step.get_feature_names_out()) == wanted.shape[1]
    table = pl.DataFrame({"lon": PLACES[:, 0], "lat": PLACES[:, 1]})
    np.testing.assert_array_equal(step.transform(table), wanted)
    again = PlaceEmbedder(model, space="joint").fit(PLACES)
    assert np.allclose(np.linalg.norm(again.transform(PLACES), axis=1), 1, atol=1e-5)


def test_pipelines_clones_and_searches_take_it():
    target = PLACES[:, 1]
    steps = make_pipeline(PlaceEmbedder(), Ridge())
    assert clone(steps).fit(PLACES, target).predict(PLACES).shape == (40,)
    search = GridSearchCV(steps, {"placeembedder__space": ["encoder", "joint"]}, cv=2)
    assert search.fit(PLACES, target).best_params_["placeembedder__space"] in {"encoder", "joint"}


def test_wrong_shapes_are_refused():
    with pytest.raises(UsageError, match=r"\(N, 2\)"):
        PlaceEmbedder().fit(np.zeros((3, 3)))


def test_places_outside_the_tiles_are_refused(monkeypatch):
    step = PlaceEmbedder(tiles="somewhere").fit(PLACES)
    vectors = np.zeros((40, 4), np.float32)
    vectors[7] = np.nan
    monkeypatch.setattr(type(step.model_), "embed_at", lambda *_, **__: vectors)
    with pytest.raises(DataError, match=r"1 of 40 places.*row 7"):
        step.transform(PLACES)
