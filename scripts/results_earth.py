"""Measure what a location encoder learns from the Blue Marble, on the frozen Earth benchmark.

Trains the location encoder of the released size three times by gair's own commands, at most eight
CPU minutes each, and scores it beside itself untrained, the baselines, GeoCLIP and `earth-tiny`.
Then each kind of location encoder and each lever, in shorter runs. Writes every score to JSON and
tables to Markdown. Not part of CI: it takes some hours; `--jobs 2` trains two at a time.

    python scripts/results_earth.py ../shared/data --work build/earth --jobs 2
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from earth_pipeline import make_shards, pretrain

from gair_cli.errors import GairError
from gair_cli.evaluation.datasets import earth
from gair_cli.evaluation.report import markdown
from gair_cli.evaluation.sources import model_features
from gair_cli.models.gair import new_model
from gair_cli.models.weights import load_model, model_hash, resolve_model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gair_cli.evaluation.points import TargetResult
    from gair_cli.models.gair import GairModel

HERE: Final = Path(__file__).resolve().parent
CONFIG: Final = HERE / "earth.toml"
TRAINED, UNTRAINED, TINY = "trained", "untrained", "earth-tiny"
BASELINES: Final = ("constant", "lonlat", "xyz", "idw", "harmonics_L10", "harmonics_L20")
RIVALS: Final = ("idw", "geoclip", "harmonics_L20", "harmonics_L10")
TARGETS: Final = {
    "koppen": (0.58, 0.06),
    "precipitation": (0.46, 0.10),
    "elevation": (0.20, 0.08),
    "landsea": (None, 0.02),
}
"""Block-fold score wanted, and its lead over the untrained encoder."""

SHORT: Final = 250
"""Steps of the runs that compare encoders and levers."""
PLAIN: Final = ("recipe.loss.geo=none",)
VARIANTS: Final = {
    "plain": ("plain InfoNCE, `rff` (the released encoder)", PLAIN),
    "soft": ("soft targets of 300 km, `rff`", ()),
    "transformer": ("soft targets, `rff-transformer`", ("model.location.kind=rff-transformer",)),
    "siren": ("soft targets, `sh-siren`", ("model.location.kind=sh-siren",)),
    "sphere2vec": ("soft targets, `sphere2vec`", ("model.location.kind=sphere2vec",)),
    "grid": ("soft targets, `grid`", ("model.location.kind=grid",)),
    "xyz": ("soft targets, `xyz`", ("model.location.kind=xyz",)),
    "bank": ("soft targets, bank of 1,024", ("recipe.bank.kind=sampled", "recipe.bank.size=1024")),
    "curriculum": ("soft targets, half of each batch neighbours at the end",
                   ("recipe.curriculum.share=0.5", "recipe.curriculum.cell_deg=5")),
    "sigmoid": ("soft targets, sigmoid loss", ("recipe.loss.form=sigmoid",)),
}  # fmt: skip
"""Rows of the comparison: what is told, and settings on top of `earth.toml`."""

Record = dict[str, Any]


def encoder(model: GairModel) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that probes see: places to `encoder` space."""
    return lambda lonlat: model_features(model, lonlat)


def rows_of(
    results: dict[str, TargetResult], *, seed: int | None, models: dict[str, str]
) -> list[Record]:
    """Flatten results into one record a score or difference."""
    rows = []
    for result in results.values():
        for score in (*result.scores, *result.differences):
            name = score.method
            rows.append({**score.to_json(), "seed": seed, "model": models.get(name)})
    return rows


def score_seed(benchmark: earth.EarthBenchmark, run: Path, seed: int) -> list[Record]:
    """Score a trained encoder and the very same one before its first step."""
    reference = resolve_model(run)
    model = load_model(reference)
    before = new_model(model.config, seed=seed).eval()
    encoders = {TRAINED: encoder(model), UNTRAINED: encoder(before)}
    results = earth.score_encoders(benchmark, encoders, with_baselines=False)
    return rows_of(results, seed=seed, models={TRAINED: model_hash(reference.path)})


def score_rest(benchmark: earth.EarthBenchmark) -> list[Record]:
    """Score the packaged model and the baselines."""
    reference = resolve_model(TINY)
    results = earth.score_encoders(benchmark, {TINY: encoder(load_model(reference))})
    return rows_of(results, seed=None, models={TINY: model_hash(reference.path)})


def published(path: Path, method: str) -> list[Record]:
    """Read one method's rows of the benchmark's own table; they are not measured here."""
    with path.open(encoding="utf-8") as file:
        return [
            {
                "dataset": "earth-benchmark",
                "task": row["task"],
                "method": method,
                "split": row["folds"],
                "metric": row["metric"],
                "value": float(row["pooled"]),
                "low": float(row["low"]),
                "high": float(row["high"]),
                "seed": None,
                "source": path.name,
            }
            for row in csv.DictReader(file)
            if row["method"] == method
        ]


def values(rows: Sequence[Record], method: str, task: str, split: str) -> list[float]:
    """Return the scores of a method, one a seed."""
    wanted = (method, task, split)
    return [row["value"] for row in rows if (row["method"], row["task"], row["split"]) == wanted]


