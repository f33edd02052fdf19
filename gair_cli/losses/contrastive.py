"""InfoNCE between photos, places and coordinates: INCL and SECL.

Source: GAIR (arXiv 2503.16683), equations of the implicit-neural contrastive loss (photo against
the tile read at the photo's position) and the spatially explicit one (either against the photo's
coordinate, among the batch's coordinates and a bank of further ones). The paper's weights are not
published; equal ones are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from gair_cli.errors import UsageError
from gair_cli.losses.config import LossConfig
from gair_cli.losses.geo_targets import Targets, geo_targets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from gair_cli.data.embeddings import Embeddings
    from gair_cli.losses.config import GeoTargets, Pair


@dataclass(frozen=True, slots=True)
class Bank:
    """K further coordinates as candidates: negatives that cost no photo and no tile.

    Attributes:
        location: (K, D) float32 joint embeddings, with their gradient.
        lonlat: (K, 2) float64 degrees.
    """

    location: Tensor
    lonlat: Tensor


def info_nce(
    a: Tensor,
    b: Tensor,
    logit_scale: Tensor | float,
    *,
    targets: Targets | None = None,
    symmetric: bool = True,
) -> Tensor:
    """Return InfoNCE: -log of the softmax share that each row gives to its own candidate.

    With soft targets a row's loss is the mean over its targets, by weight:
    -sum_j w_ij log p_ij / sum_j w_ij, p over the candidates that are kept.

    Args:
        a: (B, D) L2-normalised rows.
        b: (N, D) L2-normalised candidates, N >= B; candidate i is row i's own, those from B on
            are negatives (or soft targets) only.
        logit_scale: 1 / temperature.
        targets: Soft targets and exclusions (B, N); None: the own candidate alone, nothing left
            out.
        symmetric: Whether the first B candidates also look for their rows; the two directions are
            averaged.

    Returns:
        () float32, the mean over rows.

    Raises:
        ValueError: If B is 0 or N < B.
    """
    rows = len(a)
    if rows == 0 or len(b) < rows:
        raise ValueError(f"{rows} rows among {len(b)} candidates: every row needs its own")
    logits = logit_scale * (a.float() @ b.float().T)  # (B, N)
    forward = _cross_entropy(logits, targets)
    if not symmetric:
        return forward
    backward = _cross_entropy(logits[:, :rows].T, targets.reverse() if targets else None)
    return (forward + backward) / 2


def _cross_entropy(logits: Tensor, targets: Targets | None) -> Tensor:
    if targets is None:
        return (torch.logsumexp(logits, dim=1) - logits.diagonal()).mean()
    weight = targets.weight / targets.weight.sum(dim=1, keepdim=True)
    kept = logits.masked_fill(~targets.keep, -torch.inf)
    aim = (weight * logits).sum(dim=1)  # an excluded candidate weighs 0
    return (torch.logsumexp(kept, dim=1) - aim).mean()


def gair_loss(
    embeddings: Embeddings,
    config: LossConfig | None = None,
    *,
    lonlat: Tensor | None = None,
    bank: Bank | None = None,
) -> dict[str, Tensor]:
    """Return INCL and SECL of a batch.

    Args:
        embeddings: B joint embeddings a modality; a pair that lacks one is skipped.
        config: Pairs, weights and targets; None takes the defaults.
        lonlat: (B, 2) float64 degrees of the rows; needed for geo-aware targets.
        bank: Further candidates for SECL.

    Returns:
        The losses by name (`incl`, `secl_sv`, `secl_rs`, those that exist) and `total`, each ()
        float32.

    Raises:
        UsageError: If no pair of modalities is there, or geo-aware targets lack coordinates.
    """
    config = config or LossConfig()
    losses: dict[str, Tensor] = {}
    for name in config.pairs:
        a, b = _sides(embeddings, name)
        if a is None or b is None:
            continue
        own_bank = None if name == "incl" else bank
        losses[name] = info_nce(
            a,
            b if own_bank is None else torch.cat([b, own_bank.location]),
            embeddings.logit_scale,
            targets=_targets(config.geo, lonlat, own_bank),
            symmetric=config.symmetric or name == "incl",
        )
    if not losses:
        raise UsageError(
            f"no pair to compare for {', '.join(config.pairs)}",
            hint="the model and the data need two modalities in common",
        )
    return {**losses, "total": _weighted_sum(losses, config)}


def _sides(embeddings: Embeddings, name: Pair) -> tuple[Tensor | None, Tensor | None]:
    """Return the rows and the candidates of a pair."""
    if name == "incl":
        return embeddings.sv, embeddings.rs_at
    rows = embeddings.sv if name == "secl_sv" else embeddings.rs_at
    return rows, embeddings.location


def _weighted_sum(losses: Mapping[str, Tensor], config: LossConfig) -> Tensor:
    weights = {"incl": config.incl_weight}
    weighted = [weights.get(name, config.secl_weight) * loss for name, loss in losses.items()]
    return torch.stack(weighted).sum()


def _targets(geo: GeoTargets | None, lonlat: Tensor | None, bank: Bank | None) -> Targets | None:
    if geo is None:
        return None
    if lonlat is None:
        raise UsageError("geo-aware targets need the batch's coordinates")
    candidates = lonlat if bank is None else torch.cat([lonlat, bank.lonlat])
    return geo_targets(lonlat, candidates, geo)
