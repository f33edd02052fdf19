"""Which batch size a machine can take, and which is fastest: real steps, of doubling sizes."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from gair_cli.geo.shards import ShardReader
from gair_cli.training.beginning import begin, config_for, on_device
from gair_cli.training.checkpoint import Checkpoints
from gair_cli.training.inputs import data_inputs
from gair_cli.training.journal import Journal
from gair_cli.training.learner import Learner
from gair_cli.training.loop import Loop, LoopInputs
from gair_cli.training.meter import resident_mb
from gair_cli.training.processes import Processes
from gair_cli.training.profiling import synchronize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gair_cli.training.config import Recipe

_MIB = 2**20
_SHARE_OF_MEMORY: Final = 0.8
"""A CPU run that would take more of the free memory is not tried."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One size.

    Attributes:
        batch_size: Rows a step.
        samples_per_s: Of the fastest of the timed steps; None where the memory did not suffice.
        memory_mb: Most of the device's memory (resident memory on a CPU).
    """

    batch_size: int
    samples_per_s: float | None
    memory_mb: int


def try_sizes(
    train: Path,
    *,
    model: Mapping[str, Any],
    recipe: Recipe,
    device: str = "cpu",
    largest: int = 65536,
    steps: int = 3,
    told: Callable[[Trial], None] | None = None,
) -> list[Trial]:
    """Time steps of doubling batch sizes until memory or rows end.

    Args:
        train: A folder that `gair pack` wrote.
        model: A `[model]` table.
        recipe: How to train; its batch size is where the search begins, or 32 if that is less.
        device: `cpu`, `cuda`...
        largest: Largest size tried.
        steps: Timed steps of a size, besides a first one.
        told: Called with each trial.

    Returns:
        One trial a size, ascending; the last may be the one that did not fit.

    Raises:
        InputError: If the shards cannot be read.
        DataError: If there is nothing to train on.
    """
    trials: list[Trial] = []
    with ShardReader(train) as reader:
        for size in _sizes(min(recipe.batch_size, 32), largest):
            sized = replace(recipe, batch_size=size, chunks=min(recipe.chunks, size))
            if not _fits(trials, size, device):
                break
            trial, rows = _try(reader, model, sized, device, steps)
            trials.append(trial)
            if told is not None:
                told(trial)
            if trial.samples_per_s is None or rows < size:
                break
    return trials


def best(trials: list[Trial]) -> Trial | None:
    """Return the largest size within 2 % of the fastest: more negatives for nothing."""
    done = [trial for trial in trials if trial.samples_per_s is not None]
    if not done:
        return None
    top = max(trial.samples_per_s or 0.0 for trial in done)
    return max(
        (trial for trial in done if (trial.samples_per_s or 0.0) >= 0.98 * top),
        key=lambda trial: trial.batch_size,
    )


def _sizes(first: int, largest: int) -> Iterator[int]:
    size = max(2, first)
    while size <= largest:
        yield size
        size *= 2


def _fits(trials: list[Trial], size: int, device: str) -> bool:
    """Tell whether a CPU has the memory for a size, by how the sizes before grew."""
    if device != "cpu" or len(trials) < 2:  # noqa: PLR2004 - a line needs two points
        return True
    before, last = trials[-2:]
    a_row = max(0.0, (last.memory_mb - before.memory_mb) / (last.batch_size - before.batch_size))
    return a_row * (size - last.batch_size) <= _SHARE_OF_MEMORY * _free_mb()


def _free_mb() -> float:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found = next(line for line in lines if line.startswith("MemAvailable"))
        return int(found.split()[1]) / 1024
    except (OSError, StopIteration, ValueError):
        return float("inf")


def _try(
    reader: ShardReader, model: Mapping[str, Any], recipe: Recipe, device: str, steps: int
) -> tuple[Trial, int]:
    """Time a size; also return how many rows a step really had."""
    loop = loop_on(reader, model, recipe, device)
    on_gpu = device.startswith("cuda")
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    fastest, rows = float("inf"), 0
    try:
        for number in range(steps + 1):
            work = loop.prepare(number)
            rows = len(work.seen.rows)
            synchronize(device)
            began = time.perf_counter()
            loop.update(work)
            synchronize(device)
            if number:  # the first one makes caches and compiles
                fastest = min(fastest, time.perf_counter() - began)
    except torch.cuda.OutOfMemoryError:
        fastest = float("inf")
    used = torch.cuda.max_memory_allocated(device) // _MIB if on_gpu else resident_mb()
    del loop
    gc.collect()
    if on_gpu:
        torch.cuda.empty_cache()
    speed = None if fastest == float("inf") else rows / fastest
    return Trial(recipe.batch_size, speed, int(used)), rows


def loop_on(reader: ShardReader, model: Mapping[str, Any], recipe: Recipe, device: str) -> Loop:
    """Return a loop on shards that saves and logs nothing, for measurements."""
    config = config_for(reader, model, recipe)
    inputs = data_inputs(reader, config, recipe)
    fresh, objective = begin(config, recipe, n_rows=len(reader), started=False)
    learner = Learner(on_device(fresh, device), objective.to(device), recipe, Processes())
    nowhere = reader.path / "nowhere"  # nothing is saved or logged
    return Loop(
        learner,
        LoopInputs(
            data=inputs.data, steps=inputs.steps, validation=inputs.validation[:0],
            bank=inputs.bank, recipe=recipe, device=device, checkpoints=Checkpoints(nowhere),
            journal=Journal(nowhere), extra={}, processes=Processes(),
        ),
    )  # fmt: skip
