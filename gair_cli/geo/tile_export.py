"""Copy the tiles of a tile set out as loose GeoTIFFs, with a STAC-GeoParquet table of them.

Each file has the very bytes of the member it comes from. The table follows stac-geoparquet 1.1 and
STAC 1.1 with its projection extension.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from gair_cli.errors import InputError
from gair_cli.geo.geoparquet import BBOX, GEOMETRY
from gair_cli.geo.outputs import fingerprint, open_workspace
from gair_cli.geo.tile_index import index_metadata
from gair_cli.geo.writers import write_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gair_cli.geo.outputs import Workspace
    from gair_cli.geo.tileset import TileSet

ITEMS: Final = "items.parquet"
STAC_VERSION: Final = "1.1.0"
TABLE_VERSION: Final = "1.1.0"
EXTENSIONS: Final = (
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/eo/v2.0.0/schema.json",
)
MEDIA_TYPE: Final = "image/tiff; application=geotiff"
_LINK: Final = pl.Struct(dict.fromkeys(("href", "rel", "type", "title"), pl.String()))
_OURS: Final = (
    "scene_id", "row", "col", "nodata_fraction", "cloud_fraction", "band_min", "band_max",
    "band_mean", "band_std",
)  # fmt: skip


def export_tiles(
    tiles: TileSet,
    folder: Path,
    *,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> bool:
    """Write every tile as `<tile_id>.tif`, and `items.parquet`.

    The folder appears when it is whole; files that an interrupted run copied are kept.

    Args:
        tiles: A tile set.
        folder: Where to.
        overwrite: Replace another folder.
        progress: Called with the number of further tiles done.

    Returns:
        False if the folder held these tiles already.

    Raises:
        OutputExistsError: If something else is there, or another run works on it.
        InputError: If a shard is missing or cut off.
    """
    plan = {"command": "tile --export", "tiles": fingerprint(tiles.path), "stac": STAC_VERSION}
    space = open_workspace(folder, plan, overwrite=overwrite)
    if space.status == "finished":
        return False
    _copy_members(tiles, space, progress or (lambda _count: None))
    _write_items(tiles, space)
    os.sync()  # the tiles were not flushed one by one
    space.finish_folder({"command": "tile --export"})
    return True


def _copy_members(tiles: TileSet, space: Workspace, progress: Callable[[int], None]) -> None:
    """Copy what is not there yet, shard by shard from front to back."""
    rows = tiles.index.select("tile_id", "shard", "offset", "length").sort("shard", "offset")
    for (shard,), part in rows.group_by("shard", maintain_order=True):
        path = tiles.path / str(shard)
        try:
            with path.open("rb") as file:
                for tile_id, _, offset, length in part.iter_rows():
                    _copy(file.fileno(), space.folder / f"{tile_id}.tif", offset, length)
                    progress(1)
        except FileNotFoundError as error:
            raise InputError(f"{path} is missing", hint="make it again with gair tile") from error


def _copy(shard: int, target: Path, offset: int, length: int) -> None:
    if target.exists() and target.stat().st_size == length:
        return
    data = os.pread(shard, length, offset)
    if len(data) != length:
        raise InputError(f"tile {target.stem} is cut off", hint="make it again with gair tile")
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.write_bytes(data)
    temporary.replace(target)


def _write_items(tiles: TileSet, space: Workspace) -> None:
    items = stac_items(tiles, collection=tiles.path.name)
    metadata = {
        **index_metadata(items),
        "stac-geoparquet": json.dumps(
            {"version": TABLE_VERSION, "collections": {tiles.path.name: _collection(tiles)}},
            sort_keys=True,
        ),
    }
    with space.part(ITEMS) as path:
        write_parquet(items, path, metadata=metadata)


def stac_items(tiles: TileSet, *, collection: str) -> pl.DataFrame:
    """Return one STAC item a tile, in the columns of stac-geoparquet.

    `datetime` is null where the scene does not say when it was taken.

    Args:
        tiles: A tile set.
        collection: Its name.
    """
    height = tiles.index.height
    code = pl.col("crs").str.starts_with("EPSG:")
    bands = [{"name": name} for name in tiles.info.bands]
    asset = {"type": MEDIA_TYPE, "roles": ["data"], "bands": bands}
    assets = [{"data": {"href": f"./{tile_id}.tif", **asset}} for tile_id in tiles.index["tile_id"]]
    return tiles.index.select(
        pl.lit("Feature").alias("type"),
        pl.lit(STAC_VERSION).alias("stac_version"),
        pl.Series("stac_extensions", [list(EXTENSIONS)] * height, dtype=pl.List(pl.String)),
        pl.col("tile_id").alias("id"),
        GEOMETRY,
        BBOX,
        pl.Series("links", [[]] * height, dtype=pl.List(_LINK)),
        pl.Series("assets", assets),
        pl.lit(collection).alias("collection"),
        "datetime",
        pl.when(code).then("crs").alias("proj:code"),
        pl.when(~code).then("crs").alias("proj:wkt2"),
        pl.col("transform").alias("proj:transform"),
        pl.concat_list("height", "width").cast(pl.List(pl.Int64)).alias("proj:shape"),
        (pl.col("cloud_fraction").cast(pl.Float64) * 100).alias("eo:cloud_cover"),
        *(pl.col(name).alias(f"gair:{name}") for name in _OURS),
    )


def _collection(tiles: TileSet) -> Mapping[str, Any]:
    """Return the STAC collection of a tile set."""
    box = tiles.index[BBOX].struct.unnest()
    dates = tiles.index["datetime"].drop_nulls()
    span = [None, None] if dates.is_empty() else [_rfc3339(dates.min()), _rfc3339(dates.max())]
    bounds = [box["xmin"].min(), box["ymin"].min(), box["xmax"].max(), box["ymax"].max()]
    if (box["xmin"] > box["xmax"]).any():  # a tile crosses the antimeridian
        bounds[0], bounds[2] = -180.0, 180.0
    return {
        "type": "Collection",
        "stac_version": STAC_VERSION,
        "id": tiles.path.name,
        "description": f"{len(tiles)} tiles of {', '.join(tiles.info.bands)}, cut by gair tile",
        "license": "other",
        "extent": {"spatial": {"bbox": [bounds]}, "temporal": {"interval": [span]}},
        "links": [],
    }


def _rfc3339(moment: Any) -> str:
    return str(moment.isoformat()).replace("+00:00", "Z")
