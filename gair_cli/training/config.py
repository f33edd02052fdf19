"""The recipe: everything that decides what a run learns, as one value.

A preset's `[recipe]` table, a `--config` file's and `--set recipe.lr=1e-3` hold the same keys. The
paper (arXiv 2503.16683) publishes neither batch size, learning rate, schedule nor augmentations;
every default here is ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from gair_cli.data.augment import Augment
from gair_cli.errors import UsageError
from gair_cli.losses.config import LossConfig
from gair_cli.models.starts import StartConfig
from gair_cli.presets.typed import build, to_table
from gair_cli.training.bank import BankConfig
from gair_cli.training.curriculum import CurriculumConfig
from gair_cli.training.objectives.config import MaeConfig, MocoConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

ObjectiveName: TypeAlias = Literal["incl+secl", "rs-location", "sv-location", "mocov3", "mae"]

_NO_EFFECT = ("cache_mb", "loader_threads", "parallel", "checkpoint_minutes", "keep_every",
              "timeout_s")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is trained.

    Attributes:
        objective: What is learnt: `incl+secl` (the paper's), `rs-location` (satellite and
            coordinate only), `sv-location` (photo and coordinate only), or one of the paper's
            comparisons, `mocov3` and `mae`, which see pictures only.
        steps: Optimizer steps of the whole run.
        batch_size: Pairs a step; 2 or more, for the others are the negatives.
        chunks: Parts into which a batch is cut. The loss is that of the whole batch; the parts
            are encoded one by one, or each by a process. With the same number of parts the weights
            are the same, bit for bit on a CPU, on 1, 2, 4... processes.
        grad_cache: Encode each part twice instead of keeping all of them (GradCache, arXiv
            2101.06983): memory of one part, another forward.
        precision: Of the towers' arithmetic: `float32`, or `bf16` by autocast. Weights, location
            encoder, query and loss stay float32.
        compile: Compile the towers (torch.compile).
        activation_checkpointing: Keep the input of each block only, and compute the rest again.
        parallel: How several processes share the work: `ddp` keeps all weights in each, `fsdp`
            shards the towers (FSDP2).
        lr: Highest learning rate.
        schedule: After the rise: `cosine`, `linear`, `constant`, or `wsd`, which is constant and
            falls along a line over the last fifth.
        warmup_steps: Steps of linear rise to it, at most a fifth of all.
        final_lr: Learning rate at the end, as a share of `lr`.
        weight_decay: Of AdamW; none on norms, biases and the temperature.
        beta2: Of AdamW; beta1 is 0.9.
        clip_norm: Largest norm of the whole gradient; 0 for no limit.
        ema: Decay of an average of the weights, such as 0.999, which is then what is validated and
            used; 0 is off.
        photos_per_tile: Photos of one tile that stay together in a batch, which saves tiles to
            encode and makes neighbours negatives of each other; 1 is a plain shuffle.
        shuffle: `global`, or `block`: read the shards in blocks, and shuffle within a few of them.
        block_mb: MiB of a block.
        blocks_at_once: Blocks that are shuffled among each other.
        source_weights: Texts `NAME=WEIGHT` for values of the column `source`: shares of each
            batch. A source that is not named weighs 1, 0 leaves it out; empty is no weighting.
        checkpoint_steps: Steps between checkpoints; each one is validated.
        checkpoint_minutes: Minutes after which a checkpoint is written in between; 0 is never.
        keep_checkpoints: Last checkpoints kept, besides the best.
        keep_every: Keep the checkpoints of multiples of this many steps for good; 0 keeps none.
        validation_rows: Rows of the split `val` that are ranked; 0 for no validation.
        log_steps: Steps between lines of `log.jsonl`.
        timeout_s: Seconds that a process waits for the others before it gives up.
        seed: Of weights, order, points and augmentations.
        cache_mb: Memory for decoded tiles and photos; has no effect on the result.
        loader_threads: Threads that make batches ahead; has no effect on the result.
        rs_blocks: Blocks of the satellite tower that are trained, from its end; -1 for all of it,
            0 for none.
        sv_blocks: The same of the photo tower.
        start: Weights that towers start from.
        augment: What is done to tiles and photos.
        bank: Further coordinates as candidates of SECL.
        curriculum: A growing share of neighbours in each batch.
        loss: Which losses, with which levers.
        mocov3: For objective `mocov3`.
        mae: For objective `mae`.
    """

    objective: ObjectiveName = "incl+secl"
    steps: int = 1000
    batch_size: int = 128
    chunks: int = 1
    grad_cache: bool = False
    precision: Literal["float32", "bf16"] = "float32"
    compile: bool = False
    activation_checkpointing: bool = False
    parallel: Literal["ddp", "fsdp"] = "ddp"
    lr: float = 1e-3
    schedule: Literal["cosine", "linear", "constant", "wsd"] = "cosine"
    warmup_steps: int = 50
    final_lr: float = 0.01
    weight_decay: float = 0.05
    beta2: float = 0.98
    clip_norm: float = 1.0
    ema: float = 0.0
    photos_per_tile: int = 1
    shuffle: Literal["global", "block"] = "global"
    block_mb: int = 128
    blocks_at_once: int = 8
    source_weights: tuple[str, ...] = ()
    checkpoint_steps: int = 200
    checkpoint_minutes: float = 0.0
    keep_checkpoints: int = 2
    keep_every: int = 0
    timeout_s: int = 600
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
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    mocov3: MocoConfig = field(default_factory=MocoConfig)
    mae: MaeConfig = field(default_factory=MaeConfig)

    def __post_init__(self) -> None:
        """Refuse numbers that make no run."""
        _refuse_endless(self.to_table(), "recipe")
        at_least_one = ("steps", "checkpoint_steps", "keep_checkpoints", "log_steps",
                        "photos_per_tile", "chunks", "block_mb", "blocks_at_once",
                        "timeout_s")  # fmt: skip
        for name in at_least_one:
            _check(name, getattr(self, name), low=1)
        _check("batch_size", self.batch_size, low=2)
        for name in ("warmup_steps", "weight_decay", "clip_norm", "validation_rows", "cache_mb",
                     "loader_threads", "final_lr", "checkpoint_minutes", "keep_every",
                     "ema"):  # fmt: skip
            _check(name, getattr(self, name), low=0)
        for name in ("rs_blocks", "sv_blocks"):
            _check(name, getattr(self, name), low=-1)
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"recipe.seed is {self.seed}, wanted 0 to 2**63 - 1")
        if not self.lr > 0 or not 0 <= self.beta2 < 1:
            raise UsageError(f"recipe.lr is {self.lr} and recipe.beta2 {self.beta2}")
        if not self.ema < 1:
            raise UsageError(f"recipe.ema is {self.ema}, wanted below 1, such as 0.999")
        if self.chunks > self.batch_size:
            raise UsageError(
                f"recipe.chunks is {self.chunks}, more than recipe.batch_size {self.batch_size}"
            )
        if self.augment.crop_tiles < 1 and self.objective != "mocov3":
            raise UsageError(
                "recipe.augment.crop_tiles would move positions inside the tiles",
                hint="it is for objective mocov3, which knows no positions",
            )
        self.weights_of_sources()

    def weights_of_sources(self) -> dict[str, float]:
        """Return `source_weights` by name.

        Raises:
            UsageError: If one is not NAME=WEIGHT with a weight of 0 or more.
        """
        weights = {}
        for text in self.source_weights:
            name, separator, number = text.rpartition("=")
            try:
                weights[name] = float(number)
            except ValueError:
                separator = ""
            if not separator or not 0 <= weights.get(name, -1) < math.inf:
                raise UsageError(
                    f"recipe.source_weights has {text!r}, wanted NAME=WEIGHT",
                    hint='like ["mapillary=2", "kartaview=1"]',
                )
        return weights

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
