"""Tables of points and photos: find the columns, check every row, keep the bad ones aside.

Nothing is dropped in silence: rows whose coordinates cannot be used are returned with a reason.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from gair_cli.errors import BadRowsError, DataError
from gair_cli.geo import columns as names_of
from gair_cli.geo import geoparquet
from gair_cli.geo.columns import ColumnNames, find_column, find_lonlat
from gair_cli.geo.frames import Source, read_frame, read_source

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ColumnNames",
    "PhotoTable",
    "PointTable",
    "check_bad",
    "read_frame",
    "read_photo_table",
    "read_points",
    "relative_paths",
]

MAX_LAT: Final = 90.0
MAX_LON: Final = 180.0
PHOTO_TEXT: Final = ("sequence_id", "source", "licence", "split")
PHOTO_FLOATS: Final = ("pitch", "fov", "h_accuracy_m", "altitude")
_SWAP_HINT: Final = (
    "lat and lon look swapped, or the data are projected; pass --lon-column/--lat-column or --crs"
)
MISSING: Final = "no coordinates"
BEYOND_LAT: Final = "latitude beyond 90"
BEYOND_LON: Final = "longitude beyond 180"
_DATES: Final = (
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
    "%Y:%m:%dT%H:%M:%S%.f",
    "%Y-%m",
)
_DEFAULT_BAD_SHARE: Final = 0.01
_DEFAULT_BAD_ROWS: Final = 10


@dataclass(frozen=True, slots=True)
class PointTable:
    """Points with usable coordinates, in input order.

    Attributes:
        frame: The good rows, all of the user's columns.
        ids: One text a row: the id column, else the row number in the input.
        lonlat: (N, 2) float64, degrees.
        bad: The other rows, with `row` (number in the input) and `reason`.
        id_column: The column that the ids came from, or None.
    """

    frame: pl.DataFrame
    ids: list[str]
    lonlat: np.ndarray
    bad: pl.DataFrame
    id_column: str | None


@dataclass(frozen=True, slots=True)
class PhotoTable:
    """A photo table in the columns of the format, in input order.

    Attributes:
        frame: `photo_id`, `path` (absolute), `lon`, `lat`, the other photo columns that are
            there, and the user's own columns.
        bad: Rows that cannot be used, with `row` and `reason`.
        duplicates: How many rows were equal to an earlier one and left out.
    """

    frame: pl.DataFrame
    bad: pl.DataFrame
    duplicates: int


def check_bad(
    n_bad: int, n_total: int, *, max_bad: float | None = None, what: str = "rows"
) -> None:
    """Refuse a table when too much of it is bad.

    Args:
        n_bad: How many rows (photos, scenes) are bad.
        n_total: Of how many.
        max_bad: Share (below 1) or number of bad rows that is tolerated; default 1 %, at least 10.
        what: What is counted, for the message.

    Raises:
        BadRowsError: If more are bad.
    """
    limit = max(_DEFAULT_BAD_ROWS, _DEFAULT_BAD_SHARE * n_total)
    if max_bad is not None:
        limit = max_bad * n_total if max_bad < 1 else max_bad
    if n_bad > limit:
        raise BadRowsError(
            f"{n_bad} of {n_total} {what} are bad, more than the {limit:.0f} tolerated",
            hint="see the reasons with -v, mend the input, or raise --max-bad",
        )


def read_points(
    source: str | Path,
    *,
    names: ColumnNames | None = None,
    crs: str | None = None,
    max_bad: float | None = None,
    limit: int | None = None,
) -> PointTable:
    """Read a table with one point a row.

    Args:
        source: CSV, Parquet, GeoParquet, Arrow or GeoJSON; `-` is standard input.
        names: The user's column names.
        crs: CRS of the coordinates when they are not longitude and latitude.
        max_bad: As in `check_bad`.
        limit: Use the first rows only.

    Returns:
        The good rows, and the bad ones with reasons.

    Raises:
        InputError: If the table is missing, empty or unreadable.
        DataError: If there are no rows or no coordinates, or most latitudes are beyond 90.
        BadRowsError: If more rows are bad than tolerated.
    """
    names = names or ColumnNames()
    table = read_source(source, text_columns=(names.id,) if names.id else ())
    frame = table.frame if limit is None else table.frame.head(limit)
    lonlat = read_lonlat(table, frame, names, crs=crs)
    id_column = find_column(
        frame.columns, (*names_of.ID, "point_id"), given=names.id, flag="--id-column"
    )
    bad = bad_rows(frame, lonlat, name=table.name)
    check_bad(bad.height, frame.height, max_bad=max_bad)
    good = np.setdiff1d(np.arange(frame.height), bad["row"].to_numpy())
    ids = row_ids(frame, id_column)
    return PointTable(frame[good], [ids[row] for row in good], lonlat[good], bad, id_column)


def row_ids(frame: pl.DataFrame, column: str | None, *, first: int = 0) -> list[str]:
    """Return each row's id: its text in a column, else its number, counted from `first`."""
    numbers = [str(first + row) for row in range(frame.height)]
    if column is None:
        return numbers
    texts = frame[column].cast(pl.String).to_list()
    return [number if text is None else text for text, number in zip(texts, numbers, strict=True)]


