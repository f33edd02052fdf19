"""Gradients of one step: encode in parts, one loss of the whole batch, back through each part.

The loss sees the embeddings of all parts and processes at once (GradCache, arXiv 2101.06983), so
1 process, 2 processes and a batch in parts give the same loss and the same gradient. Gradients of
parts are added in the order of a binary tree, within a process and across processes: with the same
number of parts the sum is the same, bit for bit on a CPU, on 1, 2, 4... processes.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.profiler import record_function

from gair_cli.errors import DataError
from gair_cli.training.objectives.base import BANK
from gair_cli.training.processes import tree_sum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from torch import Tensor
    from torch.futures import Future

    from gair_cli.data.batch import Batch
    from gair_cli.models.gair import GairModel
    from gair_cli.training.objectives.base import Objective, StepInfo
    from gair_cli.training.processes import Processes

Losses: TypeAlias = "dict[str, Tensor]"

TOWERS: Final = ("rs", "sv")
"""What FSDP shards; all else is small."""
_OLD_NAME: Final = "broadcast_buffers"
"""Before torch 2.14 or so. Statistics of batch norms are brought together here, see below."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of a step encodes.

    Attributes:
        views: Its rows, once for each view of the objective.
        bank: Its share of the further coordinates (k, 2), or None.
    """

    views: tuple[Batch, ...]
    bank: Tensor | None


@dataclass(frozen=True, slots=True)
class Cut:
    """How B rows and K further coordinates are cut into parts, and dealt to processes.

    Attributes:
        parts: Number of parts, a multiple of the number of processes.
        rows: Rows of each part.
        bank: Coordinates of each part.
    """

    parts: int
    rows: tuple[int, ...]
    bank: tuple[int, ...]

    @classmethod
    def of(cls, rows: int, bank: int, *, chunks: int, processes: int) -> Cut:
        """Cut a batch.

        Args:
            rows: B.
            bank: K.
            chunks: Parts wanted; rounded up to a multiple of the processes.
            processes: How many share them.

        Raises:
            DataError: If a process would get no row.
        """
        if rows < processes:
            raise DataError(
                f"a step of {rows} rows cannot be shared by {processes} processes",
                hint="use fewer processes",
            )
        wanted = -(-min(chunks, rows) // processes) * processes
        parts = wanted if wanted <= rows else processes
        return cls(parts, _even(rows, parts), _even(bank, parts))

    def own(self, rank: int, processes: int) -> range:
        """Return the parts of a process."""
        each = self.parts // processes
        return range(rank * each, (rank + 1) * each)

    def span(self, part: int, *, bank: bool = False) -> tuple[int, int]:
        """Return the first row of a part and the one behind its last."""
        sizes = self.bank if bank else self.rows
        return sum(sizes[:part]), sum(sizes[: part + 1])


def _even(count: int, parts: int) -> tuple[int, ...]:
    return tuple(len(one) for one in np.array_split(np.arange(count), parts))


class Encoder(nn.Module):
    """Model and objective as one module, whose forward gives the features of a part."""

    def __init__(self, model: GairModel, objective: Objective) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, part: Part, step: int) -> dict[str, Tensor]:
        """Return features by name."""
        return self.objective.encode(self.model, part.views, bank=part.bank, step=step)


class Gradients:
    """Computes the gradient of a step in every process.

    Args:
        model: On its device.
        objective: On the same.
        processes: Who shares the work.
        grad_cache: Encode parts twice instead of keeping their graphs.
        sharded: Whether the towers are FSDP's already.
    """

    def __init__(
        self,
        model: GairModel,
        objective: Objective,
        processes: Processes,
        *,
        grad_cache: bool = False,
        sharded: bool = False,
    ) -> None:
        self.model, self.objective, self.processes = model, objective, processes
        self._grad_cache = grad_cache
        self._encoder = Encoder(model, objective)
        learnt = [one for one in self._encoder.parameters() if one.requires_grad]
        self._alone = [one for one in learnt if not _is_sharded(one)]
        self._shards = [one for one in learnt if _is_sharded(one)]
        self._together: nn.Module = self._encoder
        self._sharded = sharded  # FSDP reduces what it shards; the rest is added up by hand
        if processes.count > 1 and not sharded:
            named = signature(DistributedDataParallel).parameters
            sync = "forward_sync_buffers" if "forward_sync_buffers" in named else _OLD_NAME
            options: dict[str, Any] = {"find_unused_parameters": True, sync: False}
            ddp = DistributedDataParallel(self._encoder, **options)
            # without annotations, which DDP would compare with its own
            ddp.register_comm_hook(processes, lambda state, bucket: _sum_bucket(state, bucket))  # noqa: PLW0108
            self._together = ddp

    def compute(self, parts: Sequence[Callable[[], Part]], cut: Cut, info: StepInfo) -> Losses:
        """Put the gradient of a step into the parameters.

        Args:
            parts: This process's parts, in order, each made when it is needed.
            cut: Of the whole step.
            info: About the whole step.

        Returns:
            The losses of the whole batch, equal in every process.
        """
        self._encoder.zero_grad(set_to_none=True)
        statistics = _Statistics(self._encoder)
        alone = len(parts) == 1
        keep = alone or not self._grad_cache
        encode = self._together if alone else self._encoder
        made: list[dict[str, Tensor]] = []
        with record_function("gair: encode"):
            for part in parts:
                with torch.set_grad_enabled(keep), statistics.of_part():
                    made.append(encode(part(), info.step))
        with record_function("gair: loss"):
            found = self._loss(made, cut, info)
        with (
            record_function("gair: backward"),
            statistics.unnoted(),
            self.processes.waiting_for("the others' gradients"),
        ):
            if not keep:
                made = []
            self._back_through(parts, made, cut, found.gradients, step=info.step)
            if not alone or self._sharded:
                self._add_up()
        statistics.settle(self.processes, cut.parts)
        for parameter, gradient in found.direct:
            parameter.grad = gradient
        return found.losses

    def _back_through(
        self,
        parts: Sequence[Callable[[], Part]],
        made: list[dict[str, Tensor]],
        cut: Cut,
        gradients: Mapping[str, Tensor],
        *,
        step: int,
    ) -> None:
        """Lead the gradient of the features back through each part, and add up the parts.

        Args:
            parts: This process's parts.
            made: Their features with their graphs, taken out one by one; empty to encode again.
            cut: Of the whole step.
            gradients: Of the features of all rows.
            step: From 0.
        """
        tree = _Tree([] if self._sharded else self._alone)
        own = cut.own(self.processes.rank, self.processes.count)
        for number, part in zip(own, parts, strict=True):
            features = made.pop(0) if made else self._encoder(part(), step)
            outputs = {name: value for name, value in features.items() if value.requires_grad}
            spans = {name: slice(*cut.span(number, bank=name == BANK)) for name in outputs}
            torch.autograd.backward(
                list(outputs.values()), [gradients[name][spans[name]] for name in outputs]
            )
            del features, outputs
            if len(parts) > 1:
                tree.add()
        if len(parts) > 1:
            tree.finish()

    def _loss(self, made: Sequence[Mapping[str, Tensor]], cut: Cut, info: StepInfo) -> _Found:
        """Return losses, the gradient of every feature, and of what the loss uses directly."""
        whole = {name: self._gathered(name, made, cut).requires_grad_() for name in made[0]}
        with torch.enable_grad():
            losses = self.objective.loss(self.model, whole, info)
            asked = self.objective.loss_parameters(self.model)
            learnt = [one for one in asked if one.requires_grad]
            wanted = [*whole.values(), *learnt]
            found = torch.autograd.grad(losses["total"], wanted, allow_unused=True)
        of_features = zip(whole.items(), found, strict=False)  # the rest are of parameters
        gradients = {
            name: torch.zeros_like(value) if gradient is None else gradient
            for (name, value), gradient in of_features
        }
        direct = zip(learnt, found[len(whole) :], strict=True)
        return _Found(
            losses={name: value.detach() for name, value in losses.items()},
            gradients=gradients,
            direct=[(one, gradient) for one, gradient in direct if gradient is not None],
        )

    def _gathered(self, name: str, made: Sequence[Mapping[str, Tensor]], cut: Cut) -> Tensor:
        """Return a feature of all parts of all processes, without its graph."""
        own = torch.cat([one[name].detach() for one in made])
        sizes = cut.bank if name == BANK else cut.rows
        count = self.processes.count
        of_ranks = [sum(sizes[part] for part in cut.own(rank, count)) for rank in range(count)]
        return self.processes.gather(own, of_ranks)

    def _add_up(self) -> None:
        """Add up what DDP does not, over all processes; what no process used stays without."""
        if self.processes.count == 1:
            return
        for one in self._shards:
            if one.grad is not None:
                one.grad.mul_(self.processes.count)  # FSDP made it a mean over processes
        used = self.processes.any(*(one.grad is not None for one in self._alone))
        tensors = []
        for parameter, is_used in zip(self._alone, used, strict=True):
            if not is_used:
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            tensors.append(parameter.grad)
        self.processes.add_up(tensors)


@dataclass(frozen=True, slots=True)
class _Found:
    """What one loss of the whole batch gives.

    Attributes:
        losses: By name, without a graph.
        gradients: Of the features of all rows.
        direct: Of the parameters that the loss uses itself.
    """

    losses: Losses
    gradients: dict[str, Tensor]
    direct: list[tuple[nn.Parameter, Tensor]]


class _Statistics:
    """Running statistics of batch norms: each part moves them from where the step began.

    They end as the mean over all parts, so they depend on the parts, not on the processes. Each
    part has tensors of its own, since the gradient of a part must find its own unchanged.
    """

    def __init__(self, module: nn.Module) -> None:
        self._places = [
            (norm, name)
            for norm in module.modules()
            if isinstance(norm, nn.modules.batchnorm._NormBase)  # noqa: SLF001 - all of its kinds
            for name in ("running_mean", "running_var")
            if getattr(norm, name) is not None and norm.training
        ]
        self._counts = [
            (norm, norm.num_batches_tracked.clone())
            for norm, name in self._places
            if name == "running_mean" and norm.num_batches_tracked is not None
        ]
        self._start = self._present()
        self._parts: list[list[Tensor]] = []

    @contextmanager
    def of_part(self) -> Iterator[None]:
        """Let the body move the statistics from their start, and note where to."""
        self._set([one.clone() for one in self._start])
        yield
        self._parts.append(self._present())

    @contextmanager
    def unnoted(self) -> Iterator[None]:
        """Let the body move the statistics for nothing, as when a part is encoded again."""
        self._set([one.clone() for one in self._start])
        yield

    def settle(self, processes: Processes, parts: int) -> None:
        """Set the statistics to their mean over all parts of all processes."""
        if not self._places:
            return
        totals = [tree_sum(one).clone() for one in zip(*self._parts, strict=True)]
        processes.add_up(totals)
        self._set([total / parts for total in totals])
        for norm, steps in self._counts:
            norm.num_batches_tracked = steps + 1  # a step is one batch, however it was cut

    def _present(self) -> list[Tensor]:
        return [getattr(norm, name) for norm, name in self._places]

    def _set(self, values: Iterable[Tensor]) -> None:
        for (norm, name), value in zip(self._places, values, strict=True):
            setattr(norm, name, value)


class _Tree:
    """Adds up gradients of parts like a binary counter: neighbours first."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self._parameters = list(parameters)
        self._waiting: list[tuple[int, list[Tensor | None]]] = []

    def add(self) -> None:
        """Take the present gradients away and add them to what has as many parts."""
        level, gradients = 0, [one.grad for one in self._parameters]
        for one in self._parameters:
            one.grad = None
        while self._waiting and self._waiting[-1][0] == level:
            _, before = self._waiting.pop()
            gradients = [_plus(a, b) for a, b in zip(before, gradients, strict=True)]
            level += 1
        self._waiting.append((level, gradients))

    def finish(self) -> None:
        """Put the sum of all parts into the parameters."""
        while len(self._waiting) > 1:
            (_, last), (level, before) = self._waiting.pop(), self._waiting.pop()
            joined = [_plus(a, b) for a, b in zip(before, last, strict=True)]
            self._waiting.append((level, joined))
        for parameter, gradient in zip(self._parameters, self._waiting[0][1], strict=True):
            parameter.grad = gradient


