"""What a run takes from its shards: towers, bands, rows to train and to validate on, a bank."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from gair_cli.data.dataset import TrainingData
from gair_cli.data.transforms import BandStatistics
from gair_cli.errors import DataError
from gair_cli.training.bank import CellSampler, queued_rows
from gair_cli.training.steps import PAIR, PHOTO, TILE, Steps
from gair_cli.training.validation import validation_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gair_cli.geo.shards import ShardReader
    from gair_cli.models.config import ModelConfig, Tower
    from gair_cli.training.config import Recipe

TRAIN, VALIDATION = "train", "val"


def towers_of(reader: ShardReader) -> tuple[Tower, ...]:
    """Return the towers that the data can feed."""
    there: list[Tower] = ["rs"] if reader.has_tiles else []
    if reader.has_photos:
        there.append("sv")
    return (*there, "location")


def band_statistics(reader: ShardReader) -> BandStatistics | None:
    """Return bands and statistics of the tiles in use, or None without tiles."""
    if not reader.has_tiles:
        return None
    return BandStatistics(
        names=reader.bands,
        mean=tuple(one.mean for one in reader.statistics),
        std=tuple(one.std for one in reader.statistics),
        nodata=reader.info.nodata,
    )


@dataclass(frozen=True, slots=True)
class DataInputs:
    """What the loop takes from the data.

    Attributes:
        data: Gives batches.
        steps: Which rows each step sees.
        validation: Rows to validate on; empty for none.
        recipe: How to train.
        sampler: Of the bank `sampled`, else None.
    """

    data: TrainingData
    steps: Steps
    validation: NDArray[np.int64]
    recipe: Recipe
    sampler: CellSampler | None

    def bank(self, step: int) -> torch.Tensor | None:
        """Return the further coordinates of a step."""
        config = self.recipe.bank
        if config.kind == "none":
            return None
        seen = self.steps.rows(step)
        if self.sampler is not None:
            rows = self.sampler.draw(seen.rows, step=step, size=config.size)
            found = [self.data.lonlat(rows, epoch=seen.epoch)]
        else:
            queue = queued_rows(self.steps, step, size=config.size)
            found = [self.data.lonlat(one.rows, epoch=one.epoch) for one in queue]
        return torch.from_numpy(np.concatenate(found)) if found else None


def data_inputs(reader: ShardReader, config: ModelConfig, recipe: Recipe) -> DataInputs:
    """Choose the rows of a run and plan its steps.

    Args:
        reader: The shards; they must stay open while batches are made.
        config: The model's towers and inputs.
        recipe: How to train.

    Raises:
        DataError: If a band is missing or there is no row to train on.
    """
    reads_footprints = config.rs is not None and config.query == "nili-fine"
    augment = recipe.augment if reads_footprints else replace(recipe.augment, radii_m=())
    data = TrainingData(
        reader,
        rs=config.rs.input if config.rs else None,
        sv=config.sv.input if config.sv else None,
        seed=recipe.seed,
        augment=augment,
        cache_mb=recipe.cache_mb,
    )
    kinds = _kinds(data, config)
    split = reader.index["split"].fill_null(TRAIN)
    order = data.mixed_by_tile()
    train = order[((split == TRAIN).to_numpy() & (kinds > 0))[order]]
    if not len(train):
        raise DataError(
            f"{reader.path} has no row of split {TRAIN} that the model can use "
            f"({', '.join(split.unique().sort())} there)",
            hint="a row needs two of tile, photo and coordinates; check the split",
        )
    held_out = np.flatnonzero((split == VALIDATION).to_numpy() & (kinds == kinds.max()))
    sampler = None
    if recipe.bank.kind == "sampled":
        sampler = CellSampler(reader.index["cell"].gather(train), train, seed=recipe.seed)
    return DataInputs(
        data=data,
        steps=Steps.of(train, kinds[train], recipe=recipe),
        validation=validation_rows(held_out, recipe.validation_rows, seed=recipe.seed),
        recipe=recipe,
        sampler=sampler,
    )


def _kinds(data: TrainingData, config: ModelConfig) -> NDArray[np.int64]:
    """Return which halves of each row the model uses, 0 for too little to compare."""
    tile = data.has_tile & (config.rs is not None)
    photo = data.has_photo & (config.sv is not None)
    kinds = TILE * tile.astype(np.int64) + PHOTO * photo.astype(np.int64)
    return kinds if config.location is not None else np.where(kinds == PAIR, PAIR, 0)
