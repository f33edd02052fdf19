"""The targets of `bench_tile.py`: what is compared, and whether it is reached. Pure numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench_harness import MEGABYTE, Run, Spread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Runs = Mapping[str, Sequence[Run]]
    Measure = Callable[[Run], float]


def cpu_ms(run: Run) -> float:
    """Return CPU milliseconds a tile of the whole process, start-up included."""
    return 1e3 * run.cpu / run.count


def loop_ms(run: Run) -> float:
    """Return CPU milliseconds a tile without start-up and imports.

    Raises:
        ValueError: If the job does not say.
    """
    if run.loop_cpu is None:
        raise ValueError("this job does not time its loop")
    return 1e3 * run.loop_cpu / run.count


def loop_seconds(run: Run) -> float:
    """Return CPU seconds without start-up and imports; of all, if the job does not say."""
    return run.cpu if run.loop_cpu is None else run.loop_cpu


def loop_wall(run: Run) -> float:
    """Return wall seconds without start-up and imports; of all, if the job does not say."""
    return run.wall if run.loop_wall is None else run.loop_wall


def wall_a_tile(run: Run) -> float:
    """Return wall seconds a tile of the whole process."""
    return run.wall / run.count


def slowness(peer: Run, own: Run) -> float:
    """Return how many times as long a peer takes by wall, a tile if both count tiles.

    Start-up is left out if both say how long their loop took, else counted for both.
    """
    timed = peer.loop_wall is not None and own.loop_wall is not None
    took, mine = (loop_wall(peer), loop_wall(own)) if timed else (peer.wall, own.wall)
    counted = peer.count > 1 and own.count > 1
    return (took / peer.count) / (mine / own.count) if counted else took / mine


def peak_mb(run: Run) -> float:
    """Return the peak memory of all processes together, in MB."""
    return run.peak_sum / MEGABYTE


@dataclass(frozen=True, slots=True)
class Target:
    """One number that the design asks for.

    Attributes:
        row: Of the table of targets.
        what: What is measured, in words.
        unit: Of the number; `x` for a ratio.
        must: The number that must be reached.
        stretch: The number that would be better still, if there is one.
        at_most: Whether smaller is better.
        values: Returns the number of each repetition; empty without the runs for it.
    """

    row: str
    what: str
    unit: str
    must: float
    stretch: float | None
    at_most: bool
    values: Callable[[Runs], list[float]]

    def spread(self, runs: Runs) -> Spread | None:
        """Return the median and range of the number, None if it was not measured."""
        values = self.values(runs)
        return Spread.of(values) if values else None

    def verdict(self, runs: Runs) -> str:
        """Return `stretch`, `reached`, `missed` or `not measured`, by the median."""
        found = self.spread(runs)
        if found is None:
            return "not measured"
        if self.stretch is not None and self._holds(found.median, self.stretch):
            return "stretch"
        return "reached" if self._holds(found.median, self.must) else "missed"

    def _holds(self, value: float, limit: float) -> bool:
        return value <= limit if self.at_most else value >= limit


def of(job: str, measure: Measure) -> Callable[[Runs], list[float]]:
    """Return the measure of each run of a job."""
    return lambda runs: [measure(run) for run in runs.get(job, ())]


def ratio(over: str, under: str, measure: Measure) -> Callable[[Runs], list[float]]:
    """Return the ratio of two jobs in each repetition, in which they took turns."""

    def values(runs: Runs) -> list[float]:
        pairs = zip(runs.get(over, ()), runs.get(under, ()), strict=False)
        return [measure(first) / measure(second) for first, second in pairs]

    return values


def net_cpu_ms(runs: Runs) -> list[float]:
    """Return CPU milliseconds a tile of `gair tile` less what its `--dry-run` takes."""
    pairs = zip(runs.get("gair", ()), runs.get("gair-start", ()), strict=False)
    return [1e3 * (run.cpu - start.cpu) / run.count for run, start in pairs]


def net_ratio(peer: str) -> Callable[[Runs], list[float]]:
    """Return how many times as long a peer's loop takes as `gair tile` less its `--dry-run`."""

    def values(runs: Runs) -> list[float]:
        turns = zip(*(runs.get(job, ()) for job in (peer, "gair", "gair-start")), strict=False)
        return [
            (loop_wall(other) / other.count) / ((run.wall - start.wall) / run.count)
            for other, run, start in turns
        ]

    return values


def greatest_peak(runs: Runs) -> list[float]:
    """Return the greatest peak memory of any run of `gair tile`, in MB, once."""
    written = [name for name in runs if name in TILE_JOBS or name.startswith("scaling-")]
    peaks = [peak_mb(run) for name in written for run in runs[name]]
    return [max(peaks)] if peaks else []


TILE_JOBS: Final = frozenset({"gair", "stride-written", "jp2-written", "mixed-written"})
"""Jobs that run `gair tile` as a whole."""

TARGETS: Final = (
    Target("1", "CPU a tile written, whole process", "ms", 6.5, 4.5, True, of("gair", cpu_ms)),
    Target("1", "wall speed against rasterio to deflate, 2 processes (the peer's default)", "x",
           3.5, 5, False, ratio("deflate", "gair", wall_a_tile)),
    Target("1", "the same CPU without start-up (less that of --dry-run)", "ms", 6.5, 4.5, True,
           net_cpu_ms),
    Target("1", "the same wall speed without start-up on either side", "x", 3.5, 5, False,
           net_ratio("deflate")),
    Target("2", "wall speed against rasterio to ZSTD-1, 2 processes (the same codec)", "x",
           1.5, 2, False, ratio("zstd", "gair", wall_a_tile)),
    Target("2", "the same without start-up on either side", "x", 1.5, 2, False,
           net_ratio("zstd")),
    Target("2", "wall speed against the same that syncs its files to disk too", "x", 1.5, 2, False,
           ratio("zstd-sync", "gair", wall_a_tile)),
    Target("3", "speed a core against rasterio rows", "x", 1.15, 1.5, False,
           ratio("rows", "memory", loop_ms)),
    Target("3", "speed a core against torchgeo GridGeoSampler", "x", 4.5, None, False,
           ratio("torchgeo", "memory", loop_ms)),
    Target("4", "CPU of stride = size / 2 over one pass, in memory with statistics", "x",
           1.4, 1.25, True, ratio("stride", "memory", loop_seconds)),
    Target("4", "CPU of random order over one pass, in memory with statistics", "x",
           1.4, 1.25, True, ratio("random", "memory", loop_seconds)),
    Target("4", "CPU a tile written at stride = size / 2, whole process", "ms", 4, None, True,
           of("stride-written", cpu_ms)),
    Target("5", "greatest peak memory of `gair tile` on any scene here", "MB", 256, 160, True,
           greatest_peak),
    Target("6", "JPEG 2000: speed a core against opj_decompress", "x", 1, None, False,
           ratio("opj-1", "jp2-1", loop_seconds)),
    Target("6", "JPEG 2000: wall speed of two jobs against one", "x", 1.7, 1.9, False,
           ratio("jp2-1", "jp2-2", loop_wall)),
    Target("7", "10 m and 20 m: CPU a tile in memory with statistics", "ms", 3.5, 2, True,
           of("mixed", loop_ms)),
    Target("7", "10 m and 20 m: CPU a tile written, whole process", "ms", 7.5, None, True,
           of("mixed-written", cpu_ms)),
)  # fmt: skip
"""Rows 1 to 7 of the table of targets."""
