"""The street-photo tower: a timm model without its classifier, and an optional pooler.

Source: GAIR (arXiv 2503.16683) uses a ViT-B/16 with Hugging Face's `ViTModel` numerics (layer norm
epsilon 1e-12, tanh pooler on the class token). Ours has no dropout, and any timm model will do.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gair_cli.models.timm_models import checkpoint_blocks, create, image_size

if TYPE_CHECKING:
    from gair_cli.models.config import SvConfig


class SvEncoder(nn.Module):
    """A photo (B, 3, h, w) becomes one vector (B, D); D is the timm model's own.

    Args:
        config: The timm name, the input size, the epsilon and whether there is a pooler.
        pretrained: Start from timm's weights, which are downloaded once.

    Raises:
        ModelError: If timm knows no model of that name.
    """

    def __init__(self, config: SvConfig, *, pretrained: bool = False) -> None:
        super().__init__()
        self.body = _timm_body(config, pretrained=pretrained)
        self.width: int = self.body.head_hidden_size
        self.pooler = nn.Linear(self.width, self.width) if config.pooler else None

    def set_grad_checkpointing(self, *, enable: bool) -> None:
        """Keep the input of each block only for the gradient, and compute the rest again."""
        checkpoint_blocks(self.body, enable=enable, where="model.sv.name")

    def forward(self, sv: Tensor) -> Tensor:
        """Return the feature of each photo.

        Args:
            sv: (B, 3, h, w) float32 as `SvInput` prepares it.

        Returns:
            (B, D), not normalised; through tanh where there is a pooler.
        """
        feature: Tensor = self.body(sv)
        return feature if self.pooler is None else torch.tanh(self.pooler(feature))


def _timm_body(config: SvConfig, *, pretrained: bool) -> Any:
    options: dict[str, Any] = image_size(config.name, config.input.height, config.input.width)
    if config.norm_eps is not None:
        options["norm_layer"] = partial(nn.LayerNorm, eps=config.norm_eps)
    if config.pool is not None:
        options["global_pool"] = config.pool
    return create(
        config.name, where="model.sv.name", pretrained=pretrained, num_classes=0, **options
    )
