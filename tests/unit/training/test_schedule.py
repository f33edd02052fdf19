"""The learning rate and the optimizer's groups."""

import math

import pytest
import torch
from torch import nn

from gair_cli.errors import UsageError
from gair_cli.training.config import Recipe
from gair_cli.training.optim import clip_gradients, make_optimizer
from gair_cli.training.schedule import learning_rate


def test_rate_rises_then_falls_by_a_cosine():
    recipe = Recipe(steps=110, warmup_steps=10, lr=1.0, final_lr=0.1)
    assert learning_rate(0, recipe) == pytest.approx(0.1)
    assert learning_rate(9, recipe) == pytest.approx(1.0)
    assert learning_rate(10, recipe) == pytest.approx(1.0)
    assert learning_rate(60, recipe) == pytest.approx(0.55)
    assert learning_rate(110, recipe) == pytest.approx(0.1)


def test_a_short_run_rises_for_a_fifth_of_its_steps():
    recipe = Recipe(steps=10, warmup_steps=50, lr=1.0)
    assert [learning_rate(step, recipe) for step in (0, 1, 2)] == [0.5, 1.0, 1.0]


def test_norms_biases_and_temperature_do_not_decay():
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    model.register_parameter("logit_scale", nn.Parameter(torch.tensor(2.0)))
    optimizer = make_optimizer(model, recipe=Recipe(weight_decay=0.5))
    decay, plain = optimizer.param_groups
    assert [tuple(value.shape) for value in decay["params"]] == [(4, 3)]
    assert sorted(tuple(value.shape) for value in plain["params"]) == [(), (4,), (4,), (4,)]
    assert (decay["weight_decay"], plain["weight_decay"]) == (0.5, 0.0)


def clipped(layer, *, limit):
    return clip_gradients({"layer": layer.parameters()}, limit=limit)["total"]


def test_gradient_is_scaled_to_the_limit_and_its_norm_told():
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.grad = torch.tensor([[3.0, 4.0]])
    assert clipped(layer, limit=0) == pytest.approx(5.0)
    assert clipped(layer, limit=1.0) == pytest.approx(5.0)
    assert layer.weight.grad.norm() == pytest.approx(1.0, abs=1e-5)
    layer.weight.grad = torch.tensor([[math.nan, 1.0]])
    assert not math.isfinite(clipped(layer, limit=1.0))


@pytest.mark.parametrize(
    ("key", "value"), [("steps", 0), ("batch_size", 0), ("lr", -1.0), ("warmup_steps", -1)]
)
def test_recipe_refuses_numbers_that_make_no_run(key, value):
    with pytest.raises(UsageError, match=f"recipe.{key}"):
        Recipe(**{key: value})


def test_recipe_survives_its_table():
    table = {"steps": 7, "loss": {"geo": {"r_mask_m": 10.0}}, "bank": {"kind": "queue", "size": 9}}
    recipe = Recipe.from_table(table)
    assert recipe.loss.geo.r_mask_m == 10.0
    assert Recipe.from_table(recipe.to_table()) == recipe


def test_misspelt_setting_is_named():
    with pytest.raises(UsageError, match=r"recipe\.step"):
        Recipe.from_table({"step": 7})


def test_speed_settings_are_no_part_of_the_plan():
    assert Recipe(cache_mb=1, loader_threads=0).plan() == Recipe().plan()
    assert Recipe(seed=1).plan() != Recipe().plan()