def cell(rows: Sequence[Record], method: str, task: str, split: str) -> str:
    """Write a score: with its interval, or the mean of the seeds with their range."""
    wanted = (method, task, split)
    found = [row for row in rows if (row["method"], row["task"], row["split"]) == wanted]
    if not found:
        return ""
    mean = float(np.mean([row["value"] for row in found]))
    low = float(np.mean([row["low"] for row in found]))
    high = float(np.mean([row["high"] for row in found]))
    return f"{mean:.3f} [{low:.2f}, {high:.2f}]"


def table(rows: Sequence[Record], split: str, methods: Sequence[str]) -> str:
    """Write one table: a line a method, a column a task, and the mean of the first five."""
    header = ["method", *earth.TASKS, "mean of the first five"]
    lines = []
    for method in methods:
        means = [np.mean(values(rows, method, task, split)) for task in earth.MEAN_TASKS]
        cells = [cell(rows, method, task, split) for task in earth.TASKS]
        lines.append([method, *cells, f"{float(np.mean(means)):.3f}"])
    return markdown([header, *lines])


def verdicts(rows: Sequence[Record]) -> str:
    """Write targets beside what was reached, under block folds."""
    lines = [["task", "trained", "wanted", "over untrained [95 %]", "wanted"]]
    for task, (level, lead) in TARGETS.items():
        name = f"{TRAINED} - {UNTRAINED}"
        reached = float(np.mean(values(rows, TRAINED, task, "block")))
        wanted = "" if level is None else f"{level:.2f}"
        lines.append(
            [task, f"{reached:.3f}", wanted, cell(rows, name, task, "block"), f"{lead:.2f}"]
        )
    return markdown(lines)


def behind(rows: Sequence[Record]) -> str:
    """Say where the trained encoder is behind, by the means over the seeds."""
    lines = []
    for split in earth.FOLDS:
        for rival in RIVALS:
            lost = [task for task in earth.TASKS if _lead(rows, rival, task, split) < 0]
            where = ", ".join(lost) if lost else "none of the tasks"
            lines.append(f"- {split} folds, behind {rival} on: {where}")
    return "\n".join(lines)


def _lead(rows: Sequence[Record], rival: str, task: str, split: str) -> float:
    own, other = (np.mean(values(rows, name, task, split)) for name in (TRAINED, rival))
    return float(own - other)


def measure_best(benchmark: earth.EarthBenchmark, train: Path, work: Path, seed: int) -> Record:
    """Train and score one seed of the whole recipe, unless that was done before."""
    run, cache = work / f"run-{seed}", work / f"scores-{seed}.json"
    if not cache.exists():
        seconds = pretrain(train, run, config=CONFIG, settings={"recipe.seed": seed})
        found = score_seed(benchmark, run, seed)
        cache.write_text(json.dumps({"seconds": seconds, "scores": found}))
    kept: Record = json.loads(cache.read_text())
    return kept


def measure_variant(
    benchmark: earth.EarthBenchmark, train: Path, work: Path, name: str, seed: int
) -> Record:
    """Train and score one variant, unless that was done before."""
    run, cache = work / f"variant-{name}-{seed}", work / f"variant-{name}-{seed}.json"
    if not cache.exists():
        settings: dict[str, object] = {"recipe.seed": seed, "recipe.steps": SHORT,
                                       "recipe.checkpoint_steps": SHORT}  # fmt: skip
        settings |= dict(text.split("=", 1) for text in VARIANTS[name][1])
        seconds = pretrain(train, run, config=CONFIG, settings=settings)
        found = score_seed(benchmark, run, seed)
        cache.write_text(json.dumps({"variant": name, "seconds": seconds, "scores": found}))
    kept: Record = json.loads(cache.read_text())
    return kept


def means(scores: Sequence[Record], method: str, split: str) -> list[float]:
    """Return the mean of the first five tasks of each seed."""
    by_task = [values(scores, method, task, split) for task in earth.MEAN_TASKS]
    return [float(np.mean(of_seed)) for of_seed in zip(*by_task, strict=True)]


def comparison(variants: Sequence[Record], split: str) -> str:
    """Write a line a variant: tasks, the mean of five by seed, and the same before training."""
    lines = [["variant", *earth.MEAN_TASKS, "mean of five", "untrained", "CPU minutes"]]
    for name, (what, _) in VARIANTS.items():
        found = [one for one in variants if one["variant"] == name]
        if not found:
            continue
        scores = [score for one in found for score in one["scores"]]
        cells = [
            f"{np.mean(values(scores, TRAINED, task, split)):.3f}" for task in earth.MEAN_TASKS
        ]
        after, before = (means(scores, method, split) for method in (TRAINED, UNTRAINED))
        minutes = np.mean([one["seconds"] for one in found]) / 60
        lines.append(
            [what, *cells, f"{np.mean(after):.3f} ({min(after):.3f}-{max(after):.3f})",
             f"{np.mean(before):.3f}", f"{minutes:.1f}"]
        )  # fmt: skip
    return markdown(lines)


