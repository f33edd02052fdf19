"""Measure what the tiny model learns on the frozen made city, by gair's own commands.

Tiles, pairs, shards; then a run of `gair pretrain --preset tiny` for each query (nili, bilinear,
mean) and seed, and `gair eval retrieval` of each. Writes every score to JSON and the tables to
Markdown. Not part of CI: nine runs of a few CPU minutes each.

    python scripts/results_city.py ../shared/data --work build/city
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tarfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from earth_pipeline import gair

from gair_cli.errors import GairError
from gair_cli.evaluation.report import markdown
from gair_cli.geo.probe import probe_pairs
from gair_cli.geo.tileset import TileSet

HERE: Final = Path(__file__).resolve().parent
QUERIES: Final = ("nili", "bilinear", "mean")
THERE, BACK, LOCATED = "SV->RS", "RS->SV", "SV->place in own tile"
HERE_AT: Final = "at the photo"
SHIFTS: Final = ("moved 20 m", "moved 50 m", "moved 100 m")
WITHIN: Final = "within 50 m on a 20 m grid"
PAGE: Final = """\
# The frozen city: what a few CPU minutes learn (made data)

The scene, photos and positions are **made data**: `made-city`, 16,000 panoramas over 8 km at 10 m,
four held-out blocks. Preset `tiny`, {seeds} seeds a query, {cpu} CPU minutes of training a run
({threads} thread). Scored on 1,000 seeded photos of the test blocks by `gair eval retrieval`:
percent, means over the seeds with the mean ends of their 95 % intervals by bootstrap of spatial
blocks; in brackets behind, the least and the greatest seed. Chance is 1 for R@10 and 500.5 for the
median rank. Made by `scripts/results_city.py`; every score is in `results_city.json`.

## Queries

{queries}

## A query that is displaced

R@10 of photo to place (SV->RS) when the satellite is read beside the photo, and what that costs.

{shifts}

## Targets

{targets}

## Pairing probe

Held-out ridge R2 from the pixels at a photo's position to its mean colours, without any training:

