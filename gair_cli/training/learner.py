"""What learns: model, objective, optimizer and average together, and one update of them."""

from __future__ import annotations

import math
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch.profiler import record_function

from gair_cli.training.checkpoint import Snapshot
from gair_cli.training.ema import Ema
from gair_cli.training.gradients import Gradients, gather_no_more, shard_towers
from gair_cli.training.optim import (
    clip_gradients,
    like,
    load_optimizer_state,
    make_optimizer,
    optimizer_state,
    set_learning_rate,
    whole,
)
from gair_cli.training.schedule import learning_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor, nn

    from gair_cli.models.gair import GairModel
    from gair_cli.training.config import Recipe
    from gair_cli.training.gradients import Cut, Part
    from gair_cli.training.objectives.base import Objective, StepInfo
    from gair_cli.training.processes import Processes


@dataclass(frozen=True, slots=True)
class Update:
    """What one step came to.

    Attributes:
        losses: By name.
        temperature: 1 / logit scale before the step.
        norms: Of the gradient by tower, and `total`.
        finite: Whether the weights were changed; not where loss or gradient are not finite.
    """

    losses: dict[str, float]
    temperature: float
    norms: dict[str, float] = field(default_factory=dict)
    finite: bool = True


class Learner:
    """A model in training.

    Args:
        model: On its device, in training mode.
        objective: On the same.
        recipe: How to train.
        processes: Who shares the work.
    """

    def __init__(
        self, model: GairModel, objective: Objective, recipe: Recipe, processes: Processes
    ) -> None:
        self.model, self.objective, self.recipe = model, objective, recipe
        self.processes = processes
        self.sharded = recipe.parallel == "fsdp" and processes.count > 1
        _set_up(model, recipe)
        if self.sharded:
            shard_towers(model)
        self.gradients = Gradients(
            model, objective, processes, grad_cache=recipe.grad_cache, sharded=self.sharded
        )
        self.optimizer = make_optimizer(model, objective, recipe=recipe)
        self.ema = Ema(model, recipe.ema) if recipe.ema else None

    def update(self, parts: Sequence[Callable[[], Part]], cut: Cut, info: StepInfo) -> Update:
        """Make one step, or none where loss or gradient are not finite.

        Args:
            parts: This process's parts.
            cut: Of the whole step.
            info: About the whole step.
        """
        lr = learning_rate(info.step, self.recipe)
        set_learning_rate(self.optimizer, lr)
        temperature = 1 / float(self.model.logit_scale.detach().exp())
        buffers = [value.clone() for value in self._buffers()]
        losses = self.gradients.compute(parts, cut, info)
        values = {name: float(value) for name, value in losses.items()}
        with record_function("gair: update"):
            norms = clip_gradients(self._groups(), limit=self.recipe.clip_norm)
            if not (math.isfinite(norms["total"]) and math.isfinite(values["total"])):
                for value, before in zip(self._buffers(), buffers, strict=True):
                    value.copy_(before)  # running statistics may hold NaN now
                return Update(values, temperature, norms, finite=False)
            self.optimizer.step()
            self.objective.after_update(self.model, step=info.step, steps=info.steps)
            if self.ema is not None:
                self.ema.update(self.model, step=info.step)
        return Update(values, temperature, norms)

    @property
    def lr(self) -> float:
        """The learning rate of the last step."""
        rate: float = self.optimizer.param_groups[0]["lr"]
        return rate

    def snapshot(self) -> Snapshot:
        """Return all that a checkpoint holds; every process must ask at once."""
        weights = None
        if self.sharded:
            weights = {name: whole(one).cpu() for name, one in self.model.named_parameters()}
        return Snapshot(
            weights=weights,
            average=None if self.ema is None else self.ema.state(),
            optimizer=optimizer_state(self.optimizer, self._named()),
            objective={name: whole(one).cpu() for name, one in self.objective.state_dict().items()},
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Put back optimizer, average and objective; weights came with the model."""
        load_optimizer_state(self.optimizer, self._named(), snapshot.optimizer)
        self.objective.load_state_dict(dict(snapshot.objective))
        if self.ema is not None and snapshot.average is not None:
            self.ema.load(self.model, snapshot.average)

    def go_back(self, model: GairModel, snapshot: Snapshot) -> None:
        """Take the weights of a checkpoint, and all that goes with them."""
        saved = model.state_dict()
        with torch.no_grad():
            for name, one in self.model.named_parameters():
                one.copy_(like(one, saved[name]))
            for name, value in self.model.named_buffers():
                value.copy_(saved.get(name, value))
        self.restore(snapshot)

    @contextmanager
    def weights_in_use(self) -> Iterator[None]:
        """Let the model have the weights that are validated while the body runs."""
        with nullcontext() if self.ema is None else self.ema.in_place(self.model):
            yield
            gather_no_more(self.model)

    def _named(self) -> list[tuple[str, nn.Parameter]]:
        ours = [(f"objective.{name}", one) for name, one in self.objective.named_parameters()]
        return [*self.model.named_parameters(), *ours]

    def _groups(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters by tower: `rs`, `sv`, `location`, `query`, `head`, the rest."""
        groups: dict[str, list[nn.Parameter]] = {}
        for name, one in self._named():
            first = name.partition(".")[0]
            group = "query" if first in {"nili", "fine"} else first
            groups.setdefault(group, []).append(one)
        return groups

    def _buffers(self) -> list[Tensor]:
        return [value for _, value in self.model.named_buffers()]


def _set_up(model: GairModel, recipe: Recipe) -> None:
    """Set how the towers compute: number type, recomputation, compilation."""
    model.towers_dtype = torch.bfloat16 if recipe.precision == "bf16" else None
    if recipe.activation_checkpointing:
        for tower in (model.rs, model.sv):
            if tower is not None:
                tower.set_grad_checkpointing(enable=True)
    if recipe.compile:
        for tower in (model.rs, model.sv):
            if tower is not None:
                tower.compile()
