"""How much arithmetic a step is, and how much a device can do: model FLOP utilisation.

Counted: matrix products and convolutions of the towers, forward, times three for the gradient, as
is customary (arXiv 2204.02311, appendix B); recomputing does not count. Not counted: query, heads,
location and loss, under 1 % of the released size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

if TYPE_CHECKING:
    from gair_cli.models.gair import GairModel

PEAK_BF16: Final = {
    "H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "V100": 125e12,
    "RTX 4090": 165e12, "RTX 3090": 71e12, "T4": 65e12,
}  # fmt: skip
"""Dense bf16 (fp16 on cards without it) FLOP a second by the name of the card, from data sheets."""

_FORWARD_AND_BACK = 3


@dataclass(frozen=True, slots=True)
class StepFlops:
    """FLOP of training on one tile and on one photo, forward and backward."""

    tile: float
    photo: float

    def of(self, tiles: int, photos: int) -> float:
        """Return the FLOP of a step."""
        return self.tile * tiles + self.photo * photos


def count_flops(model: GairModel) -> StepFlops:
    """Count the towers' FLOP; the model must be neither compiled nor sharded yet."""
    config, device = model.config, model.logit_scale.device
    tile = photo = 0.0
    if model.rs is not None and config.rs is not None:
        size, bands = config.rs.input.size, len(config.rs.input.bands)
        tile = _count(model.rs, torch.zeros(1, bands, size, size, device=device))
    if model.sv is not None and config.sv is not None:
        height, width = config.sv.input.height, config.sv.input.width
        photo = _count(model.sv, torch.zeros(1, 3, height, width, device=device))
    return StepFlops(_FORWARD_AND_BACK * tile, _FORWARD_AND_BACK * photo)


def _count(tower: torch.nn.Module, example: torch.Tensor) -> float:
    training = tower.training
    tower.eval()
    counter = FlopCounterMode(display=False)
    # fused attention on a CPU would not be counted
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        tower(example)
    tower.train(training)
    return float(counter.get_total_flops())


def peak_flops(device: str) -> float | None:
    """Return the bf16 FLOP a second that a GPU can do, None where it is not known or a CPU."""
    if not device.startswith("cuda"):
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for known, peak in PEAK_BF16.items() if known in name), None)
