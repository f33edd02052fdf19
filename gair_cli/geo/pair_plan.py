"""What the pairing of one table is planned with: tiles, their blocks and splits, columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from gair_cli import _rust
from gair_cli.errors import DataError
from gair_cli.geo.block_kinds import (
    BlockKind,
    ColumnBlocks,
    KMeansBlocks,
    fit_centres,
    parse_kind,
)
from gair_cli.geo.blocks import SPLITS, block_names, default_block, split_of_blocks
from gair_cli.geo.geoparquet import BBOX, GEOMETRY
from gair_cli.geo.locator import TileLocator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from gair_cli.geo.pair_options import PairingOptions

PAIR_COLUMNS: Final[Mapping[str, Any]] = {
    "sample_id": pl.String,
    "photo_id": pl.String,
    "path": pl.String,
    "tile_id": pl.String,
    "lon": pl.Float64,
    "lat": pl.Float64,
    "x": pl.Float64,
    "y": pl.Float64,
    "edge_distance_m": pl.Float32,
    "days_apart": pl.Float32,
    "heading": pl.Float32,
    "captured_at": pl.Datetime("ms", "UTC"),
    "h_accuracy_m": pl.Float32,
    "sequence_id": pl.String,
    "source": pl.String,
    "split": pl.String,
    "block": pl.String,
}
"""The columns of a pair table before the user's own, `geometry` and `bbox`."""

TILE_COLUMNS: Final = (
    "tile_id",
    "scene_id",
    "datetime",
    "crs",
    "transform",
    "width",
    "height",
    "centre_lon",
    "centre_lat",
)
"""The columns of a tile index that pairing reads."""

GROUP: Final = "group"
NO_DATE: Final = np.iinfo(np.int64).min
_KINDS: Final = {
    "photo_id": "id",
    "path": "path",
    "lon": "float64",
    "lat": "float64",
    "heading": "float32",
    "pitch": "float32",
    "fov": "float32",
    "altitude": "float32",
    "h_accuracy_m": "float32",
    "captured_at": "time",
    "sequence_id": "text",
    "source": "text",
    "licence": "text",
    "split": "text",
}


@dataclass(frozen=True, slots=True)
class TileFacts:
    """What pairs tell of T tiles.

    Attributes:
        index: The tile index.
        blocks: Name of each tile's block.
        splits: Split of each tile.
        block: Size, or kind, of the blocks, for people.
        locator: Where the tiles are.
    """

    index: pl.DataFrame
    blocks: list[str]
    splits: list[str]
    block: str
    locator: TileLocator

    @classmethod
    def of(cls, index: pl.DataFrame, options: PairingOptions) -> TileFacts:
        """Draw the splits of all tiles.

        Raises:
            UsageError: If the block or the shares make no sense.
        """
        centres = index.select("centre_lon", "centre_lat").to_numpy().astype(np.float64)
        locator = TileLocator(index)
        kind = default_block(index) if options.block is None else parse_kind(options.block)
        names = _block_names(centres, kind, index, options)
        splits = split_of_blocks(names, seed=options.seed, fractions=options.fractions)
        return cls(index, names, splits, str(kind), locator)

    def given(self) -> dict[str, Any]:
        """Return the facts as the engine takes them."""
        names = list(dict.fromkeys(self.blocks))
        numbers = {name: number for number, name in enumerate(names)}
        return {
            "ids": self.index["tile_id"],
            "dates": _dates(self.index),
            "blocks": np.asarray([numbers[name] for name in self.blocks], np.uint32),
            "block_names": names,
            "splits": np.asarray([SPLITS.index(split) for split in self.splits], np.uint16),
        }


def _block_names(
    centres: NDArray[np.float64], kind: BlockKind, index: pl.DataFrame, options: PairingOptions
) -> list[str]:
    """Name the block of each tile by its centre; by the default size where photos name theirs."""
    if isinstance(kind, KMeansBlocks):
        return fit_centres([centres], kind.count, seed=options.seed).names(centres)
    grid = default_block(index) if isinstance(kind, ColumnBlocks) else kind
    return block_names(centres, grid)


