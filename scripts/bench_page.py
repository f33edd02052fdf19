"""Write what `bench_tile.py` measured as tables and a figure, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bench_harness import MEGABYTE, Job, Run, Spread
from bench_rows import ROWS, SCALING
from bench_text import Marks, spread, table
from bench_verdicts import TARGETS, cpu_ms, loop_ms, slowness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    Runs = Mapping[str, Sequence[Run]]

MARKS: Final = Marks("tile")
FIGURE: Final = "figures/tile_scaling.png"
OWN: Final[Mapping[str, str]] = {
    "1": "gair", "2": "gair", "3": "memory", "4": "memory", "6": "jp2-1", "7": "mixed",
}  # fmt: skip
"""The job of each row that ratios are to."""

HEADER: Final = (
    "job", "tiles", "CPU ms a tile", "in its loop", "wall s", "tiles/s", "wall ratio",
    "peak MB (one)", "peak MB (all)",
)  # fmt: skip


def verdict_table(runs: Runs, rows: Iterable[str]) -> str:
    """Write each target of some rows, what was measured, and whether it is reached."""
    lines = []
    for target in TARGETS:
        if target.row not in set(rows):
            continue
        values = target.values(runs)
        sign = "<=" if target.at_most else ">="
        stretch = "" if target.stretch is None else f"{sign} {target.stretch:g} {target.unit}"
        measured = f"{spread(values)} {target.unit}" if values else ""
        lines.append((
            target.row, target.what, measured, f"{sign} {target.must:g} {target.unit}", stretch,
            f"**{target.verdict(runs)}**",
        ))  # fmt: skip
    return table(("row", "what", "measured", "must", "stretch", "verdict"), lines)


def job_table(jobs: Sequence[Job], runs: Runs, absent: Mapping[str, str], own: str | None) -> str:
    """Write what each job took; ratios say how many times as long as ours a peer takes."""
    ours = runs.get(own, ()) if own else ()
    lines = []
    for job in jobs:
        found = runs.get(job.name, ())
        if found:
            lines.append(_job_line(job, found, ours))
        else:
            reason = absent.get(job.name, "not measured")
            lines.append((job.label, reason, *[""] * (len(HEADER) - 2)))
    return table(HEADER, lines)


def _job_line(job: Job, found: Sequence[Run], ours: Sequence[Run]) -> tuple[str, ...]:
    def each(measure: Callable[[Run], float]) -> str:
        return spread(measure(run) for run in found)

    cut = found[0].count > 1
    timed = cut and found[0].loop_cpu is not None
    ratios = [slowness(one, other) for one, other in zip(found, ours, strict=False)]
    return (
        f"**{job.label}**" if job.ours else job.label,
        str(found[0].count) if cut else "",
        each(cpu_ms) if cut else "",
        each(loop_ms) if timed else "",
        each(lambda run: run.wall),
        each(lambda run: run.count / run.wall) if cut else "",
        spread(ratios) if ratios else "",
        each(lambda run: run.peak / MEGABYTE),
        each(lambda run: run.peak_sum / MEGABYTE),
    )


def tables(jobs: Sequence[Job], runs: Runs, absent: Mapping[str, str], rows: Iterable[str]) -> str:
    """Write the tables of some rows, each under its title."""
    by_name = {job.name: job for job in jobs}
    parts = []
    for row in rows:
        title, names = ROWS[row]
        scaling = [name for name in by_name if name.startswith(f"{SCALING}-")]
        listed = [by_name[name] for name in (scaling if row == SCALING else names)]
        heading = f"### {title}" if row == SCALING else f"### {row}. {title}"
        parts.append(f"{heading}\n\n{job_table(listed, runs, absent, OWN.get(row))}")
    return "\n\n".join(parts)


def scaling_points(runs: Runs) -> dict[int, list[tuple[int, Spread, Spread]]]:
    """Return side, tiles/s and peak MB of each scene by number of jobs."""
    points: dict[int, list[tuple[int, Spread, Spread]]] = {}
    for name, found in runs.items():
        if not name.startswith(f"{SCALING}-"):
            continue
        _, side, jobs = name.split("-")
        speed = Spread.of(run.count / run.wall for run in found)
        peak = Spread.of(run.peak_sum / MEGABYTE for run in found)
        points.setdefault(int(jobs), []).append((int(side), speed, peak))
    return {jobs: sorted(line, key=lambda point: point[0]) for jobs, line in points.items()}


def draw_scaling(path: Path, runs: Runs, *, limit_mb: float = 256) -> None:
    """Draw tiles/s and peak memory against the size of the scene, a line for each job count."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - keeps the harness small

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    speed, memory = figure.subplots(1, 2)
    lines = sorted(scaling_points(runs).items())
    for jobs, line in lines:
        _errorbars(speed, jobs, {side: found for side, found, _ in line})
        _errorbars(memory, jobs, {side: found for side, _, found in line})
    sides = sorted({side for _, line in lines for side, _, _ in line})
    speed.set(ylabel="tiles/s (256 px, 10 bands, written)", title="Speed")
    memory.set(ylabel="peak memory, MB", title="Memory")
    memory.axhline(limit_mb, color="grey", linestyle="--", linewidth=1, label="limit")
    for axes in (speed, memory):
        axes.set_xscale("log", base=2)
        axes.set_xticks(sides, [f"{side:,}" for side in sides])
        axes.minorticks_off()
        axes.set(xlabel="rows and columns of the scene", ylim=(0, None))
        axes.legend()
        axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _errorbars(axes: Any, jobs: int, found: Mapping[int, Spread]) -> None:
    """Draw medians with their ranges against the size of the scene."""
    medians = [one.median for one in found.values()]
    below = [one.median - one.low for one in found.values()]
    above = [one.high - one.median for one in found.values()]
    label = f"{jobs} job{'s'[: jobs - 1]}"
    axes.errorbar(list(found), medians, [below, above], marker="o", capsize=3, label=label)