def verdict_of_mean(rows: Sequence[Record], variants: Sequence[Record]) -> str:
    """Say what the best recipe reaches on the mean of five under block folds."""
    best = means(rows, TRAINED, "block")
    plain = [score for one in variants if one["variant"] == "plain" for score in one["scores"]]
    lines = [["mean of five, block folds", "value"]]
    lines.append([f"soft targets, {len(best)} seeds of 600 steps",
                  f"{np.mean(best):.3f} ({min(best):.3f}-{max(best):.3f})"])  # fmt: skip
    if plain:
        other = means(plain, TRAINED, "block")
        lines.append([f"plain InfoNCE, {len(other)} seeds of {SHORT} steps",
                      f"{np.mean(other):.3f} ({min(other):.3f}-{max(other):.3f})"])  # fmt: skip
    lines += [[name, f"{means(rows, name, 'block')[0]:.3f}"] for name in ("idw", "geoclip")]
    return markdown(lines)


def report(
    rows: Sequence[Record], variants: Sequence[Record], *, minutes: Sequence[float], seeds: int
) -> str:
    """Write the Markdown page."""
    methods = [TRAINED, UNTRAINED, TINY, *BASELINES, "geoclip"]
    cpu = ", ".join(f"{value:.1f}" for value in minutes)
    return f"""\
# Real Earth: what a location encoder learns from one picture

RS + location on NASA's Blue Marble (no label of the benchmark is used), then frozen: the Earth
benchmark's protocol, ridge probes on the `encoder` space. `trained` is the location encoder of the
released size (sigma 1, 16, 256; 3 x 1024; 768 out), {seeds} seeds, {cpu} CPU minutes of training;
`untrained` is the very same encoder before its first step. Scores are means over the seeds, with
the mean ends of their 95 % intervals by bootstrap of 10-degree cells. `geoclip` is not measured
here but copied from the benchmark's `baselines.csv`. Made by `scripts/results_earth.py`; every
score of every seed is in `results_earth.json`.

## Block folds

{table(rows, "block", methods)}

## Targets

{verdicts(rows)}

{verdict_of_mean(rows, variants)}

## Encoders and levers

{SHORT} steps each, {len({one["scores"][0]["seed"] for one in variants})} seeds, one change at a
time; means over the seeds, and the least and the greatest seed of the mean of five. All towers
have the released size; `untrained` is the same encoder before its first step.

Block folds:

{comparison(variants, "block")}

Random folds:

{comparison(variants, "random")}

## What is behind

{behind(rows)}

IDW and the harmonics see coordinates, which no probe of an embedding does: where the encoder is
below them, interpolating the labels is the better choice.

## Random folds (they flatter every encoder)

{table(rows, "random", methods)}
"""


def best_runs(
    given: argparse.Namespace, benchmark: earth.EarthBenchmark, train: Path, folder: Path
) -> tuple[list[Record], list[float]]:
    """Return all scores of the whole recipe, the packaged model and the baselines, and minutes."""
    stored = given.output.with_suffix(".json")
    if given.keep_best and stored.exists():
        content = json.loads(stored.read_text("utf-8"))
        return content["scores"], content["cpu_minutes"]
    with ThreadPoolExecutor(given.jobs) as pool:
        seeds = range(given.seeds)
        kept = list(pool.map(lambda one: measure_best(benchmark, train, given.work, one), seeds))
    rows = [score for one in kept for score in one["scores"]]
    rows += score_rest(benchmark) + published(folder / "baselines.csv", "geoclip")
    return rows, [one["seconds"] / 60 for one in kept]


def main() -> None:
    """Train, score, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with earth-benchmark/ and global/")
    parser.add_argument("--work", type=Path, default=Path("build/earth"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="short runs at the same time")
    parser.add_argument("--keep-best", action="store_true", help="long runs as they are stored")
    parser.add_argument("--variants", default=",".join(VARIANTS), help="which, by name")
    parser.add_argument("--output", type=Path, default=HERE.parent / "docs" / "results_earth.md")
    given = parser.parse_args()
    train = make_shards(given.work, given.data / "global" / "blue_marble.jpg")
    folder = given.data / "earth-benchmark"
    benchmark = earth.read_benchmark(folder / "points.csv.gz")
    rows, minutes = best_runs(given, benchmark, train, folder)
    plan = [(name, seed) for seed in range(given.seeds) for name in given.variants.split(",")]
    with ThreadPoolExecutor(given.jobs) as pool:
        variants = list(
            pool.map(lambda one: measure_variant(benchmark, train, given.work, *one), plan)
        )
    page = report(rows, variants, minutes=minutes, seeds=given.seeds)
    given.output.write_text(page, encoding="utf-8")
    record = {"cpu_minutes": [round(value, 2) for value in minutes], "scores": rows,
              "variants": variants}  # fmt: skip
    given.output.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    print(verdicts(rows))
    print(given.output, file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except GairError as error:
        sys.exit(f"error: {error}\nhint: {error.hint}" if error.hint else f"error: {error}")
