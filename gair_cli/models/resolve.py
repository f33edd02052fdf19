"""Which folder `--model` means: a model folder, a run, a packaged name, or one of a hub."""

from __future__ import annotations

import os
import sys
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
    """Return the local copy of a repository; only this spelling ever downloads.

    A repository that holds a released checkpoint instead of a model folder is converted once, into
    the cache.
    """
    try:
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise MissingPackageError(
            f"{_HUB}{text} needs huggingface_hub", hint="pip install 'gair[hub]'"
        ) from error
    repo, _, revision = text.partition("@")
    offline = any(os.environ.get(name) not in {None, "", "0"} for name in _OFFLINE)
    try:
        found = snapshot_download(
            repo, revision=revision or None, local_files_only=offline, allow_patterns=_WANTED
        )
    except Exception as error:  # its errors are of many packages, and change with its version
        hint = "GAIR_OFFLINE or HF_HUB_OFFLINE is set" if offline else "check name and network"
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"cannot get {_HUB}{text}: {reason}", hint=hint) from error
    snapshot = Path(found)
    return _inside(snapshot) if _is_usable(snapshot) else _converted(snapshot, repo)


def _is_usable(path: Path) -> bool:
    return _is_model(path) or (path / "best").is_dir() or (path / "checkpoints").is_dir()


def _converted(snapshot: Path, repo: str) -> Path:
    """Return the model folder of a snapshot's released checkpoint, converted where it is new."""
    there = sorted(p for suffix in _CHECKPOINTS for p in snapshot.glob(f"*{suffix}"))
    named = [path for path in there if path.stem == "checkpoint"] or there
    if len(named) != 1:
        names = ", ".join(path.name for path in there) or "none"
        raise InputError(
            f"{_HUB}{repo} holds no model and not one checkpoint: {names}",
            hint="download the one you want and give it to gair convert",
        )
    folder = cache_folder() / "models" / f"{repo.replace('/', '--')}-{snapshot.name}"
    if not _is_model(folder):
        from gair_cli.models.convert import (  # noqa: PLC0415 - needs torch
            RELEASED_LICENCE,
            import_checkpoint,
        )

        sys.stderr.write(
            f"{_HUB}{repo}: converting {named[0].name}; its weights are {RELEASED_LICENCE}, not "
            "for commercial use\n"
        )
        folder.mkdir(parents=True, exist_ok=True)
        import_checkpoint(named[0], folder)
    return folder


def cache_folder() -> Path:
    """Return where gair keeps what it can make again: `GAIR_CACHE_DIR`, else `~/.cache/gair`."""
    given = os.environ.get("GAIR_CACHE_DIR")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gair"


_WANTED = ["*.safetensors", "*.json", "*.md", "*.pth", "*.pt", "*.bin"]
_CHECKPOINTS = (".pth", ".pt", ".bin")
_OFFLINE = ("GAIR_OFFLINE", "HF_HUB_OFFLINE")
