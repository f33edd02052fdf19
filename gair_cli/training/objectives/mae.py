"""Masked autoencoding of tiles: the paper's second comparison.

Source: MAE (arXiv 2111.06377). The satellite ViT sees a quarter of a tile's patches; a small
decoder of the same kind of blocks rebuilds the others. Position enters both as ALiBi, by the
distances among the patches that are there, so no position embedding is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from gair_cli.data.augment import draws
from gair_cli.errors import UsageError
from gair_cli.losses.mae import mae_loss
from gair_cli.models.rs_encoder import Block, RsEncoder, alibi_bias
from gair_cli.training.objectives.base import Objective, StepInfo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from gair_cli.data.batch import Batch
    from gair_cli.models.gair import GairModel
    from gair_cli.training.objectives.config import MaeConfig


class Mae(Objective):
    """Hidden patches are rebuilt from the others.

    Args:
        model: Its satellite tower must be our ViT.
        config: Share hidden, decoder.
        seed: Of the run; keys which patches are hidden.

    Raises:
        UsageError: If there is no satellite tower, or it is one of timm's.
    """

    compares = False

    def __init__(self, model: GairModel, config: MaeConfig, *, seed: int) -> None:
        super().__init__()
        if not isinstance(model.rs, RsEncoder):
            what = "there are no tiles" if model.rs is None else "this one is timm's"
            raise UsageError(
                f"objective mae trains gair's own satellite ViT, and {what}",
                hint="leave model.rs.name out",
            )
        self.config, self.seed = config, seed
        tower = model.rs
        self.enter = nn.Linear(tower.width, config.width)
        self.hidden_token = nn.Parameter(torch.zeros(1, 1, config.width))
        nn.init.normal_(self.hidden_token, std=0.02)
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width)
        self.pixels = nn.Linear(config.width, tower.embed.in_features)

    def encode(
        self, model: GairModel, views: Sequence[Batch], *, bank: Tensor | None, step: int
    ) -> dict[str, Tensor]:
        """Return each row's loss: patches stay where they are, one number a tile travels."""
        del bank
        (batch,) = views
        rs, tile_of, tower = batch.rs, batch.tile_of, model.rs
        if rs is None or tile_of is None or not isinstance(tower, RsEncoder):
            raise UsageError("objective mae needs tiles", hint="pack shards with --tiles")
        unfolded = functional.unfold(rs, tower.patch, stride=tower.patch)
        patches = unfolded.transpose(1, 2)  # (T, N, P)
        tiles, count, _ = patches.shape
        numbers = self._numbers(batch, tiles, count, step).to(rs.device)
        shown = max(1, round(count * (1 - self.config.mask)))
        order = numbers.argsort(dim=1)
        seen = order[:, :shown].sort(dim=1).values  # (T, n)
        grid = (rs.shape[2] // tower.patch, rs.shape[3] // tower.patch)
        bias = alibi_bias(*grid, tower.heads, device=str(rs.device))
        tokens = _encode_seen(tower, patches, seen, bias)
        predicted = self._decode(tokens, seen, count, grid)
        hidden = torch.ones(tiles, count, dtype=torch.bool, device=rs.device)
        hidden.scatter_(1, seen, value=False)
        return {"mae": mae_loss(predicted, patches, hidden)[tile_of]}

    def loss(
        self, model: GairModel, features: Mapping[str, Tensor], info: StepInfo
    ) -> dict[str, Tensor]:
        """Return the mean over the rows."""
        del model, info
        mean = features["mae"].mean()
        return {"mae": mean, "total": mean}

    def _decode(self, tokens: Tensor, seen: Tensor, count: int, grid: tuple[int, int]) -> Tensor:
        """Return predicted patches (T, N, P)."""
        entered = self.enter(tokens).float()  # (T, n, width)
        full = self.hidden_token.expand(len(tokens), count, -1)
        full = full.scatter(1, seen[:, :, None].expand_as(entered), entered)
        heads = self.config.heads
        bias = alibi_bias(*grid, heads, device=str(tokens.device))
        for block in self.blocks:
            full = block(full, bias)
        pixels: Tensor = self.pixels(self.norm(full))
        return pixels

    def _numbers(self, batch: Batch, tiles: int, count: int, step: int) -> Tensor:
        """Return a random number (T, N) for each patch, keyed by the tile's first sample."""
        if batch.tile_of is None:
            raise UsageError("objective mae needs tiles")
        first = torch.zeros(tiles, dtype=torch.int64)
        rows = torch.arange(len(batch) - 1, -1, -1)
        first[batch.tile_of.cpu().flip(0)] = rows  # the last write is the first row
        ids = [batch.sample_ids[row] for row in first.tolist()]
        return draws(ids, count, seed=self.seed, epoch=step, purpose="mask")


def _encode_seen(tower: RsEncoder, patches: Tensor, seen: Tensor, bias: Tensor) -> Tensor:
    """Return tokens (T, n, D) of the patches that are seen."""
    visible = patches.gather(1, seen[:, :, None].expand(-1, -1, patches.shape[2]))
    among = bias[0][:, seen[:, :, None], seen[:, None, :]]  # (heads, T, n, n)
    mask = among.transpose(0, 1)  # (T, heads, n, n)
    tokens: Tensor = tower.embed(visible).to(patches.dtype)
    for block in tower.blocks:
        tokens = block(tokens, mask)
    return tokens
