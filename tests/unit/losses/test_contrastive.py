"""InfoNCE against triple loops written from the paper, forward and gradient."""

import math
from dataclasses import replace

import pytest
import torch

from gair_cli.data.embeddings import Embeddings
from gair_cli.errors import UsageError
from gair_cli.losses.config import GeoTargets, LossConfig
from gair_cli.losses.contrastive import Bank, gair_loss, info_nce
from gair_cli.losses.geo_targets import Targets

SCALE = 1 / 0.07


def unit(*shape, seed):
    vectors = torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32
    )
    return torch.nn.functional.normalize(vectors, dim=-1).requires_grad_()


def one_way_by_loops(rows, candidates, scale, weight, keep):
    """Mean over rows i of -sum_j w_ij log p_ij / sum_j w_ij; every dot product spelled out."""
    total = torch.zeros((), dtype=torch.float64)
    for i in range(len(rows)):
        scores = []
        for j in range(len(candidates)):
            dot = torch.zeros((), dtype=torch.float64)
            for d in range(rows.shape[1]):
                dot = dot + rows[i, d].double() * candidates[j, d].double()
            scores.append(scale * dot)
        kept = [math.e**score for j, score in enumerate(scores) if keep[i][j]]
        whole = sum(kept)
        share = sum(weight[i])
        for j, score in enumerate(scores):
            if weight[i][j]:
                total = total - weight[i][j] / share * (score - torch.log(whole))
    return total / len(rows)


def plain(rows, candidates):
    weight = [[float(i == j) for j in range(candidates)] for i in range(rows)]
    return weight, [[True] * candidates for _ in range(rows)]


def check_gradients(ours, oracle, *inputs):
    found = torch.autograd.grad(ours, inputs)
    wanted = torch.autograd.grad(oracle, inputs)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_symmetric_info_nce_equals_the_triple_loop_forward_and_gradient():
    a, b = unit(5, 4, seed=0), unit(5, 4, seed=1)
    weight, keep = plain(5, 5)
    oracle = (
        one_way_by_loops(a, b, SCALE, weight, keep) + one_way_by_loops(b, a, SCALE, weight, keep)
    ) / 2
    ours = info_nce(a, b, SCALE)
    assert ours.item() == pytest.approx(oracle.item(), abs=1e-5)
    check_gradients(ours, oracle, a, b)


def test_one_way_info_nce_with_a_bank_equals_the_triple_loop():
    a, b = unit(3, 4, seed=2), unit(7, 4, seed=3)
    oracle = one_way_by_loops(a, b, SCALE, *plain(3, 7))
    ours = info_nce(a, b, SCALE, symmetric=False)
    assert ours.item() == pytest.approx(oracle.item(), abs=1e-5)
    check_gradients(ours, oracle, a, b)


def test_soft_and_excluded_candidates_equal_the_triple_loop():
    a, b = unit(3, 4, seed=4), unit(4, 4, seed=5)
    weight = [[1.0, 0.0, 0.3, 0.0], [0.0, 1.0, 0.0, 0.6], [0.3, 0.0, 1.0, 0.0]]
    keep = [[True, False, True, True], [False, True, True, True], [True, True, True, False]]
    targets = Targets(torch.tensor(weight), torch.tensor(keep))
    turned = [[weight[i][j] for i in range(3)] for j in range(3)]
    turned_keep = [[keep[i][j] for i in range(3)] for j in range(3)]
    oracle = (
        one_way_by_loops(a, b, SCALE, weight, keep)
        + one_way_by_loops(b[:3], a, SCALE, turned, turned_keep)
    ) / 2
    ours = info_nce(a, b, SCALE, targets=targets)
    assert ours.item() == pytest.approx(oracle.item(), abs=1e-5)
    check_gradients(ours, oracle, a, b)


def test_orthogonal_pairs_have_a_known_loss():
    eye = torch.eye(2)
    assert info_nce(eye, eye, 1.0).item() == pytest.approx(math.log(1 + math.exp(-1)), abs=1e-6)


