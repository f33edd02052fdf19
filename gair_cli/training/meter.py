"""Counts time and work between lines of the log: samples a second, waiting, FLOP, memory."""

from __future__ import annotations

import resource
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from gair_cli.training.flops import peak_flops

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gair_cli.training.flops import StepFlops

_KIB_A_MIB = 1024
_MIB = 2**20


class Meter:
    """What happened since the last reading.

    Args:
        device: Of the model.
        flops: Of a tile and of a photo in one process, or None for no count.
        processes: Processes that do as much each.
    """

    def __init__(self, device: str, flops: StepFlops | None = None, *, processes: int = 1) -> None:
        self._device, self._flops, self._processes = device, flops, processes
        self._peak = peak_flops(device)
        self.start()

    def start(self) -> None:
        """Begin anew."""
        self._began = time.perf_counter()
        self._waited = self._paused = self._work = 0.0
        self._rows = 0

    def count(self, *, rows: int, tiles: int, photos: int) -> None:
        """Note a step's rows of all processes, and the tiles and photos of this one."""
        self._rows += rows
        if self._flops is not None:
            self._work += self._flops.of(tiles, photos) * self._processes

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Note that the body waits for data."""
        began = time.perf_counter()
        yield
        self._waited += time.perf_counter() - began

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Do not count the body's time as training."""
        began = time.perf_counter()
        yield
        self._paused += time.perf_counter() - began

    def read(self) -> dict[str, Any]:
        """Return speed and memory since the last reading, and begin anew."""
        if self._device.startswith("cuda"):
            torch.cuda.synchronize(self._device)
        seconds = max(time.perf_counter() - self._began - self._paused, 1e-9)
        flops = self._work / seconds
        values: dict[str, Any] = {
            "samples_per_s": round(self._rows / seconds, 1),
            "waiting_share": round(self._waited / seconds, 3),
            "tflops": round(flops / 1e12, 4),
            "memory_mb": resident_mb(),
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // _KIB_A_MIB,
        }
        if self._peak is not None:
            values["mfu"] = round(flops / (self._peak * self._processes), 4)
            values["gpu_memory_mb"] = torch.cuda.max_memory_allocated(self._device) // _MIB
        self.start()
        return values


def resident_mb() -> int:
    """Return the memory that this process has now, MiB; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * resource.getpagesize() // _MIB
