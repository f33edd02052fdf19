"""`gair pretrain`: from a folder of training shards to a run with checkpoints."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import torch

from gair_cli import __version__
from gair_cli.geo.outputs import fingerprint
from gair_cli.geo.shards import ShardReader
from gair_cli.training.beginning import begin, config_for, on_device
from gair_cli.training.checkpoint import Checkpoints
from gair_cli.training.flops import count_flops
from gair_cli.training.freezing import freeze
from gair_cli.training.inputs import DataInputs, data_inputs
from gair_cli.training.interrupts import deferred_interrupts
from gair_cli.training.learner import Learner
from gair_cli.training.loop import Loop, LoopInputs
from gair_cli.training.meter import Meter
from gair_cli.training.processes import joined_processes
from gair_cli.training.profiling import Profiler
from gair_cli.training.report import draw_curve, write_report
from gair_cli.training.run_folder import RunFolder, open_run, write_config
from gair_cli.training.trackers import check_trackers, open_tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from gair_cli.models.gair import GairModel
    from gair_cli.training.checkpoint import LoopState
    from gair_cli.training.config import Recipe
    from gair_cli.training.objectives.base import Objective
    from gair_cli.training.processes import Processes
    from gair_cli.training.trackers import Tracker


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
        note: What the caller may want to know, or an empty text.
    """

    status: Literal["new", "resumed", "finished"]
    start: int
    steps: int
    best_step: int | None
    losses: dict[str, float] = field(default_factory=dict)
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    seconds: float = 0.0
    note: str = ""


def pretrain(
    train: Path,
    run: Path,
    *,
    model: Mapping[str, Any],
    recipe: Recipe,
    overwrite: bool = False,
    device: str = "cpu",
    progress: Callable[[int], None] | None = None,
    profile_steps: int = 0,
    trackers: Sequence[str] = (),
) -> RunReport:
    """Train a model on shards, or go on where an earlier call stopped.

    Towers follow the data: without tiles there is no satellite tower, without photos no photo
    tower. Bands and their statistics come from the shards where the model's table names none.
    Ctrl-C and SIGTERM end it after a whole step, with a checkpoint; SIGUSR1 writes one and goes on.
    Under `torchrun` each process calls this and they share the work; the order of samples does not
    depend on how many there are.

    Args:
        train: A folder that `gair pack` wrote.
        run: The folder of the run.
        model: A `[model]` table.
        recipe: How to train.
        overwrite: Replace another plan's run; it stays aside until the new one is finished.
        device: `cpu`, `cuda`...
        progress: Called with the number of further steps done.
        profile_steps: Steps to record into `run/profile`; 0 for none.
        trackers: Names of followers, see `trackers.TRACKERS`.

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
    with (
        joined_processes(device, timeout_s=recipe.timeout_s) as processes,
        ShardReader(train) as reader,
    ):
        config = config_for(reader, model, recipe)
        data = processes.from_first(lambda: fingerprint(train))
        tables = {"model": config.to_dict(), "recipe": recipe.to_table()}
        plan = {"command": "pretrain", "data": data, "model": tables["model"],
                "recipe": recipe.plan()}  # fmt: skip
        check_trackers(trackers)
        inputs = data_inputs(reader, config, recipe)
        goes_on = not overwrite and bool(Checkpoints(run / "checkpoints").steps())
        fresh = begin(config, recipe, n_rows=len(reader), started=not goes_on)
        # all that does not fit was refused: now there may be a folder
        folder = processes.from_first(lambda: open_run(run, plan, overwrite=overwrite))
        if folder.status == "finished":
            return _finished(folder)
        processes.from_first(lambda: write_config(run / "config.toml", tables))
        followers = _Followers()
        if processes.first:
            followers = _follow(run, trackers, profile_steps, tables=tables, device=device)
        loop, start = _loop(folder, inputs, fresh, processes, followers, device=device, data=data)
        note = _other_threads(loop.state, device) if start else ""
        if progress is not None and start:
            progress(start)
        with deterministic(device), deferred_interrupts() as interrupt:
            loop.run(interrupt, progress=progress)
        seconds = time.monotonic() - began
        report = processes.from_first(lambda: _report(folder, loop, start=start, seconds=seconds))
        return replace(report, note=note)


@dataclass(frozen=True, slots=True)
class _Followers:
    """Who watches a run besides its log."""

    trackers: Sequence[Tracker] = ()
    profiler: Profiler | None = None


def _follow(
    run: Path, trackers: Sequence[str], steps: int, *, tables: Mapping[str, Any], device: str
) -> _Followers:
    """Open the trackers by name, and a profiler of some steps, if any."""
    profiler = Profiler(run / "profile", steps=steps, device=device) if steps else None
    return _Followers([open_tracker(name, run, settings=tables) for name in trackers], profiler)


def describe(train: Path, *, model: Mapping[str, Any], recipe: Recipe) -> list[str]:
    """Say what a run would do, without doing it.

    Returns:
        Lines for people: rows, parameters, epochs.
    """
    with ShardReader(train) as reader:
        config = config_for(reader, model, recipe)
        inputs = data_inputs(reader, config, recipe)
        fresh, objective = begin(config, recipe, n_rows=len(reader))
    numbers = sum(value.numel() for value in fresh.parameters())
    more = sum(value.numel() for value in objective.parameters())
    epochs = recipe.steps / inputs.steps.steps_per_epoch
    extra = f", {more:,} more of the objective" if more else ""
    return [
        f"{inputs.steps.n_rows} training rows, {len(inputs.validation)} to validate on",
        f"towers {', '.join(config.towers)}; {numbers:,} parameters{extra}",
        f"shuffle {recipe.shuffle}, mixed {inputs.steps.displacement():.2f} of a random order",
        f"{recipe.steps} steps of {recipe.batch_size} are {epochs:.1f} epochs; nothing written",
    ]


def _loop(
    folder: RunFolder,
    inputs: DataInputs,
    fresh: tuple[GairModel, Objective],
    processes: Processes,
    followers: _Followers,
    *,
    device: str,
    data: str,
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
        processes=processes,
    )
    last = 0 if folder.status == "new" else folder.checkpoints.steps()[-1]
    processes.from_first(lambda: folder.journal.cut(last))
    (model, objective), snapshot, state = fresh, None, None
    if last:
        model, snapshot, state = folder.checkpoints.load(last)
        freeze(model, recipe)
    model = on_device(model, device)
    meter = Meter(device, count_flops(model), processes=processes.count)
    learner = Learner(model, objective.to(device=device), recipe, processes)
    if snapshot is not None:
        learner.restore(snapshot)
    loop = Loop(learner, loop_inputs, state=state, meter=meter, profiler=followers.profiler,
                trackers=followers.trackers)  # fmt: skip
    return loop, last


def _other_threads(state: LoopState, device: str) -> str:
    """Say that a resumed run will not end in the same bits, where that is so."""
    now = torch.get_num_threads()
    if device != "cpu" or state.threads in {None, now}:
        return ""
    return (
        f"the run was made with {state.threads} threads until step {state.step}, then with {now}: "
        f"samples are the same, weights in their last bits only with -j {state.threads}"
    )


@contextmanager
def deterministic(device: str) -> Iterator[None]:
    """Make torch's CPU operations repeat bit for bit while the body runs."""
    before = torch.are_deterministic_algorithms_enabled()
    options: Any = torch.utils.deterministic
    fills = options.fill_uninitialized_memory
    torch.use_deterministic_algorithms(before or device == "cpu")
    # a safeguard for operations that read what nobody wrote, at a seventh of a step of `tiny`
    options.fill_uninitialized_memory = before and fills
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        options.fill_uninitialized_memory = fills