def read_lonlat(
    table: Source, frame: pl.DataFrame, names: ColumnNames, *, crs: str | None = None
) -> np.ndarray:
    """Return the coordinates of each row: the user's columns, else the geometry, else names.

    Returns:
        (N, 2) float64 longitude and latitude; NaN where a value is no number.

    Raises:
        DataError: If the table has no coordinates.
    """
    given = names.lon is not None or names.lat is not None
    if not given and geoparquet.GEOMETRY in frame.columns and table.geo is not None:
        points = geoparquet.read_points_wkb(frame[geoparquet.GEOMETRY])
        return _to_lonlat(points, crs or geoparquet.crs_of(table.geo))
    found = find_lonlat(frame.columns, names, planar_names=table.format == "csv")
    if found is None:
        raise DataError(
            f"{table.name} has no coordinate columns among {', '.join(frame.columns)}",
            hint="pass --lon-column and --lat-column",
        )
    return _to_lonlat(np.stack([_floats(frame[column]) for column in found], axis=1), crs)


def _floats(column: pl.Series) -> np.ndarray:
    plain = column.str.strip_chars() if column.dtype == pl.String else column
    return plain.cast(pl.Float64, strict=False).to_numpy().astype(np.float64)


def _to_lonlat(points: np.ndarray, crs: str | None) -> np.ndarray:
    if crs is None:
        return points
    from gair_cli.geo.coordinates import to_lonlat  # noqa: PLC0415 - needed for other CRSs only

    return to_lonlat(points, crs)


def bad_rows(frame: pl.DataFrame, lonlat: np.ndarray, *, name: str) -> pl.DataFrame:
    """Return the rows whose coordinates cannot be used, with `row` and `reason`.

    Args:
        frame: All rows.
        lonlat: (N, 2) float64 of the same rows.
        name: The table's name, for the message.

    Raises:
        DataError: If most latitudes are beyond 90 degrees.
    """
    reasons = coordinate_faults(lonlat)
    beyond = reasons == BEYOND_LAT
    first = int(np.argmax(beyond))
    refuse_beyond(
        int(beyond.sum()),
        len(reasons),
        name=name,
        missing=int((reasons == MISSING).sum()),
        example=(first, float(lonlat[first, 1]) if len(lonlat) else 0.0),
    )
    rows = np.flatnonzero(reasons != "")
    return frame[rows].with_columns(
        pl.Series("row", rows, dtype=pl.Int64), pl.Series("reason", reasons[rows], dtype=pl.String)
    )


def coordinate_faults(lonlat: np.ndarray) -> np.ndarray:
    """Return why each of (N, 2) coordinates cannot be used, the empty text where it can."""
    lon, lat = lonlat[:, 0], lonlat[:, 1]
    faults = [~np.isfinite(lonlat).all(axis=1), np.abs(lat) > MAX_LAT, np.abs(lon) > MAX_LON]
    return np.select(faults, [MISSING, BEYOND_LAT, BEYOND_LON], default="")


