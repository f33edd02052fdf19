"""The training loop: batches in, optimizer steps, a log, checkpoints with validation.

Every random choice is a function of (seed, step), so a loop that starts from a checkpoint repeats
what an undisturbed one does; on the CPU, with the same number of threads, bit for bit.
"""

from __future__ import annotations

import math
import resource
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gair_cli.data.prefetch import prefetch
from gair_cli.errors import GairError
from gair_cli.losses.contrastive import Bank, gair_loss
from gair_cli.training.checkpoint import Checkpoints, LoopState
from gair_cli.training.optim import clip_gradient, make_optimizer, set_learning_rate
from gair_cli.training.schedule import learning_rate
from gair_cli.training.validation import score, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from gair_cli.data.batch import Batch
    from gair_cli.data.dataset import TrainingData
    from gair_cli.models.gair import GairModel
    from gair_cli.training.config import Recipe
    from gair_cli.training.interrupts import Interrupt
    from gair_cli.training.journal import Journal
    from gair_cli.training.steps import Steps

    Coordinates = Callable[[int], Tensor | None]

_SKIPPED_IN_A_ROW = 3
_KIB_A_MIB = 1024


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


class Loop:
    """A model in training.

    Args:
        model: On the device, in training mode.
        inputs: What to work on.
        state: Where it stands.
        optimizer_state: Of the checkpoint it starts from, or None.
    """

    def __init__(
        self,
        model: GairModel,
        inputs: LoopInputs,
        *,
        state: LoopState | None = None,
        optimizer_state: Mapping[str, Any] | None = None,
    ) -> None:
        self.model, self.inputs = model, inputs
        self.state = state or LoopState()
        self.optimizer = make_optimizer(model, inputs.recipe)
        if optimizer_state is not None:
            self.optimizer.load_state_dict(dict(optimizer_state))

    def run(self, interrupt: Interrupt, *, progress: Callable[[int], None] | None = None) -> None:
        """Train until the last step, or until the interrupt after a whole step; save either way.

        Args:
            interrupt: True once a signal has arrived.
            progress: Called with 1 after each step.

        Raises:
            GairError: If the loss stays not finite after going back to a checkpoint.
        """
        batches = self._batches()
        try:
            while self.state.step < self.inputs.recipe.steps and not interrupt:
                began = time.perf_counter()
                batch = next(batches)
                waited = time.perf_counter() - began
                self._one_step(batch, began=began, waited=waited)
                if progress is not None:
                    progress(1)
        finally:
            batches.close()
        if interrupt and self.state.step not in self.inputs.checkpoints.steps():
            self._write_checkpoint()

    def _batches(self) -> Generator[Batch]:
        recipe = self.inputs.recipe

        def make(step: int) -> Batch:
            seen = self.inputs.steps.rows(step)
            return self.inputs.data.batch(seen.rows, epoch=seen.epoch, augment=True)

        return prefetch(make, range(self.state.step, recipe.steps), threads=recipe.loader_threads)

    def _one_step(self, batch: Batch, *, began: float, waited: float) -> None:
        step, recipe = self.state.step, self.inputs.recipe
        set_learning_rate(self.optimizer, learning_rate(step, recipe))
        losses, norm = self._update(batch.to(self.inputs.device))
        finite = norm is not None
        self.state = replace(
            self.state, step=step + 1, skipped=0 if finite else self.state.skipped + 1
        )
        if not finite:
            self._skip(batch)
        elif (step + 1) % recipe.log_steps == 0 or step + 1 == recipe.steps or step == 0:
            self._log(losses, norm, began=began, waited=waited, rows=len(batch))
        if (step + 1) % recipe.checkpoint_steps == 0 or step + 1 == recipe.steps:
            self._save()

    def _update(self, batch: Batch) -> tuple[dict[str, float], float | None]:
        """Make one step; the norm is None where it was skipped because it was not finite."""
        buffers = {name: value.clone() for name, value in self.model.named_buffers()}
        embeddings = self.model(batch)
        losses = gair_loss(
            embeddings, self.inputs.recipe.loss, lonlat=batch.lonlat, bank=self._bank()
        )
        self.optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()  # type: ignore[no-untyped-call]
        norm = clip_gradient(self.model, limit=self.inputs.recipe.clip_norm)
        values = {name: float(value.detach()) for name, value in losses.items()}
        values["temperature"] = 1 / float(embeddings.logit_scale.detach())
        if math.isfinite(norm) and math.isfinite(values["total"]):
            self.optimizer.step()
            return values, norm
        for name, value in self.model.named_buffers():  # running statistics may hold NaN now
            value.copy_(buffers[name])
        return values, None

    def _bank(self) -> Bank | None:
        coordinates = self.inputs.bank(self.state.step)
        if coordinates is None or not self.model.has_location:
            return None
        lonlat = coordinates.to(self.inputs.device)
        vectors = self.model.project(self.model.encode_location(lonlat), "location")
        return Bank(vectors, lonlat)

    def _skip(self, batch: Batch) -> None:
        """Log a skipped step; after three in a row go back to a checkpoint once, then give up.

        Raises:
            GairError: The second time, or without a checkpoint to go back to.
        """
        state, saved = self.state, self.inputs.checkpoints.steps()
        self.inputs.journal.write("skipped", state.step, {"sample_ids": list(batch.sample_ids)})
        if state.skipped < _SKIPPED_IN_A_ROW:
            return
        if state.rollbacks or not saved:
            raise GairError(
                f"the loss was not finite in steps {state.step - state.skipped + 1} to "
                f"{state.step}",
                hint="lower recipe.lr; log.jsonl has the ids of the samples",
            )
        model, optimizer, _ = self.inputs.checkpoints.load(saved[-1])
        self.model.load_state_dict(model.state_dict())
        self.optimizer.load_state_dict(optimizer)
        self.state = replace(state, skipped=0, rollbacks=1)

    def _log(
        self,
        losses: Mapping[str, float],
        norm: float | None,
        *,
        began: float,
        waited: float,
        rows: int,
    ) -> None:
        seconds = max(time.perf_counter() - began, 1e-9)
        named = {name: value for name, value in losses.items() if name != "temperature"}
        memory_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        values = {
            "losses": named,
            "temperature": losses["temperature"],
            "gradient_norm": norm,
            "lr": self.optimizer.param_groups[0]["lr"],
            "samples_per_s": round(rows / seconds, 1),
            "waiting_share": round(waited / seconds, 3),
            "peak_memory_mb": memory_kib // _KIB_A_MIB,
        }
        self.inputs.journal.write("train", self.state.step, values)

    def _save(self) -> None:
        """Validate, log it, write a checkpoint, remove those that are not kept."""
        state, inputs = self.state, self.inputs
        figures = validate(self.model, self._validation_batch, inputs.validation)
        found = score(figures)
        if found is not None:
            inputs.journal.write("validation", state.step, {"figures": figures, "score": found})
            if state.best_score is None or found > state.best_score:
                self.state = replace(state, best_score=found, best_step=state.step)
        self._write_checkpoint()

    def _write_checkpoint(self) -> None:
        inputs = self.inputs
        inputs.checkpoints.save(self.model, self.optimizer, self.state, extra=inputs.extra)
        inputs.checkpoints.keep(inputs.recipe.keep_checkpoints, best=self.state.best_step)

    def _validation_batch(self, rows: NDArray[np.int64]) -> Batch:
        return self.inputs.data.batch(rows, epoch=0).to(self.inputs.device)
