"""Masked autoencoding: rebuild the patches that were hidden.

Source: MAE (arXiv 2111.06377), section 3: mean squared error on hidden patches only, each patch's
pixels normalised by their own mean and deviation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_EPSILON = 1e-6


def patch_targets(patches: Tensor) -> Tensor:
    """Return patches (T, N, P) with the mean 0 and the deviation 1 of each taken out."""
    mean = patches.mean(dim=2, keepdim=True)
    variance = patches.var(dim=2, keepdim=True)
    return (patches - mean) / (variance + _EPSILON).sqrt()


def mae_loss(predicted: Tensor, patches: Tensor, hidden: Tensor) -> Tensor:
    """Return each tile's loss: the mean over its hidden patches and their numbers.

    Args:
        predicted: (T, N, P) float, P numbers a patch (bands times pixels).
        patches: (T, N, P) float, the true ones as the tower takes them.
        hidden: (T, N) bool, at least one True a tile.

    Returns:
        (T,) float32.
    """
    squared = (predicted.float() - patch_targets(patches.float())) ** 2
    each = squared.mean(dim=2) * hidden  # (T, N)
    return each.sum(dim=1) / hidden.sum(dim=1)