def _finished(folder: RunFolder) -> RunReport:
    content = folder.report()
    return RunReport("finished", content["steps"], content["steps"], content["best_step"],
                     content["losses"], content["figures"])  # fmt: skip


def _report(folder: RunFolder, loop: Loop, *, start: int, seconds: float) -> RunReport:
    """Draw the curve, write the report, and mark the run as finished."""
    train, validation = folder.journal.read("train"), folder.journal.read("validation")
    losses = train[-1]["losses"] if train else {}
    figures = validation[-1]["figures"] if validation else {}
    draw_curve(folder.journal, folder.path / "curve.png")
    processes, recipe = loop.inputs.processes, loop.inputs.recipe
    summary = {
        "objective": recipe.objective,
        "steps": loop.state.step,
        "best step": loop.state.best_step,
        "loss of the last step": losses.get("total"),
        "rows to train on": loop.inputs.steps.n_rows,
        "epochs": round(loop.state.step / loop.inputs.steps.steps_per_epoch, 2),
        "shuffle": f"{recipe.shuffle}, mixed {loop.inputs.steps.displacement():.2f} of random",
        "seconds of the last call": round(seconds, 1),
        "processes": processes.count,
        "threads of each": torch.get_num_threads(),
        "device": loop.inputs.device,
        "gair": __version__,
        "torch": torch.__version__,
        "data": str(loop.inputs.extra["data_fingerprint"])[:16],
    }
    settings = (folder.path / "config.toml").read_text(encoding="utf-8")
    write_report(folder.journal, folder.path / "report.html", name=folder.path.name,
                 summary=summary, settings=settings)  # fmt: skip
    content = {"steps": loop.state.step, "best_step": loop.state.best_step, "losses": losses,
               "figures": figures}  # fmt: skip
    folder.finish(content)
    status: Literal["new", "resumed"] = "resumed" if start else "new"
    return RunReport(status, start, loop.state.step, loop.state.best_step, losses, figures, seconds)
