"""From a tower's space into the joint one: a linear layer where there is one, then L2.

RS and RS at a point share `rs`: the head comes after the query, so a place read at a point and a
whole tile lie in one space (contracts: spaces).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from gair_cli.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gair_cli.models.config import ModelConfig
    from gair_cli.records import Modality


class Heads(nn.ModuleDict):
    """One linear head a tower, or none where the tower's own space is the joint one.

    Args:
        config: The joint dimension and which heads are in use.
        widths: Output dimension of each tower that is there.

    Raises:
        ModelError: If a tower without a head has another width than the joint space.
    """

    def __init__(self, config: ModelConfig, widths: Mapping[str, int]) -> None:
        used = {name: width for name, width in widths.items() if name in config.heads}
        super().__init__({name: nn.Linear(width, config.dim) for name, width in used.items()})
        for name, width in widths.items():
            if name not in used and width != config.dim:
                raise ModelError(
                    f"tower {name} gives {width} numbers and has no head into {config.dim}",
                    hint=f"add {name} to model.heads, or set model.dim={width}",
                )

    def project(self, vectors: Tensor, modality: Modality) -> Tensor:
        """Return vectors in the joint space.

        Args:
            vectors: (N, D) of a tower.
            modality: Where they come from; `rs_at` goes through the head of `rs`.

        Returns:
            (N, dim) float32 of length 1.
        """
        name = "rs" if modality == "rs_at" else modality
        joint = self[name](vectors) if name in self else vectors
        return functional.normalize(joint.float(), dim=-1)
