"""What every loop over a model needs: the device, evaluation mode, widths, the chosen space."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import torch

from gair_cli.errors import ModelError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from gair_cli.models.config import ModelConfig, RsConfig, SvConfig
    from gair_cli.models.gair import GairModel
    from gair_cli.records import Modality, Space

BATCH: Final[dict[str, int]] = {"rs": 32, "rs_at": 32, "sv": 32, "location": 4096}
"""Rows at a time on a CPU: tiles, photos, points."""

TOWER_OF: Final[dict[str, str]] = {"rs": "rs", "rs_at": "rs", "sv": "sv", "location": "location"}
_NAMES: Final = {"rs": "satellite (rs)", "sv": "photo (sv)", "location": "location"}


def pick_device(name: str | None) -> str:
    """Return the device to compute on.

    Args:
        name: `auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1`, `mps`; None is `cpu`.

    Returns:
        A name that torch knows.

    Raises:
        UsageError: When torch does not know the device, or it is not there.
    """
    if name is None:
        return "cpu"
    if name == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    kind = name.partition(":")[0]
    there = {"cpu": True, "cuda": torch.cuda.is_available()}
    there["mps"] = torch.backends.mps.is_available()
    if not there.get(kind, False):
        raise UsageError(f"device {name!r} is not there", hint="pass --device auto or cpu")
    return name


def device_of(model: GairModel) -> torch.device:
    """Return the device that the model's weights are on."""
    return next(iter(model.parameters())).device


@contextmanager
def evaluating(model: GairModel, device: str | None) -> Iterator[torch.device]:
    """Put the model on a device and into evaluation mode, without gradients.

    Args:
        model: The model; its training mode is restored afterwards, its device is kept.
        device: As in `pick_device`; None leaves the model where it is.

    Yields:
        The device to send inputs to.
    """
    if device is not None:
        model.to(pick_device(device))
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield device_of(model)
    finally:
        model.train(training)


def require_tower(config: ModelConfig, modality: Modality) -> None:
    """Refuse a modality that the model has no tower for.

    Raises:
        ModelError: Naming the towers that are there.
    """
    tower = TOWER_OF[modality]
    if getattr(config, tower) is None:
        there = " and ".join(_NAMES[name] for name in config.towers)
        raise ModelError(
            f"the model has no {_NAMES[tower]} tower; it has {there}",
            hint="pass --model with a model that was trained with it",
        )


def rs_config(model: GairModel) -> RsConfig:
    """Return the satellite tower's configuration.

    Raises:
        ModelError: When the model has no such tower.
    """
    require_tower(model.config, "rs")
    if model.config.rs is None:
        raise ModelError("the model has no satellite tower")
    return model.config.rs


def sv_config(model: GairModel) -> SvConfig:
    """Return the photo tower's configuration.

    Raises:
        ModelError: When the model has no such tower.
    """
    require_tower(model.config, "sv")
    if model.config.sv is None:
        raise ModelError("the model has no photo tower")
    return model.config.sv


def width_of(model: GairModel, modality: Modality, space: Space) -> int:
    """Return D, the width of a modality's vectors in a space.

    Raises:
        ModelError: When the model has no tower for the modality.
    """
    require_tower(model.config, modality)
    return model.config.dim if space == "joint" else model.width(modality)


def in_space(model: GairModel, vectors: torch.Tensor, modality: Modality, space: Space) -> Any:
    """Return a tower's output in the wanted space, as a float32 array on the CPU.

    Args:
        model: The model.
        vectors: (B, E) output of the tower.
        modality: Which tower's head to use.
        space: `encoder` leaves the vectors as they are; `joint` projects and normalises.

    Returns:
        (B, D) float32.
    """
    out = model.project(vectors, modality) if space == "joint" else vectors
    array: np.ndarray = out.float().cpu().numpy()
    return array
