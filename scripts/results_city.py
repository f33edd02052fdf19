"""Measure what the tiny model learns on a made city, one change at a time, by gair's own commands.

Tiles, pairs, shards; then a run of `gair pretrain` for each configuration and seed, and
`gair eval retrieval` of each. Writes every score to JSON and the tables to Markdown. Not part of
CI: some minutes of CPU time a run; `--jobs 2` trains two at a time, one thread each.

    python scripts/results_city.py ../shared/data --work build/city --jobs 2
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
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
THERE, BACK, LOCATED = "SV->RS", "RS->SV", "SV->place in own tile"
HERE_AT: Final = "at the photo"
SHIFTS: Final = (20, 50, 100)
WITHIN: Final = "within 50 m on a 20 m grid"


@dataclass(frozen=True, slots=True)
class Config:
    """One row of the table.

    Attributes:
        name: Of its files.
        what: What is changed, for people.
        settings: On top of preset `tiny`.
    """

    name: str
    what: str
    settings: tuple[str, ...] = ()


QUERIES: Final = (
    Config("fine", "`tiny`: query `nili-fine`, radius told"),
    Config("nili", "query `nili`", ("model.query=nili",)),
    Config("bilinear", "query `bilinear`", ("model.query=bilinear",)),
    Config("mean", "query `mean`", ("model.query=mean",)),
)
CHANGES: Final = (
    Config("drawn", "each photo read once, displaced or not",
           ("recipe.augment.exact_too=false", "recipe.augment.radii_m=[0,0,10,20,50,100]")),
    Config("exact", "no displacement in training", ("recipe.augment.radii_m=[]",)),
    Config("no-roll", "panoramas not rolled", ("recipe.augment.roll_panoramas=false",)),
    Config("no-location", "no location tower", ("model.location=none",)),
    Config("geo", "geo-aware targets: 25 m masked, soft to 100 m",
           ("recipe.loss.geo.r_mask_m=25", "recipe.loss.geo.r_soft_m=100")),
    Config("bank", "bank of 1,024 coordinates",
           ("recipe.bank.kind=sampled", "recipe.bank.size=1024")),
    Config("k4", "4 photos a tile", ("recipe.photos_per_tile=4",)),
    Config("curriculum", "half of each batch neighbours at the end",
           ("recipe.curriculum.share=0.5", "recipe.curriculum.cell_deg=0.01")),
)  # fmt: skip
PAGE: Final = """\
# Made cities: what a few CPU minutes learn (made data)

All data on this page are **made data**. Percent; means over {seeds} seeds with the mean ends of
their 95 % intervals by bootstrap of spatial blocks, in brackets behind the least and the greatest
seed. Made by `scripts/results_city.py`; every score is in `results_city.json`.

## The frozen city

`made-city`: 16,000 panoramas over 8 km at 10 m, four held-out blocks; 1,000 seeded photos of them
are scored by `gair eval retrieval`. Chance is 1 for R@10. Preset `tiny`, {steps} steps of
{batch}; each row is one change from the first. R@10 of photo to place (SV->RS), read at the photo
and beside it; a model that reads footprints is told how far.

{ablation}

### Both directions

{directions}

### Displaced queries that are not told so

{untold}

### Targets

{targets}

## A second city: perspective photos

`gair demo city --seed {demo_seed} --photos {demo_photos} --photo-size 96x72`: photos of 60 to 90
degrees instead of panoramas, so most of a place is behind the camera. The same four queries and
settings.

{second}

## Pairing probe

Held-out ridge R2 from the pixels at a photo's position to its mean colours, without any training
(the frozen city):

