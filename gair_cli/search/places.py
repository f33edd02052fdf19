"""Search an embedding table by a photo, a place or one of its own rows.

Any modality finds any other: in the joint space photos, places and tiles compare by a cosine. The
query is embedded by the table's own model and in its space; anything else is refused.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from gair_cli.embedding.extract import embed_photos, embed_points
from gair_cli.embedding.localised import embed_at
from gair_cli.embedding.table import (
    EmbeddingMeta,
    EmbeddingTable,
    check_same_space,
    read_blocks,
)
from gair_cli.errors import DataError, InputError, ModelError, UsageError
from gair_cli.geo.coordinates import great_circle_m
from gair_cli.geo.geoparquet import with_points
from gair_cli.geo.photos import read_headers
from gair_cli.geo.tables import relative_paths
from gair_cli.search.exact import Hits, search_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gair_cli.embedding.schema import ModelFacts
    from gair_cli.geo.tileset import TileSet
    from gair_cli.models.gair import GairModel
    from gair_cli.records import Space


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for: exactly one of photo, at, similar_to.

    Attributes:
        photo: A street photo.
        at: Longitude and latitude.
        similar_to: The id of a row of the table.
        tiles: With `at`: read the satellite image there instead of the location tower.
        radius_m: With `tiles`: radius of the query.
    """

    photo: Path | None = None
    at: tuple[float, float] | None = None
    similar_to: str | None = None
    tiles: TileSet | None = None
    radius_m: float = 0.0

    def __post_init__(self) -> None:
        """Refuse no query, and more than one."""
        given = [value for value in (self.photo, self.at, self.similar_to) if value is not None]
        if len(given) != 1:
            raise UsageError(
                f"{len(given)} queries given, one is wanted",
                hint="pass one of --photo FILE, --at LON,LAT, --similar-to ID",
            )
        if self.tiles is not None and self.at is None:
            raise UsageError("--tiles goes with --at only")

    @property
    def label(self) -> str:
        """How to call the query."""
        if self.photo is not None:
            return self.photo.name
        return f"{self.at[0]:g}, {self.at[1]:g}" if self.at is not None else str(self.similar_to)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The best rows of a table.

    Attributes:
        frame: `rank` from 1, `id`, `score` (cosine), `modality`, `lon`, `lat`, `distance_m` from
            the query where both places are known, and the table's own columns.
        rows: (k,) int64, row numbers in the table.
        query: What was looked for.
        lonlat: The query's place, or None.
        others: (N, 2) places of all rows of the table, NaN where unknown.
        meta: Model and space of the table.
    """

    frame: pl.DataFrame
    rows: np.ndarray
    query: Query
    lonlat: tuple[float, float] | None
    others: np.ndarray
    meta: EmbeddingMeta

    def to_dict(self) -> dict[str, Any]:
        """Return query and results as plain values, for JSON."""
        return {
            "query": self.query.label,
            "lonlat": self.lonlat,
            "model_sha256": self.meta.model_sha256,
            "space": self.meta.space,
            "results": self.frame.to_dicts(),
        }

    def table(self, *, source: Path, output: Path | None) -> pl.DataFrame:
        """Return the rows with `geometry` and `bbox`, where any place is known.

        Args:
            source: The table that was searched; its `path` column starts from its folder.
            output: Where the rows will be written: paths become relative to its folder, or
                absolute for stdout (None).
        """
        frame = self.frame
        if "path" in frame.columns:
            root = source.absolute().parent
            paths = [
                None if text is None else os.path.normpath(root / text) for text in frame["path"]
            ]
            shown = paths if output is None else relative_paths(paths, output.absolute().parent)
            frame = frame.with_columns(pl.Series("path", shown, dtype=pl.String))
        if not np.isfinite(self.others).any():
            return frame
        return with_points(frame, frame.select("lon", "lat").to_numpy())


def search_table(
    query: Query,
    table: Path,
    *,
    k: int,
    model: GairModel | None = None,
    facts: ModelFacts | None = None,
) -> SearchResult:
    """Find the k rows that are closest to a query.

    Args:
        query: What to look for.
        table: An embedding file.
        k: How many rows, at least 1.
        model: Embeds a photo or a place; not needed for `similar_to`.
        facts: The model's facts, to be compared with the table's.

    Returns:
        The rows, best first; equal scores keep the table's order. A row that is the query itself
        is left out.

    Raises:
        ModelError: When the table is of another model or space, or a tower is missing.
        DataError: When no row has the id, or the place is outside the tiles.
        InputError: When the photo or the table cannot be read.
        UsageError: When k is less than 1.
    """
    blocks: list[EmbeddingTable] = []
    vector, own_row, lonlat = _query_vector(query, table, model, facts)
    hits = search_vectors(vector, _vectors(read_blocks(table), blocks), k, skip_row=own_row)
    whole = _joined(blocks)
    frame = _frame(hits, whole, lonlat)
    others = _places(whole)
    return SearchResult(frame, hits.rows, query, lonlat, others, whole.meta)


def _vectors(source: Iterator[EmbeddingTable], kept: list[EmbeddingTable]) -> Iterator[np.ndarray]:
    """Yield the blocks' vectors, and keep the rest of each block."""
    for block in source:
        kept.append(replace(block, vectors=block.vectors[:0]))
        yield block.vectors


