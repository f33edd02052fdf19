"""The rows of the tile index: built as tiles are written, put into Hilbert order at the end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from gair_cli.geo.footprints import footprints, hilbert_index
from gair_cli.geo.geoparquet import BBOX, GEOMETRY, geo_metadata
from gair_cli.geo.tileset import BandStatistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gair_cli._rust import _Tiles
    from gair_cli.geo.layouts import Layout
    from gair_cli.geo.scene import Scene

SCENE: Final = "_scene"
TILE: Final = "_tile"
COUNT: Final = "_count"
M2: Final = "_m2"
PRIVATE: Final = (SCENE, TILE, COUNT, M2)
"""Columns of a shard's own index that only resuming and the statistics need."""

NOTHING: Final = BandStatistics(math.nan, math.nan, math.nan, math.nan)
_NUMBERS: Final = pl.List(pl.Float64)
SCHEMA: Final = pl.Schema(
    {
        "tile_id": pl.String(),
        "scene_id": pl.String(),
        "datetime": pl.Datetime("ms", "UTC"),
        "shard": pl.String(),
        "offset": pl.UInt64(),
        "length": pl.UInt64(),
        "band_offsets": pl.List(pl.UInt64),
        "crs": pl.String(),
        "transform": _NUMBERS,
        "width": pl.UInt32(),
        "height": pl.UInt32(),
        "row": pl.Int32(),
        "col": pl.Int32(),
        "nodata_fraction": pl.Float32(),
        "cloud_fraction": pl.Float32(),
        "band_min": _NUMBERS,
        "band_max": _NUMBERS,
        "band_mean": _NUMBERS,
        "band_std": _NUMBERS,
        "centre_lon": pl.Float64(),
        "centre_lat": pl.Float64(),
        GEOMETRY: pl.Binary(),
        BBOX: pl.Struct(dict.fromkeys(("xmin", "ymin", "xmax", "ymax"), pl.Float64())),
    }
)
"""Columns of `index.parquet`, in order."""

PART_SCHEMA: Final = pl.Schema(
    {**SCHEMA, SCENE: pl.UInt32(), TILE: pl.UInt32(), COUNT: _NUMBERS, M2: _NUMBERS}
)


def rows_of(
    tiles: _Tiles,
    scene: Scene,
    layout: Layout,
    *,
    number: int,
    before: int,
    shard: str,
    tile_ids: Sequence[str],
) -> pl.DataFrame:
    """Return the index rows of tiles that were just written.

    Args:
        tiles: Columns from the cutter.
        scene: Where they were cut from.
        layout: The tiles that were asked for.
        number: The scene's number in the plan.
        before: How many tiles of the scene its earlier layouts have.
        shard: Path of the shard in the tile set.
        tile_ids: Ids of all tiles of the layout, in its order.
    """
    count = len(tiles["number"])
    height, width = layout.size
    sizes = np.tile(np.array([[width, height]], np.int64), (count, 1))
    outline = footprints(tiles["transform"], sizes, layout.grid.crs)
    variance = tiles["band_m2"] / np.maximum(tiles["band_count"], 1)
    spread = np.where(tiles["band_count"] > 0, np.sqrt(variance), np.nan)
    box = dict(zip(("xmin", "ymin", "xmax", "ymax"), outline.bbox.T, strict=True))
    columns = {
        "tile_id": [tile_ids[i] for i in tiles["number"]],
        "scene_id": [scene.scene_id] * count,
        "datetime": [scene.taken_at] * count,
        "shard": [shard] * count,
        "offset": tiles["offset"],
        "length": tiles["length"],
        "band_offsets": tiles["band_offsets"].tolist(),
        "crs": [layout.grid.crs] * count,
        "transform": tiles["transform"].tolist(),
        "width": [width] * count,
        "height": [height] * count,
        "row": layout.rows[tiles["number"]],
        "col": layout.cols[tiles["number"]],
        "nodata_fraction": tiles["nodata_fraction"],
        "cloud_fraction": pl.Series(tiles["cloud_fraction"]).fill_nan(None),
        "band_min": _lists(tiles["band_min"]),
        "band_max": _lists(tiles["band_max"]),
        "band_mean": _lists(tiles["band_mean"]),
        "band_std": _lists(spread),
        "centre_lon": outline.centre[:, 0],
        "centre_lat": outline.centre[:, 1],
        GEOMETRY: outline.geometry,
        BBOX: pl.DataFrame(box).to_struct(),
        SCENE: [number] * count,
        TILE: tiles["position"] + np.uint64(before),
        COUNT: tiles["band_count"].tolist(),
        M2: tiles["band_m2"].tolist(),
    }
    series = [_series(name, columns[name], dtype) for name, dtype in PART_SCHEMA.items()]
    return pl.DataFrame(series)


