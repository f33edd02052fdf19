"""INCL and SECL: photos, places and coordinates compared pair by pair.

Source: GAIR (arXiv 2503.16683), equations of the implicit-neural contrastive loss (photo against
the tile read at the photo's position) and the spatially explicit one (either against the photo's
coordinate, among the batch's coordinates and a bank of further ones). The paper's weights are not
published; equal ones are ours. Each pair takes one of three forms: InfoNCE, sigmoid or global.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from gair_cli.errors import UsageError
from gair_cli.losses.config import LossConfig
from gair_cli.losses.geo_targets import Targets, TargetsByPlace
from gair_cli.losses.global_form import global_contrastive
from gair_cli.losses.info_nce import info_nce
from gair_cli.losses.sigmoid import sigmoid_loss

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from gair_cli.data.embeddings import Embeddings
    from gair_cli.losses.config import GeoTargets, Pair

__all__ = ["Bank", "GlobalMemory", "Targets", "gair_loss", "info_nce"]


@dataclass(frozen=True, slots=True)
class Bank:
    """K further coordinates as candidates: negatives that cost no photo and no tile.

    Attributes:
        location: (K, D) float32 joint embeddings, with their gradient.
        lonlat: (K, 2) float64 degrees.
    """

    location: Tensor
    lonlat: Tensor


@dataclass(slots=True)
class GlobalMemory:
    """What the global form remembers of the rows of a batch, for each pair.

    Attributes:
        of: (2, B) float32 of each pair and reading; `gair_loss` puts the new values here.
        gamma: Share of the present batch in the new values.
    """

    of: dict[str, Tensor]
    gamma: float


def gair_loss(
    embeddings: Embeddings,
    config: LossConfig | None = None,
    *,
    lonlat: Tensor | None = None,
    bank: Bank | None = None,
    bias: Mapping[Pair, Tensor] | None = None,
    memory: GlobalMemory | None = None,
) -> dict[str, Tensor]:
    """Return INCL and SECL of a batch.

    Args:
        embeddings: B joint embeddings a modality; a pair that lacks one is skipped. Where a tile is
            read twice, its pairs' losses are the mean of both readings.
        config: Pairs, weights, form and targets; None takes the defaults.
        lonlat: (B, 2) float64 degrees of the rows; needed for geo-aware targets.
        bank: Further candidates for SECL.
        bias: () float32 of each pair, for the sigmoid form; None takes the config's start.
        memory: Of the rows, for the global form; it is brought up to date. None is a first visit.

    Returns:
        The losses by name (`incl`, `secl_sv`, `secl_rs`, those that exist) and `total`, each ()
        float32.

    Raises:
        UsageError: If no pair of modalities is there, or geo-aware targets lack coordinates.
    """
    config = config or LossConfig()
    comparison = _Comparison(config, embeddings.logit_scale, lonlat, bias, memory)
    losses: dict[str, Tensor] = {}
    for name in config.pairs:
        readings = [
            comparison.of(name, key, a, b, bank=None if name == "incl" else bank)
            for key, a, b in _sides(embeddings, name)
        ]
        if readings:
            losses[name] = torch.stack(readings).mean()
    if not losses:
        raise UsageError(
            f"no pair to compare for {', '.join(config.pairs)}",
            hint="the model and the data need two modalities in common",
        )
    return {**losses, "total": _weighted_sum(losses, config)}


@dataclass(frozen=True, slots=True)
class _Comparison:
    """How two sides are compared, in the config's form."""

    config: LossConfig
    logit_scale: Tensor
    lonlat: Tensor | None
    bias: Mapping[Pair, Tensor] | None
    memory: GlobalMemory | None

    def of(self, name: Pair, key: str, a: Tensor, b: Tensor, *, bank: Bank | None) -> Tensor:
        """Return the loss of rows a (B, D) among candidates b (B, D) and the bank's."""
        config, scale = self.config, self.logit_scale
        candidates = b if bank is None else torch.cat([b, bank.location])
        targets = _targets(config.geo, self.lonlat, bank)
        symmetric, tile_rows = config.symmetric or name == "incl", config.tile_rows
        if config.form == "sigmoid":
            start = torch.tensor(config.sigmoid_bias, device=a.device)
            bias = start if self.bias is None else self.bias[name]
            return sigmoid_loss(a, candidates, scale, bias, targets=targets, tile_rows=tile_rows)
        if config.form == "infonce":
            return info_nce(
                a, candidates, scale, targets=targets, symmetric=symmetric, tile_rows=tile_rows
            )
        memory = self.memory or GlobalMemory({}, gamma=1.0)
        loss, memory.of[key] = global_contrastive(
            a,
            candidates,
            scale,
            memory.of.get(key, torch.zeros(2, len(a), device=a.device)),
            gamma=memory.gamma,
            targets=targets,
            symmetric=symmetric,
            tile_rows=tile_rows,
        )
        return loss


EXACT: Final = "_exact"
"""Behind a pair's name: the reading where the other one was displaced from."""


def _sides(embeddings: Embeddings, name: Pair) -> list[tuple[str, Tensor, Tensor]]:
    """Return what a pair compares: a key, rows and candidates; one a reading of the tile."""
    sv, location = embeddings.sv, embeddings.location
    if name == "secl_sv":
        both = [("", sv, location)]
    else:
        places = [("", embeddings.rs_at), (EXACT, embeddings.rs_exact)]
        both = [(k, sv, rs) if name == "incl" else (k, rs, location) for k, rs in places]
    return [(f"{name}{k}", a, b) for k, a, b in both if a is not None and b is not None]


def _weighted_sum(losses: Mapping[str, Tensor], config: LossConfig) -> Tensor:
    weights = {"incl": config.incl_weight}
    weighted = [weights.get(name, config.secl_weight) * loss for name, loss in losses.items()]
    return torch.stack(weighted).sum()


def _targets(
    geo: GeoTargets | None, lonlat: Tensor | None, bank: Bank | None
) -> TargetsByPlace | None:
    if geo is None:
        return None
    if lonlat is None:
        raise UsageError("geo-aware targets need the batch's coordinates")
    candidates = lonlat if bank is None else torch.cat([lonlat, bank.lonlat])
    return TargetsByPlace(lonlat, candidates, geo)
