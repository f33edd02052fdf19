"""MoCo v3 on one tower: the paper's first comparison.

Source: arXiv 2104.02057. Ours differs in one thing: the projection's and prediction's layers are
normalised row by row (LayerNorm) instead of over the batch, so that a batch gives the same numbers
however it is cut.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from gair_cli.errors import UsageError
from gair_cli.losses.mocov3 import mocov3_loss
from gair_cli.training.objectives.base import Objective, StepInfo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from gair_cli.data.batch import Batch
    from gair_cli.models.gair import GairModel
    from gair_cli.training.objectives.config import MocoConfig


class MocoV3(Objective):
    """Two views of one picture find each other.

    Args:
        model: Its tower is copied for the momentum encoder.
        config: Tower, momentum, temperature, sizes.

    Raises:
        UsageError: If the model lacks the tower.
    """

    views = 2
    compares = False

    def __init__(self, model: GairModel, config: MocoConfig) -> None:
        super().__init__()
        self.config = config
        tower = getattr(model, config.tower)
        if tower is None:
            raise UsageError(
                f"objective mocov3 trains the {config.tower} tower, for which there is no data",
                hint="set recipe.mocov3.tower",
            )
        self.projector = _mlp(model.width(config.tower), config.hidden, config.dim, layers=3)
        self.predictor = _mlp(config.dim, config.hidden, config.dim, layers=2)
        self.slow_tower = copy.deepcopy(tower).requires_grad_(requires_grad=False)
        self.slow_projector = copy.deepcopy(self.projector).requires_grad_(requires_grad=False)

    def encode(
        self, model: GairModel, views: Sequence[Batch], *, bank: Tensor | None, step: int
    ) -> dict[str, Tensor]:
        """Return queries and keys of both views, of length 1."""
        del bank, step
        features = {}
        tower = getattr(model, self.config.tower)
        for number, view in enumerate(views, start=1):
            fast = self._pooled(tower, view)
            query = self.predictor(self.projector(fast))
            features[f"q{number}"] = functional.normalize(query.float(), dim=1)
            with torch.no_grad():
                key = self.slow_projector(self._pooled(self.slow_tower, view))
                features[f"k{number}"] = functional.normalize(key.float(), dim=1)
        return features

    def loss(
        self, model: GairModel, features: Mapping[str, Tensor], info: StepInfo
    ) -> dict[str, Tensor]:
        """Return the loss of both ways."""
        del model, info
        names = ("q1", "q2", "k1", "k2")
        q1, q2, k1, k2 = (features[name] for name in names)
        found = mocov3_loss(q1, q2, k1, k2, temperature=self.config.temperature)
        return {"mocov3": found, "total": found}

    def after_update(self, model: GairModel, *, step: int, steps: int) -> None:
        """Move the momentum encoder towards the tower."""
        rise = (1 + math.cos(math.pi * min(1.0, step / max(1, steps)))) / 2
        keep = 1 - (1 - self.config.momentum) * rise
        pairs = [(self.slow_tower, getattr(model, self.config.tower)),
                 (self.slow_projector, self.projector)]  # fmt: skip
        with torch.no_grad():
            for slow, fast in pairs:
                for mine, other in zip(slow.parameters(), fast.parameters(), strict=True):
                    mine.lerp_(other, 1 - keep)
                for mine, other in zip(slow.buffers(), fast.buffers(), strict=True):
                    mine.copy_(other)

    def _pooled(self, tower: nn.Module, view: Batch) -> Tensor:
        """Return one vector (b, D) a row."""
        if self.config.tower == "sv":
            vectors: Tensor = tower(view.sv)
            return vectors
        pooled: Tensor = tower(view.rs).mean(dim=(2, 3))  # (T, D)
        return pooled if view.tile_of is None else pooled[view.tile_of]


def _mlp(width: int, hidden: int, dim: int, *, layers: int) -> nn.Sequential:
    """Return linear layers with LayerNorm and ReLU between them; LayerNorm without scale ends."""
    parts: list[nn.Module] = []
    for number in range(layers):
        last = number + 1 == layers
        parts.append(nn.Linear(width, dim if last else hidden, bias=False))
        parts.append(nn.LayerNorm(dim if last else hidden, elementwise_affine=not last))
        if not last:
            parts.append(nn.ReLU(inplace=True))
        width = hidden
    return nn.Sequential(*parts)
