"""Run jobs as whole processes, interleaved, and keep what each took: wall, CPU, peak memory.

CPU seconds and peak memory come from the kernel's account of each process when it ends. The
harness itself stays small, since Linux counts the memory of who starts a process towards its peak.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from threading import Timer
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

MEGABYTE: Final = 1e6
TIME_LIMIT_S: Final = 1800.0
INSTALLS: Final = {
    "rasterio": "pip install 'gair[peers]'",
    "torchgeo": "pip install 'gair[peers]'",
    "geopandas": "pip install 'gair[peers]'",
    "shapely": "pip install 'gair[peers]'",
    "polars_st": "pip install 'gair[peers]'",
    "duckdb": "pip install 'gair[peers]'",
    "duckdb_extension_spatial": "pip install 'gair[peers]'",
    "sedonadb": "pip install 'gair[peers]'",
    "gair_cli.geo.tile_stream": "a newer gair",
    "gdal_retile.py": "apt-get install gdal-bin python3-gdal",
    "opj_decompress": "apt-get install libopenjp2-tools",
}
"""What jobs may need, modules and programs, and how it comes."""


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to measure: processes that start together and have a scene to work on.

    Attributes:
        name: What results are stored and looked up by.
        label: What it does, for the tables.
        commands: Command line of each process.
        inputs: Files, read once before so that the disk is not measured.
        output: Folder that is empty when the job starts, and is removed when it ended.
        needs: Keys of `INSTALLS`.
        ours: Whether it is gair; the others are peers.
    """

    name: str
    label: str
    commands: tuple[tuple[str, ...], ...]
    inputs: tuple[Path, ...]
    output: Path | None = None
    needs: tuple[str, ...] = ()
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a job took.

    Attributes:
        wall: Seconds from the start of its processes to the end of the last.
        cpu: CPU seconds of all its processes, start-up and imports included.
        peak: Greatest resident memory of any of its processes, bytes.
        peak_sum: The peaks of all its processes together; shared pages count more than once.
        count: Tiles that were cut, or pairs that were found; 0 for jobs that know none.
        loop_wall: Wall seconds without start-up and imports (the slowest process), if it says so.
        loop_cpu: CPU seconds without start-up and imports, if it says so.
    """

    wall: float
    cpu: float
    peak: int
    peak_sum: int
    count: int
    loop_wall: float | None = None
    loop_cpu: float | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some numbers, with the least and the greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Summarise at least one number."""
        numbers = sorted(values)
        return cls(statistics.median(numbers), numbers[0], numbers[-1])


class JobFailedError(RuntimeError):
    """A process of a job ended with an error, or took too long."""


def missing(job: Job) -> str | None:
    """Say what a job needs that is not here and how to get it; None when all is here."""
    absent = [name for name in job.needs if not _is_here(name)]
    return f"not here: {absent[0]} ({INSTALLS[absent[0]]})" if absent else None


def _is_here(name: str) -> bool:
    if shutil.which(name) is not None:
        return True
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of the package that it would be in
        return False


def measure(job: Job) -> Run:
    """Run one job.

    Raises:
        JobFailedError: If a process fails; the message ends with its last words.
    """
    _warm(job.inputs)
    if job.output is not None:
        shutil.rmtree(job.output, ignore_errors=True)
        job.output.mkdir(parents=True)
    try:
        return _run(job)
    finally:
        if job.output is not None:
            shutil.rmtree(job.output, ignore_errors=True)


def _warm(files: Iterable[Path]) -> None:
    """Read files into the page cache, with little memory."""
    buffer = bytearray(1 << 20)
    for path in files:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def _run(job: Job) -> Run:
    with ExitStack() as stack, tempfile.TemporaryFile() as err:
        # each process has its own: two that print at once would mix their lines
        outs = [stack.enter_context(tempfile.TemporaryFile()) for _ in job.commands]
        start = time.perf_counter()
        started = zip(job.commands, outs, strict=True)
        processes = [_start(command, out, err) for command, out in started]
        ended = [_wait(process) for process in processes]
        wall = time.perf_counter() - start
        said, words = "\n".join(_content(out) for out in outs), _content(err)
    if any(code for code, _ in ended):
        told = [line for line in words.splitlines() if line and not line.startswith("hint:")]
        raise JobFailedError(f"failed: {told[-1] if told else 'no message'}")
    usage = [used for _, used in ended]
    peaks = [used.ru_maxrss * 1024 for used in usage]
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return Run(
        wall,
        sum(used.ru_utime + used.ru_stime for used in usage),
        max(peaks),
        sum(peaks),
        sum(line["count"] for line in lines) if lines else _counted(job.output),
        max(line["wall"] for line in lines) if lines else None,
        sum(line["cpu"] for line in lines) if lines else None,
    )


def _start(command: Sequence[str], out: IO[bytes], err: IO[bytes]) -> subprocess.Popen[bytes]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GDAL_")}
    environment = {**kept, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment
    )


def _wait(process: subprocess.Popen[bytes]) -> tuple[int, Any]:
    """Wait for a process; return its exit code and what the kernel says it used."""
    limit = Timer(TIME_LIMIT_S, process.kill)
    limit.start()
    try:
        _, status, used = os.wait4(process.pid, 0)
    finally:
        limit.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _counted(folder: Path | None) -> int:
    """Count pairs or photos of a table, or the tiles of a tile set or a folder of loose files."""
    if folder is None:
        return 0
    found = next(folder.rglob("dataset.json"), None)
    if found is not None:
        return int(json.loads(found.read_text("utf-8"))["counts"]["tiles"])
    manifest = next(folder.glob("*.gair.json"), None)
    if manifest is not None:
        report = json.loads(manifest.read_text("utf-8"))["report"]
        return int(report["pairs"] if "pairs" in report else report["kept"])
    return sum(1 for _ in folder.rglob("*.tif"))


def interleaved(jobs: Sequence[Job], repeats: int) -> tuple[dict[str, list[Run]], dict[str, str]]:
    """Run all jobs in turn, and all of them again, `repeats` times.

    Returns:
        The runs of each job by its name, and why there are none of some.
    """
    absent = {job.name: reason for job in jobs if (reason := missing(job)) is not None}
    runs: dict[str, list[Run]] = {job.name: [] for job in jobs}
    for turn in range(repeats):
        for job in jobs:
            if job.name in absent:
                continue
            try:
                runs[job.name].append(run := measure(job))
            except JobFailedError as error:
                absent[job.name], runs[job.name] = str(error), []
                _say(f"{job.name}: {error}")
            else:
                _say(f"{turn + 1}/{repeats} {job.name}: {run.wall:.2f} s, {run.cpu:.2f} CPU s")
    return {name: found for name, found in runs.items() if found}, absent


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
