"""The fixed directions of a model's location tower, read without building the model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open

from gair_cli.errors import InputError, ModelError
from gair_cli.models.resolve import CONFIG_FILE, WEIGHTS_FILE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gair_cli.models.resolve import ModelRef

_KEY = "location.scales.{}.frequencies"


def read_frequencies(model: ModelRef) -> tuple[tuple[float, ...], NDArray[np.float64]]:
    """Return the directions of a model's random Fourier features.

    Args:
        model: A model folder.

    Returns:
        The sigmas that the config states, and (S, F, 2) directions.

    Raises:
        ModelError: If the model has no location tower with such features.
        InputError: If its files cannot be read.
    """
    try:
        config = json.loads((model.path / CONFIG_FILE).read_text(encoding="utf-8"))
        location = config["model"].get("location")
        if not location:
            raise ModelError(f"{model.name} has no location tower")
        sigmas = tuple(float(sigma) for sigma in location["sigmas"])
        with safe_open(model.path / WEIGHTS_FILE, framework="numpy") as weights:
            parts = [weights.get_tensor(_KEY.format(number)) for number in range(len(sigmas))]
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"cannot read the model {model.name}: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{model.name} has no Fourier features: {error}") from error
    return sigmas, np.stack(parts).astype(np.float64)
