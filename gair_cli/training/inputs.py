"""What a run takes from its shards: towers, bands, rows to train and to validate on, a bank."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from gair_cli.data.dataset import TrainingData
from gair_cli.data.order import Blocks
from gair_cli.data.transforms import BandStatistics
from gair_cli.errors import DataError
from gair_cli.training.bank import CellSampler, queued_rows
from gair_cli.training.curriculum import Neighbours
from gair_cli.training.objectives.make import (
    sees_pictures_alone,
    sees_tiles_alone,
    towers_for,
)
from gair_cli.training.steps import PAIR, PHOTO, TILE, Steps
from gair_cli.training.validation import validation_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gair_cli.geo.shards import ShardReader
    from gair_cli.models.config import ModelConfig, Tower
    from gair_cli.training.config import Recipe
    from gair_cli.training.steps import StepRows

TRAIN, VALIDATION = "train", "val"


def towers_of(reader: ShardReader, recipe: Recipe) -> tuple[Tower, ...]:
    """Return the towers that the data can feed and the objective trains.

    Raises:
        DataError: If the objective needs a half that the data lack.
    """
    there: list[Tower] = ["rs"] if reader.has_tiles else []
    if reader.has_photos:
        there.append("sv")
    fed = (*there, "location")
    wanted = towers_for(recipe)
    if wanted is None:
        return tuple(fed)
    missing = [name for name in wanted if name not in fed]
    if missing:
        what = "tiles" if missing[0] == "rs" else "photos"
        raise DataError(
            f"objective {recipe.objective} needs {what}, and {reader.path} has none",
            hint="pack shards of pairs: gair pack pairs.parquet --tiles tiles",
        )
    return wanted


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

    def bank(self, step: int, seen: StepRows) -> torch.Tensor | None:
        """Return the further coordinates of a step that sees some rows."""
        config = self.recipe.bank
        if config.kind == "none":
            return None
        if self.sampler is not None:
            rows = self.sampler.draw(seen.rows, step=step, size=config.size)
            found = [self.data.lonlat(rows, epoch=int(seen.epochs[0]))]
        else:
            queue = queued_rows(self.steps, step, size=config.size)
            found = [self.data.lonlat(one.rows, epoch=one.epochs) for one in queue]
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
    augment = recipe.augment if config.reads_footprints else replace(recipe.augment, radii_m=())
    data = TrainingData(
        reader,
        rs=config.rs.input if config.rs else None,
        sv=config.sv.input if config.sv else None,
        seed=recipe.seed,
        augment=augment,
        cache_mb=recipe.cache_mb,
    )
    kinds = _kinds(data, config, alone=sees_pictures_alone(recipe))
    train, held_out = _rows(data, kinds, recipe)
    index = reader.index
    sampler = None
    if recipe.bank.kind == "sampled":
        sampler = CellSampler(index["cell"].gather(train), train, seed=recipe.seed)
    sources = None
    if recipe.source_weights:
        sources = index["source"].fill_null("").to_numpy().astype(str)[train]
    steps = Steps.of(
        train,
        kinds[train],
        recipe=recipe,
        source_of=sources,
        blocks=_blocks(reader, recipe),
        neighbours=_neighbours(data, train, kinds[train], recipe),
    )
    return DataInputs(
        data=data,
        steps=steps,
        validation=validation_rows(held_out, recipe.validation_rows, seed=recipe.seed),
        recipe=recipe,
        sampler=sampler,
    )


def _rows(
    data: TrainingData, kinds: NDArray[np.int64], recipe: Recipe
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows to train on, tile by tile, and those to validate on.

    Raises:
        DataError: If there is none to train on.
    """
    split = data.reader.index["split"].fill_null(TRAIN)
    order = data.mixed_by_tile()
    train = order[((split == TRAIN).to_numpy() & (kinds > 0))[order]]
    if not len(train):
        raise DataError(
            f"{data.reader.path} has no row of split {TRAIN} that the model can use "
            f"({', '.join(split.unique().sort())} there)",
            hint="a row needs two of tile, photo and coordinates; check the split",
        )
    held_out = np.flatnonzero((split == VALIDATION).to_numpy() & (kinds == kinds.max()))
    if sees_tiles_alone(recipe):  # photos of one tile would be the same sample
        return data.first_of_tiles(train), data.first_of_tiles(held_out)
    return train, held_out


def _kinds(data: TrainingData, config: ModelConfig, *, alone: bool) -> NDArray[np.int64]:
    """Return which halves of each row the model uses, 0 for too little to compare.

    Args:
        data: The rows.
        config: The towers.
        alone: Whether one half alone is enough, as for an objective of pictures only.
    """
    tile = data.has_tile & (config.rs is not None)
    photo = data.has_photo & (config.sv is not None)
    kinds = TILE * tile.astype(np.int64) + PHOTO * photo.astype(np.int64)
    if alone or config.location is not None:
        return kinds
    return np.where(kinds == PAIR, PAIR, 0)


def _blocks(reader: ShardReader, recipe: Recipe) -> Blocks | None:
    """Return blocks of about `recipe.block_mb`, or None for a global shuffle."""
    if recipe.shuffle == "global":
        return None
    halves = [reader.index[f"{half}_length"].sum() or 0 for half in ("tile", "photo")]
    of_a_row = max(1.0, sum(float(one) for one in halves) / max(1, reader.index.height))
    rows = max(recipe.photos_per_tile, round(recipe.block_mb * 2**20 / of_a_row))
    return Blocks(rows, recipe.blocks_at_once)


def _neighbours(
    data: TrainingData, rows: NDArray[np.int64], kind_of: NDArray[np.int64], recipe: Recipe
) -> Neighbours | None:
    """Return the curriculum, or None where it is off."""
    if recipe.curriculum.share == 0:
        return None
    return Neighbours(
        rows,
        data.lonlat(rows, epoch=0),
        kind_of=kind_of,
        tile_of=data.tile_of(rows),
        config=recipe.curriculum,
        steps=recipe.steps,
        group=recipe.photos_per_tile,
        seed=recipe.seed,
    )
