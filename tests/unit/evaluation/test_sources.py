import numpy as np
import polars as pl
import pytest

from gair_cli.embedding.table import EmbeddingMeta, EmbeddingTable
from gair_cli.errors import DataError
from gair_cli.evaluation.sources import join_embeddings, untrained_twin
from gair_cli.geo.tables import PointTable
from gair_cli.models.config import LocationConfig, ModelConfig
from gair_cli.models.gair import new_model


def points(ids):
    lonlat = np.stack([np.arange(len(ids)), np.zeros(len(ids))], axis=1).astype(float)
    return PointTable(pl.DataFrame({"id": ids}), list(ids), lonlat, pl.DataFrame(), "id")


def embeddings(ids, vectors, lonlat=None):
    n = len(ids)
    return EmbeddingTable(
        list(ids),
        np.asarray(vectors, np.float32),
        np.full(n, "location"),
        np.full(n, "ok"),
        lonlat,
        EmbeddingMeta(),
        pl.DataFrame(),
    )


def test_rows_are_joined_by_id_in_the_order_of_the_labels():
    joined = join_embeddings(points("abc"), embeddings("cab", [[3], [1], [2]]))
    assert joined.features[:, 0].tolist() == [1, 2, 3]
    assert joined.rows.tolist() == [0, 1, 2]


def test_equal_ids_are_matched_in_their_order():
    joined = join_embeddings(points("aab"), embeddings("aba", [[1], [2], [3]]))
    assert joined.features[:, 0].tolist() == [1, 3, 2]


def test_rows_without_embedding_or_with_a_null_one_are_counted():
    joined = join_embeddings(points("abcd"), embeddings("abc", [[1], [np.nan], [3]]))
    assert joined.rows.tolist() == [0, 2]
    assert (joined.absent, joined.null) == (1, 1)


def test_no_common_id_is_an_error():
    with pytest.raises(DataError, match="no id of the labels"):
        join_embeddings(points("ab"), embeddings("xy", [[1], [2]]))


def test_one_id_at_two_places_is_an_error():
    elsewhere = np.array([[0.0, 0.0], [50.0, 0.0]])
    with pytest.raises(DataError, match="1 rows have one id but different places"):
        join_embeddings(points("ab"), embeddings("ab", [[1], [2]], elsewhere))


def test_plus_and_minus_180_are_one_place():
    table = points("ab")
    table.lonlat[:, 0] = [180.0, -180.0]
    opposite = np.array([[-180.0, 0.0], [180.0, 0.0]])
    assert len(join_embeddings(table, embeddings("ab", [[1], [2]], opposite)).rows) == 2


def test_untrained_twin_has_the_same_sizes_and_other_weights():
    config = ModelConfig(dim=4, location=LocationConfig((1.0,), 8, 16, 1, 8), heads=("location",))
    model = new_model(config, seed=0)
    twin, again = untrained_twin(model, 5), untrained_twin(model, 5)
    for (name, a), (_, b), (_, c) in zip(
        model.location.named_parameters(),
        twin.location.named_parameters(),
        again.location.named_parameters(),
        strict=True,
    ):
        assert a.shape == b.shape, name
        assert (b == c).all()
    assert (model.location.scales[0].out.weight != twin.location.scales[0].out.weight).any()