{probe}
"""


@dataclass(frozen=True, slots=True)
class City:
    """A city with its shards.

    Attributes:
        name: Of its files.
        folder: With `tiles`, `pairs.parquet`, `train`.
    """

    name: str
    folder: Path


def frozen_city(data: Path, work: Path) -> City:
    """Unpack, tile, pair and pack; what is there from the same inputs is kept."""
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "photos").exists():
        with tarfile.open(data / "photos.tar") as archive:
            archive.extractall(work / "unpacked", filter="data")
        (work / "unpacked" / "photos").rename(work / "photos")
    gair("tile", data / "scene.tif", "-o", work / "tiles", "--size", 96, "-q")
    gair("pair", data / "photos.csv", "--tiles", work / "tiles", "-o", work / "pairs.parquet",
         "--photos-root", work, "--split-column", "split", "-q")  # fmt: skip
    gair("pack", work / "pairs.parquet", "--tiles", work / "tiles", "-o", work / "train", "-q")
    return City("frozen", work)


def demo_city(work: Path, *, seed: int, photos: int) -> City:
    """Make a city of perspective photos, tile, pair and pack it."""
    work.mkdir(parents=True, exist_ok=True)
    city = work / "city"
    if not city.exists():
        gair("demo", city, "--seed", seed, "--photos", photos, "--photo-size", "96x72", "-q")
    gair("tile", city / "scene.tif", "-o", work / "tiles", "--size", 96, "-q")
    gair("pair", city / "photos.csv", "--tiles", work / "tiles", "-o", work / "pairs.parquet",
         "--block", "2km", "--seed", seed, "-q")  # fmt: skip
    gair("pack", work / "pairs.parquet", "--tiles", work / "tiles", "-o", work / "train", "-q")
    return City("demo", work)


def measure(city: City, config: Config, seed: int, *, threads: int) -> dict[str, Any]:
    """Train and score one model, unless that was done before.

    Returns:
        `city`, `config`, `seed`, `cpu_minutes` of training, and `scores`.
    """
    work, label = city.folder, f"{config.name}-{seed}"
    run, record = work / f"run-{label}", work / f"scores-{label}.json"
    if not record.exists():
        words = [word for text in (*config.settings, f"recipe.seed={seed}")
                 for word in ("--set", text)]  # fmt: skip
        gair("pretrain", work / "train", "-o", run, "--preset", "tiny", *words, "-j", threads,
             "-q", threads=threads)  # fmt: skip
        results = work / f"eval-{label}.json"
        gair("eval", "retrieval", work / "pairs.parquet", "--tiles", work / "tiles",
             "--model", run, "-o", results, "-q", threads=threads)  # fmt: skip
        scores = json.loads(results.read_text())["scores"]
        manifest = json.loads((work / f"run-{label}.gair.json").read_text())
        kept = {"city": city.name, "config": config.name, "seed": seed,
                "cpu_minutes": round(manifest["cpu_seconds"] / 60, 2)}  # fmt: skip
        record.write_text(json.dumps({**kept, "scores": scores}))
    found: dict[str, Any] = json.loads(record.read_text())
    return found


class Table:
    """Scores of one city's runs, looked up by configuration."""

    def __init__(self, runs: list[dict[str, Any]], city: str) -> None:
        self.runs = [run for run in runs if run["city"] == city]

    def has(self, config: str) -> bool:
        """Tell whether a configuration was run."""
        return any(run["config"] == config for run in self.runs)

    def values(
        self, config: str, metric: str = "R@10", *, task: str = THERE, method: str = HERE_AT
    ) -> list[dict[str, float]]:
        """Return a score of each seed with its interval."""
        wanted = (task, method, metric)
        return [
            score
            for run in self.runs
            if run["config"] == config
            for score in run["scores"]
            if (score["task"], score["method"], score["metric"]) == wanted
        ]

    def told(self, config: str, shift: int) -> str:
        """Return the query at a distance: told so where the model makes use of it."""
        method = f"moved {shift} m, radius told"
        return method if self.values(config, method=method) else f"moved {shift} m"

    def mean(self, config: str, metric: str = "R@10", **where: str) -> float:
        """Return the mean over the seeds."""
        return float(np.mean([score["value"] for score in self.values(config, metric, **where)]))

    def seeds(self, config: str, metric: str = "R@10", **where: str) -> list[float]:
        """Return the score of each seed."""
        return [score["value"] for score in self.values(config, metric, **where)]

    def cell(self, config: str, metric: str = "R@10", **where: str) -> str:
        """Write the mean, its interval, and the range of the seeds."""
        found = self.values(config, metric, **where)
        each = [score["value"] for score in found]
        low, high = (float(np.mean([score[end] for score in found])) for end in ("low", "high"))
        return f"{np.mean(each):.1f} [{low:.1f}, {high:.1f}] ({min(each):.1f}-{max(each):.1f})"

    def minutes(self, config: str) -> str:
        """Write the CPU minutes of training, the mean over the seeds."""
        return f"{np.mean([r['cpu_minutes'] for r in self.runs if r['config'] == config]):.1f}"


def ablation(table: Table, configs: tuple[Config, ...]) -> str:
    """Write R@10 at the photo and beside it, a line a configuration."""
    lines = [["change", "at the photo", *(f"{shift} m off" for shift in SHIFTS), "CPU minutes"]]
    for config in configs:
        if table.has(config.name):
            moved = [table.cell(config.name, method=table.told(config.name, s)) for s in SHIFTS]
            minutes = table.minutes(config.name)
            lines.append([config.what, table.cell(config.name), *moved, minutes])
    return markdown(lines)


def directions(table: Table) -> str:
    """Write both directions of each query."""
    metrics = ("R@1", "R@5", "R@10", "median rank", "rank in own tile")
    lines = [["query", "direction", *metrics, f"located {WITHIN}"]]
    for config in QUERIES:
        for task in (THERE, BACK):
            cells = [table.cell(config.name, metric, task=task) for metric in metrics]
            located = table.cell(config.name, WITHIN, task=LOCATED) if task == THERE else ""
            lines.append([config.what, task, *cells, located])
    return markdown(lines)


def untold(table: Table) -> str:
    """Write R@10 of displaced queries that do not know it, and of the tile's mean."""
    lines = [["query", HERE_AT, *(f"{shift} m off" for shift in SHIFTS), "tile mean"]]
    for config in QUERIES:
        moved = [table.cell(config.name, method=f"moved {shift} m") for shift in SHIFTS]
        mean = table.cell(config.name, method="tile mean")
        lines.append([config.what, table.cell(config.name), *moved, mean])
    return markdown(lines)


