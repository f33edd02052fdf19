"""Street photos to embed: from a table or a folder, repeated ids and missing places allowed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from gair_cli.embedding.extract import Embedded, Progress, embed_photos
from gair_cli.embedding.jobs import Job, Settings, bounds_of, point_places
from gair_cli.embedding.towers import require_tower
from gair_cli.errors import DataError
from gair_cli.geo.columns import ID, PATH, find_column, find_lonlat
from gair_cli.geo.frames import read_source
from gair_cli.geo.geoparquet import BBOX, GEOMETRY
from gair_cli.geo.photos import scan_folder
from gair_cli.geo.tables import read_lonlat

if TYPE_CHECKING:
    from gair_cli.embedding.schema import Places
    from gair_cli.geo.columns import ColumnNames
    from gair_cli.geo.frames import Source
    from gair_cli.models.gair import GairModel

_HEADER_ONLY = ("error", "orientation", "captured_local", "width", "height", "panorama")


def photos_job(
    model: GairModel,
    source: str | Path,
    settings: Settings,
    *,
    names: ColumnNames,
    photos_root: Path | None = None,
    limit: int | None = None,
) -> Job:
    """Return the job of embedding street photos, from a table or a folder.

    Raises:
        InputError: When the table or folder is missing or unreadable.
        DataError: When no column holds paths, or there are no rows.
    """
    require_tower(model.config, "sv")
    frame, lonlat, ids = read_photos(source, names, photos_root=photos_root, limit=limit)
    paths = frame["path"].to_list()

    def embed(rows: slice, progress: Progress | None) -> Embedded:
        return embed_photos(
            model,
            paths[rows],
            space=settings.space,
            batch_size=settings.batch_size,
            progress=progress,
        )

    def places(rows: slice) -> Places | None:
        return None if bounds is None else point_places(lonlat[rows])

    bounds = bounds_of(lonlat)
    columns = frame.drop([name for name in (GEOMETRY, BBOX, "id") if name in frame.columns])
    return Job("sv", ids, columns, embed, places, bounds)


def read_photos(
    source: str | Path,
    names: ColumnNames,
    *,
    photos_root: Path | None = None,
    limit: int | None = None,
) -> tuple[pl.DataFrame, np.ndarray, list[str]]:
    """Read a photo table or folder for embedding.

    Returns:
        The rows with absolute `path`, (N, 2) lon/lat with NaN where unknown, and the ids.

    Raises:
        InputError: When the table or folder is missing or unreadable.
        DataError: When no column holds paths, or there are no rows.
    """
    if str(source) != "-" and Path(source).is_dir():
        found = scan_folder(Path(source))
        frame = found if limit is None else found.head(limit)
        lonlat = frame.select(pl.col("lon", "lat").cast(pl.Float64).fill_null(float("nan")))
        ids = frame["photo_id"].to_list()
        return frame.drop(_HEADER_ONLY, strict=False), lonlat.to_numpy(), ids
    table = read_source(source)
    frame = table.frame if limit is None else table.frame.head(limit)
    path = find_column(frame.columns, PATH, given=names.path, flag="--path-column")
    if path is None:
        raise DataError(
            f"{table.name} has no column of photo paths among {', '.join(frame.columns)}",
            hint="pass --path-column",
        )
    id_ = find_column(frame.columns, ID, given=names.id, flag="--id-column")
    root = (photos_root or table.folder).absolute()
    texts = frame[path].cast(pl.String).fill_null("")
    ids = frame[id_ or path].cast(pl.String).fill_null("").to_list()
    absolute = pl.Series("path", [str(root / text) for text in texts])
    return frame.with_columns(absolute), _lonlat(table, frame, names), ids


def _lonlat(table: Source, frame: pl.DataFrame, names: ColumnNames) -> np.ndarray:
    """Return (N, 2) coordinates, NaN where there are none or they are out of range."""
    placed = table.geo is not None and GEOMETRY in frame.columns
    if not placed and find_lonlat(frame.columns, names) is None:
        return np.full((frame.height, 2), np.nan)
    lonlat = read_lonlat(table, frame, names)
    legal = (np.abs(lonlat) <= [180, 90]).all(axis=1)
    return np.where(legal[:, None], lonlat, np.nan)
