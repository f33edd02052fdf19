"""Where the time of a step goes: a trace for a viewer, and a table for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.profiler import ProfilerActivity, profile, schedule

from gair_cli.geo.outputs import atomic_file, write_json

if TYPE_CHECKING:
    from pathlib import Path

_OURS: Final = "gair: "
_WAIT, _WARM_UP = 1, 1
_OPERATIONS: Final = 15


@dataclass(frozen=True, slots=True)
class Share:
    """One part of a step.

    Attributes:
        name: What is done.
        cpu_ms: Milliseconds of a step on the CPU, with what it calls.
        device_ms: The same on a GPU, 0 without one.
        calls: Calls a step.
    """

    name: str
    cpu_ms: float
    device_ms: float
    calls: float


class Profiler:
    """Records some steps of a run, two steps after it began.

    Args:
        folder: `trace.json`, `table.txt` and `table.json` go here.
        steps: How many are recorded.
        device: Of the model.
    """

    def __init__(self, folder: Path, *, steps: int, device: str) -> None:
        self.folder, self.steps = folder, steps
        on_gpu = device.startswith("cuda")
        activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if on_gpu else [])
        self._left = _WAIT + _WARM_UP + steps
        self._profile = profile(
            activities=activities,
            schedule=schedule(wait=_WAIT, warmup=_WARM_UP, active=steps, repeat=1),
            on_trace_ready=self._write,
            acc_events=True,
        )
        self._profile.start()

    def step(self) -> None:
        """Tell that a step is done; after the last one the files are written."""
        if self._left:
            self._left -= 1
            self._profile.step()
            if not self._left:
                self._profile.stop()

    def close(self) -> None:
        """Stop early, where the run was shorter; what was recorded until then is written."""
        if self._left:
            self._left = 0
            self._profile.stop()

    def _write(self, found: Any) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        found.export_chrome_trace(str(self.folder / "trace.json"))
        averages = found.key_averages()
        parts = [_share(one, self.steps) for one in averages if one.key.startswith(_OURS)]
        others = [
            _share(one, self.steps, alone=True)
            for one in averages
            if not one.key.startswith((_OURS, "ProfilerStep"))
        ]
        by_cost = sorted(others, key=lambda one: -max(one.cpu_ms, one.device_ms))[:_OPERATIONS]
        text = _table("part of a step, with what it calls", parts, width=44)
        text += "\n" + _table("operation, by itself", by_cost, width=44)
        with atomic_file(self.folder / "table.txt") as temporary:
            temporary.write_text(text, encoding="utf-8")
        content = {name: [_record(one) for one in shares]
                   for name, shares in (("parts", parts), ("operations", by_cost))}  # fmt: skip
        write_json(self.folder / "table.json", {"steps": self.steps, **content})


def _share(event: Any, steps: int, *, alone: bool = False) -> Share:
    prefix = "self_" if alone else ""
    cpu_us = getattr(event, f"{prefix}cpu_time_total")
    device_us = getattr(event, f"{prefix}device_time_total", 0)
    name = event.key.removeprefix(_OURS)
    return Share(name, cpu_us / 1e3 / steps, device_us / 1e3 / steps, event.count / steps)


def _record(share: Share) -> dict[str, Any]:
    return {"name": share.name, "cpu_ms": round(share.cpu_ms, 3),
            "device_ms": round(share.device_ms, 3), "calls": round(share.calls, 2)}  # fmt: skip


def _table(title: str, shares: list[Share], *, width: int) -> str:
    lines = [f"{title:{width}} {'CPU ms':>10} {'device ms':>10} {'calls':>8}"]
    lines += [
        f"{one.name[:width]:{width}} {one.cpu_ms:10.2f} {one.device_ms:10.2f} {one.calls:8.1f}"
        for one in shares
    ]
    return "\n".join(lines) + "\n"


def synchronize(device: str) -> None:
    """Wait for a GPU to finish; nothing on a CPU."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
