"""Checkpoints as PyTorch writes them: read without running what a pickle could hold."""

from __future__ import annotations

import pickle
import warnings
from typing import TYPE_CHECKING, Any, Final

import torch

from gair_cli.errors import InputError, ModelError
from gair_cli.geo.atomic import atomic_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

SUFFIXES: Final = (".pth", ".pt", ".bin", ".ckpt")
_ENTRIES: Final = ("model", "state_dict", "model_state_dict")
_PREFIX: Final = "module."


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint, in their order.

    Args:
        path: A file of `torch.save`: a dictionary of tensors, or one that has it under `model` or
            `state_dict`; the prefix `module.` of distributed training is taken off.

    Returns:
        Tensors on the CPU by key.

    Raises:
        InputError: If the file cannot be read.
        ModelError: If it holds other objects than tensors and plain values, which are never run,
            or no dictionary of tensors.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's about old pickles
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"cannot read the checkpoint {path}: {error.strerror}") from error
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path} holds other objects than tensors and plain values, and was not run",
            hint="save its state dict alone: torch.save(model.state_dict(), FILE)",
        ) from error
    except Exception as error:  # whatever a damaged file makes torch's reader raise
        raise InputError(
            f"{path} is no whole checkpoint of torch.save", hint="copy or download it again"
        ) from error
    return _tensors_of(loaded, path)


def _tensors_of(loaded: Any, path: Path) -> dict[str, Tensor]:
    for name in _ENTRIES:
        if isinstance(loaded, dict) and isinstance(loaded.get(name), dict):
            loaded = loaded[name]
    if isinstance(loaded, dict) and loaded and all(isinstance(v, dict) for v in loaded.values()):
        # one dictionary a part, as CROMA's authors save theirs
        loaded = {f"{part}.{key}": v for part, them in loaded.items() for key, v in them.items()}
    if not isinstance(loaded, dict) or not loaded:
        raise ModelError(f"{path} holds no dictionary of tensors")
    odd = [key for key, value in loaded.items() if not isinstance(value, torch.Tensor)]
    if odd:
        raise ModelError(
            f"{path}: {len(odd)} of {len(loaded)} entries are no tensors, such as {odd[0]!r}",
            hint="a checkpoint has its tensors under the key `model`, or nothing else",
        )
    tensors = {str(key): value for key, value in loaded.items()}
    if all(key.startswith(_PREFIX) for key in tensors):
        tensors = {key.removeprefix(_PREFIX): value for key, value in tensors.items()}
    return tensors


def write_checkpoint(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors under the key `model`, whole or not at all, in their order."""
    with atomic_file(path) as temporary:
        torch.save({"model": dict(tensors)}, temporary)
