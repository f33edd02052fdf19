"""The learning rate of each step: a linear rise, then one of four ways down. A pure function."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gair_cli.training.config import Recipe


_RISE_AT_MOST = 5
"""A short trial run rises for a fifth of its steps, not for all of them."""
_FALL = 0.2
"""Share of the steps after the rise in which `wsd` falls (warm-up, stable, decay)."""


def learning_rate(step: int, recipe: Recipe) -> float:
    """Return the learning rate of a step.

    Args:
        step: From 0 to `recipe.steps - 1`.
        recipe: Highest rate, rise, schedule, end.

    Returns:
        `lr / rise` at step 0, `lr` when the rise ends, near `lr * final_lr` at the end, or `lr`
        where the schedule is constant.
    """
    rise = min(recipe.warmup_steps, recipe.steps // _RISE_AT_MOST)
    if step < rise:
        return recipe.lr * (step + 1) / rise
    share = min(1.0, (step - rise) / max(1, recipe.steps - rise))
    height = _height(share, recipe.schedule)
    return recipe.lr * (recipe.final_lr + (1 - recipe.final_lr) * height)


def _height(share: float, schedule: str) -> float:
    """Return how much of the rate's range is left, 1 at the start."""
    if schedule == "constant":
        return 1.0
    if schedule == "linear":
        return 1.0 - share
    if schedule == "wsd":
        return min(1.0, (1.0 - share) / _FALL)
    return (1 + math.cos(math.pi * share)) / 2
