"""Write what `bench_pair.py` measured as tables, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bench_harness import MEGABYTE, Run, Spread
from bench_pair_rows import FILES, MEMORY, PEERS, ROWS, STREAM
from bench_text import Marks, machine_table, number, spread, table
from bench_verdicts import Target, loop_wall

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Runs = Mapping[str, Sequence[Run]]

MARKS: Final = Marks("pair")
QUICK: Final = "Few points: start-up decides, and the verdicts say nothing."
BILLION: Final = 1_000_000_000
MOST: Final = 10_000_000
HEADER: Final = (
    "job", "pairs", "off by", "M points/s", "ratio", "CPU s", "wall s", "peak MB",
)  # fmt: skip


def speed(points: int, measure: Callable[[Run], float]) -> Callable[[Run], float]:
    """Return the measure of a run in million points a second."""
    return lambda run: points / measure(run) / 1e6


def targets(points: int) -> tuple[Target, ...]:
    """Return what the design asks for, at so many points."""

    def of(name: str, measure: Callable[[Run], float]) -> Callable[[Runs], list[float]]:
        return lambda runs: [measure(run) for run in runs.get(name, ())]

    memory, files = f"{MEMORY}-{points}-gair", f"{FILES}-{points}-gair"
    whole = speed(points, lambda run: run.wall)
    return (
        Target(MEMORY, "points a second in memory, two threads, tile index included",
               "M/s", 30, 60, False, of(memory, speed(points, loop_wall))),
        Target(FILES, "points a second Parquet to Parquet, whole command", "M/s", 12, 18, False,
               of(files, whole)),
        Target(FILES, "peak memory of the whole command", "MB", 300, None, True,
               of(files, lambda run: run.peak / MEGABYTE)),
        Target(FILES, "peak memory, all columns", "MB", 300, None, True,
               of(f"{files}-all", lambda run: run.peak / MEGABYTE)),
    )  # fmt: skip


def report(measured: dict[str, Any]) -> str:
    """Write what was measured as Markdown: verdicts, tables, machine."""
    runs = {name: [Run(**run) for run in found] for name, found in measured["runs"].items()}
    points = max(measured["counts"])
    parts = [QUICK] if measured["quick"] else []
    parts.append(_verdicts(runs, points, measured["rows"]))
    for row in measured["rows"]:
        if row == STREAM:
            parts += [f"### {ROWS[row]}", _streamed(measured)]
            continue
        for count in measured["counts"]:
            title = f"### {ROWS[row]}: {count:,} points, {measured['tiles']:,} tiles"
            parts += [title, _jobs(row, count, runs, measured)]
    parts += [
        machine_table({**measured["machine"], "date": measured["date"]}),
        f"Repeat it with `{_command(measured)}`.",
    ]
    return "\n\n".join(parts)


def _command(measured: Mapping[str, Any]) -> str:
    some = "" if measured["rows"] == list(ROWS) else f" --rows {','.join(measured['rows'])}"
    quick = " --quick" if measured["quick"] else f" --repeats {measured['repeats']}"
    return f"python scripts/bench_pair.py{quick}{some}"


def _verdicts(runs: Runs, points: int, rows: Sequence[str]) -> str:
    lines = []
    for target in targets(points):
        values = target.values(runs)
        if target.row not in rows or not values:
            continue
        sign = "<=" if target.at_most else ">="
        stretch = "" if target.stretch is None else f"{sign} {target.stretch:g} {target.unit}"
        lines.append((
            target.what, f"{spread(values)} {target.unit}", f"{sign} {target.must:g} {target.unit}",
            stretch, f"**{target.verdict(runs)}**",
        ))  # fmt: skip
    return table((f"at {points:,} points", "measured", "must", "stretch", "verdict"), lines)


def _jobs(row: str, points: int, runs: Runs, measured: Mapping[str, Any]) -> str:
    """Write what each job took; ratios say how many times as long as gair a peer takes."""
    labels = {"gair": "**gair**"} if row == MEMORY else {
        "gair": "**gair pair**, 4 columns", "gair-all": "**gair pair**, all 19 columns",
    }  # fmt: skip
    labels |= {name: label for name, (label, _) in PEERS.items()
               if row == MEMORY or name in {"duckdb", "sedonadb"}}  # fmt: skip
    ours = runs.get(f"{row}-{points}-gair", ())
    lines = []
    for name, label in labels.items():
        key = f"{row}-{points}-{name}"
        found = runs.get(key)
        if not found:
            reason = measured["absent"].get(key, "not measured")
            lines.append((label, reason, *[""] * (len(HEADER) - 2)))
            continue
        lines.append(_line(label, row, points, found, ours, measured["exact"][str(points)]))
    return table(HEADER, lines)


def _line(
    label: str, row: str, points: int, found: Sequence[Run], ours: Sequence[Run], exact: int
) -> tuple[str, ...]:
    wall = loop_wall if row == MEMORY else _wall
    counted = found[0].count
    ratios = [wall(run) / wall(own) for run, own in zip(found, ours, strict=False)]
    cpu = [run.loop_cpu if row == MEMORY and run.loop_cpu is not None else run.cpu for run in found]
    return (
        label,
        f"{counted:,}",
        f"{counted - exact:+,}" if counted != exact else "0",
        spread(speed(points, wall)(run) for run in found),
        spread(ratios) if ratios else "",
        spread(cpu),
        spread(wall(run) for run in found),
        spread(run.peak / MEGABYTE for run in found),
    )


def _wall(run: Run) -> float:
    return run.wall


def _streamed(measured: Mapping[str, Any]) -> str:
    """Write the streams, and what a billion points would take by the last of them."""
    lines = []
    for line in measured["streamed"]:
        samples = sorted(line["samples"]) or [line["peak"]]
        late = Spread.of(samples[len(samples) // 2 :])
        lines.append((
            f"{line['points']:,}", f"{line['pairs']:,}",
            "0" if line["pairs"] == measured["exact"][str(line["points"])] else "wrong",
            number(line["points"] / line["cpu"] / 1e6), number(line["cpu"]), number(line["wall"]),
            number(late.median / MEGABYTE), number(line["peak"] / MEGABYTE),
        ))  # fmt: skip
    header = (
        "points", "pairs", "off by", "M points a CPU s", "CPU s of gair", "wall s",
        "memory MB, median of the greater half", "peak MB",
    )  # fmt: skip
    words = table(header, lines)
    if not measured["streamed"]:
        return words
    last = measured["streamed"][-1]
    cpu = last["cpu"] * BILLION / last["points"]
    return (
        f"{words}\n\nEstimate for 10^9 points, by proportion from the last line (not measured): "
        f"{number(cpu / 60)} CPU minutes in the same memory, since nothing in it grows with the "
        "points; a table on stdin is kept in a temporary file first, which then takes "
        f"{32 * BILLION / 1e9:.0f} GB at 32 bytes a row, and a Parquet file needs none."
    )
