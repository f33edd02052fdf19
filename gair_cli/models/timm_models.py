"""timm models by name: one place that makes them, with its errors in our words."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from gair_cli.errors import InputError, ModelError


def create(name: str, *, where: str, pretrained: bool = False, **options: Any) -> Any:
    """Make a timm model.

    Args:
        name: As timm knows it.
        where: The setting that names it, for messages.
        pretrained: Whether to start from timm's weights, which are downloaded once.
        options: For `timm.create_model`.

    Raises:
        ModelError: If timm knows no such model, or it does not take an option.
        InputError: If its weights cannot be had.
    """
    import timm  # noqa: PLC0415 - takes seconds, and a model of places alone needs none

    if not timm.is_model(name):
        near = get_close_matches(name, timm.list_models(), n=5)
        near = near or timm.list_models(f"*{name.split('_', maxsplit=1)[0]}*")[:5]
        hint = f"near it: {', '.join(near)}" if near else "see timm.list_models()"
        raise ModelError(f"timm has no model {name!r} ({where})", hint=hint)
    try:
        return timm.create_model(name, pretrained=pretrained, **options)
    except (TypeError, AssertionError, ValueError) as error:
        words = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"timm's {name} cannot be used as {where}: {words}") from error
    except Exception as error:
        if not pretrained:
            raise
        words = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"cannot get timm's weights of {name}: {words}", hint="they come from a hub: check "
            "the network, or start from a file"
        ) from error  # fmt: skip


def checkpoint_blocks(body: Any, *, enable: bool, where: str) -> None:
    """Let a timm model keep the input of each block only, and compute the rest again.

    Raises:
        ModelError: If the model cannot.
    """
    try:
        body.set_grad_checkpointing(enable)
    except (AttributeError, AssertionError) as error:
        raise ModelError(
            f"the timm model of {where} knows no activation checkpointing",
            hint="leave recipe.activation_checkpointing off, or raise recipe.chunks with "
            "recipe.grad_cache=true",
        ) from error


def image_size(name: str, height: int, width: int) -> dict[str, Any]:
    """Return timm's argument for the input's size, where a model is made for one size."""
    import timm  # noqa: PLC0415 - takes seconds

    default = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if default is None or not default.fixed_input_size:
        return {}
    return {"img_size": [height, width]}


def normalisation(name: str) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Return mean and standard deviation, on the scale 0..255, that a model's weights expect."""
    import timm  # noqa: PLC0415 - takes seconds

    default = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if default is None:
        return None
    mean, std = (tuple(round(255 * v, 4) for v in values) for values in (default.mean, default.std))
    return mean, std
