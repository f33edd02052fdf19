"""INCL and SECL, whole or in part: the paper's objective and its one-pair relatives.

`rs-location` compares satellite and coordinate only, as SatCLIP does (arXiv 2311.17179), and
`sv-location` photo and coordinate only, as GeoCLIP does (arXiv 2309.16020): the pairs `secl_rs`
and `secl_sv` of `losses.contrastive` alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import torch
from torch import nn

from gair_cli.data.embeddings import Embeddings
from gair_cli.losses.contrastive import EXACT, Bank, GlobalMemory, gair_loss
from gair_cli.losses.global_form import gamma_at
from gair_cli.models.gair import MAX_LOGIT_SCALE
from gair_cli.training.objectives.base import BANK, Objective, StepInfo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from gair_cli.data.batch import Batch
    from gair_cli.losses.config import LossConfig, Pair
    from gair_cli.models.config import Tower
    from gair_cli.models.gair import GairModel

MODALITIES: Final = ("sv", "rs_at", "rs_exact", "location")
ONE_PAIR: Final[dict[str, tuple[Pair, tuple[Tower, ...]]]] = {
    "rs-location": ("secl_rs", ("rs", "location")),
    "sv-location": ("secl_sv", ("sv", "location")),
}
"""Objectives of one pair, and the towers that it needs."""


class Contrastive(Objective):
    """Photos, places and coordinates find each other.

    Args:
        config: Pairs, weights, form, targets.
        n_rows: Rows of the index, for the global form's memory.
    """

    def __init__(self, config: LossConfig, *, n_rows: int) -> None:
        super().__init__()
        self.config = config
        if config.form == "sigmoid":
            start = torch.tensor(config.sigmoid_bias)
            starts = {pair: nn.Parameter(start.clone()) for pair in config.pairs}
            self.bias = nn.ParameterDict(starts)
        if config.form == "global":
            for key in self._keys():
                self.register_buffer(f"memory_{key}", torch.zeros(2, n_rows))

    @classmethod
    def of_pair(cls, name: str, config: LossConfig, *, n_rows: int) -> Contrastive:
        """Return an objective of `ONE_PAIR`."""
        return cls(replace(config, pairs=(ONE_PAIR[name][0],)), n_rows=n_rows)

    def encode(
        self, model: GairModel, views: Sequence[Batch], *, bank: Tensor | None, step: int
    ) -> dict[str, Tensor]:
        """Return joint embeddings of each modality that is there, and of the bank."""
        del step
        found = model(views[0])
        features = {
            name: getattr(found, name) for name in MODALITIES if getattr(found, name) is not None
        }
        if bank is not None and model.has_location:
            features[BANK] = model.project(model.encode_location(bank), "location")
        return features

    def loss(
        self, model: GairModel, features: Mapping[str, Tensor], info: StepInfo
    ) -> dict[str, Tensor]:
        """Return INCL and SECL in the config's form."""
        embeddings = Embeddings(
            sv=features.get("sv"),
            rs_at=features.get("rs_at"),
            location=features.get("location"),
            rs_exact=features.get("rs_exact"),
            logit_scale=model.logit_scale.exp().clamp(max=MAX_LOGIT_SCALE),
        )
        bank = None
        if BANK in features and info.bank is not None:
            bank = Bank(features[BANK], info.bank)
        memory = self._recall(info) if self.config.form == "global" else None
        losses = gair_loss(
            embeddings,
            self.config,
            lonlat=info.lonlat,
            bank=bank,
            bias=self.bias if self.config.form == "sigmoid" else None,  # type: ignore[arg-type]
            memory=memory,
        )
        if memory is not None and torch.isfinite(losses["total"]):
            self._remember(memory, info)
        return losses

    def loss_parameters(self, model: GairModel) -> list[nn.Parameter]:
        """Return the temperature, where it is learnt, and the sigmoid form's biases."""
        learnt = [model.logit_scale] if isinstance(model.logit_scale, nn.Parameter) else []
        return [*learnt, *self.parameters()]

    def _recall(self, info: StepInfo) -> GlobalMemory:
        gamma = gamma_at(info.step, info.steps, end=self.config.gamma_end)
        kept = {key: self._memory(key)[:, info.rows] for key in self._keys()}
        return GlobalMemory(kept, gamma)

    def _remember(self, memory: GlobalMemory, info: StepInfo) -> None:
        for key, values in memory.of.items():
            self._memory(key)[:, info.rows] = values

    def _keys(self) -> list[str]:
        """Return what has a memory: pairs, and their second reading of the tile."""
        twice = [f"{pair}{EXACT}" for pair in self.config.pairs if pair != "secl_sv"]
        return [*self.config.pairs, *twice]

    def _memory(self, key: str) -> Tensor:
        memory: Tensor = getattr(self, f"memory_{key}")
        return memory
