"""The passes of one pairing: look at all rows, survey the tiles in use, write the pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.errors import DataError
from gair_cli.geo.blocks import SPLITS
from gair_cli.geo.buffers import any_shared, shared_tiles, yielding_tiles
from gair_cli.geo.locator import refuse_swapped
from gair_cli.geo.photo_source import EnginePhotos, lonlat_sample, no_progress
from gair_cli.geo.tables import check_bad, refuse_beyond

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars as pl

    from gair_cli import _rust
    from gair_cli.geo.pair_counts import Looked, TilesInUse, Written
    from gair_cli.geo.pair_options import PairingOptions
    from gair_cli.geo.pair_plan import TileFacts
    from gair_cli.geo.photo_source import PhotoSource

    Progress = Callable[[int], None]
    Drain = Callable[[_rust.PairEngine], None]

_SAME_ID_HINT: Final = "give every photo its own id, or name another --id-column"


@dataclass(frozen=True, slots=True)
class PairReport:
    """What became of the photos.

    Attributes:
        photos: How many there were, bad and repeated rows aside.
        pairs: How many pairs were kept; a photo in overlapping tiles may make several.
        tiles_used: Tiles with at least one pair.
        splits: Pairs a split, in the order train, val, test, then others by name.
        blocks: Different blocks.
        block: Size, or kind, of the blocks.
        rejected: Photos a reason.
        shared_tiles: Tiles in use that overlap a tile of another split.
        split_tiles: Tiles with photos of more than one split.
        bad: Rows that cannot be used.
        repeated: Rows that repeat an earlier one.
        bounds: West, south, east, north of the pairs.
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
    bad: int = 0
    repeated: int = 0
    bounds: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class PairRun:
    """One pairing, ready to go.

    Attributes:
        engine: What does the work.
        source: The photos.
        tiles: The tiles.
        options: How to pair.
        max_bad: Bad rows tolerated: a share below 1, or a number.
        bad_before: Bad photos that are known already, of a folder.
        progress: Called with the number of rows done, pass by pass.
    """

    engine: _rust.PairEngine
    source: PhotoSource
    tiles: TileFacts
    options: PairingOptions
    max_bad: float | None = None
    progress: Progress = field(default=no_progress)
    _used: list[TilesInUse] = field(default_factory=list)

    def look(self) -> None:
        """Look at all rows, before anything is written.

        Raises:
            DataError: If there are no rows, most latitudes are beyond 90, lon and lat look swapped,
                or an id stands for two different rows.
            BadRowsError: If more rows are bad than tolerated.
        """
        hard = not isinstance(self.source, EnginePhotos)
        looked = self._looked("look_hard" if hard else "look")
        self._check(looked)
        if looked["unsure"] and not hard:
            looked = self._looked("look_hard")
        if looked["unsure"]:
            self._pass("compare")
            try:
                self.engine.compared()
            except ValueError as error:
                raise DataError(str(error), hint=_SAME_ID_HINT) from error

    def _looked(self, phase: str) -> Looked:
        self._pass(phase)
        return self.engine.looked()

    def _check(self, looked: Looked) -> None:
        rows, name = looked["rows"], self.source.name
        if rows == 0:
            raise DataError(f"{name} has no rows", hint="give a table with at least one row")
        example = looked["first_beyond"] or (0, 0.0)
        refuse_beyond(
            looked["beyond_lat"], rows, name=name, missing=looked["missing"], example=example
        )
        bad = looked["missing"] + looked["beyond_lat"] + looked["beyond_lon"]
        check_bad(bad, rows, max_bad=self.max_bad)
        refuse_swapped(self.tiles.locator, lonlat_sample(looked), name=name)

    def survey(self) -> None:
        """Find the tiles in use, if pairs depend on them."""
        options = self.options
        separates = options.separates and self._may_conflict()
        if not (separates or options.max_photos or options.per_tile):
            return
        used = self._surveyed()
        if not separates:
            return
        rows, names = used
        if not len(rows):
            return
        out = yielding_tiles(self.tiles.index[rows], names, buffer_m=options.buffer_m or 0.0)
        gone = np.flatnonzero(out).tolist()
        self.engine.give_way([(int(rows[at]), names[at]) for at in gone])
        if options.max_photos or options.per_tile:
            self._surveyed()  # among the pairs that are left

    def _surveyed(self) -> TilesInUse:
        self._pass("survey")
        return self.engine.surveyed()

    def _may_conflict(self) -> bool:
        """Tell whether splits of the tiles could ever touch: if not, a pass is saved."""
        if self.options.own_split or self.options.block_column is not None:
            return True
        buffer_m = self.options.buffer_m or 0.0
        return any_shared(self.tiles.index, self.tiles.splits, buffer_m=buffer_m)

    def write(self, drain: Drain | None = None) -> PairReport:
        """Write all pairs.

        Args:
            drain: Called from time to time to take what no file takes.

        Returns:
            Counts; the files are to be closed.
        """

        def advance(rows: int) -> None:
            self.progress(rows)
            if drain is not None:
                drain(self.engine)

        self._pass("write", advance)
        written, used = self.engine.written()
        if drain is not None:
            drain(self.engine)
        self._used[:] = [used]
        return self._report(written, used)

    def tiles_in_use(self) -> tuple[pl.DataFrame, list[str]]:
        """Return the tiles that `write` wrote pairs of, and the split of each.

        A tile with photos of several splits is there once for each.
        """
        rows, names = self._used[0]
        return self.tiles.index[rows], names

    def _pass(self, phase: str, progress: Progress | None = None) -> None:
        self.engine.begin(phase)
        try:
            self.source.feed(self.engine, progress=progress or self.progress)
        except ValueError as error:
            no_id = "no photo id" in str(error)
            hint = "fill the id column" if no_id else "mend the row, or name other columns"
            raise DataError(f"{self.source.name}: {error}", hint=hint) from error

    def _report(self, written: Written, used: TilesInUse) -> PairReport:
        options, tiles = self.options, self.tiles
        rows, names = used
        once, counts = np.unique(rows, return_counts=True)
        shared = 0
        if len(rows) and not options.separates:
            shared = int(shared_tiles(tiles.index[rows], names).sum())
        by_column = options.block_column is not None
        blocks = {tiles.blocks[row] for row in once.tolist()}
        bad = sum(count for (_, at_fault), count in written["rejected"] if at_fault)
        order = [*SPLITS, *sorted(set(written["splits"]) - set(SPLITS))]
        return PairReport(
            photos=written["rows"] - written["repeated"] - bad,
            pairs=written["pairs"],
            tiles_used=len(once),
            splits={name: written["splits"].get(name, 0) for name in order},
            blocks=written["blocks"] if by_column else len(blocks),
            block=tiles.block,
            rejected=dict(
                sorted((t, n) for (t, at_fault), n in written["rejected"] if not at_fault)
            ),
            shared_tiles=shared,
            split_tiles=int((counts > 1).sum()),
            bad=bad,
            repeated=written["repeated"],
            bounds=written["bounds"],
        )
