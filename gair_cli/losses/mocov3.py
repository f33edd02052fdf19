"""MoCo v3: two views of one picture find each other, one of them through a momentum encoder.

Source: arXiv 2104.02057, algorithm 1. With queries q1, q2 of two views and keys k1, k2 of the
same views from the momentum encoder, all of length 1:

    ctr(q, k) = 2 tau mean_i -log softmax_j(q_i . k_j / tau)[i];   L = ctr(q1, k2) + ctr(q2, k1)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gair_cli.losses.info_nce import info_nce

if TYPE_CHECKING:
    from torch import Tensor


def mocov3_loss(
    q1: Tensor, q2: Tensor, k1: Tensor, k2: Tensor, *, temperature: float, tile_rows: int = 0
) -> Tensor:
    """Return the loss of two views.

    Args:
        q1: (B, D) L2-normalised queries of the first view.
        q2: (B, D) of the second view.
        k1: (B, D) L2-normalised keys of the first view; no gradient goes through them.
        k2: (B, D) of the second view.
        temperature: tau.
        tile_rows: Rows whose scores are held at once; 0 is all.

    Returns:
        () float32.

    Raises:
        ValueError: If B is 0.
    """
    scale = 1 / temperature
    ways = [
        info_nce(q, k.detach(), scale, symmetric=False, tile_rows=tile_rows)
        for q, k in ((q1, k2), (q2, k1))
    ]
    return 2 * temperature * (ways[0] + ways[1])