def _plus(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    if a is None or b is None:
        return b if a is None else a
    return a.add_(b)


def _sum_bucket(processes: Processes, bucket: Any) -> Future[Tensor]:
    """Return the sum of a DDP bucket over all processes, instead of its mean."""
    buffer = bucket.buffer()
    if buffer.device.type != "cpu":
        work = torch.distributed.all_reduce(buffer, async_op=True)
        return work.get_future().then(lambda done: done.value()[0])
    parts = [torch.empty_like(buffer) for _ in range(processes.count)]
    work = torch.distributed.all_gather(parts, buffer, async_op=True)
    return work.get_future().then(lambda _: tree_sum(parts))


def _is_sharded(parameter: nn.Parameter) -> bool:
    return hasattr(parameter, "full_tensor")


def shard_towers(model: GairModel) -> None:
    """Shard the satellite and the photo tower over all processes (FSDP2), block by block."""
    from torch.distributed.fsdp import fully_shard  # noqa: PLC0415 - only where it is used

    # what a tower returns is a view, and nothing here changes it in place
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module")
    for name in TOWERS:
        tower = getattr(model, name)
        if tower is None:
            continue
        tower.to(memory_format=torch.contiguous_format)  # FSDP takes no other
        for module in tower.modules():
            if isinstance(module, nn.ModuleList) or _is_stack(module):
                for block in module.children():
                    fully_shard(block)
        fully_shard(tower)


def gather_no_more(model: GairModel) -> None:
    """Let sharded towers keep their shards alone, after a forward that no backward followed."""
    for module in model.modules():
        reshard: Any = getattr(module, "reshard", None)
        if reshard is not None:
            reshard()


def _is_stack(module: nn.Module) -> bool:
    """Tell whether a module is a row of equal blocks, as timm's `blocks` are."""
    children = list(module.children())
    return (
        isinstance(module, nn.Sequential)
        and len(children) > 1
        and len({type(child) for child in children}) == 1
        and any(True for _ in children[0].children())
    )
