"""The street-photo tower: a timm model without its classifier, and an optional pooler.

Source: GAIR (arXiv 2503.16683) uses a ViT-B/16 with Hugging Face's `ViTModel` numerics (layer norm
epsilon 1e-12, tanh pooler on the class token). Ours has no dropout, and any timm model will do.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gair_cli.errors import ModelError

if TYPE_CHECKING:
    from gair_cli.models.config import SvConfig


class SvEncoder(nn.Module):
    """A photo (B, 3, h, w) becomes one vector (B, D); D is the timm model's own.

    Args:
        config: The timm name, the input size, the epsilon and whether there is a pooler.

    Raises:
        ModelError: If timm knows no model of that name.
    """

    def __init__(self, config: SvConfig) -> None:
        super().__init__()
        self.body = _timm_body(config)
        self.width: int = self.body.head_hidden_size
        self.pooler = nn.Linear(self.width, self.width) if config.pooler else None

    def forward(self, sv: Tensor) -> Tensor:
        """Return the feature of each photo.

        Args:
            sv: (B, 3, h, w) float32 as `SvInput` prepares it.

        Returns:
            (B, D), not normalised; through tanh where there is a pooler.
        """
        feature: Tensor = self.body(sv)
        return feature if self.pooler is None else torch.tanh(self.pooler(feature))


def _timm_body(config: SvConfig) -> Any:
    import timm  # noqa: PLC0415 - takes seconds, and a model of places alone needs none

    if not timm.is_model(config.name):
        near = timm.list_models(f"*{config.name.split('_')[0]}*")[:5]
        hint = f"near it: {', '.join(near)}" if near else "see timm.list_models()"
        raise ModelError(f"timm has no model {config.name!r} (model.sv.name)", hint=hint)
    options: dict[str, Any] = image_size(config)
    if config.norm_eps is not None:
        options["norm_layer"] = partial(nn.LayerNorm, eps=config.norm_eps)
    return timm.create_model(config.name, pretrained=False, num_classes=0, **options)


def image_size(config: SvConfig) -> dict[str, Any]:
    """Return timm's argument for the input's size, where a model is made for one size."""
    import timm  # noqa: PLC0415 - takes seconds

    default = timm.get_pretrained_cfg(config.name)
    if default is None or not default.fixed_input_size:
        return {}
    return {"img_size": [config.input.height, config.input.width]}
