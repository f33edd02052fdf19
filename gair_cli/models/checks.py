"""Verdicts on a model folder: does it load, are its weights finite, does it say what it is?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gair_cli.errors import ModelError
from gair_cli.geo.verdicts import Verdict, counted, fail, ok, warn
from gair_cli.models.weights import load_model

if TYPE_CHECKING:
    from gair_cli.models.gair import GairModel
    from gair_cli.models.resolve import ModelRef


def check_model(ref: ModelRef) -> list[Verdict]:
    """Judge a model folder, or the best checkpoint of a run.

    Args:
        ref: The model.

    Returns:
        Verdict lines in a fixed order.

    Raises:
        InputError: If a file of it cannot be read.
    """
    try:
        model = load_model(ref)
    except ModelError as error:
        return [fail("weights", str(error), error.hint or "save or convert the model again")]
    return [_parts(model), _numbers(model), _card(ref)]


def _parts(model: GairModel) -> Verdict:
    towers = {"satellite": model.has_rs, "photo": model.has_sv, "location": model.has_location}
    present = [name for name, there in towers.items() if there]
    count = sum(parameter.numel() for parameter in model.parameters())
    return ok("weights", f"{count:,} parameters; towers: {', '.join(present)}")


def _numbers(model: GairModel) -> Verdict:
    state = model.state_dict()
    bad = [
        name
        for name, value in state.items()
        if value.is_floating_point() and not bool(torch.isfinite(value).all())
    ]
    fix = "training diverged: take an earlier checkpoint, or train with a lower recipe.lr"
    what = "tensors with numbers that are not finite"
    return counted(len(bad), len(state), subject="numbers", what=what, fix=fix)


def _card(ref: ModelRef) -> Verdict:
    cards = sorted(path.name for path in ref.path.glob("*.md"))
    if not cards:
        fix = "add a README.md: training data, licence, scores, limits"
        return warn("card", "there is no model card", fix)
    return ok("card", ", ".join(cards))
