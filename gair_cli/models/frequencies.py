"""The fixed directions of a model's location tower, read without building the model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open

from gair_cli.errors import InputError, ModelError
from gair_cli.models.resolve import CONFIG_FILE, WEIGHTS_FILE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gair_cli.models.resolve import ModelRef

_KINDS = ("rff", "rff-transformer", "geoclip")
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
    location = _location_of(model)
    if not location:
        raise ModelError(f"{model.name} has no location tower")
    kind = location.get("kind", "rff")
    if kind not in _KINDS:
        raise ModelError(f"{model.name} has a location tower of kind {kind}: no directions")
    try:
        sigmas = tuple(float(sigma) for sigma in location["sigmas"])
        with safe_open(model.path / WEIGHTS_FILE, framework="numpy") as weights:
            parts = [weights.get_tensor(_KEY.format(number)) for number in range(len(sigmas))]
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"cannot read the model {model.name}: {error}") from error
    except (KeyError, TypeError) as error:
        raise ModelError(f"{model.name} has no Fourier features: {error}") from error
    return sigmas, np.stack(parts).astype(np.float64)


def _location_of(model: ModelRef) -> dict[str, Any]:
    """Return the table `model.location` of a model's config; empty where there is none."""
    try:
        config = json.loads((model.path / CONFIG_FILE).read_text(encoding="utf-8"))
        return dict(config["model"].get("location") or {})
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the model {model.name}: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{model.name} has no model in its config: {error}") from error
