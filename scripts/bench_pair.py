"""Measure the join of points with tiles beside its peers: points/s, CPU, ratios, peak memory.

Makes 202,800 tiles in twelve UTM zones and tables of points (seeded, kept in a folder), then runs
gair, geopandas, shapely's STRtree, polars-st, DuckDB spatial and SedonaDB as whole processes, in
turn, five times: in memory, and from Parquet to Parquet. The count of gair must be the exact one
that PROJ gives in the tiles' own zones. At last 100 million points are streamed from a generator
into `gair pair`, whose memory is watched. Peers: `pip install 'gair[peers]'`.

    python scripts/bench_pair.py --quick              # few points: does everything work?
    python scripts/bench_pair.py --rows memory        # some rows
    python scripts/bench_pair.py --json docs/benchmarks_pair.json
    python scripts/bench_pair.py --json docs/benchmarks_pair.json --docs    # rewrite the page
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench_harness import Run, interleaved
from bench_machine import machine
from bench_pair_page import MARKS, report
from bench_pair_rows import ROWS, STREAM, World, jobs_of
from bench_pair_stream import measure_stream
from bench_text import PAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE: Final = Path(__file__).resolve().parent
RESULTS: Final = "docs/benchmarks_pair.json"
REPEATS: Final = 5
PACKAGES: Final = (
    "numpy", "polars", "pyarrow", "geopandas", "shapely", "polars-st", "duckdb",
    "duckdb-extension-spatial", "sedonadb", "pyproj",
)  # fmt: skip


def make_world(world: World, rows: Sequence[str]) -> dict[str, int]:
    """Make what is not there yet, and return the exact number of pairs by number of points."""
    if not world.index.exists():
        _make("tiles", str(world.tiles))
    counts = {} if not world.answers.exists() else json.loads(world.answers.read_text("utf-8"))
    for count in world.counts_of(rows):
        if not world.points(count).exists() and count in world.counts:
            _make("points", str(world.points(count)), str(count))
        if str(count) not in counts:
            counts[str(count)] = int(_make("exact", str(count)))
            world.answers.write_text(json.dumps(counts), encoding="utf-8")
    return {key: int(value) for key, value in counts.items()}


def _make(*words: str) -> str:
    print(f"made data: {' '.join(words)}", file=sys.stderr, flush=True)
    command = [sys.executable, str(HERE / "bench_pair_world.py"), *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def benchmark(
    world: World, rows: Sequence[str], *, repeats: int, quick: bool, only: Sequence[str]
) -> dict[str, Any]:
    """Run the jobs of some rows and return everything that was measured, ready for JSON."""
    exact = make_world(world, rows)
    jobs = [job for job in jobs_of(world, rows) if not only or job.name.split("-", 2)[2] in only]
    runs, absent = interleaved(jobs, repeats)
    streamed = [measure_stream(world, count) for count in world.streamed] if STREAM in rows else []
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "quick": quick,
        "repeats": repeats,
        "rows": list(rows),
        "counts": list(world.counts),
        "tiles": world.tile_count(),
        "machine": machine(PACKAGES),
        "exact": exact,
        "absent": absent,
        "runs": {name: [asdict(run) for run in found] for name, found in runs.items()},
        "streamed": streamed,
    }


def wrong_counts(measured: dict[str, Any]) -> list[str]:
    """Return what gair counted otherwise than the exact answer, in words."""
    words = []
    for name, found in measured["runs"].items():
        _, points, join = name.split("-", 2)
        if join.startswith("gair"):
            wanted = measured["exact"][points]
            words += [f"{name}: {run['count']} pairs, not {wanted}" for run in found
                      if run["count"] != wanted]  # fmt: skip
    for line in measured["streamed"]:
        wanted = measured["exact"][str(line["points"])]
        if line["pairs"] != wanted:
            words.append(f"{line['points']} streamed: {line['pairs']} pairs, not {wanted}")
    return words


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("build/bench-pair"), help="for the data")
    parser.add_argument("--rows", default=",".join(ROWS), help=f"some of {','.join(ROWS)}")
    parser.add_argument("--only", default="", help="some jobs, as gair,duckdb")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--quick", action="store_true", help="few points, once")
    parser.add_argument("--json", type=Path, help="file to store results in, or read with --docs")
    parser.add_argument("--docs", action="store_true", help="rewrite docs/benchmarks.md, no run")
    given = parser.parse_args()
    unknown = set(given.rows.split(",")) - set(ROWS)
    if unknown:
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    if given.docs and given.json is None:
        parser.error(f"--docs needs --json {RESULTS}")
    given.repeats = given.repeats or (1 if given.quick else REPEATS)
    return given


def write_docs(measured: dict[str, Any]) -> None:
    """Rewrite the page.

    Raises:
        ValueError: If the results are of `--quick`.
    """
    if measured["quick"]:
        raise ValueError("results of --quick do not belong into the documentation")
    page = MARKS.rewritten(PAGE.read_text("utf-8"), report(measured))
    PAGE.write_text(page, encoding="utf-8")


def runs_of(measured: dict[str, Any]) -> dict[str, list[Run]]:
    """Return stored runs as they were."""
    return {name: [Run(**run) for run in found] for name, found in measured["runs"].items()}


def main() -> int:
    """Measure, print, store; or rewrite the page from what is stored."""
    given = _parsed()
    if given.docs:
        write_docs(json.loads(given.json.read_text("utf-8")))
        return 0
    world = World.quick(given.work) if given.quick else World(given.work)
    rows = [row for row in ROWS if row in given.rows.split(",")]
    only = [name for name in given.only.split(",") if name]
    measured = benchmark(world, rows, repeats=given.repeats, quick=given.quick, only=only)
    print(report(measured))
    if given.json is not None:
        given.json.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    wrong = wrong_counts(measured)
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
