"""Points of a table of any size: looked at once, then read again batch by batch.

The first look finds the types of all columns, counts rows that cannot be used, and stops before
any work where there are too many of them; memory holds one batch.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from gair_cli.errors import DataError
from gair_cli.geo import columns as names_of
from gair_cli.geo.columns import ColumnNames, find_column, find_lonlat
from gair_cli.geo.table_batches import TableFile, open_table
from gair_cli.geo.tables import (
    BEYOND_LAT,
    MISSING,
    check_bad,
    coordinate_faults,
    read_lonlat,
    refuse_beyond,
    row_ids,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gair_cli.geo.frames import Source
    from gair_cli.records import Bounds


@dataclass(frozen=True, slots=True)
class PointBatch:
    """Some rows of a table of points, in input order.

    Attributes:
        frame: The usable rows, all of the user's columns in the types of the whole table.
        ids: One text a row: the id column, else the row number in the input.
        lonlat: (n, 2) float64, degrees.
        numbers: (n,) int64, numbers of these rows in the input.
        bad: The other rows, with `row` (number in the input) and `reason`.
    """

    frame: pl.DataFrame
    ids: list[str]
    lonlat: np.ndarray
    numbers: np.ndarray
    bad: pl.DataFrame


@dataclass(slots=True)
class _Seen:
    """What the first look has found so far."""

    rows: int = 0
    bad: int = 0
    missing: int = 0
    beyond: int = 0
    first_bad: tuple[int, str] | None = None
    first_beyond: tuple[int, float] | None = None
    bounds: Bounds | None = None
    columns: pl.DataFrame | None = None
    geo: str | None = None

    def add(self, frame: pl.DataFrame, lonlat: np.ndarray) -> None:
        faults = coordinate_faults(lonlat)
        bad, beyond = np.flatnonzero(faults != ""), np.flatnonzero(faults == BEYOND_LAT)
        if self.first_bad is None and bad.size:
            self.first_bad = self.rows + int(bad[0]), str(faults[bad[0]])
        if self.first_beyond is None and beyond.size:
            self.first_beyond = self.rows + int(beyond[0]), float(lonlat[beyond[0], 1])
        self.bounds = _joined(self.bounds, lonlat[faults == ""])
        self.columns = _common(self.columns, frame)
        self.rows += len(lonlat)
        self.bad += bad.size
        self.beyond += beyond.size
        self.missing += int((faults == MISSING).sum())


def _joined(bounds: Bounds | None, lonlat: np.ndarray) -> Bounds | None:
    if not len(lonlat):
        return bounds
    (west, south), (east, north) = lonlat.min(axis=0).tolist(), lonlat.max(axis=0).tolist()
    if bounds is None:
        return west, south, east, north
    return (min(west, bounds[0]), min(south, bounds[1]),
            max(east, bounds[2]), max(north, bounds[3]))  # fmt: skip


def _common(seen: pl.DataFrame | None, frame: pl.DataFrame) -> pl.DataFrame:
    """Return an empty frame of the types that hold the values of both."""
    types = {
        series.name: pl.Null if series.null_count() == len(series) else series.dtype
        for series in frame
    }
    empty = pl.DataFrame(schema=types)
    return empty if seen is None else pl.concat([seen, empty], how="diagonal_relaxed")


@dataclass(frozen=True, slots=True)
class PointStream:
    """A table of points that was looked at once.

    Attributes:
        table: Where the rows are.
        names: The user's column names.
        crs: CRS of the coordinates when they are not longitude and latitude.
        rows: Rows in all, at most the limit.
        bad: How many of them cannot be used.
        first_bad: Row number and reason of the first of these.
        bounds: west, south, east, north of the others, None where there is none.
        schema: The types of all columns.
        id_column: The column that ids come from, or None.
        geo: The `geo` text of GeoParquet, if the table has one.
    """

    table: TableFile
    names: ColumnNames
    crs: str | None
    rows: int
    bad: int
    first_bad: tuple[int, str] | None
    bounds: Bounds | None
    schema: pl.Schema
    id_column: str | None
    geo: str | None

    @property
    def good(self) -> int:
        """How many rows can be used."""
        return self.rows - self.bad

    def batches(self) -> Iterator[PointBatch]:
        """Yield all rows once more, in input order."""
        first = 0
        for source in self.table.batches(text_columns=self._text_columns()):
            n = min(source.frame.height, self.rows - first)
            if n <= 0:
                return
            yield self._batch(source, source.frame[:n], first)
            first += n

    def _text_columns(self) -> list[str]:
        """Return the columns to keep as text; coordinates are read as at the first look."""
        found = find_lonlat(list(self.schema), self.names, planar_names=True) or ()
        return [
            name for name, kind in self.schema.items() if kind == pl.String and name not in found
        ]

    def _batch(self, source: Source, frame: pl.DataFrame, first: int) -> PointBatch:
        lonlat = read_lonlat(source, frame, self.names, crs=self.crs)
        faults = coordinate_faults(lonlat)
        good, bad = np.flatnonzero(faults == ""), np.flatnonzero(faults != "")
        whole = _cast(frame, self.schema)
        ids = row_ids(whole, self.id_column, first=first)
        rejected = whole[bad].with_columns(
            pl.Series("row", first + bad, dtype=pl.Int64),
            pl.Series("reason", faults[bad], dtype=pl.String),
        )
        kept = [ids[row] for row in good]
        return PointBatch(whole[good], kept, lonlat[good], first + good, rejected)


def _cast(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """Return a batch in the types of the whole table, null where it has no such column."""
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in schema.items()
    )


@contextmanager
def open_points(
    source: str | Path,
    *,
    names: ColumnNames | None = None,
    crs: str | None = None,
    max_bad: float | None = None,
    limit: int | None = None,
) -> Iterator[PointStream]:
    """Open a table with one point a row, of any size, and look at all rows.

    Args:
        source: CSV, Parquet, GeoParquet, Arrow or GeoJSON; `-` is standard input.
        names: The user's column names.
        crs: CRS of the coordinates when they are not longitude and latitude.
        max_bad: As in `tables.check_bad`.
        limit: Use the first rows only.

    Yields:
        The points.

    Raises:
        InputError: If the table is missing, empty or unreadable.
        DataError: If there are no rows or no coordinates, or most latitudes are beyond 90.
        BadRowsError: If more rows are bad than tolerated.
    """
    names = names or ColumnNames()
    with open_table(source, text_columns=(names.id,) if names.id else ()) as table:
        seen = _look(table, names, crs, limit)
        if seen.rows == 0 or seen.columns is None:
            raise DataError(f"{table.name} has no rows", hint="give a table with at least one row")
        refuse_beyond(
            seen.beyond,
            seen.rows,
            name=table.name,
            missing=seen.missing,
            example=seen.first_beyond or (0, 0.0),
        )
        check_bad(seen.bad, seen.rows, max_bad=max_bad)
        columns = seen.columns
        types = {name: pl.String if kind == pl.Null else kind
                 for name, kind in columns.schema.items()}  # fmt: skip
        id_column = find_column(
            columns.columns, (*names_of.ID, "point_id"), given=names.id, flag="--id-column"
        )
        yield PointStream(table, names, crs, seen.rows, seen.bad, seen.first_bad, seen.bounds,
                          pl.Schema(types), id_column, seen.geo)  # fmt: skip


def _look(table: TableFile, names: ColumnNames, crs: str | None, limit: int | None) -> _Seen:
    seen = _Seen()
    for source in table.batches():
        left = source.frame.height if limit is None else limit - seen.rows
        if left <= 0:
            break
        frame = source.frame.head(left)
        seen.add(frame, read_lonlat(source, frame, names, crs=crs))
        seen.geo = source.geo
    return seen