def _dates(index: pl.DataFrame) -> np.ndarray:
    if "datetime" not in index.columns:
        return np.full(index.height, NO_DATE, np.int64)
    times = index["datetime"].cast(pl.Datetime("ms", "UTC")).cast(pl.Int64)
    return times.fill_null(NO_DATE).to_numpy().astype(np.int64)


Columns = list[tuple[str, str, str]]
"""Name in the table that is read, name in the photo table, kind of the engine."""


def kind_of(name: str, options: PairingOptions) -> str:
    """Return the engine's kind of a column of the photo table."""
    if name == options.block_column:
        return "text"
    return _KINDS.get(name, "own")


def plan_engine(
    tiles: TileFacts,
    columns: Columns,
    options: PairingOptions,
    *,
    photos_root: Path,
    folder: Path | None,
) -> _rust.PairEngine:
    """Make the engine of one pairing.

    Args:
        tiles: The tiles.
        columns: The photos' columns.
        options: How to pair.
        photos_root: Folder that relative paths of the photos start from.
        folder: Folder that those of the pair table are to start from; None makes them absolute.

    Raises:
        DataError: If an option needs a column that is not there.
        UsageError: If an option makes no sense.
    """
    names = [target for _, target, _ in columns]
    _need_columns(names, options)
    return _rust.PairEngine(
        tiles.locator.finder,
        tiles.given(),
        columns,
        output_columns(names, options),
        _given(options),
        photos_root=photos_root,
        folder=folder,
    )


def _given(options: PairingOptions) -> dict[str, Any]:
    return {
        "tiles_a_photo": options.tiles_a_photo,
        "margin_m": options.margin_m,
        "days": options.days,
        "nearest_date": options.nearest_date,
        "heading": options.headings,
        "heading_known": options.heading == "known",
        "max_accuracy_m": options.max_accuracy_m,
        "min_distance_m": options.min_distance_m,
        "max_photos": options.max_photos,
        "group": options.per_tile,
        "seed": str(options.seed),
        "own_split": options.own_split,
        "block_column": options.block_column,
        "borders": np.cumsum(options.fractions)[:2].tolist(),
        "split_names": [] if options.own_split else list(SPLITS),
    }


def _need_columns(names: Sequence[str], options: PairingOptions) -> None:
    """Refuse options that need a column which is not there."""
    if options.own_split and "split" not in names:
        raise DataError("the photos have no split to keep", hint="pass --split-column")
    needs = [
        ("captured_at", "--days", options.days is not None),
        ("captured_at", "--nearest-date", options.nearest_date),
        ("heading", "--heading", options.heading is not None),
        ("h_accuracy_m", "--max-accuracy", options.max_accuracy_m is not None),
        ("sequence_id", "--min-distance", options.min_distance_m is not None),
        (options.block_column or "", "--block", options.block_column is not None),
    ]
    for name, flag, needed in needs:
        if needed and name not in names:
            raise DataError(
                f"{flag} needs a column {name}, and the photos have none",
                hint=f"columns: {', '.join(names)}",
            )


def output_columns(names: Sequence[str], options: PairingOptions) -> list[str]:
    """Return the columns of the pair table.

    Args:
        names: The photos' columns.
        options: `columns` and `per_tile` count.

    Raises:
        DataError: If a column is asked for that there is not.
    """
    group = [GROUP] if options.per_tile is not None else []
    made = {*PAIR_COLUMNS, *group, GEOMETRY, BBOX}
    own = [name for name in names if name not in made]
    all_ = [*PAIR_COLUMNS, *group, *own, GEOMETRY, BBOX]
    if options.columns is None:
        return all_
    missing = [name for name in options.columns if name not in all_]
    if missing:
        raise DataError(f"--columns: no column {missing[0]!r}", hint=f"columns: {', '.join(all_)}")
    return list(dict.fromkeys(options.columns))