def _series(name: str, values: Any, dtype: pl.DataType) -> pl.Series:
    if isinstance(values, np.ndarray | pl.Series):
        return pl.Series(name, values).cast(dtype)
    return pl.Series(name, values, dtype=dtype)


def _lists(values: NDArray[np.float64]) -> list[list[float | None]]:
    """Return rows as lists; a band without a valid pixel has null."""
    return [[float(v) if np.isfinite(v) else None for v in row] for row in values]


def in_hilbert_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows sorted along a Hilbert curve over the world; ties go by tile id."""
    centres = rows.select("centre_lon", "centre_lat").to_numpy()
    place = pl.Series("_place", hilbert_index(centres))
    return rows.with_columns(place).sort("_place", "tile_id").drop("_place")


def index_metadata(index: pl.DataFrame) -> dict[str, str]:
    """Return the GeoParquet metadata of a tile index."""
    kinds = {int(value[1]) for value in index[GEOMETRY]}
    names = [name for code, name in ((3, "Polygon"), (6, "MultiPolygon")) if code in kinds]
    return {"geo": geo_metadata(_bounds(index), names or ["Polygon"])}


def _bounds(index: pl.DataFrame) -> list[float] | None:
    if index.is_empty():
        return None
    west, south, east, north = index[BBOX].struct.unnest().to_numpy().T
    if (west > east).any():  # a tile crosses the antimeridian
        west, east = np.array([-180.0]), np.array([180.0])
    return [float(west.min()), float(south.min()), float(east.max()), float(north.max())]


def pooled(
    rows: pl.DataFrame, bands: int, *, earlier: Sequence[BandStatistics] = ()
) -> tuple[BandStatistics, ...]:
    """Return each band's statistics over the valid pixels of all tiles (Chan et al. 1979).

    Args:
        rows: Index rows with the private columns, in the order of the plan.
        bands: Number of bands.
        earlier: Statistics of tiles that were there before.
    """
    names = (COUNT, "band_min", "band_max", "band_mean", M2)
    columns = np.stack(
        [np.array(rows[name].to_list(), np.float64).reshape(-1, bands) for name in names]
    )  # (5, T, C)
    if earlier:
        columns = np.concatenate([_columns_of(earlier)[:, None], columns], axis=1)
    return tuple(_pool(columns[:, :, band]) for band in range(bands))


def _columns_of(statistics: Sequence[BandStatistics]) -> NDArray[np.float64]:
    """Return count, min, max, mean and sum of squares of each band, (5, C)."""
    rows = [(s.count, s.minimum, s.maximum, s.mean, s.std**2 * s.count) for s in statistics]
    return np.array(rows, np.float64).T


def _pool(parts: NDArray[np.float64]) -> BandStatistics:
    """Merge parts (5, P): count, min, max, mean and sum of squared differences of each."""
    count, low, high, mean, m2 = parts[:, parts[0] > 0]
    if not len(count):
        return NOTHING
    total = float(count.sum())
    with np.errstate(over="ignore", invalid="ignore"):  # of values near 1e308, or infinite ones
        centre = float((count * mean).sum()) / total
        spread = float(m2.sum() + (count * (mean - centre) ** 2).sum())
        std = float(np.sqrt(spread / total))
    return BandStatistics(float(low.min()), float(high.max()), centre, std, count=int(total))
