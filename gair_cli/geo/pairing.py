"""Pair photos with the tiles that hold them, and give every pair a split.

A photo's block is that of its tile's centre, so that no tile serves two splits. Photos outside
every tile, or filtered, are returned with a reason: nothing is dropped in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import polars as pl

from gair_cli.errors import DataError
from gair_cli.geo.blocks import (
    FRACTIONS,
    PHOTOS_ALONE,
    SPLITS,
    BlockGrid,
    block_names,
    default_block,
    parse_block,
    split_of_blocks,
)
from gair_cli.geo.buffers import shared_tiles, yielding_tiles
from gair_cli.geo.locator import Located, TileLocator, refuse_swapped
from gair_cli.geo.pair_rows import PAIR_COLUMNS, pair_rows, rejected_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "PAIR_COLUMNS",
    "REASONS",
    "Located",
    "PairReport",
    "PairResult",
    "PairingOptions",
    "TileLocator",
    "block_splits",
    "pair_photos",
    "refuse_swapped",
]

OUTSIDE: Final = "outside every tile"
IN_BUFFER: Final = "in the buffer between splits"
NO_SPLIT: Final = "no split in the split column"
REASONS: Final = (
    OUTSIDE,
    IN_BUFFER,
    NO_SPLIT,
    "no coordinates",
    "latitude beyond 90",
    "longitude beyond 180",
    "unreadable photo",
)
"""Every reason that a rejected photo can have; the last four are bad rows."""


class _HasIndex(Protocol):
    @property
    def index(self) -> pl.DataFrame: ...


@dataclass(frozen=True, slots=True)
class PairingOptions:
    """How pairs get their splits.

    Attributes:
        block: `2km` or `0.5deg`; None is two tile edges.
        seed: Of the draw of blocks.
        fractions: Shares of train, val, test.
        own_split: Keep the photos' `split` column instead of drawing.
        buffer_m: Least distance between tiles of different splits; 0 keeps overlapping ones; None
            leaves out just those that overlap, and none of the user's own splits.
    """

    block: str | None = None
    seed: int = 0
    fractions: tuple[float, float, float] = FRACTIONS
    own_split: bool = False
    buffer_m: float | None = None

    @property
    def separates(self) -> bool:
        """Whether photos are left out to keep the splits apart."""
        return not self.own_split if self.buffer_m is None else self.buffer_m > 0


@dataclass(frozen=True, slots=True)
class PairReport:
    """What became of the photos.

    Attributes:
        photos: How many there were.
        pairs: How many lie in a tile and were kept.
        tiles_used: Tiles with at least one pair.
        splits: Pairs a split, in the order train, val, test, then others by name.
        blocks: Different blocks.
        block: Size of the blocks.
        rejected: Photos a reason.
        shared_tiles: Tiles in use that overlap a tile of another split.
        split_tiles: Tiles with photos of more than one split (own splits only).
    """

    photos: int
    pairs: int
    tiles_used: int
    splits: Mapping[str, int]
    blocks: int
    block: str
    rejected: Mapping[str, int]
    shared_tiles: int
    split_tiles: int


@dataclass(frozen=True, slots=True)
class PairResult:
    """Pairs and rejected photos, each in the order of the photos.

    Attributes:
        pairs: The columns of the pair table.
        rejected: The photos' rows and `reason`.
        report: Counts.
    """

    pairs: pl.DataFrame
    rejected: pl.DataFrame
    report: PairReport


def block_splits(
    lonlat: ArrayLike,
    *,
    block: str | None = None,
    seed: int = 0,
    tiles: _HasIndex | None = None,
) -> list[str]:
    """Give places that belong to no pair a split by their block.

    Args:
        lonlat: (N, 2) degrees: tile centres, or photos.
        block: `2km` or `0.5deg`; None is two tile edges, without tiles 0.1 degree.
        seed: Of the draw.
        tiles: The tile set that the default block is taken from.

    Returns:
        `train`, `val` or `test` for each place.

    Raises:
        UsageError: If `block` is no size.
    """
    grid = _grid(block, None if tiles is None else tiles.index)
    return split_of_blocks(block_names(lonlat, grid), seed=seed)


def _grid(block: str | None, index: pl.DataFrame | None) -> BlockGrid:
    if block is not None:
        return parse_block(block)
    return PHOTOS_ALONE if index is None else default_block(index)


def pair_photos(
    photos: pl.DataFrame, index: pl.DataFrame, *, options: PairingOptions | None = None
) -> PairResult:
    """Find each photo's tile and position, and give the pairs their splits.

    Args:
        photos: Photo table: `photo_id`, `lon`, `lat`; other photo columns and the user's own are
            carried along. `split` is used with `options.own_split` only.
        index: Tile index: `tile_id`, `crs`, `transform`, `width`, `height`, `centre_lon`,
            `centre_lat`, and `scene_id`, `datetime` if there.
        options: Of the split.

    Returns:
        Pairs, rejected photos and counts.

    Raises:
        DataError: If the photos look as if lon and lat were swapped, or have no split to keep.
        UsageError: If the block or the shares make no sense.
    """
    options = options or PairingOptions()
    if options.own_split and "split" not in photos.columns:
        raise DataError("the photos have no split to keep", hint="pass --split-column")
    grid = _grid(options.block, index)
    locator = TileLocator(index)
    lonlat = photos.select("lon", "lat").to_numpy().astype(np.float64)
    refuse_swapped(locator, lonlat, name="the photo table")
    located = locator.locate(lonlat)
    reasons = np.where(located.inside, "", OUTSIDE).astype(object)
    blocks, splits = _drawn(photos, index, located, grid, options)
    reasons[np.asarray([split is None for split in splits]) & located.inside] = NO_SPLIT
    shared = _shared(index, located, splits, reasons)
    if options.separates:
        out = _yielding(index, located, splits, reasons, options.buffer_m or 0.0)
        reasons[out] = IN_BUFFER
        shared = 0
    pairs = pair_rows(photos, index, located, blocks, splits, np.flatnonzero(reasons == ""))
    rejected = rejected_rows(photos, reasons)
    return PairResult(pairs, rejected, _report(photos, pairs, rejected, str(grid), shared))


def _drawn(
    photos: pl.DataFrame,
    index: pl.DataFrame,
    located: Located,
    grid: BlockGrid,
    options: PairingOptions,
) -> tuple[list[str | None], list[str | None]]:
    """Return the block and the split of each photo; None outside."""
    centres = index.select("centre_lon", "centre_lat").to_numpy().astype(np.float64)
    tile_blocks = block_names(centres, grid)
    drawn = split_of_blocks(tile_blocks, seed=options.seed, fractions=options.fractions)
    rows = located.row.tolist()
    blocks = [tile_blocks[row] if row >= 0 else None for row in rows]
    if options.own_split:
        own: list[str | None] = photos["split"].cast(pl.String).to_list()
        return blocks, own
    return blocks, [drawn[row] if row >= 0 else None for row in rows]


def _used_tiles(
    located: Located, splits: list[str | None], reasons: NDArray[np.object_]
) -> pl.DataFrame:
    """Return the different (tile row, split) of the pairs."""
    kept = np.flatnonzero(reasons == "")
    used = {"tile": located.row[kept], "split": [splits[row] for row in kept.tolist()]}
    return pl.DataFrame(used, schema={"tile": pl.Int64, "split": pl.String}).unique(
        maintain_order=True
    )


def _shared(
    index: pl.DataFrame,
    located: Located,
    splits: list[str | None],
    reasons: NDArray[np.object_],
) -> int:
    used = _used_tiles(located, splits, reasons)
    tiles = index[used["tile"].to_numpy()]
    return int(shared_tiles(tiles, used["split"].to_list()).sum()) if used.height else 0


def _yielding(
    index: pl.DataFrame,
    located: Located,
    splits: list[str | None],
    reasons: NDArray[np.object_],
    buffer_m: float,
) -> NDArray[np.bool_]:
    """Tell which photos to leave out so that splits keep their distance."""
    used = _used_tiles(located, splits, reasons)
    if not used.height:
        return np.zeros(len(reasons), bool)
    tiles = index[used["tile"].to_numpy()]
    out = yielding_tiles(tiles, used["split"].to_list(), buffer_m=buffer_m)
    gone = set(used.filter(pl.Series(out)).rows())
    pairs = zip(located.row.tolist(), splits, reasons == "", strict=True)
    return np.asarray([kept and (row, split) in gone for row, split, kept in pairs], bool)


def _report(
    photos: pl.DataFrame,
    pairs: pl.DataFrame,
    rejected: pl.DataFrame,
    block: str,
    shared: int,
) -> PairReport:
    counts = dict(pairs["split"].value_counts().rows())
    names = [*SPLITS, *sorted(set(counts) - set(SPLITS))]
    several = pairs.group_by("tile_id").agg(pl.col("split").n_unique())
    return PairReport(
        photos=photos.height,
        pairs=pairs.height,
        tiles_used=several.height,
        splits={name: counts.get(name, 0) for name in names},
        blocks=pairs["block"].n_unique(),
        block=block,
        rejected=dict(sorted(rejected["reason"].value_counts().rows())),
        shared_tiles=shared,
        split_tiles=several.filter(pl.col("split") > 1).height,
    )
