"""An exponential moving average of the weights: what is validated and used, where it is on.

Source: Polyak averaging as in Mean Teacher (arXiv 1703.01780). At step t the decay is at most
(1 + t) / (10 + t), so that the first random weights are forgotten at once.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from gair_cli.training.optim import like, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor, nn


class Ema:
    """The average of a model's parameters; buffers are the model's own.

    Args:
        model: Its present parameters are where the average starts.
        decay: Of each step, 0 to 1.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self._average = {name: one.detach().clone() for name, one in model.named_parameters()}

    def update(self, model: nn.Module, *, step: int) -> None:
        """Move the average towards the model.

        Args:
            model: After an optimizer step.
            step: Steps done before this one.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, one in model.named_parameters():
                self._average[name].lerp_(one.detach(), 1 - decay)

    def state(self) -> dict[str, Tensor]:
        """Return the average by parameter name, whole and on the CPU."""
        return {name: whole(value).cpu() for name, value in self._average.items()}

    def load(self, model: nn.Module, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` returned.

        Args:
            model: Whose parameters say where each tensor lies.
            state: By parameter name.
        """
        for name, one in model.named_parameters():
            self._average[name] = like(one, state[name])

    @contextmanager
    def in_place(self, model: nn.Module) -> Iterator[None]:
        """Let the model have the average as its weights while the body runs."""
        own = {name: one.detach().clone() for name, one in model.named_parameters()}
        self._put(model, self._average)
        try:
            yield
        finally:
            self._put(model, own)

    def _put(self, model: nn.Module, values: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, one in model.named_parameters():
                one.copy_(values[name])
