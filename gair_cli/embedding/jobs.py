"""What `gair embed` is asked for, as a job: N rows, their places and columns, how to embed them.

A job is made once from the input and then embedded block by block, in input order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import polars as pl

from gair_cli.embedding.extract import (
    Embedded,
    Progress,
    band_names,
    embed_points,
    embed_tiles,
)
from gair_cli.embedding.localised import embed_at
from gair_cli.embedding.schema import Places
from gair_cli.embedding.towers import require_tower
from gair_cli.errors import DataError
from gair_cli.geo.geoparquet import BBOX, GEOMETRY, point_wkb
from gair_cli.geo.locator import TileLocator

if TYPE_CHECKING:
    from gair_cli.geo.tables import PointTable
    from gair_cli.geo.tileset import TileSet
    from gair_cli.models.gair import GairModel
    from gair_cli.records import Modality, Space

EmbedRows: TypeAlias = Callable[[slice, Progress | None], Embedded]
PlacesOf: TypeAlias = Callable[[slice], Places | None]


@dataclass(frozen=True, slots=True)
class Settings:
    """How to embed, whatever the input.

    Attributes:
        space: `joint` or `encoder`.
        batch_size: Rows a step; None is by the tower.
        radius_m: Radius of queries in tiles; None is the table's `h_accuracy_m`, else 0.
    """

    space: Space = "joint"
    batch_size: int | None = None
    radius_m: float | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """N rows to embed.

    Attributes:
        modality: Which tower makes the vectors.
        ids: N texts, repeats allowed.
        columns: N rows of the user's columns.
        embed: Embeds a slice of the rows.
        places: Geometries of a slice of the rows, or None where no place is known.
        bounds: west, south, east, north of all rows, or None.
        geometry_types: `Point` or `Polygon`.
    """

    modality: Modality
    ids: Sequence[str]
    columns: pl.DataFrame
    embed: EmbedRows
    places: PlacesOf
    bounds: tuple[float, float, float, float] | None
    geometry_types: tuple[str, ...] = ("Point",)

    def __len__(self) -> int:
        return len(self.ids)


def keep_columns(job: Job, wanted: str | None) -> Job:
    """Return the job with some of the user's columns.

    Args:
        job: The job.
        wanted: `all` or None, `none`, or names with commas between them.

    Raises:
        DataError: When a named column is not there.
    """
    if wanted is None or wanted == "all":
        return job
    names = [] if wanted == "none" else [name.strip() for name in wanted.split(",")]
    missing = [name for name in names if name not in job.columns.columns]
    if missing:
        raise DataError(
            f"--keep-columns: no column {missing[0]!r}",
            hint=f"columns: {', '.join(job.columns.columns)}",
        )
    return replace(job, columns=job.columns.select(names))


def points_job(model: GairModel, table: PointTable, settings: Settings) -> Job:
    """Return the job of embedding coordinates with the location tower."""
    require_tower(model.config, "location")

    def embed(rows: slice, progress: Progress | None) -> Embedded:
        vectors = embed_points(
            model,
            table.lonlat[rows],
            space=settings.space,
            batch_size=settings.batch_size,
            progress=progress,
        )
        return Embedded(vectors, np.full(len(vectors), "ok", dtype="<U10"))

    return _points_job("location", table, embed)


def _points_job(modality: Modality, table: PointTable, embed: EmbedRows) -> Job:
    return Job(
        modality,
        table.ids,
        own_columns(table.frame, table.id_column),
        embed,
        lambda rows: point_places(table.lonlat[rows]),
        bounds_of(table.lonlat),
    )


def own_columns(frame: pl.DataFrame, id_column: str | None) -> pl.DataFrame:
    """Return the user's columns: without geometry, box and a column that is `id` already."""
    ours = {GEOMETRY, BBOX} | ({"id"} if id_column == "id" else set())
    return frame.drop([name for name in frame.columns if name in ours])


def point_places(lonlat: np.ndarray) -> Places:
    """Return points as WKB with boxes of no width."""
    return Places(point_wkb(lonlat), np.concatenate([lonlat, lonlat], axis=1))


