"""AdamW with weight decay on matrices only, its state by parameter name, and gradient norms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor

    from gair_cli.training.config import Recipe

_BETA1 = 0.9


def make_optimizer(*modules: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """Return AdamW over the parameters of modules, in two groups, twice that where some are shards.

    Weights of one dimension (norms, biases) and scalars (the temperature) do not decay: decay
    would pull a norm's scale to 0 and the temperature to 1.

    Args:
        modules: Whose parameters are learnt.
        recipe: Learning rate, decay, beta2.

    Returns:
        The optimizer; its groups are `decay` and `plain`, in the modules' order.
    """
    parameters = [one for module in modules for one in module.parameters() if one.requires_grad]
    groups = []
    for sharded in (False, True):
        mine = [one for one in parameters if hasattr(one, "full_tensor") == sharded]
        matrices = [one for one in mine if one.ndim > 1]
        others = [one for one in mine if one.ndim <= 1]
        groups += [
            {"params": matrices, "weight_decay": recipe.weight_decay, "name": "decay"},
            {"params": others, "weight_decay": 0.0, "name": "plain"},
        ]
    filled = [group for group in groups if group["params"]]
    on_gpu = any(one.device.type == "cuda" for one in parameters)
    return torch.optim.AdamW(
        filled, lr=recipe.lr, betas=(_BETA1, recipe.beta2), fused=True if on_gpu else None
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of all groups."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def optimizer_state(
    optimizer: torch.optim.Optimizer, named: Iterable[tuple[str, nn.Parameter]]
) -> dict[str, dict[str, Tensor]]:
    """Return the optimizer's state by parameter name, whole and on the CPU.

    Args:
        optimizer: After any number of steps.
        named: Names and parameters; those without a state are left out.
    """
    return {
        name: {key: whole(value).cpu() for key, value in optimizer.state[parameter].items()}
        for name, parameter in named
        if parameter in optimizer.state
    }


def load_optimizer_state(
    optimizer: torch.optim.Optimizer,
    named: Iterable[tuple[str, nn.Parameter]],
    state: Mapping[str, Mapping[str, Tensor]],
) -> None:
    """Put back what `optimizer_state` returned, also for another number of processes."""
    fused = bool(optimizer.defaults.get("fused"))
    for name, parameter in named:
        if name not in state:
            continue
        restored: dict[str, Any] = {}
        for key, value in state[name].items():
            if value.ndim == 0:  # the number of steps
                restored[key] = value.to(parameter.device) if fused else value.clone()
            else:
                restored[key] = like(parameter, value)
        optimizer.state[parameter] = restored


def whole(value: Tensor) -> Tensor:
    """Return a tensor that may be a shard as a whole; every process must ask at once."""
    sharded: Any = value.detach()
    full: Tensor = sharded.full_tensor() if hasattr(sharded, "full_tensor") else sharded
    return full


def like(parameter: Tensor, value: Tensor) -> Tensor:
    """Return a whole tensor on the device of a parameter, and as a shard where that is one."""
    value = value.to(parameter.device)
    if not hasattr(parameter, "full_tensor"):
        return value.clone()
    from torch.distributed.tensor import distribute_tensor  # noqa: PLC0415 - only with FSDP

    sharded: Any = parameter
    return distribute_tensor(value, sharded.device_mesh, sharded.placements)


def clip_gradients(
    groups: Mapping[str, Iterable[nn.Parameter]], *, limit: float
) -> dict[str, float]:
    """Scale all gradients down to a common norm, in place, and return the norm of each group.

    Args:
        groups: Parameters by name, each in one group only; those without a gradient count nothing.
        limit: Largest norm of all; 0 only measures.

    Returns:
        Norms by group before scaling, and `total`.
    """
    gradients = {
        name: [one.grad for one in parameters if one.grad is not None]
        for name, parameters in groups.items()
    }
    norms = {name: _norm(found) for name, found in gradients.items() if found}
    total = math.sqrt(sum(norm**2 for norm in norms.values()))
    if limit > 0 and total > limit and math.isfinite(total):
        for found in gradients.values():
            for gradient in found:
                gradient.mul_(limit / total)
    return {**norms, "total": total}


def _norm(gradients: list[Tensor]) -> float:
    squares = [whole(torch.linalg.vector_norm(gradient)) for gradient in gradients]
    return float(torch.linalg.vector_norm(torch.stack([one.float() for one in squares])))
