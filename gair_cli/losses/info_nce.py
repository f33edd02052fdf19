"""InfoNCE: each row finds its own among many candidates.

Source: GAIR (arXiv 2503.16683) compares photo, place and coordinate by it; the form goes back to
arXiv 1807.03748. Soft targets and exclusions are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gair_cli.losses.geo_targets import candidates_of, rows_of
from gair_cli.losses.tiled import mean_over_rows

if TYPE_CHECKING:
    from torch import Tensor

    from gair_cli.losses.geo_targets import Targets, TargetSource


def info_nce(
    a: Tensor,
    b: Tensor,
    logit_scale: Tensor | float,
    *,
    targets: TargetSource | None = None,
    symmetric: bool = True,
    tile_rows: int = 0,
) -> Tensor:
    """Return InfoNCE: -log of the softmax share that each row gives to its own candidate.

    With soft targets a row's loss is the mean over its targets, by weight:
    -sum_j w_ij log p_ij / sum_j w_ij, p over the candidates that are kept.

    Args:
        a: (B, D) L2-normalised rows.
        b: (N, D) L2-normalised candidates, N >= B; candidate i is row i's own, those from B on
            are negatives (or soft targets) only.
        logit_scale: 1 / temperature.
        targets: Soft targets and exclusions; None: the own candidate alone, nothing left out.
        symmetric: Whether the first B candidates also look for their rows; the two directions are
            averaged.
        tile_rows: Rows whose scores are held at once; 0 is all.

    Returns:
        () float32, the mean over rows.

    Raises:
        ValueError: If B is 0 or N < B.
    """
    rows = len(a)
    check_rows(a, b)
    a, b = a.float(), b.float()

    def forward(first: int, last: int) -> Tensor:
        logits = logit_scale * (a[first:last] @ b.T)  # (rows, N)
        return _cross_entropy(logits, rows_of(targets, first, last), first)

    def backward(first: int, last: int) -> Tensor:
        logits = logit_scale * (b[first:last] @ a.T)  # (rows, B)
        return _cross_entropy(logits, candidates_of(targets, first, last), first)

    there = mean_over_rows(forward, rows, tile_rows=tile_rows)
    if not symmetric:
        return there
    return (there + mean_over_rows(backward, rows, tile_rows=tile_rows)) / 2


def check_rows(a: Tensor, b: Tensor) -> None:
    """Refuse rows without candidates of their own.

    Raises:
        ValueError: If B is 0 or N < B.
    """
    if len(a) == 0 or len(b) < len(a):
        raise ValueError(f"{len(a)} rows among {len(b)} candidates: every row needs its own")


def _cross_entropy(logits: Tensor, targets: Targets | None, first: int) -> Tensor:
    """Return the loss (rows,) of rows whose own candidates begin at `first`."""
    if targets is None:
        return torch.logsumexp(logits, dim=1) - logits.diagonal(offset=first)
    weight = targets.weight / targets.weight.sum(dim=1, keepdim=True)
    kept = logits.masked_fill(~targets.keep, -torch.inf)
    aim = (weight * logits).sum(dim=1)  # an excluded candidate weighs 0
    return torch.logsumexp(kept, dim=1) - aim