def targets(table: Table, probe: dict[str, Any]) -> str:
    """Write what is wanted beside what was reached."""
    worst = max(probe["mirrored_x"], probe["mirrored_y"], probe["swapped"])
    far = {
        shift: _lead(table, "fine", "bilinear", shift) for shift in (0, *SHIFTS)
    }  # points, and whether the seeds are apart
    checks = [
        ("nili R@10", table.mean("nili"), ">=", 30.0),
        ("nili-fine R@10", table.mean("fine"), ">=", 50.0),
        ("nili less bilinear, points", _lead(table, "nili", "bilinear", 0)[0], ">=", 0.0),
        ("nili-fine over bilinear at the photo, points", far[0][0], ">=", 15.0),
        ("the same 20 m off", far[20][0], ">=", 4.0),
        ("the same 50 m off", far[50][0], ">=", 0.0),
        ("the same 100 m off", far[100][0], ">=", 0.0),
        ("nili-fine, own tile within 50 m, percent",
         table.mean("fine", WITHIN, task=LOCATED), ">=", 15.0),
        ("pairing probe, given", probe["given"], ">=", 0.18),
        ("pairing probe, worst of mirrored and swapped", worst, "<=", probe["given"] / 3),
    ]  # fmt: skip
    lines = [["what", "reached", "wanted", ""]]
    for what, value, sign, wanted in checks:
        met = value >= wanted if sign == ">=" else value <= wanted
        lines.append([what, f"{value:.3g}", f"{sign} {wanted:.2g}", "met" if met else "missed"])
    apart = [f"{shift} m" for shift, (_, is_apart) in far.items() if is_apart]
    note = f"\nSeeds of `nili-fine` and `bilinear` do not overlap at: {', '.join(apart) or 'none'}."
    return markdown(lines) + "\n" + note


def _lead(table: Table, config: str, other: str, shift: int) -> tuple[float, bool]:
    """Return the mean lead in points, and whether all seeds of one are above all of the other."""
    both = [
        table.seeds(name, method=table.told(name, shift) if shift else HERE_AT)
        for name in (config, other)
    ]
    apart = min(both[0]) > max(both[1]) or max(both[0]) < min(both[1])
    return float(np.mean(both[0]) - np.mean(both[1])), apart


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
    parser.add_argument("--threads", type=int, default=1, help="of each run")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    parser.add_argument("--demo-seed", type=int, default=7)
    parser.add_argument("--demo-photos", type=int, default=12000)
    parser.add_argument("--only", choices=("all", "queries", "frozen", "page"), default="all")
    parser.add_argument("--output", type=Path, default=HERE.parent / "docs" / "results_city.md")
    given = parser.parse_args()
    frozen = frozen_city(given.data / "made-city", given.work / "frozen")
    configs = QUERIES if given.only == "queries" else (*QUERIES, *CHANGES)
    seeds = range(given.seeds)
    plan = [(frozen, config, seed) for seed in seeds for config in configs]
    if given.only == "all":
        demo = demo_city(given.work / "demo", seed=given.demo_seed, photos=given.demo_photos)
        plan += [(demo, config, seed) for config in QUERIES for seed in seeds]
    if given.only == "page":
        runs = [json.loads(path.read_text()) for path in sorted(given.work.glob("*/scores-*.json"))]
    else:
        with ThreadPoolExecutor(given.jobs) as pool:
            runs = list(pool.map(lambda one: measure(*one, threads=given.threads), plan))
    pairs = pl.read_parquet(frozen.folder / "pairs.parquet")
    tiles = TileSet.open(frozen.folder / "tiles")
    probe = asdict(probe_pairs(pairs, tiles, folder=frozen.folder))
    write(given, runs, probe)


def write(given: argparse.Namespace, runs: list[dict[str, Any]], probe: dict[str, Any]) -> None:
    """Write the page and the JSON beside it, and print the targets."""
    from gair_cli.training.settings import read_settings  # noqa: PLC0415 - torch

    table, second = Table(runs, "frozen"), Table(runs, "demo")
    _, recipe = read_settings("tiny", None, ())
    page = PAGE.format(
        seeds=len({run["seed"] for run in runs}),
        steps=recipe.steps,
        batch=recipe.batch_size,
        ablation=ablation(table, (*QUERIES, *CHANGES)),
        directions=directions(table),
        untold=untold(table),
        targets=targets(table, probe),
        demo_seed=given.demo_seed,
        demo_photos=given.demo_photos,
        second=ablation(second, QUERIES) if second.runs else "Not measured yet.",
        probe=probe_table(probe),
    )
    given.output.write_text(page, encoding="utf-8")
    content = {"data": "made data", "probe": probe, "runs": runs}
    given.output.with_suffix(".json").write_text(json.dumps(content) + "\n", encoding="utf-8")
    print(targets(table, probe))
    print(given.output, file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except GairError as error:
        sys.exit(f"error: {error}\nhint: {error.hint}" if error.hint else f"error: {error}")
