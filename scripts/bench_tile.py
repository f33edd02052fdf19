"""Measure `gair tile` beside its peers: CPU a tile, wall, tiles/s, ratios, peak memory.

Makes the scenes (seeded, kept in a folder), then runs peers and ours as whole processes, in
turn, five times, and prints a table for each row of the targets. A peer that is not installed is
named, with the way to get it; the others run all the same. Peers: `pip install 'gair[peers]'`,
`apt-get install gdal-bin python3-gdal libopenjp2-tools`.

    python scripts/bench_tile.py --quick                # small scenes: does everything work?
    python scripts/bench_tile.py --rows 1,2             # some rows
    python scripts/bench_tile.py --json docs/benchmarks_tile.json
    python scripts/bench_tile.py --json docs/benchmarks_tile.json --docs    # rewrite the page
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench_harness import MEGABYTE, Job, Run, interleaved
from bench_machine import debian_version, machine
from bench_page import FIGURE, MARKS, draw_scaling, scaling_points, tables, verdict_table
from bench_rows import HERE, ROWS, Scenes, jobs_of
from bench_text import PAGE, machine_table

RESULTS: Final = HERE.parent / "docs" / "benchmarks_tile.json"
REPEATS: Final = 5
QUICK: Final = "Small scenes: start-up decides, and the verdicts say nothing."


def make_scenes(scenes: Scenes, rows: list[str]) -> None:
    """Make the scenes that are not there yet, each by a process of its own."""
    for path, kind, side in scenes.made_for(rows):
        words = [sys.executable, str(HERE / "bench_scenes.py"), str(path), kind, str(side)]
        print(f"scene: {path}", file=sys.stderr, flush=True)
        subprocess.run(words, check=True)


def benchmark(scenes: Scenes, rows: list[str], *, repeats: int, quick: bool) -> dict[str, Any]:
    """Run the jobs of some rows and return everything that was measured, ready for JSON."""
    make_scenes(scenes, rows)
    jobs = jobs_of(scenes, rows)
    runs, absent = interleaved(jobs, repeats)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": _command(rows, repeats=repeats, quick=quick),
        "quick": quick,
        "rows": rows,
        "machine": {
            **machine(("rasterio", "torchgeo", "numpy")),
            "OpenJPEG": debian_version("libopenjp2-7"),
        },
        "absent": absent,
        "runs": {name: [asdict(run) for run in found] for name, found in runs.items()},
    }


def _command(rows: list[str], *, repeats: int, quick: bool) -> str:
    words = ["python", "scripts/bench_tile.py", *(["--quick"] if quick else [])]
    words += [] if rows == list(ROWS) else ["--rows", ",".join(rows)]
    words += [] if repeats == (1 if quick else REPEATS) else ["--repeats", str(repeats)]
    return " ".join(words)


def report(measured: dict[str, Any], scenes: Scenes) -> str:
    """Write what was measured as Markdown: verdicts, tables, machine."""
    rows = measured["rows"]
    jobs, runs = jobs_of(scenes, rows), runs_of(measured)
    machine_facts = {**measured["machine"], "date": measured["date"]}
    parts = [
        *([QUICK] if measured["quick"] else []),
        verdict_table(runs, rows), tables(jobs, runs, measured["absent"], rows),
        machine_table(machine_facts), f"Repeat it with `{measured['command']}`.",
    ]  # fmt: skip
    return "\n\n".join(parts)


def runs_of(measured: dict[str, Any]) -> dict[str, list[Run]]:
    """Return the runs in stored results."""
    return {name: [Run(**run) for run in runs] for name, runs in measured["runs"].items()}


def write_docs(measured: dict[str, Any], scenes: Scenes) -> None:
    """Rewrite the page's tables, and the figure if sizes were measured.

    Raises:
        ValueError: If the results are of `--quick`, which shows nothing.
    """
    if measured["quick"]:
        raise ValueError("results of --quick do not go into the documentation")
    runs = runs_of(measured)
    content = report(measured, scenes)
    if scaling_points(runs):
        draw_scaling(PAGE.parent / FIGURE, runs)
        content += f"\n\n![Tiles a second and peak memory for scenes of several sizes]({FIGURE})"
    PAGE.write_text(MARKS.rewritten(PAGE.read_text("utf-8"), content), encoding="utf-8")


def failed(measured: dict[str, Any], jobs: list[Job]) -> list[str]:
    """Return which of our own jobs did not run to their end."""
    return [job.name for job in jobs if job.ours and job.name in measured["absent"]]


def _own_peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("build/bench"), help="for the scenes")
    parser.add_argument("--rows", default=",".join(ROWS), help=f"some of {','.join(ROWS)}")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--quick", action="store_true", help="small scenes, once")
    parser.add_argument("--json", type=Path, help="file to store results in, or read with --docs")
    parser.add_argument("--docs", action="store_true", help="rewrite docs/benchmarks.md, no run")
    given = parser.parse_args()
    unknown = set(given.rows.split(",")) - set(ROWS)
    if unknown:
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    if given.docs and given.json is None:
        parser.error(f"--docs needs --json {RESULTS.relative_to(HERE.parent)}")
    given.repeats = given.repeats or (1 if given.quick else REPEATS)
    return given


def main() -> int:
    """Measure, print, store; or rewrite the page from what is stored."""
    given = _parsed()
    scenes = Scenes.quick(given.work) if given.quick else Scenes(given.work)
    if given.docs:
        write_docs(json.loads(given.json.read_text("utf-8")), scenes)
        return 0
    rows = [row for row in ROWS if row in given.rows.split(",")]
    measured = benchmark(scenes, rows, repeats=given.repeats, quick=given.quick)
    print(report(measured, scenes))
    print(f"the harness itself: {_own_peak() / MEGABYTE:.0f} MB", file=sys.stderr)
    if given.json is not None:
        given.json.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    return 1 if failed(measured, jobs_of(scenes, rows)) else 0


if __name__ == "__main__":
    raise SystemExit(main())
