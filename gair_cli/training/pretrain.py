"""`gair pretrain`: from a folder of training shards to a run with checkpoints."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from gair_cli.data.dataset import TrainingData
from gair_cli.data.transforms import BandStatistics
from gair_cli.errors import DataError
from gair_cli.geo.outputs import fingerprint
from gair_cli.geo.shards import ShardReader
from gair_cli.models.config import ModelConfig, model_config
from gair_cli.models.gair import new_model
from gair_cli.training.bank import CellSampler, queued_rows
from gair_cli.training.interrupts import deferred_interrupts
from gair_cli.training.loop import Loop, LoopInputs
from gair_cli.training.report import draw_curve
from gair_cli.training.run_folder import RunFolder, open_run, write_config
from gair_cli.training.steps import PAIR, PHOTO, TILE, Steps
from gair_cli.training.validation import validation_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from gair_cli.models.config import Tower
    from gair_cli.training.config import Recipe

TRAIN, VALIDATION = "train", "val"


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
        overwrite: Replace another plan's run.
        device: `cpu`, `cuda`...
        progress: Called with the number of further steps done.

    Returns:
        How far the run is and what it reached. On the CPU the weights depend on data, model,
        recipe and the number of threads only.

    Raises:
        InputError: If the shards cannot be read.
        DataError: If a band is missing or there is nothing to train on.
        OutputExistsError: If something else is at `run`.
        GairError: If the loss stays not finite.
    """
    began = time.monotonic()
    with ShardReader(train) as reader:
        config = model_config(model, bands=band_statistics(reader), towers=towers_of(reader))
        tables = {"model": config.to_dict(), "recipe": recipe.to_table()}
        data = fingerprint(train)
        plan = {"command": "pretrain", "data": data, "model": config.to_dict(),
                "recipe": recipe.plan()}  # fmt: skip
        inputs = _data_inputs(reader, config, recipe)
        folder = open_run(run, plan, overwrite=overwrite)
        if folder.status == "finished":
            return _finished(folder)
        write_config(run / "config.toml", tables)
        loop, start = _loop(folder, inputs, config, device=device, data=data)
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
        inputs = _data_inputs(reader, config, recipe)
    rows = sum(len(kind) for kind in inputs.steps.kinds)
    numbers = sum(value.numel() for value in new_model(config, seed=recipe.seed).parameters())
    epochs = recipe.steps / inputs.steps.steps_per_epoch
    return [
        f"{rows} training rows, {len(inputs.validation)} to validate on",
        f"towers {', '.join(config.towers)}; {numbers:,} parameters",
        f"{recipe.steps} steps of {recipe.batch_size} are {epochs:.1f} epochs; nothing written",
    ]


def towers_of(reader: ShardReader) -> tuple[Tower, ...]:
    """Return the towers that the data can feed."""
    there: list[Tower] = ["rs"] if reader.has_tiles else []
    if reader.has_photos:
        there.append("sv")
    return (*there, "location")


def band_statistics(reader: ShardReader) -> BandStatistics | None:
    """Return bands and statistics of the tiles in use, or None without tiles."""
    if not reader.has_tiles:
        return None
    return BandStatistics(
        names=reader.bands,
        mean=tuple(one.mean for one in reader.statistics),
        std=tuple(one.std for one in reader.statistics),
        nodata=reader.info.nodata,
    )


@dataclass(frozen=True, slots=True)
class _DataInputs:
    """The data's half of the loop's inputs."""

    data: TrainingData
    steps: Steps
    validation: NDArray[np.int64]
    recipe: Recipe
    sampler: CellSampler | None

    def bank(self, step: int) -> torch.Tensor | None:
        """Return the further coordinates of a step."""
        config = self.recipe.bank
        if config.kind == "none":
            return None
        seen = self.steps.rows(step)
        if self.sampler is not None:
            rows = self.sampler.draw(seen.rows, step=step, size=config.size)
            found = [self.data.lonlat(rows, epoch=seen.epoch)]
        else:
            queue = queued_rows(self.steps, step, size=config.size)
            found = [self.data.lonlat(one.rows, epoch=one.epoch) for one in queue]
        return torch.from_numpy(np.concatenate(found)) if found else None


def _data_inputs(reader: ShardReader, config: ModelConfig, recipe: Recipe) -> _DataInputs:
    data = TrainingData(
        reader,
        rs=config.rs.input if config.rs else None,
        sv=config.sv.input if config.sv else None,
        seed=recipe.seed,
        augment=recipe.augment,
        cache_mb=recipe.cache_mb,
    )
    kinds = _kinds(data, config)
    split = reader.index["split"].fill_null(TRAIN)
    order = data.mixed_by_tile()
    train = order[((split == TRAIN).to_numpy() & (kinds > 0))[order]]
    if not len(train):
        raise DataError(
            f"{reader.path} has no row of split {TRAIN} that the model can use "
            f"({', '.join(split.unique().sort())} there)",
            hint="a row needs two of tile, photo and coordinates; check the split",
        )
    held_out = np.flatnonzero((split == VALIDATION).to_numpy() & (kinds == kinds.max()))
    sampler = None
    if recipe.bank.kind == "sampled":
        sampler = CellSampler(reader.index["cell"].gather(train), train, seed=recipe.seed)
    return _DataInputs(
        data=data,
        steps=Steps.of(train, kinds[train], recipe=recipe),
        validation=validation_rows(held_out, recipe.validation_rows, seed=recipe.seed),
        recipe=recipe,
        sampler=sampler,
    )


def _kinds(data: TrainingData, config: ModelConfig) -> NDArray[np.int64]:
    """Return which halves of each row the model uses, 0 for too little to compare."""
    tile = data.has_tile & (config.rs is not None)
    photo = data.has_photo & (config.sv is not None)
    kinds = TILE * tile.astype(np.int64) + PHOTO * photo.astype(np.int64)
    return kinds if config.location is not None else np.where(kinds == PAIR, PAIR, 0)


def _loop(
    folder: RunFolder, inputs: _DataInputs, config: ModelConfig, *, device: str, data: str
) -> tuple[Loop, int]:
    """Return the loop, new or from the last checkpoint, and the step it starts from."""
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
        return Loop(new_model(config, seed=recipe.seed).to(device), loop_inputs), 0
    last = folder.checkpoints.steps()[-1]
    folder.journal.cut(last)
    model, optimizer, state = folder.checkpoints.load(last)
    loop = Loop(model.to(device), loop_inputs, state=state, optimizer_state=optimizer)
    return loop, last


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
