"""Validation against a slow reference, and the draw of its rows."""

import numpy as np
import pytest
import torch

from gair_cli.data.batch import Batch
from gair_cli.data.embeddings import Embeddings
from gair_cli.training.validation import score, validate, validation_rows

N, DIM = 300, 5


class Looked(torch.nn.Module):
    """Looks vectors up by the number in a row's longitude."""

    def __init__(self, *, with_rs):
        super().__init__()
        rng = torch.Generator().manual_seed(0)
        vectors = torch.nn.functional.normalize(torch.randn(3, N, DIM, generator=rng), dim=-1)
        self.sv, self.rs, self.location = vectors
        self.rs = self.rs if with_rs else None
        self.modes = []

    def forward(self, batch):
        self.modes.append(self.training)
        rows = batch.lonlat[:, 0].long()
        rs = None if self.rs is None else self.rs[rows]
        return Embeddings(self.sv[rows], rs, self.location[rows], torch.tensor(10.0))


def batch_of(rows):
    lonlat = torch.from_numpy(np.stack([rows, rows], 1).astype(np.float64))
    return Batch(lonlat, [str(row) for row in rows])


def slow_recall(queries, gallery, k):
    """R@k in percent, counted one query at a time."""
    hits = 0
    for number, query in enumerate(queries):
        scores = [float(torch.dot(query, item)) for item in gallery]
        better = sum(one > scores[number] for one in scores)
        hits += better < k
    return 100 * hits / len(queries)


def test_figures_equal_a_slow_count_over_all_rows_and_six_directions():
    model = Looked(with_rs=True).train()
    figures = validate(model, batch_of, np.arange(N))
    assert set(figures) == {
        "sv->rs_at", "sv->location", "rs_at->sv", "rs_at->location", "location->sv",
        "location->rs_at", "probe",
    }  # fmt: skip
    assert figures["sv->rs_at"]["R@10"] == pytest.approx(slow_recall(model.sv, model.rs, 10))
    assert figures["rs_at->sv"]["R@1"] == pytest.approx(slow_recall(model.rs, model.sv, 1))
    found = figures["location->sv"]["R@5"]
    assert found == pytest.approx(slow_recall(model.location, model.sv, 5))
    recalls = [one["R@10"] for name, one in figures.items() if name != "probe"]
    assert score(figures) == pytest.approx(np.mean(recalls))


def test_model_is_evaluated_without_training_mode_and_gets_it_back():
    model = Looked(with_rs=False).train()
    figures = validate(model, batch_of, np.arange(20))
    assert set(figures) == {"sv->location", "location->sv"}
    assert model.modes == [False]
    assert model.training


def test_one_row_or_none_gives_no_figures():
    model = Looked(with_rs=True)
    assert validate(model, batch_of, np.arange(1)) == {}
    assert score({}) is None


def test_rows_are_a_seeded_draw_without_repeats():
    rows = np.arange(1000, 3000)
    drawn = validation_rows(rows, 100, seed=0)
    assert len(set(drawn.tolist())) == 100
    assert drawn.tolist() == validation_rows(rows, 100, seed=0).tolist()
    assert drawn.tolist() != validation_rows(rows, 100, seed=1).tolist()
    assert drawn.tolist() == sorted(drawn.tolist())
    assert validation_rows(rows[:5], 100, seed=0).tolist() == rows[:5].tolist()
    assert len(validation_rows(rows[:0], 100, seed=0)) == 0
