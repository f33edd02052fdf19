"""A model as a folder: `model.safetensors`, `config.json`, `README.md` (the model card).

Written aside and renamed, file by file, the weights last; read strictly: every missing, unknown or
mis-shaped tensor is listed, and nothing is skipped.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as tensors_to_bytes

from gair_cli.errors import InputError, ModelError, UsageError
from gair_cli.geo.outputs import atomic_file
from gair_cli.models.card import model_card
from gair_cli.models.config import ModelConfig
from gair_cli.models.gair import blank_model
from gair_cli.models.resolve import CONFIG_FILE, WEIGHTS_FILE, ModelRef, resolve_model
from gair_cli.models.tensor_faults import tensor_faults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from gair_cli.models.gair import GairModel

__all__ = [
    "ModelRef",
    "load_model",
    "load_tensors",
    "model_hash",
    "read_config",
    "resolve_model",
    "save_model",
    "save_tensors",
]  # fmt: skip

CARRIED_FILE = "carried.safetensors"
CARD_FILE = "README.md"
COORDINATE_ORDER = "longitude, latitude; degrees, EPSG:4326"
_SCHEMA = 1


def save_model(
    model: GairModel,
    folder: str | Path,
    *,
    card: str | None = None,
    extra: Mapping[str, Any] | None = None,
    dtype: Literal["float32", "float16"] = "float32",
    carried: Mapping[str, Tensor] | None = None,
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a model folder; files that are there are replaced, each whole or not at all.

    Args:
        model: On any device; it is not changed.
        folder: Made when absent.
        card: The model card in Markdown; None writes one from the config and `extra`.
        extra: JSON values for `config.json` under `training`, such as the data's fingerprint.
        dtype: Type of the weights on disk. Frequencies and running statistics stay float32: a
            frequency of 30,000 rounded to float16 would be another frequency.
        carried: Tensors of a converted file that no output uses.
        weights: Tensors by name that take the place of the model's own, such as whole ones of a
            model whose own are shards.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    learnt = {name for name, _ in model.named_parameters()}
    state = {
        name: _for_disk(value, getattr(torch, dtype) if name in learnt else None)
        for name, value in {**model.state_dict(), **(weights or {})}.items()
    }
    training = dict(extra or {})
    config = {
        "schema": _SCHEMA,
        "model": model.config.to_dict(),
        "heads": sorted(model.head),
        "coordinate_order": COORDINATE_ORDER,
        "weights_dtype": dtype,
        "training": training,
    }
    _write(folder / CONFIG_FILE, (json.dumps(config, indent=2) + "\n").encode())
    text = card if card is not None else model_card(model, training=training)
    _write(folder / CARD_FILE, text.encode())
    if carried:
        _write(folder / CARRIED_FILE, tensors_to_bytes(dict(carried)))
    _write(folder / WEIGHTS_FILE, tensors_to_bytes(state, {"format": "pt"}))


def _for_disk(value: Tensor, dtype: torch.dtype | None) -> Tensor:
    value = value.detach().cpu().contiguous()
    return value.to(dtype) if dtype is not None and value.is_floating_point() else value


def _write(path: Path, content: bytes) -> None:
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def load_model(ref: str | Path | ModelRef | None = None, *, device: str = "cpu") -> GairModel:
    """Read a model, strictly.

    Args:
        ref: A model or run folder, the name of a packaged model, or what `resolve_model` returned;
            None is the packaged default.
        device: Where the weights go.

    Returns:
        The model in evaluation mode, float32.

    Raises:
        InputError: If there is no such model, or a file of it cannot be read.
        ModelError: If the config makes no sense, or a tensor is missing, unknown or mis-shaped;
            all of them are listed.
    """
    path = ref.path if isinstance(ref, ModelRef) else resolve_model(ref).path
    model = blank_model(_config_of(path))
    state = _read_tensors(path / WEIGHTS_FILE)
    wanted = model.state_dict()
    _check_tensors(state, wanted, path)
    fitting = {key: value.to(wanted[key].dtype) for key, value in state.items()}
    model.load_state_dict(fitting, assign=True)
    return model.to(device).eval()


def read_config(folder: str | Path) -> dict[str, Any]:
    """Return a model folder's `config.json`: `model`, `heads`, `coordinate_order`, `training`.

    Raises:
        InputError: If it cannot be read.
        ModelError: If it is no JSON object with a `model` table, or of a later schema.
    """
    path = Path(folder) / CONFIG_FILE
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}") from error
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        raise ModelError(f"{path} has no table `model`")
    if config.get("schema") != _SCHEMA:
        raise ModelError(
            f"{path} has schema {config.get('schema')!r}, this version reads {_SCHEMA}",
            hint="update gair",
        )
    return config


def _config_of(folder: Path) -> ModelConfig:
    try:
        return ModelConfig.from_dict(read_config(folder)["model"])
    except UsageError as error:
        raise ModelError(f"{folder / CONFIG_FILE}: {error}", hint=error.hint) from error


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot read the weights {path}: {error}") from error
    return tensors


def _check_tensors(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], path: Path) -> None:
    faults = tensor_faults(found, {key: value.shape for key, value in wanted.items()})
    if faults:
        raise ModelError(
            f"{path / WEIGHTS_FILE} does not fit its config.json: {'; '.join(faults)}",
            hint="the two files must come from one save",
        )


def save_tensors(path: str | Path, tensors: Mapping[str, Tensor]) -> None:
    """Write named tensors as safetensors, whole or not at all."""
    on_disk = {name: _for_disk(value, None) for name, value in tensors.items()}
    _write(Path(path), tensors_to_bytes(on_disk, {"format": "pt"}))


def load_tensors(path: str | Path) -> dict[str, Tensor]:
    """Read what `save_tensors` wrote.

    Raises:
        InputError: If it cannot be read.
    """
    return _read_tensors(Path(path))


def model_hash(folder: str | Path) -> str:
    """Return the SHA-256 of a model folder's weights file, 64 hex digits.

    Raises:
        InputError: If it cannot be read.
    """
    path = Path(folder) / WEIGHTS_FILE
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
