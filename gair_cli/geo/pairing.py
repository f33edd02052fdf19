"""Pair photos with the tiles that hold them, and give every pair a split.

A photo's block is that of its tile's centre, so that no tile serves two splits. Photos outside
every tile, or filtered, are returned with a reason: nothing is dropped in silence. Tables of any
size go through `geo.pair_files`; this module pairs what is in memory, by the same engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from gair_cli import _rust
from gair_cli.geo.blocks import (
    PHOTOS_ALONE,
    BlockGrid,
    block_names,
    default_block,
    parse_block,
    split_of_blocks,
)
from gair_cli.geo.locator import Located, TileLocator, refuse_swapped
from gair_cli.geo.pair_options import PairingOptions
from gair_cli.geo.pair_plan import PAIR_COLUMNS, TileFacts, plan_engine
from gair_cli.geo.pair_run import PairReport, PairRun
from gair_cli.geo.photo_source import FramePhotos

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

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

REASONS: Final = (*(reason for reason, _ in _rust.PairEngine.reasons()), "unreadable photo")
"""Every reason that a rejected photo can have."""


class _HasIndex(Protocol):
    @property
    def index(self) -> pl.DataFrame: ...


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
    photos: pl.DataFrame,
    index: pl.DataFrame,
    *,
    options: PairingOptions | None = None,
    max_bad: float | None = None,
) -> PairResult:
    """Find each photo's tiles and positions, and give the pairs their splits.

    Args:
        photos: Photo table: `photo_id`, `lon`, `lat`; other photo columns and the user's own are
            carried along. `split` is used with `options.own_split` only.
        index: Tile index: `tile_id`, `crs`, `transform`, `width`, `height`, `centre_lon`,
            `centre_lat`, and `scene_id`, `datetime` if there.
        options: How to pair.
        max_bad: Photos without usable coordinates that are tolerated, as in `tables.check_bad`.

    Returns:
        Pairs, rejected photos and counts.

    Raises:
        DataError: If the photos look as if lon and lat were swapped, an option needs a column that
            is not there, or one id stands for two different rows.
        UsageError: If the block or the shares make no sense.
        BadRowsError: If more photos have no usable coordinates than tolerated.
    """
    options = options or PairingOptions()
    source, tiles = FramePhotos(photos), TileFacts.of(index, options)
    columns = source.columns(options)
    engine = plan_engine(tiles, columns, options, photos_root=source.root, folder=None)
    run = PairRun(engine, source, tiles, options, max_bad)
    run.look()
    run.survey()
    pairs: list[pl.DataFrame] = []
    rejected: list[pl.DataFrame] = []

    def drain(engine: _rust.PairEngine) -> None:
        for made, left_out in engine.take():
            pairs.append(pl.DataFrame(made))
            if left_out is not None:
                rejected.append(pl.DataFrame(left_out))

    report = run.write(drain)
    aside = pl.concat(rejected) if rejected else _no_rejected(photos)
    return PairResult(pl.concat(pairs), aside, report)


def _no_rejected(photos: pl.DataFrame) -> pl.DataFrame:
    return photos.clear().with_columns(pl.lit(None, pl.String).alias("reason"))
