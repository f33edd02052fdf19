"""The global contrastive loss: contrast with all rows of the data, by a memory of each row.

Source: SogCLR (arXiv 2202.12387) and FastCLIP (arXiv 2407.01445, algorithm 1 with one learnable
temperature, "v3"). For row i with candidates j, s_ij = a_i . b_j and temperature tau:

    g_i = mean over the other kept candidates of exp((s_ij - s_ii) / tau)
    u_i <- (1 - gamma) u_i + gamma g_i            what row i remembers of its earlier batches
    loss = mean_i tau log(eps + u_i)               over both ways; + rho tau for the temperature

whose gradient is estimated by tau / (eps + u_i) times that of g_i. So a small batch learns what a
batch of all rows would. Ours: the memory is of the run, not of a rank, and with geo-aware targets
near candidates are left out of g_i; soft weights are not used.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch

from gair_cli.losses.geo_targets import candidates_of, rows_of
from gair_cli.losses.info_nce import check_rows
from gair_cli.losses.tiled import over_rows

if TYPE_CHECKING:
    from torch import Tensor

    from gair_cli.losses.geo_targets import Targets, TargetSource

EPSILON = 1e-8
RHO = 8.5
"""Weight of the temperature in the loss; FastCLIP uses 6.5 to 11 by the size of the data."""
_LARGEST = 60.0
"""exp of more would not fit float32 when it is squared in a gradient."""


class GlobalLoss(NamedTuple):
    """A loss and what it remembers.

    Attributes:
        loss: () float32; its gradient is the estimator's.
        memory: (W, B) float32, the new u of each row, W = 2 ways or 1.
    """

    loss: Tensor
    memory: Tensor


def gamma_at(step: int, steps: int, *, end: float) -> float:
    """Return the share of the present batch in the memory: 1 at the start, a cosine to `end`."""
    share = min(1.0, step / max(1, steps))
    return end + (1 - end) * (1 + math.cos(math.pi * share)) / 2


def global_contrastive(
    a: Tensor,
    b: Tensor,
    logit_scale: Tensor,
    memory: Tensor,
    *,
    gamma: float,
    targets: TargetSource | None = None,
    symmetric: bool = True,
    tile_rows: int = 0,
) -> GlobalLoss:
    """Return the global contrastive loss of a batch.

    Args:
        a: (B, D) L2-normalised rows.
        b: (N, D) L2-normalised candidates, N >= B and N > 1; candidate i is row i's own.
        logit_scale: () float32, 1 / tau; with a gradient it is learnt.
        memory: (W, B) float32, u of each row and way; 0 for a row that was never seen.
        gamma: Share of the present batch, 0 to 1.
        targets: Exclusions; None leaves nothing out.
        symmetric: Whether candidates also look for their rows (W = 2).
        tile_rows: Rows whose scores are held at once; 0 is all.

    Returns:
        The loss and the new memory, without a gradient.

    Raises:
        ValueError: If B is 0, N < B, or there is no other candidate at all.
    """
    rows = len(a)
    check_rows(a, b)
    if len(b) < 2:  # noqa: PLR2004 - itself and another
        raise ValueError("one row alone has nothing to differ from")
    a, b = a.float(), b.float()

    def forward(first: int, last: int) -> Tensor:
        scores = logit_scale * (a[first:last] @ b.T)
        return _others(scores, rows_of(targets, first, last), first)

    def backward(first: int, last: int) -> Tensor:
        scores = logit_scale * (b[first:last] @ a.T)
        return _others(scores, candidates_of(targets, first, last), first)

    ways = (forward, backward) if symmetric and rows > 1 else (forward,)
    g = torch.stack([over_rows(way, rows, tile_rows=tile_rows) for way in ways])  # (W, B)
    before = memory[: len(ways)]
    seen = before > 0
    u = torch.where(seen, (1 - gamma) * before + gamma * g.detach(), g.detach())
    tau = 1 / logit_scale
    weight = (tau / (EPSILON + u)).detach()
    estimate = weight * g  # its gradient; its value is about tau
    value = tau * torch.log(EPSILON + u) + RHO * tau  # its gradient is that of tau alone
    surrogate = estimate - estimate.detach() + value
    return GlobalLoss(surrogate.mean(), torch.cat([u, memory[len(ways) :]]).detach())


def _others(scores: Tensor, targets: Targets | None, first: int) -> Tensor:
    """Return the mean of exp(score - own score) over the other kept candidates, (rows,)."""
    own = scores.diagonal(offset=first)[:, None]
    ratio = torch.exp((scores - own).clamp(max=_LARGEST))
    others = torch.ones_like(scores, dtype=torch.bool)
    others.diagonal(offset=first).fill_(value=False)
    if targets is not None:
        others &= targets.keep
    count = others.sum(dim=1).clamp(min=1)
    return (ratio * others).sum(dim=1) / count
