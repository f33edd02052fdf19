"""The sigmoid loss: every pair of row and candidate is judged on its own, without a softmax.

Source: SigLIP (arXiv 2303.15343), equation 1 and algorithm 1. With t = `logit_scale`, b = `bias`,
z_ij = 1 for a row's own candidate and -1 for all others:

    L = -1/B sum_i sum_j log sigmoid(z_ij (t a_i . b_j + b))

Ours besides: excluded candidates are left out, and one with a soft weight w counts w as its own
and 1 - w as another's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from gair_cli.losses.info_nce import check_rows
from gair_cli.losses.tiled import mean_over_rows

if TYPE_CHECKING:
    from torch import Tensor

    from gair_cli.losses.geo_targets import TargetSource


def sigmoid_loss(
    a: Tensor,
    b: Tensor,
    logit_scale: Tensor | float,
    bias: Tensor | float,
    *,
    targets: TargetSource | None = None,
    tile_rows: int = 0,
) -> Tensor:
    """Return the sigmoid loss.

    Args:
        a: (B, D) L2-normalised rows.
        b: (N, D) L2-normalised candidates, N >= B; candidate i is row i's own.
        logit_scale: t, 1 / temperature.
        bias: b; near -log N at the start, so that the many negatives do not drown the rest.
        targets: Soft targets and exclusions, or None.
        tile_rows: Rows whose scores are held at once; 0 is all.

    Returns:
        () float32, the sum over candidates, the mean over rows.

    Raises:
        ValueError: If B is 0 or N < B.
    """
    check_rows(a, b)
    a, b = a.float(), b.float()

    def row_losses(first: int, last: int) -> Tensor:
        logits = logit_scale * (a[first:last] @ b.T) + bias  # (rows, N)
        if targets is None:
            own = torch.zeros_like(logits)
            own.diagonal(offset=first).fill_(1.0)
            return functional.binary_cross_entropy_with_logits(logits, own, reduction="none").sum(
                dim=1
            )
        weight, keep = targets.of_rows(first, last)
        each = functional.binary_cross_entropy_with_logits(logits, weight, reduction="none")
        return each.masked_fill(~keep, 0.0).sum(dim=1)

    return mean_over_rows(row_losses, len(a), tile_rows=tile_rows)
