"""The other forms of a loss against triple loops written from their papers, with gradients."""

import math

import pytest
import torch

from gair_cli.data.embeddings import Embeddings
from gair_cli.errors import UsageError
from gair_cli.losses.config import GeoTargets, LossConfig
from gair_cli.losses.contrastive import Bank, GlobalMemory, gair_loss
from gair_cli.losses.geo_targets import Targets, TargetsByPlace, geo_targets
from gair_cli.losses.global_form import EPSILON, RHO, gamma_at, global_contrastive
from gair_cli.losses.info_nce import info_nce
from gair_cli.losses.mae import mae_loss
from gair_cli.losses.mocov3 import mocov3_loss
from gair_cli.losses.sigmoid import sigmoid_loss

SCALE, BIAS = 10.0, -4.0


def unit(*shape, seed):
    vectors = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(vectors, dim=-1).requires_grad_()


def dot(a, b):
    total = torch.zeros((), dtype=torch.float64)
    for x, y in zip(a, b, strict=True):
        total = total + x.double() * y.double()
    return total


def same_gradients(ours, oracle, *inputs):
    assert ours.item() == pytest.approx(oracle.item(), rel=1e-5, abs=1e-6)
    found = torch.autograd.grad(ours, inputs)
    wanted = torch.autograd.grad(oracle, inputs)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4)


def sigmoid_by_loops(a, b, scale, bias, weight, keep):
    """-1/B sum_i sum_j [w log sigmoid(l_ij) + (1 - w) log sigmoid(-l_ij)] over the kept ones."""
    total = torch.zeros((), dtype=torch.float64)
    for i in range(len(a)):
        for j in range(len(b)):
            if keep[i][j]:
                logit = scale * dot(a[i], b[j]) + bias
                positive = -torch.log(1 / (1 + torch.exp(-logit)))
                negative = -torch.log(1 / (1 + torch.exp(logit)))
                total = total + weight[i][j] * positive + (1 - weight[i][j]) * negative
    return total / len(a)


def test_sigmoid_loss_equals_the_triple_loop():
    a, b = unit(4, 5, seed=0), unit(6, 5, seed=1)
    scale = torch.tensor(SCALE, requires_grad=True)
    bias = torch.tensor(BIAS, requires_grad=True)
    own = [[float(i == j) for j in range(6)] for i in range(4)]
    oracle = sigmoid_by_loops(a, b, scale, bias, own, [[True] * 6] * 4)
    same_gradients(sigmoid_loss(a, b, scale, bias), oracle, a, b, scale, bias)


def test_sigmoid_loss_with_soft_and_excluded_candidates_equals_the_triple_loop():
    a, b = unit(3, 5, seed=2), unit(4, 5, seed=3)
    weight = [[1.0, 0.0, 0.3, 0.0], [0.0, 1.0, 0.0, 0.6], [0.3, 0.0, 1.0, 0.0]]
    keep = [[True, False, True, True], [False, True, True, True], [True, True, True, False]]
    targets = Targets(torch.tensor(weight), torch.tensor(keep))
    ours = sigmoid_loss(a, b, SCALE, BIAS, targets=targets)
    same_gradients(ours, sigmoid_by_loops(a, b, SCALE, BIAS, weight, keep), a, b)


def global_by_loops(a, b, tau, memory, gamma, keep):
    """SogCLR's estimator: its gradient is sum_i tau / (eps + u_i) grad g_i / B, tau's beside."""
    total, news = torch.zeros((), dtype=torch.float64), []
    for i in range(len(a)):
        g, count = torch.zeros((), dtype=torch.float64), 0
        for j in range(len(b)):
            if j != i and keep[i][j]:
                g = g + torch.exp((dot(a[i], b[j]) - dot(a[i], b[i])) / tau)
                count += 1
        g = g / count
        u = (1 - gamma) * memory[i] + gamma * g.item() if memory[i] > 0 else g.item()
        news.append(u)
        factor = tau.item() / (EPSILON + u)
        total = total + factor * (g - g.item()) + tau * math.log(EPSILON + u) + RHO * tau
    return total / len(a), news


@pytest.mark.parametrize("with_targets", [False, True])
def test_global_loss_equals_the_triple_loop_and_remembers(with_targets):
    a, b = unit(4, 5, seed=4), unit(4, 5, seed=5)
    scale = torch.tensor(SCALE, requires_grad=True)
    memory = torch.tensor([[0.3, 0.0, 0.7, 0.2], [0.1, 0.4, 0.0, 0.9]])
    keep = [[True, False, True, True], [False, True, True, True], [True] * 4, [True] * 4]
    keep = keep if with_targets else [[True] * 4] * 4
    targets = Targets(torch.eye(4), torch.tensor(keep)) if with_targets else None
    turned = [[keep[i][j] for i in range(4)] for j in range(4)]
    there, news_a = global_by_loops(a, b, 1 / scale, memory[0].tolist(), 0.6, keep)
    back, news_b = global_by_loops(b, a, 1 / scale, memory[1].tolist(), 0.6, turned)
    ours = global_contrastive(a, b, scale, memory, gamma=0.6, targets=targets)
    same_gradients(ours.loss, (there + back) / 2, a, b, scale)
    torch.testing.assert_close(ours.memory, torch.tensor([news_a, news_b]), atol=1e-6, rtol=1e-5)