def bounds_of(lonlat: np.ndarray) -> tuple[float, float, float, float] | None:
    """Return west, south, east, north of points; None when no point is finite."""
    finite = lonlat[np.isfinite(lonlat).all(axis=1)]
    if not len(finite):
        return None
    (west, south), (east, north) = finite.min(axis=0), finite.max(axis=0)
    return float(west), float(south), float(east), float(north)


def points_in_tiles_job(
    model: GairModel, table: PointTable, tiles: TileSet, settings: Settings
) -> Job:
    """Return the job of reading the satellite image at points.

    Raises:
        DataError: When the tile set lacks a band, or the points look swapped: nearly all are
            outside the tiles as they are, and inside once longitude and latitude change places.
    """
    require_tower(model.config, "rs_at")
    band_names(model, tiles.info.bands)
    locator = TileLocator(tiles.index)
    refuse_swapped(locator, table.lonlat)
    radius = _radius(table.frame, settings.radius_m)

    def embed(rows: slice, progress: Progress | None) -> Embedded:
        return embed_at(
            model,
            tiles,
            table.lonlat[rows],
            radius_m=radius[rows],
            space=settings.space,
            batch_size=settings.batch_size,
            progress=progress,
            locator=locator,
        )

    return _points_job("rs_at", table, embed)


def _radius(frame: pl.DataFrame, given: float | None) -> np.ndarray:
    if given is not None or "h_accuracy_m" not in frame.columns:
        return np.full(frame.height, given or 0.0, np.float32)
    column = frame["h_accuracy_m"].cast(pl.Float32, strict=False)
    return column.fill_nan(None).fill_null(0.0).clip(0.0).to_numpy()


def refuse_swapped(locator: TileLocator, lonlat: np.ndarray, *, sample: int = 2000) -> None:
    """Refuse points of which 95 % are outside the tiles, and inside once swapped.

    Raises:
        DataError: With the advice to name the columns.
    """
    step = max(1, len(lonlat) // sample)
    some = lonlat[::step]
    if not len(some) or (locator.locate(some).row >= 0).mean() >= 0.05:  # noqa: PLR2004 - 5 %
        return
    swapped = some[:, ::-1]
    legal = swapped[np.abs(swapped[:, 1]) <= 90]  # noqa: PLR2004 - a latitude
    inside = int((locator.locate(np.ascontiguousarray(legal)).row >= 0).sum()) if len(legal) else 0
    if inside > 0.95 * len(some):
        raise DataError(
            "the points lie outside the tiles, and inside once lon and lat are swapped",
            hint="lat and lon look swapped; pass --lon-column and --lat-column",
        )


def tiles_job(
    model: GairModel, tiles: TileSet, settings: Settings, *, limit: int | None = None
) -> Job:
    """Return the job of embedding whole tiles with the satellite tower.

    Raises:
        DataError: When the tile set lacks one of the model's bands.
    """
    require_tower(model.config, "rs")
    band_names(model, tiles.info.bands)
    index = tiles.index if limit is None else tiles.index.head(limit)
    box = index[BBOX].struct.unnest().to_numpy().astype(np.float64)

    def embed(rows: slice, progress: Progress | None) -> Embedded:
        return embed_tiles(
            model,
            tiles,
            range(*rows.indices(index.height)),
            space=settings.space,
            batch_size=settings.batch_size,
            progress=progress,
        )

    def places(rows: slice) -> Places:
        return Places(index[GEOMETRY][rows].to_list(), box[rows])

    kept = ("scene_id", "datetime", "row", "col", "nodata_fraction", "cloud_fraction",
            "centre_lon", "centre_lat")  # fmt: skip
    columns = index.select([name for name in kept if name in index.columns])
    west, south = box[:, :2].min(axis=0)
    east, north = box[:, 2:].max(axis=0)
    bounds = (float(west), float(south), float(east), float(north))
    ids = index["tile_id"].to_list()
    return Job("rs", ids, columns, embed, places, bounds, ("Polygon",))