def _joined(blocks: list[EmbeddingTable]) -> EmbeddingTable:
    if not blocks:
        raise DataError("the table has no rows")
    known = [block.lonlat for block in blocks if block.lonlat is not None]
    return replace(
        blocks[0],
        ids=[id_ for block in blocks for id_ in block.ids],
        modality=np.concatenate([block.modality for block in blocks]),
        status=np.concatenate([block.status for block in blocks]),
        lonlat=np.concatenate(known) if known else None,
        frame=pl.concat([block.frame for block in blocks]),
    )


def _places(table: EmbeddingTable) -> np.ndarray:
    return table.lonlat if table.lonlat is not None else np.full((len(table), 2), np.nan)


def _query_vector(
    query: Query, table: Path, model: GairModel | None, facts: ModelFacts | None
) -> tuple[np.ndarray, int | None, tuple[float, float] | None]:
    """Return the query's vector, its own row in the table if it is one, and its place."""
    if query.similar_to is not None:
        return _row_vector(query.similar_to, table)
    if model is None or facts is None:
        raise UsageError("a model is needed to embed the query", hint="pass --model")
    meta = next(iter(read_blocks(table))).meta
    space: Any = meta.space or "joint"
    own = EmbeddingMeta(model=facts.name, model_sha256=facts.sha256, space=space)
    check_same_space(own, meta, what=f"the query and {table}")
    if space != "joint" and (meta.modality or _modality(query)) != _modality(query):
        raise ModelError(
            f"{table} holds {meta.modality} vectors of space encoder, the query would be "
            f"{_modality(query)}",
            hint="embed the table with --space joint: only there modalities compare",
        )
    if query.photo is not None:
        return _photo_vector(query.photo, model, space), None, photo_lonlat(query.photo)
    return _place_vector(query, model, space), None, query.at


def _modality(query: Query) -> str:
    if query.photo is not None:
        return "sv"
    return "location" if query.tiles is None else "rs_at"


def _row_vector(wanted: str, table: Path) -> tuple[np.ndarray, int, tuple[float, float] | None]:
    """Return the vector, number and place of the first row with an id."""
    start = 0
    for block in read_blocks(table):
        if wanted in block.ids:
            at = block.ids.index(wanted)
            if block.status[at] != "ok":
                raise DataError(f"row {start + at} ({wanted!r}) has no vector: {block.status[at]}")
            place = _places(block)[at]
            known = (float(place[0]), float(place[1])) if np.isfinite(place).all() else None
            return block.vectors[at], start + at, known
        start += len(block)
    raise DataError(f"no row of {table} has the id {wanted!r}", hint="ids are case-sensitive text")


def _photo_vector(photo: Path, model: GairModel, space: Space) -> np.ndarray:
    embedded = embed_photos(model, [photo], space=space)
    if embedded.reasons:
        raise InputError(f"{photo} cannot be read: {embedded.reasons[0]}")
    vector: np.ndarray = embedded.vectors[0]
    return vector


def _place_vector(query: Query, model: GairModel, space: Space) -> np.ndarray:
    points = np.array([query.at], np.float64)
    if query.tiles is None:
        return np.asarray(embed_points(model, points, space=space)[0])
    embedded = embed_at(model, query.tiles, points, radius_m=query.radius_m, space=space)
    if embedded.status[0] != "ok":
        raise DataError(
            f"{query.label} has no satellite embedding: {embedded.status[0]}",
            hint="give a place inside the tiles, or leave --tiles out",
        )
    vector: np.ndarray = embedded.vectors[0]
    return vector


def photo_lonlat(photo: Path) -> tuple[float, float] | None:
    """Return the place in a photo's EXIF, if there is one."""
    header = read_headers([photo])
    lon, lat = header["lon"][0], header["lat"][0]
    return None if lon is None or lat is None else (float(lon), float(lat))


def _frame(hits: Hits, table: EmbeddingTable, lonlat: tuple[float, float] | None) -> pl.DataFrame:
    rows = hits.rows
    places = _places(table)[rows]
    taken = {"rank", "id", "score", "modality", "lon", "lat", "distance_m"}
    own = table.frame[rows] if table.frame.width else pl.DataFrame()
    found = pl.DataFrame({
        "rank": np.arange(1, len(rows) + 1),
        "id": [table.ids[row] for row in rows],
        "score": hits.scores,
        "modality": table.modality[rows].tolist(),
        "lon": places[:, 0],
        "lat": places[:, 1],
    }).with_columns(pl.col("lon", "lat").fill_nan(None))  # fmt: skip
    if lonlat is not None:
        metres = great_circle_m(np.array([lonlat]), places)
        found = found.with_columns(pl.Series("distance_m", metres).fill_nan(None))
    return found.hstack(own.drop([name for name in own.columns if name in taken]))
