"""A spatial split for any table with coordinates: train, val and test by block, kept apart.

The table is read in batches: once to look at it, once to draw where k-means centres are fitted or
splits are measured, once to write. Memory holds the coordinates of the validation and test rows,
which distances are measured to, and a few batches.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import polars as pl

from gair_cli.errors import DataError
from gair_cli.geo.block_kinds import BlockKind, Centres, ColumnBlocks, KMeansBlocks, fit_centres
from gair_cli.geo.blocks import FRACTIONS, PHOTOS_ALONE, SPLITS, block_names, split_of_blocks
from gair_cli.geo.columns import ColumnNames
from gair_cli.geo.distances import Places
from gair_cli.geo.outputs import fingerprint
from gair_cli.geo.point_stream import PointStream, open_points
from gair_cli.geo.split_map import MapSample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from gair_cli.geo.point_stream import PointBatch

    Progress: TypeAlias = Callable[[int], None]

BUFFERED: Final = "closer to another split than the buffer"
NO_BLOCK: Final = "no block in the block column"
MADE: Final[tuple[str, ...]] = ("split", "block")
_STRONGER: Final = {"train": ("val", "test"), "val": ("test",)}
"""Which splits a row gives way to where it comes too close to theirs."""


@dataclass(frozen=True, slots=True)
class SplitRequest:
    """What `gair split` is asked for.

    Attributes:
        table: A table with coordinates, or `-`.
        block: What a split is drawn for.
        fractions: Shares of train, val and test.
        seed: Of the draw, and of k-means.
        buffer_m: Least distance between rows of two splits, metres; nearer ones are left out.
        names: The user's column names.
        crs: CRS of the coordinates.
        max_bad: Bad rows tolerated.
        limit: Use the first rows only.
    """

    table: Path
    block: BlockKind = PHOTOS_ALONE
    fractions: tuple[float, float, float] = FRACTIONS
    seed: int = 0
    buffer_m: float = 0.0
    names: ColumnNames = field(default_factory=ColumnNames)
    crs: str | None = None
    max_bad: float | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class SplitReport:
    """What became of the rows.

    Attributes:
        rows: How many there were, bad ones included.
        block: Size, or kind, of the blocks.
        seed: Of the draw.
        buffer_m: The least distance that was asked for, metres.
        splits: Rows of each split.
        blocks: Blocks of each split that have rows left.
        least_distance_m: Metres between the nearest rows of two splits, as `train-test`; None
            where one of them is empty.
        buffered: Rows left out for the buffer.
        bad: Rows that cannot be used.
        first_bad: Row number and reason of the first of these.
    """

    rows: int
    block: str
    seed: int
    buffer_m: float
    splits: Mapping[str, int]
    blocks: Mapping[str, int]
    least_distance_m: Mapping[str, float | None]
    buffered: int = 0
    bad: int = 0
    first_bad: tuple[int, str] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values, with the share of each split."""
        kept = sum(self.splits.values())
        return {
            "rows": self.rows,
            "kept": kept,
            "block": self.block,
            "seed": self.seed,
            "buffer_m": self.buffer_m,
            "splits": {
                name: {
                    "rows": count,
                    "share": count / kept if kept else 0.0,
                    "blocks": self.blocks[name],
                }
                for name, count in self.splits.items()
            },
            "least_distance_m": dict(self.least_distance_m),
            "rejected": {"buffer": self.buffered, "bad": self.bad},
        }


@dataclass(frozen=True, slots=True)
class SplitBatch:
    """Some rows with their split.

    Attributes:
        rows: The kept rows: the user's columns, `split`, `block`.
        lonlat: (n, 2) degrees of these.
        rejected: The other rows, with `reason`, and `row` (number in the input).
    """

    rows: pl.DataFrame
    lonlat: NDArray[np.float64]
    rejected: pl.DataFrame


class _Blocks:
    """Names the blocks of batches."""

    def __init__(self, kind: BlockKind, centres: Centres | None) -> None:
        self._kind, self._centres = kind, centres

    def names(self, batch: PointBatch) -> list[str | None]:
        """Return the block of each row; None where its column has none."""
        if isinstance(self._kind, ColumnBlocks):
            texts = batch.frame[self._kind.name].cast(pl.String)
            return [text or None for text in texts.to_list()]
        if self._centres is not None:
            return [*self._centres.names(batch.lonlat)]
        assert not isinstance(self._kind, KMeansBlocks)  # noqa: S101 - those have centres
        return [*block_names(batch.lonlat, self._kind)]


