"""The objective that a recipe names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from gair_cli.data.order import key_of
from gair_cli.training.objectives.contrastive import ONE_PAIR, Contrastive
from gair_cli.training.objectives.mae import Mae
from gair_cli.training.objectives.mocov3 import MocoV3

if TYPE_CHECKING:
    from gair_cli.models.config import Tower
    from gair_cli.models.gair import GairModel
    from gair_cli.training.config import Recipe
    from gair_cli.training.objectives.base import Objective


PICTURES: Final[dict[str, type[MocoV3 | Mae]]] = {"mocov3": MocoV3, "mae": Mae}
"""Objectives that see one tower's pictures and compare no modalities."""


def sees_pictures_alone(recipe: Recipe) -> bool:
    """Tell whether one half of a row is enough for the objective."""
    return recipe.objective in PICTURES


def sees_tiles_alone(recipe: Recipe) -> bool:
    """Tell whether a sample of the objective is a tile, with however many photos."""
    return sees_pictures_alone(recipe) and towers_for(recipe) == ("rs",)


def towers_for(recipe: Recipe) -> tuple[Tower, ...] | None:
    """Return the towers that a recipe's objective trains; None is all that have data."""
    if recipe.objective in ONE_PAIR:
        return ONE_PAIR[recipe.objective][1]
    if recipe.objective == "mocov3":
        return (recipe.mocov3.tower,)
    return ("rs",) if recipe.objective == "mae" else None


def make_objective(model: GairModel, recipe: Recipe, *, n_rows: int) -> Objective:
    """Return the objective, with random weights that depend on the seed alone.

    Args:
        model: On the CPU, before its first step.
        recipe: Which one, with its settings.
        n_rows: Rows of the index.

    Raises:
        UsageError: If the model lacks what the objective trains.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key_of("objective", recipe.seed) >> 1)
        if recipe.objective == "mocov3":
            return MocoV3(model, recipe.mocov3)
        if recipe.objective == "mae":
            return Mae(model, recipe.mae, seed=recipe.seed)
        if recipe.objective in ONE_PAIR:
            return Contrastive.of_pair(recipe.objective, recipe.loss, n_rows=n_rows)
        return Contrastive(recipe.loss, n_rows=n_rows)
