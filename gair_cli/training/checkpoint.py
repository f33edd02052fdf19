"""Checkpoints: a model folder plus what the optimizer and the loop remember.

`checkpoints/step-000200/` is written under a temporary name, synced and renamed, so a folder with
a step's name is whole; its hashes are checked before it is used. `checkpoints/best` is a link.

```
step-000200/
  model.safetensors     what is used: the average where the recipe has one (`ema`), or the weights
  training.safetensors  the weights in training, only beside an average
  config.json README.md the model's config and card
  optimizer.pt          the optimizer's state by parameter name, and what the objective learns
  state.json            step, best score, hashes
```
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from gair_cli.errors import InputError
from gair_cli.geo.outputs import sync, write_json
from gair_cli.models.weights import load_model, load_tensors, save_model, save_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from gair_cli.models.gair import GairModel

BEST: Final = "best"
TRAINING: Final = "training.safetensors"
_HASHED: Final = ("model.safetensors", "config.json", "optimizer.pt", TRAINING)


@dataclass(frozen=True, slots=True)
class LoopState:
    """What the loop remembers besides weights.

    Attributes:
        step: Steps done.
        best_score: Best validation score so far, or None.
        best_step: Its step, or None.
        skipped: Steps skipped in a row because their loss was not finite.
        rollbacks: How often the weights went back to a checkpoint.
        threads: Of each process that trained last; another number gives other last bits.
    """

    step: int = 0
    best_score: float | None = None
    best_step: int | None = None
    skipped: int = 0
    rollbacks: int = 0
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a checkpoint holds besides the loop's state; whole tensors on the CPU.

    Attributes:
        weights: Parameters in training by name, of a model; None takes the model's own.
        average: Their average, or None.
        optimizer: Of each parameter by name.
        objective: What the objective learns and remembers.
    """

    weights: Mapping[str, Tensor] | None
    average: Mapping[str, Tensor] | None
    optimizer: Mapping[str, Mapping[str, Tensor]]
    objective: Mapping[str, Tensor]


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: `run/checkpoints`; made when the first one is saved.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def steps(self) -> list[int]:
        """Return the steps of all whole checkpoints, ascending."""
        names = [path.name for path in self.folder.glob("step-*") if path.is_dir()]
        numbers = [name.removeprefix("step-") for name in names]
        return sorted(int(number) for number in numbers if number.isdigit())

    def path(self, step: int) -> Path:
        """Return the folder of a step's checkpoint."""
        return self.folder / f"step-{step:06d}"

    def save(
        self, model: GairModel, snapshot: Snapshot, state: LoopState, *, extra: Mapping[str, Any]
    ) -> Path:
        """Write a checkpoint, whole or not at all.

        Args:
            model: Its config and buffers.
            snapshot: Weights and what else learns.
            state: The loop's.
            extra: What `config.json` says about the training.

        Returns:
            The checkpoint's folder.
        """
        final = self.path(state.step)
        aside = final.with_name(f".{final.name}.tmp")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        try:
            used = snapshot.weights if snapshot.average is None else snapshot.average
            save_model(model, aside, extra={**extra, "step": state.step}, weights=used)
            if snapshot.average is not None:
                save_tensors(aside / TRAINING, _weights_of(model, snapshot))
            kept = {"optimizer": dict(snapshot.optimizer), "objective": dict(snapshot.objective)}
            torch.save(kept, aside / "optimizer.pt")
            sync(aside / "optimizer.pt")
            hashes = {name: _hash(aside / name) for name in _HASHED if (aside / name).exists()}
            write_json(aside / "state.json", {**asdict(state), "sha256": hashes})
            shutil.rmtree(final, ignore_errors=True)
            aside.rename(final)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        sync(self.folder)
        return final

    def load(self, step: int) -> tuple[GairModel, Snapshot, LoopState]:
        """Read a checkpoint.

        Returns:
            The model in training mode on the CPU with its weights in training, the rest, and the
            loop's state.

        Raises:
            InputError: If a file is missing or was changed.
        """
        path = self.path(step)
        content = _read_state(path)
        for name, expected in content.pop("sha256").items():
            if _hash(path / name) != expected:
                raise InputError(
                    f"{path / name} is not as it was written", hint=f"remove {path} to go back"
                )
        kept = torch.load(path / "optimizer.pt", map_location="cpu", weights_only=True)
        model, average = load_model(path), None
        if (path / TRAINING).exists():
            average = {name: value.clone() for name, value in model.named_parameters()}
            model.load_state_dict(load_tensors(path / TRAINING), strict=False)
        snapshot = Snapshot(None, average, kept["optimizer"], kept["objective"])
        return _aligned(model).train(), snapshot, LoopState(**content)

    def keep(self, last: int, *, best: int | None, every: int = 0) -> None:
        """Remove all but the last checkpoints and the best, and point `best` at the best.

        Args:
            last: How many of the last ones stay.
            best: Step of the best, or None for none.
            every: Steps that are multiples of this stay, too; 0 for none.
        """
        if best is not None:
            self._link(best)
        for step in self.steps()[:-last]:
            if step != best and not (every and step % every == 0):
                shutil.rmtree(self.path(step))

    def _link(self, step: int) -> None:
        fresh = self.folder / f".{BEST}.tmp"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(self.path(step).name)
        fresh.replace(self.folder / BEST)


def _weights_of(model: GairModel, snapshot: Snapshot) -> Mapping[str, Tensor]:
    if snapshot.weights is not None:
        return snapshot.weights
    return {name: value.detach() for name, value in model.named_parameters()}


def _aligned(model: GairModel) -> GairModel:
    """Give every tensor memory of its own, where the allocator would have put it.

    Weights that lie in the middle of a mapped file are not aligned to 64 bytes; matrix products
    then take another path and differ in the last bits, and the run would not repeat itself.
    """
    with torch.no_grad():
        for value in (*model.parameters(), *model.buffers()):
            value.data = value.data.clone()
    return model


def _read_state(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((path / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no checkpoint: {error}", hint=f"remove {path}") from error
    return content


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
