"""Which parts of a tower are trained: all, the last blocks, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from gair_cli.errors import UsageError

if TYPE_CHECKING:
    from gair_cli.models.gair import GairModel
    from gair_cli.training.config import Recipe

ALL = -1


def freeze(model: GairModel, recipe: Recipe) -> None:
    """Freeze what the recipe does not train; frozen parts stay in evaluation mode.

    Heads into the joint space, NILI and the fine path are always trained, and so is what follows
    the last block: norms and poolers.

    Args:
        model: Its parameters' `requires_grad` is set, and `frozen`.
        recipe: `rs_blocks` and `sv_blocks`: -1 trains all, 0 nothing, n the last n blocks.

    Raises:
        UsageError: If a tower has no such blocks, or not so many.
    """
    frozen: list[nn.Module] = []
    for name, count in (("rs", recipe.rs_blocks), ("sv", recipe.sv_blocks)):
        tower = getattr(model, name)
        if tower is None or count == ALL:
            continue
        tower.requires_grad_(requires_grad=False)
        if count == 0:
            frozen.append(tower)
            continue
        blocks, after = _blocks(tower, name)
        if count > len(blocks):
            raise UsageError(f"recipe.{name}_blocks is {count}, the tower has {len(blocks)}")
        trained = [*blocks[-count:], *after]
        for module in trained:
            module.requires_grad_(requires_grad=True)
        kept = {id(part) for module in trained for part in module.modules()}
        frozen += [part for part in tower.modules() if _holds(part) and id(part) not in kept]
    model.frozen = frozen
    model.train(model.training)


def _holds(module: nn.Module) -> bool:
    """Tell whether a module has parameters or statistics of its own."""
    own = (module.parameters(recurse=False), module.buffers(recurse=False))
    return any(next(iter(values), None) is not None for values in own)


def _blocks(tower: nn.Module, name: str) -> tuple[list[nn.Module], list[nn.Module]]:
    """Return a tower's blocks in order, and the modules that follow the last of them."""
    body = getattr(tower, "body", tower)
    body = getattr(body, "model", body)  # a timm model that hands out features
    children = list(body.named_children())
    for names in (("blocks",), ("stages",), ("layers",)):
        for at, (child, module) in enumerate(children):
            if child in names and isinstance(module, nn.Sequential | nn.ModuleList):
                after = [later for _, later in children[at + 1 :]]
                return list(module), [*after, *_pooler(tower)]
    stages = [(at, m) for at, (child, m) in enumerate(children) if _is_stage(child)]
    if not stages:
        raise UsageError(
            f"the {name} tower has no blocks to count", hint=f"set recipe.{name}_blocks to -1 or 0"
        )
    after = [later for _, later in children[stages[-1][0] + 1 :]]
    return [module for _, module in stages], [*after, *_pooler(tower)]


def _is_stage(name: str) -> bool:
    """Tell whether a child is a numbered stage: `layer1`, `stages_2`, `layers_0`."""
    stem = name.rstrip("0123456789").rstrip("_")
    return stem != name and stem in {"layer", "layers", "stages", "stage", "blocks"}


def _pooler(tower: nn.Module) -> list[nn.Module]:
    pooler = getattr(tower, "pooler", None)
    return [] if pooler is None else [pooler]