def refuse_beyond(
    n_beyond: int,
    n_total: int,
    *,
    name: str,
    missing: int,
    example: tuple[int, float],
) -> None:
    """Refuse a table when most of its latitudes are beyond 90 degrees.

    Args:
        n_beyond: How many are.
        n_total: Of how many rows.
        name: The table's name, for the message.
        missing: Rows without coordinates.
        example: A row and its latitude, for the message.

    Raises:
        DataError: If most are.
    """
    if 2 * n_beyond <= n_total - missing:
        return
    row, lat = example
    raise DataError(
        f"{name}: {n_beyond} of {n_total} latitudes are beyond 90 (row {row}: {lat:g})",
        hint=_SWAP_HINT,
    )


def read_photo_table(
    source: str | Path | Source,
    *,
    names: ColumnNames | None = None,
    photos_root: Path | None = None,
    crs: str | None = None,
    max_bad: float | None = None,
    limit: int | None = None,
    require_lonlat: bool = True,
) -> PhotoTable:
    """Read a table with one photo a row, in the columns of the format.

    Args:
        source: CSV, Parquet, GeoParquet, Arrow or GeoJSON; `-` is standard input; or a table that
            was read.
        names: The user's column names.
        photos_root: Folder that relative paths start from; default the table's own.
        crs: CRS of the coordinates when they are not longitude and latitude.
        max_bad: As in `check_bad`.
        limit: Use the first rows only.
        require_lonlat: Whether a photo without coordinates is a bad row.

    Returns:
        The good rows, the bad ones with reasons, and the number of repeated rows.

    Raises:
        InputError: If the table is missing, empty or unreadable.
        DataError: If there are no rows, no coordinates, no paths and no ids, or one id stands for
            two different rows.
        BadRowsError: If more rows are bad than tolerated.
    """
    names = names or ColumnNames()
    table = source
    if not isinstance(table, Source):
        table = read_source(table, text_columns=(names.id,) if names.id else ())
    frame = table.frame if limit is None else table.frame.head(limit)
    wanted = require_lonlat or find_lonlat(frame.columns, names) is not None
    lonlat = (
        read_lonlat(table, frame, names, crs=crs) if wanted else np.full((frame.height, 2), np.nan)
    )
    bad = bad_rows(frame, lonlat, name=table.name) if require_lonlat else _no_bad(frame)
    check_bad(bad.height, frame.height, max_bad=max_bad)
    photos = canonical_photos(frame, lonlat, names, photos_root or table.folder)
    good = np.setdiff1d(np.arange(frame.height), bad["row"].to_numpy())
    kept = unique_by_id(photos[good], "photo_id")
    return PhotoTable(kept, bad, len(good) - kept.height)