def test_loss_does_not_depend_on_the_order_of_the_batch():
    a, b = unit(6, 8, seed=6), unit(6, 8, seed=7)
    order = torch.tensor([3, 1, 5, 0, 4, 2])
    assert info_nce(a, b, SCALE).item() == pytest.approx(
        info_nce(a[order], b[order], SCALE).item(), abs=1e-5
    )


def test_fewer_candidates_than_rows_are_refused():
    with pytest.raises(ValueError, match="5 rows among 4 candidates"):
        info_nce(unit(5, 4, seed=0), unit(4, 4, seed=0), SCALE)


def embeddings(without=(), rows=4):
    seeds = {"sv": 10, "rs_at": 11, "location": 12}
    parts = {
        name: None if name in without else unit(rows, 8, seed=seed) for name, seed in seeds.items()
    }
    return Embeddings(**parts, logit_scale=torch.tensor(SCALE))


def test_all_three_pairs_are_named_and_summed():
    found = gair_loss(embeddings(), LossConfig(incl_weight=2.0, secl_weight=0.5))
    assert list(found) == ["incl", "secl_sv", "secl_rs", "total"]
    wanted = 2 * found["incl"] + 0.5 * (found["secl_sv"] + found["secl_rs"])
    assert found["total"].item() == pytest.approx(wanted.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("missing", "names"),
    [
        ("sv", ["secl_rs", "total"]),
        ("rs_at", ["secl_sv", "total"]),
        ("location", ["incl", "total"]),
    ],
)
def test_a_missing_modality_skips_its_pairs(missing, names):
    assert list(gair_loss(embeddings(without=[missing]))) == names


def test_a_single_modality_is_refused():
    with pytest.raises(UsageError, match="no pair to compare"):
        gair_loss(embeddings(without=["sv", "rs_at"]))


def test_a_bank_adds_negatives_to_secl_and_leaves_incl_alone():
    bank = Bank(unit(50, 8, seed=13), torch.zeros(50, 2, dtype=torch.float64))
    without, with_bank = gair_loss(embeddings()), gair_loss(embeddings(), bank=bank)
    assert with_bank["incl"] == without["incl"]
    assert with_bank["secl_sv"] > without["secl_sv"]
    assert with_bank["secl_rs"] > without["secl_rs"]
    with_bank["total"].backward()
    assert bank.location.grad.abs().sum() > 0


def test_one_way_secl_looks_for_the_location_only():
    parts = embeddings()
    found = gair_loss(parts, LossConfig(symmetric=False))
    wanted = info_nce(parts.sv, parts.location, SCALE, symmetric=False)
    assert found["secl_sv"] == wanted
    assert found["incl"] == info_nce(parts.sv, parts.rs_at, SCALE)


def test_two_photos_of_one_place_are_no_negatives_of_each_other():
    lonlat = torch.tensor([[10.0, 50.0], [10.0, 50.0], [11.0, 50.0], [12.0, 50.0]]).double()
    parts = embeddings()
    with_mask = gair_loss(parts, LossConfig(geo=GeoTargets(r_mask_m=25)), lonlat=lonlat)
    keep = torch.ones(4, 4, dtype=torch.bool)
    keep[0, 1] = keep[1, 0] = False
    wanted = info_nce(parts.sv, parts.rs_at, SCALE, targets=Targets(torch.eye(4), keep))
    assert with_mask["incl"].item() == pytest.approx(wanted.item(), abs=1e-6)
    assert with_mask["incl"] < gair_loss(parts)["incl"]


def test_geo_targets_without_coordinates_are_refused():
    with pytest.raises(UsageError, match="coordinates"):
        gair_loss(embeddings(), LossConfig(geo=GeoTargets()))


def test_a_second_reading_of_the_tile_counts_half():
    one = embeddings()
    second = unit(4, 8, seed=20)
    both = replace(one, rs_exact=second)
    found = gair_loss(both)
    for name, rows in (("incl", one.sv), ("secl_rs", one.location)):
        pairs = [(rows, rs) if name == "incl" else (rs, rows) for rs in (one.rs_at, second)]
        wanted = sum(info_nce(a, b, SCALE) for a, b in pairs) / 2
        assert found[name].item() == pytest.approx(wanted.item(), rel=1e-6)
    assert found["secl_sv"].item() == gair_loss(one)["secl_sv"].item()
