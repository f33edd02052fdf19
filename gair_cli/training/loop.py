"""The training loop: batches in, optimizer steps, a log, checkpoints with validation.

Every random choice is a function of (seed, step), so a loop that starts from a checkpoint repeats
what an undisturbed one does; on the CPU, with the same number of threads, bit for bit.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch.profiler import record_function

from gair_cli.data.prefetch import prefetch
from gair_cli.errors import GairError
from gair_cli.training.checkpoint import Checkpoints, LoopState
from gair_cli.training.gradients import Cut, Part
from gair_cli.training.meter import Meter
from gair_cli.training.objectives.base import StepInfo
from gair_cli.training.trackers import flat_numbers
from gair_cli.training.validation import score, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from gair_cli.data.batch import Batch, RawBatch
    from gair_cli.data.dataset import TrainingData
    from gair_cli.training.config import Recipe
    from gair_cli.training.interrupts import Interrupt
    from gair_cli.training.journal import Journal
    from gair_cli.training.learner import Learner, Update
    from gair_cli.training.processes import Processes
    from gair_cli.training.profiling import Profiler
    from gair_cli.training.steps import StepRows, Steps
    from gair_cli.training.trackers import Tracker

    Coordinates = Callable[[int, StepRows], Tensor | None]

_SKIPPED_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class LoopInputs:
    """What a loop works on.

    Attributes:
        data: Gives batches.
        steps: Which rows each step sees.
        validation: Rows to validate on; empty for none.
        bank: Gives the (K, 2) float64 further coordinates of a step, or None.
        recipe: How to train.
        device: Where the model is.
        checkpoints: Where to save.
        journal: Where to log.
        extra: What a checkpoint's `config.json` says about the training.
        processes: Who shares the work.
    """

    data: TrainingData
    steps: Steps
    validation: NDArray[np.int64]
    bank: Coordinates
    recipe: Recipe
    device: str
    checkpoints: Checkpoints
    journal: Journal
    extra: Mapping[str, Any]
    processes: Processes


@dataclass(frozen=True, slots=True)
class Work:
    """What a loader thread prepares for one step.

    Attributes:
        seen: The rows of the whole step.
        cut: How they are cut into parts.
        raw: This process's parts, each once for every view.
        lonlat: (B, 2) float64 of the whole step.
        bank: (K, 2) float64 further coordinates, or None.
    """

    seen: StepRows
    cut: Cut
    raw: tuple[tuple[RawBatch, ...], ...]
    lonlat: Tensor
    bank: Tensor | None


class Loop:
    """A run in the making.

    Args:
        learner: What learns.
        inputs: What it works on.
        state: Where it stands.
        meter: Counts time and work; None counts no FLOP.
        profiler: Records some steps, or None.
        trackers: Get every line of the log's numbers, too.
    """

    def __init__(
        self,
        learner: Learner,
        inputs: LoopInputs,
        *,
        state: LoopState | None = None,
        meter: Meter | None = None,
        profiler: Profiler | None = None,
        trackers: Sequence[Tracker] = (),
    ) -> None:
        self.learner, self.inputs = learner, inputs
        self._profiler, self._trackers = profiler, trackers
        self.state = state or LoopState()
        self.meter = meter or Meter(inputs.device)
        self._saved_at = time.monotonic()

    def run(self, interrupt: Interrupt, *, progress: Callable[[int], None] | None = None) -> None:
        """Train until the last step, or until the interrupt after a whole step; save either way.

        Args:
            interrupt: True once a signal has arrived in this process.
            progress: Called with 1 after each step.

        Raises:
            GairError: If the loss stays not finite after going back to a checkpoint.
        """
        last = self.inputs.recipe.steps
        works = self._works(last)
        stopped = False
        self._saved_at = time.monotonic()
        self.meter.start()
        try:
            while self.state.step < last and not stopped:
                with self.meter.waiting(), record_function("gair: wait for data"):
                    work = next(works)
                self._one_step(work)
                if self._profiler is not None:
                    self._profiler.step()
                if progress is not None:
                    progress(1)
                stopped = self._heed(interrupt)
        finally:
            works.close()
            if self._profiler is not None:
                self._profiler.close()
            for tracker in self._trackers:
                tracker.close()

    def _works(self, last: int) -> Generator[Work]:
        threads = self.inputs.recipe.loader_threads
        return prefetch(self.prepare, range(self.state.step, last), threads=threads)

    def prepare(self, step: int) -> Work:
        """Read what a step needs in this process; on any thread."""
        inputs, processes = self.inputs, self.inputs.processes
        seen = inputs.steps.rows(step)
        bank = inputs.bank(step, seen)
        cut = Cut.of(
            len(seen.rows),
            0 if bank is None else len(bank),
            chunks=inputs.recipe.chunks,
            processes=processes.count,
        )
        raw = tuple(
            self._views(seen.part(*cut.span(number)))
            for number in cut.own(processes.rank, processes.count)
        )
        lonlat = torch.from_numpy(inputs.data.lonlat(seen.rows, epoch=seen.epochs))
        return Work(seen, cut, raw, lonlat, bank)

    def _views(self, seen: StepRows) -> tuple[RawBatch, ...]:
        views = tuple(
            self.inputs.data.raw_batch(seen.rows, epoch=seen.epochs, augment=True, view=view)
            for view in range(self.learner.objective.views)
        )
        if self.inputs.device.startswith("cuda"):
            return tuple(view.pin() for view in views)
        return views

    def update(self, work: Work) -> Update:
        """Make the present step's update of the weights."""
        inputs, device = self.inputs, self.inputs.device
        bank = None if work.bank is None else work.bank.to(device)
        info = StepInfo(
            step=self.state.step,
            steps=inputs.recipe.steps,
            rows=torch.from_numpy(work.seen.rows).to(device),
            lonlat=work.lonlat.to(device),
            bank=bank,
        )
        own = work.cut.own(inputs.processes.rank, inputs.processes.count)
        spans = [slice(*work.cut.span(number, bank=True)) for number in own]
        parts = [
            self._part_maker(raw, None if bank is None else bank[span])
            for span, raw in zip(spans, work.raw, strict=True)
        ]
        return self.learner.update(parts, work.cut, info)

    def _part_maker(self, raw: tuple[RawBatch, ...], bank: Tensor | None) -> Callable[[], Part]:
        def make() -> Part:
            with record_function("gair: prepare pixels"):
                return Part(tuple(self._finished(view) for view in raw), bank)

        return make

    def _one_step(self, work: Work) -> None:
        step, recipe = self.state.step, self.inputs.recipe
        self.inputs.processes.step = step + 1
        update = self.update(work)
        skipped = 0 if update.finite else self.state.skipped + 1
        self.state = replace(self.state, step=step + 1, skipped=skipped)
        tiles = sum(0 if one[0].tiles is None else len(one[0].tiles) for one in work.raw)
        photos = sum(0 if one[0].photos is None else len(one[0].photos) for one in work.raw)
        self.meter.count(rows=len(work.seen.rows), tiles=tiles, photos=photos)
        if not update.finite:
            self._skip(work)
        elif (step + 1) % recipe.log_steps == 0 or step + 1 == recipe.steps or step == 0:
            self._log(update)
        if (step + 1) % recipe.checkpoint_steps == 0 or step + 1 == recipe.steps:
            with self.meter.pause():
                self._validate_and_save()

    def _heed(self, interrupt: Interrupt) -> bool:
        """Save where a signal of any process or the clock asks for it; tell whether to stop."""
        minutes = self.inputs.recipe.checkpoint_minutes
        due = bool(minutes) and time.monotonic() - self._saved_at >= 60 * minutes
        asked, interrupt.save = interrupt.save, False  # one that comes from now on is the next
        stop, save, due = self.inputs.processes.any(bool(interrupt), asked, due)
        if (stop or save or due) and self.state.step not in self.inputs.checkpoints.steps():
            with self.meter.pause():
                self._write_checkpoint()
        if stop and not interrupt:
            raise GairError(
                f"another process was told to stop after step {self.state.step}",
                hint="the same command goes on from the checkpoint",
            )
        return stop

    def _skip(self, work: Work) -> None:
        """Log a skipped step; after three in a row go back to a checkpoint once, then give up.

        Raises:
            GairError: The second time, or without a checkpoint to go back to.
        """
        state, inputs = self.state, self.inputs
        if inputs.processes.first:
            ids = inputs.data.ids(work.seen.rows)
            inputs.journal.write("skipped", state.step, {"sample_ids": ids})
        if state.skipped < _SKIPPED_IN_A_ROW:
            return
        saved = inputs.processes.from_first(inputs.checkpoints.steps)
        if state.rollbacks or not saved:
            raise GairError(
                f"the loss was not finite in steps {state.step - state.skipped + 1} to "
                f"{state.step}",
                hint="lower recipe.lr; log.jsonl has the ids of the samples",
            )
        self.learner.go_back(*inputs.checkpoints.load(saved[-1])[:2])
        self.state = replace(state, skipped=0, rollbacks=1)

    def _log(self, update: Update) -> None:
        values = {
            "losses": update.losses,
            "temperature": update.temperature,
            "gradient_norm": update.norms["total"],
            "gradient_norms": {k: v for k, v in update.norms.items() if k != "total"},
            "lr": self.learner.lr,
            **self.meter.read(),
        }
        self._tell("train", values)

    def _tell(self, kind: str, values: Mapping[str, Any]) -> None:
        """Write a line of the log, and tell the trackers its numbers."""
        if not self.inputs.processes.first:
            return
        self.inputs.journal.write(kind, self.state.step, values)
        for tracker in self._trackers:
            tracker.log(self.state.step, flat_numbers({kind: dict(values)}))

    def _validate_and_save(self) -> None:
        """Validate, log it, write a checkpoint, remove those that are not kept."""
        state, inputs, learner = self.state, self.inputs, self.learner
        with learner.weights_in_use():
            if learner.objective.compares:
                figures = validate(
                    learner.model, self._validation_batch, inputs.validation,
                    processes=inputs.processes,
                )  # fmt: skip
                found = score(figures)
            else:
                figures, found = self._held_out_loss()
        if found is not None:
            self._tell("validation", {"figures": figures, "score": found})
            if state.best_score is None or found > state.best_score:
                self.state = replace(state, best_score=found, best_step=state.step)
        self._write_checkpoint(figures)

    def _held_out_loss(self) -> tuple[dict[str, dict[str, float]], float | None]:
        """Return the objective's loss on the held-out rows, for one that compares no modalities."""
        rows = self.inputs.validation[: self.inputs.recipe.batch_size]
        if len(rows) < 2:  # noqa: PLR2004 - one alone has nothing to differ from
            return {}, None
        objective, model, data = self.learner.objective, self.learner.model, self.inputs.data
        views = tuple(
            self._finished(data.raw_batch(rows, epoch=0, augment=True, view=view))
            for view in range(objective.views)
        )
        model.eval()
        objective.eval()
        with torch.no_grad():
            features = objective.encode(model, views, bank=None, step=0)
            lonlat = views[0].lonlat
            places = torch.from_numpy(rows).to(lonlat.device)
            losses = objective.loss(model, features, StepInfo(0, 1, places, lonlat))
        model.train()
        objective.train()
        value = float(losses["total"])
        return {"held out": {"loss": value}}, -value

    def _write_checkpoint(self, figures: Mapping[str, Any] | None = None) -> None:
        inputs = self.inputs
        extra = {**inputs.extra, **({"validation": figures} if figures else {})}
        self._saved_at = time.monotonic()
        snapshot = self.learner.snapshot()
        self.state = replace(self.state, threads=torch.get_num_threads())

        def write() -> None:
            inputs.checkpoints.save(self.learner.model, snapshot, self.state, extra=extra)
            recipe = inputs.recipe
            inputs.checkpoints.keep(
                recipe.keep_checkpoints, best=self.state.best_step, every=recipe.keep_every
            )

        inputs.processes.from_first(write)

    def _validation_batch(self, rows: NDArray[np.int64]) -> Batch:
        return self._finished(self.inputs.data.raw_batch(rows, epoch=0))

    def _finished(self, raw: RawBatch) -> Batch:
        """Bring a batch to the device and prepare its pixels there."""
        return self.inputs.data.finish(raw.to(self.inputs.device))
