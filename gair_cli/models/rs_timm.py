"""The satellite tower from timm: any model that gives feature maps, for any number of bands.

So weights of DINOv3, EfficientNet, ConvNeXt and the like can be brought to tiles; a pretrained
model's first layer is spread over the bands in use (timm's own rule for `in_chans`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gair_cli.models.rs_encoder import RsTower
from gair_cli.models.timm_models import checkpoint_blocks, create, image_size

if TYPE_CHECKING:
    from torch import Tensor

    from gair_cli.models.config import RsConfig


class TimmRsEncoder(RsTower):
    """A tile (T, C, H, W) becomes the last, or another, feature map of a timm model.

    Args:
        config: Its `name`, `stage` and input.
        pretrained: Start from timm's weights, which are downloaded once.

    Raises:
        ModelError: If timm knows no model of that name, or it gives no feature maps.
    """

    def __init__(self, config: RsConfig, *, pretrained: bool = False) -> None:
        super().__init__()
        name = config.name or ""
        self.body: Any = create(
            name,
            where="model.rs.name",
            pretrained=pretrained,
            features_only=True,
            in_chans=len(config.input.bands),
            out_indices=(config.stage,),
            **image_size(name, config.input.size, config.input.size),
        )
        self.width = int(self.body.feature_info.channels()[-1])
        self._channels_last = "NHWC" in str(getattr(self.body, "output_fmt", ""))

    def set_grad_checkpointing(self, *, enable: bool) -> None:
        """Keep the input of each block only for the gradient, and compute the rest again."""
        checkpoint_blocks(self.body, enable=enable, where="model.rs.name")

    def forward(self, rs: Tensor) -> Tensor:
        """Return the feature map (T, D, h, w) of tiles (T, C, H, W)."""
        features: Tensor = self.body(rs)[-1]
        return features.permute(0, 3, 1, 2) if self._channels_last else features
