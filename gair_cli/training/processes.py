"""The processes of a run and what they tell each other; the only file that knows about ranks.

`torchrun` starts many and says so in the environment; one process alone needs nothing, and every
call below then is a plain copy. Sums over ranks are made in the order of a binary tree on a CPU, so
that 2, 4, 8... processes add up the same numbers in the same order as one that holds all parts.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import torch
import torch.distributed as dist

from gair_cli.errors import GairError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

T = TypeVar("T")

_BUCKET_BYTES: Final = 64 * 2**20


@dataclass(slots=True)
class Processes:
    """The processes of one run.

    Attributes:
        rank: Of this one, from 0.
        count: How many there are.
        step: The step that is being made, for messages; None before the first.
    """

    rank: int = 0
    count: int = 1
    step: int | None = None

    @property
    def first(self) -> bool:
        """Whether this is the one that writes files and speaks."""
        return self.rank == 0

    def gather(self, own: Tensor, sizes: Sequence[int]) -> Tensor:
        """Return the rows of all processes, in the order of ranks.

        Args:
            own: (n, ...) of this process, without a gradient.
            sizes: n of each rank.

        Returns:
            (sum of n, ...), equal everywhere.
        """
        if self.count == 1:
            return own
        padded = own.new_zeros(max(sizes), *own.shape[1:])
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in range(self.count)]
        self._wait(lambda: dist.all_gather(parts, padded), "the others' embeddings")
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Put the sum over all processes into each tensor.

        Args:
            tensors: Of equal shapes in all processes.
        """
        if self.count == 1:
            return
        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.reshape(-1) for tensor in bucket])
            total = self.total(flat)
            parts = torch.split(total, [tensor.numel() for tensor in bucket])
            for tensor, part in zip(bucket, parts, strict=True):
                tensor.copy_(part.view_as(tensor))

    def total(self, own: Tensor) -> Tensor:
        """Return the sum of one tensor over all processes; on a CPU in the order of a tree."""
        if self.count == 1:
            return own
        if own.device.type != "cpu":
            self._wait(lambda: dist.all_reduce(own), "the others' gradients")
            return own
        parts = [torch.empty_like(own) for _ in range(self.count)]
        self._wait(lambda: dist.all_gather(parts, own), "the others' gradients")
        return tree_sum(parts)

    def any(self, *flags: bool) -> list[bool]:
        """Return for each flag whether it is up in any process."""
        if self.count == 1:
            return list(flags)
        told: list[list[bool]] = [[] for _ in range(self.count)]
        self._wait(lambda: dist.all_gather_object(told, list(flags)), "a sign of the others")
        return [any(one) for one in zip(*told, strict=True)]

    def every(self, own: T) -> list[T]:
        """Return what each process has, in the order of ranks."""
        if self.count == 1:
            return [own]
        told: list[Any] = [None] * self.count
        self._wait(lambda: dist.all_gather_object(told, own), "the others' results")
        return told

    def from_first(self, make: Callable[[], T]) -> T:
        """Return what the first process makes, everywhere; its error is raised everywhere.

        Args:
            make: Called by the first process only; its result must be picklable.
        """
        if self.count == 1:
            return make()
        told: list[Any] = [None, None]
        if self.first:
            try:
                told[0] = make()
            except Exception as error:  # noqa: BLE001 - raised again below, in every process
                told[1] = error
        self._wait(lambda: dist.broadcast_object_list(told, src=0), "the first process")
        if told[1] is not None:
            raise told[1]
        found: T = told[0]
        return found

    @contextmanager
    def waiting_for(self, what: str) -> Iterator[None]:
        """Say who waited for whom, and in which step, where the others do not answer.

        Raises:
            GairError: Instead of what torch raises then.
        """
        try:
            yield
        except RuntimeError as error:
            if self.count == 1 or not _is_silence(error):
                raise
            when = "" if self.step is None else f" in step {self.step}"
            raise GairError(
                f"process {self.rank} of {self.count} waited in vain{when} for {what}: "
                f"{(str(error).splitlines() or ['no reason given'])[0]}",
                hint="another process has ended or hangs; its own message says why. A step that "
                "takes longer than recipe.timeout_s needs a larger one",
            ) from error

    def _wait(self, call: Callable[[], object], what: str) -> None:
        with self.waiting_for(what):
            call()


def _is_silence(error: RuntimeError) -> bool:
    """Tell an error of talking to other processes from all others; gloo's have no class."""
    if isinstance(error, dist.DistError):
        return True
    words = ("gloo", "nccl", "connection", "timed out", "timeout")
    return any(word in str(error).lower() for word in words)


def tree_sum(parts: Sequence[Tensor]) -> Tensor:
    """Return the sum of tensors of one shape, neighbours first: ((0 + 1) + (2 + 3)) + ..."""
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        parts = [a + b for a, b in pairs] + ([parts[-1]] if len(parts) % 2 else [])
    return parts[0]


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield neighbours of one number type, up to a size."""
    bucket: list[Tensor] = []
    size = 0
    for tensor in tensors:
        length = tensor.numel() * tensor.element_size()
        if bucket and (tensor.dtype != bucket[0].dtype or size + length > _BUCKET_BYTES):
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += length
    if bucket:
        yield bucket


def started_processes() -> tuple[int, int]:
    """Return rank and count that the environment says, as `torchrun` sets it: 0 and 1 if none.

    Raises:
        UsageError: If what is there are no such numbers.
    """
    rank, count = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    if not (rank.isdigit() and count.isdigit() and int(rank) < max(int(count), 1)):
        raise UsageError(
            f"RANK={rank} and WORLD_SIZE={count} make no sense",
            hint="start several processes with torchrun, one with nothing",
        )
    return int(rank), max(int(count), 1)


def device_of_process(device: str) -> str:
    """Return the device of this process: `cuda` becomes the GPU of its local rank."""
    if device != "cuda" or started_processes()[1] == 1:
        return device
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


@contextmanager
def joined_processes(device: str, *, timeout_s: int) -> Iterator[Processes]:
    """Join the other processes while the body runs.

    Args:
        device: Where tensors are; `nccl` connects GPUs, `gloo` CPUs.
        timeout_s: Seconds after which waiting is an error.

    Yields:
        Who is there.
    """
    rank, count = started_processes()
    if count == 1:
        yield Processes()
        return
    ours = not dist.is_initialized()
    if ours:
        on_gpu = device.startswith("cuda")
        if on_gpu:
            torch.cuda.set_device(device)
        # gloo besides nccl: objects travel without passing a GPU
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=timedelta(seconds=timeout_s)
        )
    try:
        yield Processes(rank, count)
    finally:
        if ours:
            dist.destroy_process_group()
