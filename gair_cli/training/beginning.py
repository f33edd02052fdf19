"""What every run, dry run and measurement begins with: config, model and objective from a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from gair_cli.models.config import model_config
from gair_cli.models.gair import new_model
from gair_cli.models.starts import apply_start
from gair_cli.training.freezing import freeze
from gair_cli.training.inputs import band_statistics, towers_of
from gair_cli.training.objectives.make import make_objective

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gair_cli.geo.shards import ShardReader
    from gair_cli.models.config import ModelConfig
    from gair_cli.models.gair import GairModel
    from gair_cli.training.config import Recipe
    from gair_cli.training.objectives.base import Objective


def config_for(reader: ShardReader, model: Mapping[str, Any], recipe: Recipe) -> ModelConfig:
    """Return the model of a `[model]` table, made to fit shards and objective.

    Raises:
        UsageError: If a setting makes no sense.
        DataError: If a band or a half that the objective needs is missing.
    """
    towers = towers_of(reader, recipe)
    return model_config(model, bands=band_statistics(reader), towers=towers)


def begin(
    config: ModelConfig, recipe: Recipe, *, n_rows: int, started: bool = True
) -> tuple[GairModel, Objective]:
    """Return a model before its first step and its objective, on the CPU.

    Args:
        config: Towers, query, heads.
        recipe: Seed, starting weights, frozen parts, objective.
        n_rows: Rows of the index.
        started: Whether towers take the recipe's starting weights; a run that goes on has its own.

    Raises:
        UsageError: If the model lacks what the recipe trains or freezes.
        InputError: If starting weights cannot be read.
    """
    fresh = new_model(config, seed=recipe.seed)
    if started:
        apply_start(fresh, recipe.start)
    freeze(fresh, recipe)
    return fresh, make_objective(fresh, recipe, n_rows=n_rows)


def on_device(model: GairModel, device: str) -> GairModel:
    """Move a model, convolutions with channels last: a third faster on a CPU than first."""
    return model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
