"""One step's loss and gradient of a small model, in any number of parts and processes.

python -m step_gradients OUTPUT CHUNKS GRAD_CACHE TILE_ROWS FORM PARALLEL
"""

from __future__ import annotations

import json
import sys

import torch

from gair_cli.data.batch import Batch
from gair_cli.losses.config import GeoTargets, LossConfig
from gair_cli.models.config import ModelConfig
from gair_cli.models.gair import new_model
from gair_cli.training.gradients import Cut, Gradients, Part, shard_towers
from gair_cli.training.objectives.base import StepInfo
from gair_cli.training.objectives.contrastive import Contrastive
from gair_cli.training.optim import whole
from gair_cli.training.processes import joined_processes

ROWS, BANK = 13, 7
CONFIG = {
    "dim": 16,
    "rs": {"patch": 4, "width": 24, "depth": 1, "heads": 2,
           "input": {"size": 16, "bands": ["B2", "B8"], "mean": [0.0, 0.0], "std": [1.0, 1.0]}},
    "sv": {"name": "test_vit", "input": {"height": 160, "width": 160}},
    "location": {"sigmas": [16], "frequencies": 16, "hidden": 32, "depth": 1, "width": 24},
    "query": "nili-fine",
}  # fmt: skip


def numbers(*shape, seed, dtype=torch.float32):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def batch(first, last):
    lonlat = 13 + 0.002 * numbers(ROWS, 2, seed=1, dtype=torch.float64)
    return Batch(
        lonlat=lonlat[first:last],
        sample_ids=[str(row) for row in range(first, last)],
        rs=(4 * numbers(ROWS, 2, 16, 16, seed=2) - 2)[first:last],
        sv=(4 * numbers(ROWS, 3, 160, 160, seed=3) - 2)[first:last],
        xy=(2 * numbers(ROWS, 2, seed=4) - 1)[first:last],
        radius_m=20 * numbers(ROWS, seed=5)[first:last],
        tile_of=torch.arange(last - first),
        size_m=torch.full((last - first, 2), 160.0),
    )


def compute(processes, *, chunks, grad_cache=False, tile_rows=0, form="infonce", parallel="ddp"):
    """Return losses and the gradient of every parameter, by name."""
    torch.use_deterministic_algorithms(True)
    model = new_model(ModelConfig.from_dict(CONFIG), seed=0).train()
    loss = LossConfig(geo=GeoTargets(25, 100, 25), tile_rows=tile_rows, form=form)
    objective = Contrastive(loss, n_rows=ROWS)
    sharded = parallel == "fsdp" and processes.count > 1
    if sharded:
        shard_towers(model)
    gradients = Gradients(model, objective, processes, grad_cache=grad_cache, sharded=sharded)
    cut = Cut.of(ROWS, BANK, chunks=chunks, processes=processes.count)
    bank = 13 + 0.002 * numbers(BANK, 2, seed=6, dtype=torch.float64)
    info = StepInfo(0, 10, torch.arange(ROWS), batch(0, ROWS).lonlat, bank)
    parts = [
        lambda n=n: Part((batch(*cut.span(n)),), bank[slice(*cut.span(n, bank=True))])
        for n in cut.own(processes.rank, processes.count)
    ]
    losses = gradients.compute(parts, cut, info)
    named = [*model.named_parameters(), *objective.named_parameters(prefix="objective")]
    found = {name: whole(one.grad) for name, one in named if one.grad is not None}
    return {**{f"loss {name}": value for name, value in losses.items()}, **found}


if __name__ == "__main__":
    output, cases = sys.argv[1], json.loads(sys.argv[2])
    torch.set_num_threads(1)
    with joined_processes("cpu", timeout_s=60) as joined:
        found = {name: compute(joined, **how) for name, how in cases.items()}
        torch.save(found, f"{output}.{joined.rank}")
