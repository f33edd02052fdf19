"""`gair pretrain`: from a folder of training shards to a run with checkpoints."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch

from gair_cli.geo.outputs import fingerprint
from gair_cli.geo.shards import ShardReader
from gair_cli.models.config import model_config
from gair_cli.models.gair import new_model
from gair_cli.models.starts import apply_start
from gair_cli.training.checkpoint import Checkpoints
from gair_cli.training.freezing import freeze
from gair_cli.training.inputs import DataInputs, band_statistics, data_inputs, towers_of
from gair_cli.training.interrupts import deferred_interrupts
from gair_cli.training.loop import Loop, LoopInputs
from gair_cli.training.report import draw_curve
from gair_cli.training.run_folder import RunFolder, open_run, write_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from gair_cli.models.gair import GairModel
    from gair_cli.training.config import Recipe


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run came to.

    Attributes:
        status: `new`, `resumed`, or `finished` (there was nothing to do).
        start: Step that it went on from; 0 for a new run.
        steps: Steps done in all.
        best_step: Step of the best checkpoint, None without validation.
        losses: Of the last step, by name.
        figures: Validation of the last checkpoint, by direction.
        seconds: Time of this call.
    """

    status: Literal["new", "resumed", "finished"]
    start: int
    steps: int
    best_step: int | None
    losses: dict[str, float] = field(default_factory=dict)
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    seconds: float = 0.0


def pretrain(
    train: Path,
    run: Path,
    *,
    model: Mapping[str, Any],
    recipe: Recipe,
    overwrite: bool = False,
    device: str = "cpu",
    progress: Callable[[int], None] | None = None,
) -> RunReport:
    """Train a model on shards, or go on where an earlier call stopped.

    Towers follow the data: without tiles there is no satellite tower, without photos no photo
    tower. Bands and their statistics come from the shards where the model's table names none.
    Ctrl-C and SIGTERM end it after a whole step, with a checkpoint.

    Args:
        train: A folder that `gair pack` wrote.
        run: The folder of the run.
        model: A `[model]` table.
        recipe: How to train.
        overwrite: Replace another plan's run; it stays aside until the new one is finished.
        device: `cpu`, `cuda`...
        progress: Called with the number of further steps done.

    Returns:
        How far the run is and what it reached. On the CPU the weights depend on data, model,
        recipe and the number of threads only.

    Raises:
        InputError: If the shards cannot be read.
        DataError: If a band is missing or there is nothing to train on.
        OutputExistsError: If something else is at `run`, or with `overwrite` what is no run.
        GairError: If the loss stays not finite.
    """
    began = time.monotonic()
    with ShardReader(train) as reader:
        config = model_config(model, bands=band_statistics(reader), towers=towers_of(reader))
        tables = {"model": config.to_dict(), "recipe": recipe.to_table()}
        data = fingerprint(train)
        plan = {"command": "pretrain", "data": data, "model": config.to_dict(),
                "recipe": recipe.plan()}  # fmt: skip
        inputs = data_inputs(reader, config, recipe)
        fresh = new_model(config, seed=recipe.seed)  # refuses what does not fit, before a folder is
        if overwrite or not Checkpoints(run / "checkpoints").steps():
            apply_start(fresh, recipe.start)  # a run that goes on has its weights already
        freeze(fresh, recipe)
        folder = open_run(run, plan, overwrite=overwrite)
        if folder.status == "finished":
            return _finished(folder)
        write_config(run / "config.toml", tables)
        loop, start = _loop(folder, inputs, fresh, device=device, data=data)
        if progress is not None and start:
            progress(start)
        with deterministic(device), deferred_interrupts() as interrupt:
            loop.run(interrupt, progress=progress)
    return _report(folder, loop, start=start, seconds=time.monotonic() - began)


def describe(train: Path, *, model: Mapping[str, Any], recipe: Recipe) -> list[str]:
    """Say what a run would do, without doing it.

    Returns:
        Lines for people: rows, parameters, epochs.
    """
    with ShardReader(train) as reader:
        config = model_config(model, bands=band_statistics(reader), towers=towers_of(reader))
        inputs = data_inputs(reader, config, recipe)
    rows = sum(len(kind) for kind in inputs.steps.kinds)
    numbers = sum(value.numel() for value in new_model(config, seed=recipe.seed).parameters())
    epochs = recipe.steps / inputs.steps.steps_per_epoch
    return [
        f"{rows} training rows, {len(inputs.validation)} to validate on",
        f"towers {', '.join(config.towers)}; {numbers:,} parameters",
        f"{recipe.steps} steps of {recipe.batch_size} are {epochs:.1f} epochs; nothing written",
    ]


def _loop(
    folder: RunFolder, inputs: DataInputs, fresh: GairModel, *, device: str, data: str
) -> tuple[Loop, int]:
    """Return the loop, of a fresh model or the last checkpoint, and the step it starts from."""
    recipe = inputs.recipe
    loop_inputs = LoopInputs(
        data=inputs.data,
        steps=inputs.steps,
        validation=inputs.validation,
        bank=inputs.bank,
        recipe=recipe,
        device=device,
        checkpoints=folder.checkpoints,
        journal=folder.journal,
        extra={"data_fingerprint": data, "recipe": recipe.plan()},
    )
    if folder.status == "new":
        folder.journal.cut(0)
        return Loop(_on(fresh, device), loop_inputs), 0
    last = folder.checkpoints.steps()[-1]
    folder.journal.cut(last)
    model, optimizer, state = folder.checkpoints.load(last)
    freeze(model, recipe)
    loop = Loop(_on(model, device), loop_inputs, state=state, optimizer_state=optimizer)
    return loop, last


def _on(model: GairModel, device: str) -> GairModel:
    """Move a model, convolutions with channels last: a third faster on a CPU than first."""
    return model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


@contextmanager
def deterministic(device: str) -> Iterator[None]:
    """Make torch's CPU operations repeat bit for bit while the body runs."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(before or device == "cpu")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def _finished(folder: RunFolder) -> RunReport:
    content = folder.report()
    return RunReport("finished", content["steps"], content["steps"], content["best_step"],
                     content["losses"], content["figures"])  # fmt: skip


def _report(folder: RunFolder, loop: Loop, *, start: int, seconds: float) -> RunReport:
    """Draw the curve and mark the run as finished."""
    train, validation = folder.journal.read("train"), folder.journal.read("validation")
    losses = train[-1]["losses"] if train else {}
    figures = validation[-1]["figures"] if validation else {}
    draw_curve(folder.journal, folder.path / "curve.png")
    content = {"steps": loop.state.step, "best_step": loop.state.best_step, "losses": losses,
               "figures": figures}  # fmt: skip
    folder.finish(content)
    status: Literal["new", "resumed"] = "resumed" if start else "new"
    return RunReport(status, start, loop.state.step, loop.state.best_step, losses, figures, seconds)
