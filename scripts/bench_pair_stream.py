"""Watch `gair pair` while a generator streams points into it: speed, and memory over time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final

from bench_pair_rows import GAIR, LEAN

if TYPE_CHECKING:
    from bench_pair_rows import World

HERE: Final = Path(__file__).resolve().parent
EVERY_S: Final = 0.5


def measure_stream(world: World, count: int) -> dict[str, Any]:
    """Stream so many points into `gair pair`, and return what it took.

    Returns:
        `points`, `pairs`, `wall` (seconds, with the generator's), `cpu` (of `gair pair` alone),
        `peak` (bytes), `samples` (resident memory in bytes, evenly over the run, at most 40).
    """
    print(f"stream of {count:,} points", file=sys.stderr, flush=True)
    output = world.folder / "streamed.parquet"
    _remove(output)
    start = time.perf_counter()
    words = [sys.executable, str(HERE / "bench_pair_world.py"), "stream", str(count)]
    source = subprocess.Popen(words, stdout=subprocess.PIPE)
    command = [*GAIR, "pair", "-", "--tiles", str(world.tiles), "-o", str(output), "-q",
               "--columns", LEAN]  # fmt: skip
    pairing = subprocess.Popen(command, stdin=source.stdout, stderr=subprocess.PIPE)
    if source.stdout is not None:
        source.stdout.close()  # so that the generator learns if nobody listens any more
    samples = _Samples(pairing.pid)
    _, status, used = os.wait4(pairing.pid, 0)
    pairing.returncode = os.waitstatus_to_exitcode(status)
    memory = samples.end()
    wall = time.perf_counter() - start
    if source.wait() or pairing.returncode:
        words = [] if pairing.stderr is None else pairing.stderr.read().decode().splitlines()
        raise RuntimeError(f"the stream failed: {words}")
    pairs = json.loads(subprocess.run(
        [sys.executable, "-c", _COUNT, str(output)], check=True, stdout=subprocess.PIPE
    ).stdout)  # fmt: skip
    _remove(output)
    return {
        "points": count, "pairs": pairs, "wall": wall, "cpu": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss * 1024, "samples": _thinned(memory, 40),
    }  # fmt: skip


_COUNT: Final = "import sys, pyarrow.parquet as pq; print(pq.read_metadata(sys.argv[1]).num_rows)"


def _remove(output: Path) -> None:
    for path in output.parent.glob(f"{output.stem}*"):
        path.unlink()


class _Samples:
    """Resident memory of a process, twice a second."""

    def __init__(self, pid: int) -> None:
        self._file = Path(f"/proc/{pid}/statm")
        self._found: list[int] = []
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while not self._stop.wait(EVERY_S):
            try:
                self._found.append(int(self._file.read_text().split()[1]) * page)
            except (OSError, IndexError):
                return

    def end(self) -> list[int]:
        """Stop, and return the samples in bytes."""
        self._stop.set()
        self._thread.join()
        return [sample for sample in self._found if sample]


def _thinned(samples: list[int], most: int) -> list[int]:
    step = max(1, -(-len(samples) // most))
    return samples[::step]