{probe}
"""


def prepare(data: Path, work: Path) -> Path:
    """Unpack, tile, pair and pack; what is there from the same inputs is kept.

    Args:
        data: The folder `made-city`.
        work: Where the files go.

    Returns:
        The folder of training shards.
    """
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "photos").exists():
        with tarfile.open(data / "photos.tar") as archive:
            archive.extractall(work / "unpacked", filter="data")
        (work / "unpacked" / "photos").rename(work / "photos")
    gair("tile", data / "scene.tif", "-o", work / "tiles", "--size", 96, "-q")
    gair("pair", data / "photos.csv", "--tiles", work / "tiles", "-o", work / "pairs.parquet",
         "--photos-root", work, "--split-column", "split", "-q")  # fmt: skip
    gair("pack", work / "pairs.parquet", "--tiles", work / "tiles", "-o", work / "train", "-q")
    return work / "train"


def measure(work: Path, query: str, seed: int, *, threads: int) -> dict[str, Any]:
    """Train and score one model, unless that was done before.

    Returns:
        `query`, `seed`, `cpu_minutes` of training, and `scores`.
    """
    run = work / f"run-{query}-{seed}"
    record = work / f"scores-{query}-{seed}.json"
    if not record.exists():
        words = ("--set", f"model.query={query}", "--set", f"recipe.seed={seed}", "-j", threads)
        seconds = gair("pretrain", work / "train", "-o", run, "--preset", "tiny", *words, "-q",
                       threads=threads)  # fmt: skip
        results = work / f"eval-{query}-{seed}.json"
        gair("eval", "retrieval", work / "pairs.parquet", "--tiles", work / "tiles",
             "--model", run, "-o", results, "-q", threads=threads)  # fmt: skip
        scores = json.loads(results.read_text())["scores"]
        kept = {"query": query, "seed": seed, "cpu_minutes": round(seconds / 60, 2)}
        record.write_text(json.dumps({**kept, "scores": scores}))
    found: dict[str, Any] = json.loads(record.read_text())
    return found


class Table:
    """Scores of all runs, looked up by query."""

    def __init__(self, runs: list[dict[str, Any]]) -> None:
        self.runs = runs

    def values(
        self, query: str, metric: str, *, task: str = THERE, method: str = HERE_AT
    ) -> list[dict[str, float]]:
        """Return a score of each seed with its interval."""
        wanted = (task, method, metric)
        return [
            score
            for run in self.runs
            if run["query"] == query
            for score in run["scores"]
            if (score["task"], score["method"], score["metric"]) == wanted
        ]

    def mean(self, query: str, metric: str, **where: str) -> float:
        """Return the mean over the seeds."""
        return float(np.mean([score["value"] for score in self.values(query, metric, **where)]))

    def cell(self, query: str, metric: str, **where: str) -> str:
        """Write the mean, its interval, and the range of the seeds."""
        found = self.values(query, metric, **where)
        each = [score["value"] for score in found]
        low, high = (float(np.mean([score[end] for score in found])) for end in ("low", "high"))
        return f"{np.mean(each):.1f} [{low:.1f}, {high:.1f}] ({min(each):.1f}-{max(each):.1f})"


def queries_table(table: Table) -> str:
    """Write one line a query and direction."""
    metrics = ("R@1", "R@5", "R@10", "median rank", "rank in own tile")
    lines = [["query", "direction", *metrics, f"located {WITHIN}"]]
    for query in QUERIES:
        for task in (THERE, BACK):
            cells = [table.cell(query, metric, task=task) for metric in metrics]
            located = table.cell(query, WITHIN, task=LOCATED) if task == THERE else ""
            lines.append([query, task, *cells, located])
    return markdown(lines)


def cost(table: Table, query: str, method: str) -> float:
    """Return how much of R@10 (SV->RS) a displaced query loses, percent."""
    return 100 * (1 - table.mean(query, "R@10", method=method) / table.mean(query, "R@10"))


def shifts_table(table: Table) -> str:
    """Write R@10 at displaced positions and its loss."""
    lines = [["query", HERE_AT, *SHIFTS, "tile mean"]]
    for query in QUERIES[:2]:
        moved = [
            f"{table.cell(query, 'R@10', method=shift)}, costs {cost(table, query, shift):.0f} %"
            for shift in SHIFTS
        ]
        mean = table.cell(query, "R@10", method="tile mean")
        lines.append([query, table.cell(query, "R@10"), *moved, mean])
    return markdown(lines)


def targets_table(table: Table, probe: dict[str, Any]) -> str:
    """Write what is wanted beside what was reached."""
    r10 = {(query, task): table.mean(query, "R@10", task=task) for query in QUERIES
           for task in (THERE, BACK)}  # fmt: skip
    worst = max(probe["mirrored_x"], probe["mirrored_y"], probe["swapped"])
    ahead = [r10["nili", task] - r10["mean", task] for task in (THERE, BACK)]
    behind = [r10["bilinear", task] - r10["nili", task] for task in (THERE, BACK)]
    checks = [
        ("nili R@10, SV->RS", r10["nili", THERE], ">=", 18.0),
        ("nili R@10, RS->SV", r10["nili", BACK], ">=", 18.0),
        ("points over the model with the tile-mean query (lesser direction)", min(ahead), ">=", 10),
        ("points behind bilinear (worse direction)", max(behind), "<=", 6.0),
        ("cost of 50 m, percent", cost(table, "nili", "moved 50 m"), ">=", 30.0),
        ("cost of 100 m, percent", cost(table, "nili", "moved 100 m"), ">=", 55.0),
        ("pairing probe, given", probe["given"], ">=", 0.18),
        ("pairing probe, worst of mirrored and swapped", worst, "<=", probe["given"] / 3),
    ]
    lines = [["what", "reached", "wanted", ""]]
    for what, value, sign, wanted in checks:
        met = value >= wanted if sign == ">=" else value <= wanted
        lines.append([what, f"{value:.3g}", f"{sign} {wanted:.2g}", "met" if met else "missed"])
    return markdown(lines)


def probe_table(probe: dict[str, Any]) -> str:
    """Write the probe's scores."""
    names = ("given", "mirrored_x", "mirrored_y", "swapped", "shifted")
    return markdown([[*names, "photos"], [f"{probe[name]:.3f}" for name in names]
                     + [str(probe["photos"])]])  # fmt: skip


def main() -> None:
    """Prepare, train, score, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("GAIR_TEST_DATA", HERE.parent.parent / "shared" / "data")
    parser.add_argument("data", type=Path, nargs="?", default=Path(default), help="test data")
    parser.add_argument("--work", type=Path, default=Path("build/city"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=HERE.parent / "docs" / "results_city.md")
    given = parser.parse_args()
    prepare(given.data / "made-city", given.work)
    runs = [
        measure(given.work, query, seed, threads=given.threads)
        for seed in range(given.seeds)
        for query in QUERIES
    ]
    pairs = pl.read_parquet(given.work / "pairs.parquet")
    tiles = TileSet.open(given.work / "tiles")
    probe = asdict(probe_pairs(pairs, tiles, folder=given.work))
    write(given.output, runs, probe, seeds=given.seeds, threads=given.threads)


def write(
    output: Path, runs: list[dict[str, Any]], probe: dict[str, Any], *, seeds: int, threads: int
) -> None:
    """Write the page and the JSON beside it, and print the targets."""
    table = Table(runs)
    minutes = [run["cpu_minutes"] for run in runs]
    page = PAGE.format(
        seeds=seeds,
        cpu=f"{min(minutes):.1f} to {max(minutes):.1f}",
        threads=threads,
        queries=queries_table(table),
        shifts=shifts_table(table),
        targets=targets_table(table, probe),
        probe=probe_table(probe),
    )
    output.write_text(page, encoding="utf-8")
    content = {"data": "made data: made-city", "probe": probe, "runs": runs}
    output.with_suffix(".json").write_text(json.dumps(content) + "\n", encoding="utf-8")
    print(targets_table(table, probe))
    print(output, file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except GairError as error:
        sys.exit(f"error: {error}\nhint: {error.hint}" if error.hint else f"error: {error}")
