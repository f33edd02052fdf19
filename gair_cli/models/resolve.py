"""Which folder `--model` means: a model folder, a run, a packaged name, or one of a hub."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from gair_cli.errors import InputError, MissingPackageError

DEFAULT_MODEL = "earth-tiny"
WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
_HUB = "hf:"


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model that is there.

    Attributes:
        path: Its folder, with `model.safetensors` and `config.json`.
        name: What to call it in messages: the packaged name, or the path as it was given.
        is_default: Whether nobody asked for it.
    """

    path: Path
    name: str
    is_default: bool = False


def resolve_model(ref: str | Path | None) -> ModelRef:
    """Return the model folder that a reference means.

    Args:
        ref: A model folder; a run folder (its best checkpoint, else its last); the name of a
            packaged model; `hf:org/repo[@rev]`; None for the packaged default.

    Returns:
        The folder and how to call it.

    Raises:
        InputError: If nothing is there, or it is no model.
        MissingPackageError: If a hub is asked for and its package is missing.
    """
    if ref is None:
        return ModelRef(_packaged(DEFAULT_MODEL), DEFAULT_MODEL, is_default=True)
    text = str(ref)
    if text.startswith(_HUB):
        return ModelRef(_from_hub(text.removeprefix(_HUB)), text)
    path = Path(text)
    if path.exists():
        return ModelRef(_inside(path), text)
    if text in packaged_models():
        return ModelRef(_packaged(text), text)
    names = ", ".join(packaged_models()) or "none"
    raise InputError(f"there is no model {text}", hint=f"give a folder; packaged models: {names}")


def packaged_models() -> list[str]:
    """Return the names of the models that this installation carries."""
    root = Path(str(resources.files("gair_cli") / "pretrained"))
    return sorted(path.name for path in root.glob("*") if _is_model(path))


def _packaged(name: str) -> Path:
    path = Path(str(resources.files("gair_cli") / "pretrained" / name))
    if not _is_model(path):
        raise InputError(f"this installation carries no model {name}", hint="give --model FOLDER")
    return path


def _is_model(path: Path) -> bool:
    return (path / WEIGHTS_FILE).is_file() and (path / CONFIG_FILE).is_file()


def _inside(path: Path) -> Path:
    """Return the model folder that a path is, or that a run folder holds."""
    if _is_model(path):
        return path
    checkpoints = path / "checkpoints"
    best = [path / "best", checkpoints / "best"]
    steps = sorted(checkpoints.glob("step-*"), key=_step, reverse=True)
    for candidate in [*best, *steps]:
        if _is_model(candidate):
            return candidate
    raise InputError(
        f"{path} is no model and no run",
        hint=f"a model folder holds {WEIGHTS_FILE} and {CONFIG_FILE}, a run has checkpoints/",
    )


def _step(path: Path) -> int:
    digits = path.name.removeprefix("step-")
    return int(digits) if digits.isdigit() else -1


def _from_hub(text: str) -> Path:
    """Return the local copy of a repository; only this spelling ever downloads."""
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - an optional package
        from huggingface_hub.errors import HFValidationError  # noqa: PLC0415
    except ImportError as error:
        raise MissingPackageError(
            f"{_HUB}{text} needs huggingface_hub", hint="pip install 'gair[hub]'"
        ) from error
    repo, _, revision = text.partition("@")
    offline = any(os.environ.get(name) not in {None, "", "0"} for name in _OFFLINE)
    try:
        found = snapshot_download(repo, revision=revision or None, local_files_only=offline)
    except (OSError, HFValidationError) as error:
        hint = "GAIR_OFFLINE or HF_HUB_OFFLINE is set" if offline else "check the name"
        raise InputError(f"cannot get {_HUB}{text}: {error}", hint=hint) from error
    return _inside(Path(found))


_OFFLINE = ("GAIR_OFFLINE", "HF_HUB_OFFLINE")
