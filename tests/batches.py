"""Many dangerous calls in a few processes: each has a time limit, and a crash is seen by name."""

from __future__ import annotations

import importlib
import json
import os
import resource
import select
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ADDRESS_SPACE = 6 * 2**30


@dataclass(frozen=True)
class Case:
    """One call of `module:function` with words; its result is a number or a text."""

    name: str
    function: str
    words: tuple


@dataclass(frozen=True)
class Outcome:
    """How a call ended.

    Attributes:
        result: What the function returned; `crashed` or `hung` where it did not return.
        stderr: Everything that was printed there, by whomever.
        seconds: Wall time.
        peak_mb: Most resident memory while it ran.
    """

    result: object
    stderr: str
    seconds: float = 0.0
    peak_mb: float = 0.0


def run_batch(cases, *, limit_s=20.0):
    """Run cases in one process, and in a fresh one behind each that crashes or hangs.

    Returns:
        The outcome of each case, by name.
    """
    waiting, outcomes = list(cases), {}
    while waiting:
        found = _run_until_trouble(waiting, limit_s)
        outcomes.update(found)
        waiting = [case for case in waiting if case.name not in outcomes]
    return outcomes


def _run_until_trouble(cases, limit_s):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
    with (
        tempfile.TemporaryFile() as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "batches"], env=environment, cwd=Path(__file__).parent,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
        ) as child,
    ):  # fmt: skip
        sent = [[case.name, case.function, case.words] for case in cases]
        child.stdin.write(json.dumps(sent, default=str).encode())
        child.stdin.close()
        lines, outcomes = _Lines(child.stdout.fileno()), {}
        for case in cases:
            line = lines.read(limit_s)
            if line is not None:
                outcomes[case.name] = Outcome(**json.loads(line))
                continue
            hung = lines.timed_out
            child.kill()
            how = "hung" if hung else f"crashed with {child.wait()}"
            stderr.seek(0)
            outcomes[case.name] = Outcome(how, stderr.read().decode(errors="replace"))
            break
    return outcomes


class _Lines:
    """Lines of a pipe, each with a time limit."""

    def __init__(self, pipe):
        self._pipe = pipe
        self._rest = b""
        self.timed_out = False

    def read(self, limit_s):
        """Return the next line; None at the end or when it takes too long."""
        end = time.monotonic() + limit_s
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._pipe], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                self.timed_out = True
                return None
            part = os.read(self._pipe, 1 << 16)
            if not part:
                return None
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        return line


def _serve():
    """Run the cases on stdin; write one line of JSON for each."""
    cases = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for _, function, words in cases:
        module, name = function.split(":")
        call = getattr(importlib.import_module(module), name)
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of resident memory
        start = time.perf_counter()
        result, text = _captured(call, words)
        record = {
            "result": result,
            "stderr": text,
            "seconds": time.perf_counter() - start,
            "peak_mb": _peak_mb(),
        }
        results.write(json.dumps(record, default=str) + "\n")
        results.flush()


def _captured(call, words):
    """Call a function with stderr in a file: what Rust and GDAL print is seen too."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            result = call(words)
        except BaseException as error:  # noqa: BLE001 - a panic of Rust is no Exception
            result = f"{type(error).__name__}: {error}"
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
        file.seek(0)
        return result, file.read().decode(errors="replace")


def _peak_mb():
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    _serve()