@dataclass(slots=True)
class _Tally:
    """Counts while rows are written."""

    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    blocks: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in SPLITS})
    least: dict[tuple[str, str], float] = field(
        default_factory=lambda: dict.fromkeys(combinations(SPLITS, 2), np.inf)
    )
    buffered: int = 0
    bad: int = 0
    first_bad: tuple[int, str] | None = None


class SplitJob:
    """A request whose table was looked at; give it to `batches`, then ask for the `report`.

    Args:
        request: What is asked for.
        stream: Its table.
    """

    def __init__(self, request: SplitRequest, stream: PointStream) -> None:
        self.request = request
        self.stream = stream
        self.sample = MapSample(request.seed)
        self._tally = _Tally()

    @property
    def passes(self) -> int:
        """How often all rows are read after the first look."""
        return 3 if isinstance(self.request.block, KMeansBlocks) else 2

    def plan(self, format_: str) -> dict[str, Any]:
        """Return hashes of the input, and the options: equal plans give equal bytes."""
        request = self.request
        return {
            "command": "split",
            "table": fingerprint(self.stream.table.path),
            "block": repr(request.block),
            "fractions": list(request.fractions),
            "seed": request.seed,
            "buffer_m": request.buffer_m,
            "names": repr(request.names),
            "crs": request.crs,
            "limit": request.limit,
            "format": format_,
        }

    def batches(self, progress: Progress | None = None) -> Iterator[SplitBatch]:
        """Yield all rows in input order, with their split.

        Args:
            progress: Called with the number of rows read, pass by pass.
        """
        self._tally = _Tally()
        self.sample = MapSample(self.request.seed)
        advance = progress or (lambda _rows: None)
        blocks = _Blocks(self.request.block, self._centres(advance))
        targets = self._targets(blocks, advance)
        for batch in self.stream.batches():
            yield self._split(batch, blocks, targets)
            advance(len(batch.ids) + batch.bad.height)

    def _centres(self, advance: Progress) -> Centres | None:
        kind = self.request.block
        if not isinstance(kind, KMeansBlocks):
            return None

        def places() -> Iterator[NDArray[np.float64]]:
            for batch in self.stream.batches():
                yield batch.lonlat
                advance(len(batch.ids) + batch.bad.height)

        return fit_centres(places(), kind.count, seed=self.request.seed)

    def _targets(self, blocks: _Blocks, advance: Progress) -> dict[str, Places]:
        """Return the validation and test rows that are kept."""
        found: dict[str, list[NDArray[np.float64]]] = {"val": [], "test": []}
        for batch in self.stream.batches():
            _, splits, _ = self._drawn(batch, blocks)
            for name, places in found.items():
                places.append(batch.lonlat[splits == name])
            advance(len(batch.ids) + batch.bad.height)
        lonlat = {name: np.concatenate(places) for name, places in found.items()}
        del found
        test = Places(lonlat["test"])
        val = lonlat["val"]
        if self.request.buffer_m > 0:
            val = val[test.distances(val, most=self.request.buffer_m) >= self.request.buffer_m]
        return {"test": test, "val": Places(val)}

    def _drawn(
        self, batch: PointBatch, blocks: _Blocks
    ) -> tuple[NDArray[np.object_], NDArray[np.object_], NDArray[np.bool_]]:
        """Return block and split of each row, and whether it has a block."""
        names = blocks.names(batch)
        has = np.array([name is not None for name in names], bool)
        texts = [name or "" for name in names]
        request = self.request
        splits = split_of_blocks(texts, seed=request.seed, fractions=request.fractions)
        drawn = np.array(splits, dtype=object)
        drawn[~has] = ""
        return np.array(texts, dtype=object), drawn, has

    def _split(
        self, batch: PointBatch, blocks: _Blocks, targets: Mapping[str, Places]
    ) -> SplitBatch:
        names, splits, has = self._drawn(batch, blocks)
        near = self._too_near(batch.lonlat, splits, targets)
        kept = has & ~near
        self._count(batch, names, splits, kept)
        reasons = np.where(has, BUFFERED, NO_BLOCK)[~kept]
        left_out = batch.frame.filter(pl.Series(~kept)).with_columns(
            pl.Series("row", batch.numbers[~kept], dtype=pl.Int64),
            pl.Series("reason", reasons.tolist(), dtype=pl.String),
        )
        self._count_left_out(batch, left_out)
        self.sample.add(batch.lonlat[kept], splits[kept])
        rejected = pl.concat([batch.bad, left_out]).sort("row")
        return SplitBatch(
            self._table(batch.frame.filter(pl.Series(kept)), splits[kept], names[kept]),
            batch.lonlat[kept],
            rejected,
        )

    def _too_near(
        self,
        lonlat: NDArray[np.float64],
        splits: NDArray[np.object_],
        targets: Mapping[str, Places],
    ) -> NDArray[np.bool_]:
        """Tell which rows give way, and keep the least distances of the others."""
        tally, buffer_m = self._tally, self.request.buffer_m
        out = np.zeros(len(lonlat), bool)
        for weak, stronger in _STRONGER.items():
            rows = np.flatnonzero(splits == weak)
            found = {
                (weak, strong): targets[strong].distances(
                    lonlat[rows], most=max(tally.least[weak, strong], buffer_m)
                )
                for strong in stronger
            }
            near = np.any([distance < buffer_m for distance in found.values()], axis=0)
            out[rows[near]] = True
            for key, distance in found.items():
                tally.least[key] = min(tally.least[key], float(distance[~near].min(initial=np.inf)))
        return out

    def _count(
        self,
        batch: PointBatch,
        names: NDArray[np.object_],
        splits: NDArray[np.object_],
        kept: NDArray[np.bool_],
    ) -> None:
        tally = self._tally
        for split in SPLITS:
            held = kept & (splits == split)
            tally.rows[split] += int(held.sum())
            tally.blocks[split].update(names[held].tolist())
        tally.bad += batch.bad.height

    def _count_left_out(self, batch: PointBatch, left_out: pl.DataFrame) -> None:
        tally = self._tally
        no_block = left_out.filter(pl.col("reason") == NO_BLOCK)
        tally.bad += no_block.height
        tally.buffered += left_out.height - no_block.height
        if tally.first_bad is None:
            faults = pl.concat([batch.bad, no_block]).sort("row")
            if faults.height:
                tally.first_bad = int(faults["row"][0]), str(faults["reason"][0])

    def _table(
        self, frame: pl.DataFrame, splits: NDArray[np.object_], names: NDArray[np.object_]
    ) -> pl.DataFrame:
        taken = {name: _free(name, frame.columns) for name in MADE if name in frame.columns}
        return frame.rename(taken).with_columns(
            pl.Series("split", splits.tolist(), dtype=pl.String),
            pl.Series("block", names.tolist(), dtype=pl.String),
        )

    def report(self) -> SplitReport:
        """Return the counts of the batches that were yielded."""
        tally, request = self._tally, self.request
        least = {
            f"{one}-{other}": None if np.isinf(value) else value
            for (one, other), value in tally.least.items()
        }
        return SplitReport(
            rows=self.stream.rows,
            block=str(request.block),
            seed=request.seed,
            buffer_m=request.buffer_m,
            splits=dict(tally.rows),
            blocks={name: len(blocks) for name, blocks in tally.blocks.items()},
            least_distance_m=least,
            buffered=tally.buffered,
            bad=tally.bad,
            first_bad=tally.first_bad,
        )


def _free(name: str, columns: list[str]) -> str:
    """Return another name for a column of the input that has the name of one that is made."""
    while name in columns:
        name = f"input_{name}"
    return name


@contextmanager
def open_split(request: SplitRequest) -> Iterator[SplitJob]:
    """Look at a request's table once.

    Yields:
        The job.

    Raises:
        InputError: If the table is missing, empty or unreadable.
        DataError: If it has no rows, no coordinates, or not the block column.
        UsageError: If the shares do not add up to 1.
        BadRowsError: If more rows are bad than tolerated.
    """
    split_of_blocks([], seed=request.seed, fractions=request.fractions)  # refuses wrong shares
    with open_points(
        request.table,
        names=request.names,
        crs=request.crs,
        max_bad=request.max_bad,
        limit=request.limit,
    ) as stream:
        kind = request.block
        if isinstance(kind, ColumnBlocks) and kind.name not in stream.schema:
            raise DataError(
                f"--block column:{kind.name}: the table has no such column",
                hint=f"columns: {', '.join(stream.schema)}",
            )
        yield SplitJob(request, stream)