def _no_bad(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.clear().with_columns(
        pl.lit(None, pl.Int64).alias("row"), pl.lit(None, pl.String).alias("reason")
    )


def canonical_photos(
    frame: pl.DataFrame, lonlat: np.ndarray, names: ColumnNames, root: Path, *, first_row: int = 0
) -> pl.DataFrame:
    """Return a table with the format's photo columns first, the user's own after them.

    Args:
        frame: Some rows of the table.
        lonlat: (N, 2) their coordinates.
        names: The user's column names.
        root: Folder that relative paths start from; paths become absolute.
        first_row: Number of the first row in the table, for messages.

    Raises:
        DataError: If there are no paths and no ids, or a row has no id.
    """
    path = find_column(frame.columns, names_of.PATH, given=names.path, flag="--path-column")
    id_ = find_column(frame.columns, names_of.ID, given=names.id, flag="--id-column")
    heading = find_column(
        frame.columns, names_of.HEADING, given=names.heading, flag="--heading-column"
    )
    split = find_column(frame.columns, names_of.SPLIT, given=names.split, flag="--split-column")
    if path is None and id_ is None:
        raise DataError(
            f"no photo path and no photo id among the columns {', '.join(frame.columns)}",
            hint="pass --path-column or --id-column",
        )
    made = [*_identity_columns(frame, path, id_, root, first_row)]
    made += [pl.Series("lon", lonlat[:, 0]), pl.Series("lat", lonlat[:, 1])]
    if heading is not None:
        made.append(frame[heading].cast(pl.Float32, strict=False).alias("heading"))
    if split is not None:
        made.append(frame[split].cast(pl.String).alias("split"))
    made += _standard_columns(frame)
    used = {series.name for series in made} | {path, id_, heading, split}
    used |= {geoparquet.GEOMETRY, geoparquet.BBOX, *(find_lonlat(frame.columns, names) or ())}
    others = [column for column in frame.columns if column not in used]
    return pl.DataFrame(made).hstack(frame.select(others))


def _identity_columns(
    frame: pl.DataFrame, path: str | None, id_: str | None, root: Path, first_row: int
) -> list[pl.Series]:
    texts = frame[path].cast(pl.String).str.replace_all(r"\\", "/") if path else None
    ids = frame[id_].cast(pl.String) if id_ else texts
    if ids is None:  # one of both is there: checked by the caller
        raise DataError("no photo path and no photo id")
    if ids.null_count():
        row = first_row + int(ids.is_null().arg_true()[0])
        raise DataError(f"row {row} has no photo id", hint="fill the id column")
    if texts is None:
        return [ids.alias("photo_id")]
    absolute = [None if text is None else str(root.absolute() / text) for text in texts]
    return [ids.alias("photo_id"), pl.Series("path", absolute, dtype=pl.String)]


def _standard_columns(frame: pl.DataFrame) -> list[pl.Series]:
    found = [
        frame[name].cast(pl.Float32, strict=False) for name in PHOTO_FLOATS if name in frame.columns
    ]
    texts = [name for name in PHOTO_TEXT if name in frame.columns and name != "split"]
    found += [frame[name].cast(pl.String) for name in texts]
    if "captured_at" in frame.columns:
        found.append(as_utc(frame["captured_at"]))
    return found


def as_utc(column: pl.Series) -> pl.Series:
    """Return a column of dates as timestamps in UTC with milliseconds; unreadable ones are null.

    Text is read as ISO 8601 (no zone means UTC); integers are milliseconds since 1970.
    """
    target = pl.Datetime("ms", "UTC")
    if column.dtype == pl.String:
        spaced = column.str.strip_chars().str.replace(" ", "T", literal=True)
        zoned = spaced.str.to_datetime("%+", time_unit="ms", time_zone="UTC", strict=False)
        plain = [spaced.str.to_datetime(form, time_unit="ms", strict=False) for form in _DATES]
        utc = [zoned, *(dates.dt.replace_time_zone("UTC") for dates in plain)]
        return pl.select(pl.coalesce(utc).cast(target).alias(column.name)).to_series()
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is None:
        column = column.dt.replace_time_zone("UTC")
    return column.cast(target, strict=False)


def unique_by_id(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """Leave out rows that repeat an earlier one.

    Raises:
        DataError: If one id stands for two different rows; both are named.
    """
    if frame[column].n_unique() == frame.height:
        return frame
    kept = frame.unique(maintain_order=True)
    twice = kept.filter(kept[column].is_duplicated())
    if twice.height:
        value = twice[column][0]
        rows = frame.with_row_index("row").filter(frame[column] == value)["row"].to_list()
        raise DataError(
            f"{column} {value!r} stands for different rows: {rows[0]} and {rows[1]}",
            hint="give every photo its own id, or name another --id-column",
        )
    return kept


def relative_paths(paths: Sequence[str | None], folder: Path) -> list[str | None]:
    """Return absolute paths as they are written into a table that lies in `folder`."""
    root = folder.absolute()
    return [None if path is None else _relative(Path(path), root) for path in paths]


def _relative(path: Path, root: Path) -> str:
    if path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    return Path(os.path.relpath(path, root)).as_posix()
