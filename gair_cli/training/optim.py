"""AdamW with weight decay on matrices only, and the gradient's norm."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from gair_cli.training.config import Recipe

_BETA1 = 0.9


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """Return AdamW over the model's parameters, in two groups.

    Weights of one dimension (norms, biases) and scalars (the temperature) do not decay: decay
    would pull a norm's scale to 0 and the temperature to 1.

    Args:
        model: Whose parameters are learnt.
        recipe: Learning rate, decay, beta2.

    Returns:
        The optimizer; its groups are `decay` and `plain`, in the model's order.
    """
    parameters = [value for value in model.parameters() if value.requires_grad]
    matrices = [value for value in parameters if value.ndim > 1]
    others = [value for value in parameters if value.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay, "name": "decay"},
        {"params": others, "weight_decay": 0.0, "name": "plain"},
    ]
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=(_BETA1, recipe.beta2))


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of all groups."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def clip_gradient(model: nn.Module, *, limit: float) -> float:
    """Scale the gradient down to a norm, in place.

    Args:
        model: After `backward`.
        limit: Largest norm; 0 only measures.

    Returns:
        The norm before; infinite or NaN if any gradient is.
    """
    largest = limit if limit > 0 else math.inf
    norm = nn.utils.clip_grad_norm_(model.parameters(), largest)
    return float(norm)
