"""The recipe: everything that decides what a run learns, as one value.

A preset's `[recipe]` table, a `--config` file's and `--set recipe.lr=1e-3` hold the same keys. The
paper (arXiv 2503.16683) publishes neither batch size, learning rate, schedule nor augmentations;
every default here is ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from gair_cli.data.augment import Augment
from gair_cli.errors import UsageError
from gair_cli.losses.config import LossConfig
from gair_cli.models.starts import StartConfig
from gair_cli.presets.typed import build, to_table
from gair_cli.training.bank import BankConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

_NO_EFFECT = ("cache_mb", "loader_threads")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is trained.

    Attributes:
        steps: Optimizer steps of the whole run.
        batch_size: Pairs a step; 2 or more, for the others are the negatives.
        lr: Highest learning rate.
        warmup_steps: Steps of linear rise to it, at most a fifth of all.
        final_lr: Learning rate at the end, as a share of `lr`; a cosine leads there.
        weight_decay: Of AdamW; none on norms, biases and the temperature.
        beta2: Of AdamW; beta1 is 0.9.
        clip_norm: Largest norm of the whole gradient; 0 for no limit.
        photos_per_tile: Photos of one tile that stay together in a batch, which saves tiles to
            encode and makes neighbours negatives of each other; 1 is a plain shuffle.
        checkpoint_steps: Steps between checkpoints; each one is validated.
        keep_checkpoints: Last checkpoints kept, besides the best.
        validation_rows: Rows of the split `val` that are ranked; 0 for no validation.
        log_steps: Steps between lines of `log.jsonl`.
        seed: Of weights, order, points and augmentations.
        cache_mb: Memory for decoded tiles and photos; has no effect on the result.
        loader_threads: Threads that make batches ahead; has no effect on the result.
        rs_blocks: Blocks of the satellite tower that are trained, from its end; -1 for all of it,
            0 for none.
        sv_blocks: The same of the photo tower.
        start: Weights that towers start from.
        augment: What is done to tiles and photos.
        bank: Further coordinates as candidates of SECL.
        loss: Which losses, with which levers.
    """

    steps: int = 1000
    batch_size: int = 128
    lr: float = 1e-3
    warmup_steps: int = 50
    final_lr: float = 0.01
    weight_decay: float = 0.05
    beta2: float = 0.98
    clip_norm: float = 1.0
    photos_per_tile: int = 1
    checkpoint_steps: int = 200
    keep_checkpoints: int = 2
    validation_rows: int = 1000
    log_steps: int = 10
    seed: int = 0
    cache_mb: int = 1024
    loader_threads: int = 1
    rs_blocks: int = -1
    sv_blocks: int = -1
    start: StartConfig = field(default_factory=StartConfig)
    augment: Augment = field(default_factory=Augment)
    bank: BankConfig = field(default_factory=BankConfig)
    loss: LossConfig = field(default_factory=LossConfig)

    def __post_init__(self) -> None:
        """Refuse numbers that make no run."""
        _refuse_endless(self.to_table(), "recipe")
        at_least_one = ("steps", "checkpoint_steps", "keep_checkpoints", "log_steps",
                        "photos_per_tile")  # fmt: skip
        for name in at_least_one:
            _check(name, getattr(self, name), low=1)
        _check("batch_size", self.batch_size, low=2)
        for name in ("warmup_steps", "weight_decay", "clip_norm", "validation_rows", "cache_mb",
                     "loader_threads", "final_lr"):  # fmt: skip
            _check(name, getattr(self, name), low=0)
        for name in ("rs_blocks", "sv_blocks"):
            _check(name, getattr(self, name), low=-1)
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"recipe.seed is {self.seed}, wanted 0 to 2**63 - 1")
        if not self.lr > 0 or not 0 <= self.beta2 < 1:
            raise UsageError(f"recipe.lr is {self.lr} and recipe.beta2 {self.beta2}")

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Self:
        """Make a recipe of a `[recipe]` table.

        Raises:
            UsageError: If a key is unknown or a value makes no sense.
        """
        return build(cls, table, "recipe")

    def to_table(self) -> dict[str, Any]:
        """Return plain tables, from which `from_table` makes the same recipe."""
        table: dict[str, Any] = to_table(self)
        return table

    def plan(self) -> dict[str, Any]:
        """Return what decides the result: the table without what has no effect on it."""
        return {key: value for key, value in self.to_table().items() if key not in _NO_EFFECT}


def _refuse_endless(table: Mapping[str, Any], where: str) -> None:
    for name, value in table.items():
        if isinstance(value, dict):
            _refuse_endless(value, f"{where}.{name}")
        elif isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{where}.{name} is {value}, wanted a finite number")


def _check(name: str, value: float, *, low: float) -> None:
    if value < low:
        raise UsageError(f"recipe.{name} is {value}, wanted at least {low}")
