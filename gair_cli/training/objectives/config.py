"""Settings of the paper's two comparison objectives, as values; no tensors here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gair_cli.errors import UsageError


@dataclass(frozen=True, slots=True)
class MocoConfig:
    """MoCo v3 (arXiv 2104.02057).

    Attributes:
        tower: Which tower learns: `rs` from tiles, `sv` from photos.
        momentum: Of the momentum encoder at the start; it rises to 1 along a cosine.
        temperature: tau; the paper's 0.2 for ViT.
        hidden: Width of the projection's and prediction's hidden layers; the paper's is 4096.
        dim: Width of what is compared; the paper's is 256.
    """

    tower: Literal["rs", "sv"] = "rs"
    momentum: float = 0.99
    temperature: float = 0.2
    hidden: int = 1024
    dim: int = 256

    def __post_init__(self) -> None:
        """Refuse numbers out of range."""
        if not 0 <= self.momentum <= 1 or self.temperature <= 0:
            raise UsageError(
                f"recipe.mocov3 has momentum {self.momentum}, temperature {self.temperature}"
            )
        if min(self.hidden, self.dim) < 1:
            raise UsageError("recipe.mocov3.hidden and recipe.mocov3.dim are at least 1")


@dataclass(frozen=True, slots=True)
class MaeConfig:
    """Masked autoencoding (arXiv 2111.06377) of tiles.

    Attributes:
        mask: Share of patches that are hidden; the paper's 0.75.
        width: Width of the decoder; the paper's is 512.
        depth: Blocks of the decoder; the paper's is 8.
        heads: Attention heads of the decoder.
    """

    mask: float = 0.75
    width: int = 256
    depth: int = 4
    heads: int = 8

    def __post_init__(self) -> None:
        """Refuse numbers out of range."""
        if not 0 < self.mask < 1:
            raise UsageError(f"recipe.mae.mask is {self.mask}, wanted between 0 and 1")
        if min(self.width, self.depth, self.heads) < 1 or self.width % self.heads:
            raise UsageError(
                f"recipe.mae has width {self.width}, depth {self.depth}, heads {self.heads}: "
                "wanted at least 1, and a width that the heads divide"
            )
