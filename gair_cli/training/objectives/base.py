"""What every objective is: features of a part of the batch, then losses of the whole batch.

The engine calls `encode` on each part, gathers the features of all parts and processes, calls
`loss` once on all of them in every process alike, and leads the gradient back through each part.
So a loss knows neither parts nor ranks, and is the same however the batch was cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from gair_cli.data.batch import Batch
    from gair_cli.models.gair import GairModel

BANK: Final = "bank"
"""Name of the one feature that is not one row a sample: embeddings of further coordinates."""


@dataclass(frozen=True, slots=True)
class StepInfo:
    """What a loss may know about a step besides features; equal in all processes.

    Attributes:
        step: From 0.
        steps: Of the run.
        rows: (B,) int64, rows of the index.
        lonlat: (B, 2) float64 degrees.
        bank: (K, 2) float64 degrees of further coordinates, or None.
    """

    step: int
    steps: int
    rows: Tensor
    lonlat: Tensor
    bank: Tensor | None = None


class Objective(nn.Module):
    """Base of the objectives; a module, so that it may have parts that learn.

    Attributes:
        views: How many augmentations of the same rows `encode` takes.
        compares: Whether `losses` compare modalities, so that validation ranks them.
    """

    views: int = 1
    compares: bool = True

    def encode(
        self, model: GairModel, views: Sequence[Batch], *, bank: Tensor | None, step: int
    ) -> dict[str, Tensor]:
        """Return features (b, ...) of the b rows of a part, and `BANK` of its (k, 2) coordinates.

        Args:
            model: In training.
            views: The part, `self.views` times, each augmented in its own way.
            bank: The part's share of the further coordinates, or None.
            step: From 0.
        """
        raise NotImplementedError

    def loss(
        self, model: GairModel, features: Mapping[str, Tensor], info: StepInfo
    ) -> dict[str, Tensor]:
        """Return the losses of the whole batch by name, `total` among them, each () float32.

        Args:
            model: Its scalars, such as the temperature, may be used.
            features: (B, ...) of all rows, (K, D) of `BANK`.
            info: About the step.
        """
        raise NotImplementedError

    def loss_parameters(self, model: GairModel) -> list[nn.Parameter]:
        """Return the parameters that `loss` uses directly; every process has their gradient."""
        del model
        return []

    def after_update(self, model: GairModel, *, step: int, steps: int) -> None:
        """Do what follows an optimizer step, for example move a momentum encoder."""
