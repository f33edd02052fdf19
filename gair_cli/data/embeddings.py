"""What travels from the model to the losses: one vector a pair and modality, in the joint space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Joint embeddings of one batch of B pairs.

    Attributes:
        sv: (B, D) float32, L2-normalised photos, or None without photos or tower.
        rs_at: (B, D) float32, L2-normalised tiles read at the photo's position, or None.
        rs_exact: (B, D) float32, L2-normalised tiles read where `rs_at` was displaced from, or
            None.
        location: (B, D) float32, L2-normalised coordinates, or None.
        logit_scale: () float32, 1 / temperature, at most 100.
    """

    sv: Tensor | None
    rs_at: Tensor | None
    location: Tensor | None
    logit_scale: Tensor
    rs_exact: Tensor | None = None
