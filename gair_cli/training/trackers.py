"""Followers of a run outside its folder: TensorBoard, Weights & Biases, trackio.

`log.jsonl` has all that they get; they are for people who watch many runs. Each is an optional
package, and none is told anything but numbers and settings.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

from gair_cli.errors import MissingPackageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

TRACKERS: Final = ("tensorboard", "wandb", "trackio")


class Tracker(Protocol):
    """Whatever takes numbers by name."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take the numbers of a step."""

    def close(self) -> None:
        """Write what is left."""


def check_trackers(names: Iterable[str]) -> None:
    """Refuse followers whose package is not installed, before anything is written.

    Raises:
        MissingPackageError: With the pip line of the first that is missing.
    """
    for name in names:
        _package(name)


def open_tracker(name: str, folder: Path, *, settings: Mapping[str, Any]) -> Tracker:
    """Return a follower by name.

    Args:
        name: One of `TRACKERS`.
        folder: Of the run; TensorBoard's files go below it, the others take its name.
        settings: The effective settings.

    Raises:
        MissingPackageError: If its package is not installed.
    """
    package = _package(name)
    if name == "tensorboard":
        return _TensorBoard(package.SummaryWriter(str(folder / "tensorboard")))
    return _Projects(package, folder.name, settings)


def _package(name: str) -> Any:
    try:
        return import_module("torch.utils.tensorboard" if name == "tensorboard" else name)
    except ImportError as error:
        raise MissingPackageError(
            f"--log-to {name} needs the package {name}", hint=f"pip install {name}"
        ) from error


def flat_numbers(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the numbers of nested tables by their path, `losses/total`."""
    found: dict[str, float] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            found |= flat_numbers(value, f"{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = float(value)
    return found


class _TensorBoard:
    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _Projects:
    """wandb, and trackio, which has the same calls."""

    def __init__(self, module: Any, name: str, settings: Mapping[str, Any]) -> None:
        self._module = module
        module.init(project="gair", name=name, config=dict(settings))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._module.log(dict(values), step=step)

    def close(self) -> None:
        self._module.finish()