def test_global_memory_starts_with_the_batch_alone():
    assert gamma_at(0, 100, end=0.2) == pytest.approx(1.0)
    assert gamma_at(50, 100, end=0.2) == pytest.approx(0.6)
    assert gamma_at(100, 100, end=0.2) == pytest.approx(0.2)


def test_mocov3_loss_equals_the_triple_loop():
    q1, q2, k1, k2 = (unit(4, 5, seed=seed) for seed in (6, 7, 8, 9))
    total = torch.zeros((), dtype=torch.float64)
    for q, k in ((q1, k2), (q2, k1)):
        for i in range(4):
            shares = [torch.exp(dot(q[i], k[j].detach()) / 0.2) for j in range(4)]
            total = total - 2 * 0.2 * torch.log(shares[i] / sum(shares)) / 4
    same_gradients(mocov3_loss(q1, q2, k1, k2, temperature=0.2), total, q1, q2)
    with pytest.raises(RuntimeError, match="not have been used"):
        torch.autograd.grad(mocov3_loss(q1, q2, k1, k2, temperature=0.2), k1)


def test_mae_loss_equals_the_triple_loop():
    generator = torch.Generator().manual_seed(0)
    patches = torch.rand(2, 3, 4, generator=generator)
    predicted = torch.rand(2, 3, 4, generator=generator).requires_grad_()
    hidden = torch.tensor([[True, False, True], [False, True, False]])
    totals = []
    for tile in range(2):
        total, count = torch.zeros((), dtype=torch.float64), 0
        for patch in range(3):
            if not hidden[tile, patch]:
                continue
            pixels = [float(value) for value in patches[tile, patch]]
            mean = sum(pixels) / 4
            variance = sum((value - mean) ** 2 for value in pixels) / 3
            for number, value in enumerate(pixels):
                wanted = (value - mean) / math.sqrt(variance + 1e-6)
                total = total + (predicted[tile, patch, number].double() - wanted) ** 2 / 4
            count += 1
        totals.append(total / count)
    ours = mae_loss(predicted, patches, hidden)
    same_gradients(ours[0] + ours[1], totals[0] + totals[1], predicted)
    shown = torch.autograd.grad(mae_loss(predicted, patches, hidden).sum(), predicted)[0]
    assert (shown[~hidden] == 0).all()


def places(rows, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(rows, 2, generator=generator, dtype=torch.float64) * 0.01 + 13


@pytest.mark.parametrize("tile_rows", [1, 3, 5])
@pytest.mark.parametrize("form", ["infonce", "sigmoid", "global"])
def test_a_loss_in_tiles_is_the_loss_of_the_whole(form, tile_rows):
    sv, rs, location, bank = (unit(n, 8, seed=s) for n, s in ((7, 1), (7, 2), (7, 3), (9, 4)))
    lonlat, further = places(7, 0), places(9, 1)
    scale = torch.tensor(SCALE, requires_grad=True)
    geo = GeoTargets(r_mask_m=150, r_soft_m=400, scale_m=100)
    found = []
    for rows in (0, tile_rows):
        config = LossConfig(geo=geo, form=form, tile_rows=rows)
        losses = gair_loss(
            Embeddings(sv, rs, location, scale), config, lonlat=lonlat, bank=Bank(bank, further)
        )
        inputs = (sv, rs, location, bank, scale)
        found.append((losses["total"], torch.autograd.grad(losses["total"], inputs)))
    assert found[0][0].item() == pytest.approx(found[1][0].item(), rel=1e-6)
    for whole, tiled in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(tiled, whole, atol=1e-6, rtol=1e-5)


def test_targets_made_tile_by_tile_are_those_of_the_whole():
    rows, candidates = places(6, 2), torch.cat([places(6, 2), places(4, 3)])
    config = GeoTargets(r_mask_m=150, r_soft_m=400, scale_m=100)
    whole = geo_targets(rows, candidates, config)
    part = TargetsByPlace(rows, candidates, config)
    for found, wanted in (
        (part.of_rows(2, 5), whole.of_rows(2, 5)),
        (part.of_candidates(1, 4), whole.of_candidates(1, 4)),
    ):
        torch.testing.assert_close(found.weight, wanted.weight)
        assert torch.equal(found.keep, wanted.keep)


def test_a_tiled_loss_never_holds_all_scores():
    a, b = unit(64, 4, seed=0), unit(64, 4, seed=1)
    sizes = []

    def note(tensor):
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        info_nce(a, b, SCALE, tile_rows=8)
    tiled = max(sizes, default=0)
    sizes.clear()
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        info_nce(a, b, SCALE)
    assert tiled <= 64 * 8 < max(sizes) == 64 * 64


def test_the_form_is_taken_for_every_pair():
    parts = Embeddings(*(unit(4, 8, seed=seed) for seed in (1, 2, 3)), torch.tensor(SCALE))
    bias = {pair: torch.tensor(-3.0) for pair in ("incl", "secl_sv", "secl_rs")}
    found = gair_loss(parts, LossConfig(form="sigmoid"), bias=bias)
    assert found["secl_sv"].item() == pytest.approx(
        sigmoid_loss(parts.sv, parts.location, SCALE, -3.0).item()
    )
    memory = GlobalMemory({}, gamma=1.0)
    gair_loss(parts, LossConfig(form="global"), memory=memory)
    assert set(memory.of) == {"incl", "secl_sv", "secl_rs"}
    assert all((values > 0).all() for values in memory.of.values())


@pytest.mark.parametrize("wrong", [{"tile_rows": -1}, {"gamma_end": 0.0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        LossConfig(**wrong)
