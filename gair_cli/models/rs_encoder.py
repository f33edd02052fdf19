"""The satellite tower: a ViT whose position enters as 2-D ALiBi, so any grid size will do.

Source: GAIR (arXiv 2503.16683) uses the optical encoder of CROMA (arXiv 2311.00566); ALiBi is
arXiv 2108.12409, taken to two dimensions by CROMA. Ours computes the bias for each grid instead of
storing it for one, and any number of heads.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from gair_cli.models.config import RsConfig

_MLP_RATIO = 4


def alibi_slopes(heads: int) -> list[float]:
    """Return the ALiBi slope of each head.

    For a power of two the slopes are 2^(-8 (h + 1) / heads), so 2^(-(h + 1) / 2) for 16 heads; for
    other numbers every second slope of the next power is added, as the ALiBi paper's code does.

    Args:
        heads: At least 1.

    Returns:
        One positive slope a head, the steepest first.
    """
    power = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * (head + 1) / power) for head in range(power)]
    finer = [2 ** (-4 * (head + 1) / power) for head in range(0, 2 * power, 2)]
    return slopes + finer[: heads - power]


@lru_cache(maxsize=8)
def alibi_bias(rows: int, columns: int, heads: int, *, device: str = "cpu") -> Tensor:
    """Return what is added to the attention scores: -slope x distance between patches.

    Args:
        rows: Rows of the grid.
        columns: Columns of the grid.
        heads: Attention heads.
        device: Where it lies.

    Returns:
        (1, heads, N, N) float32 with N = rows x columns in row-major order; distances are
        Euclidean, in patches. It is cached: do not change it in place.
    """
    # a tensor born in inference mode could never be used in training again
    with torch.inference_mode(mode=False):
        return _alibi_bias(rows, columns, heads).to(device)


def _alibi_bias(rows: int, columns: int, heads: int) -> Tensor:
    grid = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).double()  # (N, 2)
    distance = torch.cdist(grid, grid, compute_mode="donot_use_mm_for_euclid_dist")
    slopes = torch.tensor(alibi_slopes(heads), dtype=torch.float64)
    return (-slopes[:, None, None] * distance).float()[None]


def _bias_of(rows: int, columns: int, heads: int, device: torch.device) -> Tensor:
    """Return the bias from the cache; a compiled graph, which has no caches, makes it anew."""
    exporting = getattr(torch.compiler, "is_exporting", bool)()
    if torch.compiler.is_compiling() and not exporting:
        return _alibi_bias(rows, columns, heads).to(device)
    return alibi_bias(rows, columns, heads, device=str(device))


class Attention(nn.Module):
    """Pre-norm self-attention with an additive bias; queries, keys and values without biases."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor, bias: Tensor | None) -> Tensor:
        """Return what attention adds to the tokens.

        Args:
            tokens: (T, N, D).
            bias: (1, heads, N, N) added to the scores, or None.

        Returns:
            (T, N, D).
        """
        tiles, count, width = tokens.shape
        qkv = self.qkv(self.norm(tokens)).view(tiles, count, 3, self.heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each (T, heads, N, D / heads)
        mask = None if bias is None else bias.to(query.dtype)
        read = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        merged: Tensor = self.out(read.transpose(1, 2).reshape(tiles, count, width))
        return merged


class Block(nn.Module):
    """One transformer block: attention, then an MLP with exact GELU, each added to its input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, _MLP_RATIO * width)
        self.down = nn.Linear(_MLP_RATIO * width, width)

    def forward(self, tokens: Tensor, bias: Tensor | None) -> Tensor:
        """Return tokens (T, N, D) after the block; `bias` as in `Attention`."""
        tokens = tokens + self.attention(tokens, bias)
        added: Tensor = self.down(functional.gelu(self.up(self.norm(tokens))))
        return tokens + added


class RsTower(nn.Module):
    """What every satellite tower is: tiles (T, C, H, W) in, a grid of vectors (T, D, h, w) out.

    Attributes:
        width: D.
    """

    width: int

    def set_grad_checkpointing(self, *, enable: bool) -> None:
        """Keep the input of each block only for the gradient, and compute the rest again."""
        raise NotImplementedError


class RsEncoder(RsTower):
    """Patches -> linear -> blocks; no class token, no position embedding, no final norm.

    Args:
        config: Bands, patch, width, depth and heads.
    """

    def __init__(self, config: RsConfig) -> None:
        super().__init__()
        self.patch = config.patch
        self.heads = config.heads
        self.width = config.width
        self.embed = nn.Linear(len(config.input.bands) * config.patch**2, config.width)
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.depth))
        self._recompute = False

    def set_grad_checkpointing(self, *, enable: bool) -> None:
        """Keep the input of each block only for the gradient, and compute the rest again."""
        self._recompute = enable

    def forward(self, rs: Tensor) -> Tensor:
        """Return the token grid of each tile.

        Args:
            rs: (T, C, H, W) float32 as `RsInput` prepares it; H and W multiples of the patch, of
                any size.

        Returns:
            (T, D, h, w) with h = H / patch; row 0 is the array's first row, not normalised.

        Raises:
            ValueError: If H or W is no multiple of the patch.
        """
        tiles, _, height, width = rs.shape
        if height % self.patch or width % self.patch:
            raise ValueError(f"a tile of {height}x{width} px has no whole {self.patch} px patches")
        rows, columns = height // self.patch, width // self.patch
        bias = _bias_of(rows, columns, self.heads, rs.device)
        patches = functional.unfold(rs, self.patch, stride=self.patch)  # (T, C p p, N)
        embedded: Tensor = self.embed(patches.transpose(1, 2))  # (T, N, D)
        tokens = embedded.to(rs.dtype)  # under autocast the blocks' sums stay float32
        for block in self.blocks:
            if self._recompute and torch.is_grad_enabled():
                tokens = checkpoint(block, tokens, bias, use_reentrant=False)
            else:
                tokens = block(tokens, bias)
        return tokens.transpose(1, 2).reshape(tiles, self.width, rows, columns)
