"""The learning rate of each step: a linear rise, then half a cosine. A pure function."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gair_cli.training.config import Recipe


_RISE_AT_MOST = 5
"""A short trial run rises for a fifth of its steps, not for all of them."""


def learning_rate(step: int, recipe: Recipe) -> float:
    """Return the learning rate of a step.

    Args:
        step: From 0 to `recipe.steps - 1`.
        recipe: Highest rate, rise, end.

    Returns:
        `lr / rise` at step 0, `lr` when the rise ends, near `lr * final_lr` at the end.
    """
    rise = min(recipe.warmup_steps, recipe.steps // _RISE_AT_MOST)
    if step < rise:
        return recipe.lr * (step + 1) / rise
    share = min(1.0, (step - rise) / max(1, recipe.steps - rise))
    cosine = (1 + math.cos(math.pi * share)) / 2
    return recipe.lr * (recipe.final_lr + (1 - recipe.final_lr) * cosine)
