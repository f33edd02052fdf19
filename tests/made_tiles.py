"""Tile indexes and tile sets made by arithmetic: made data, no pixels unless asked for."""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from gair_cli.geo.coordinates import to_lonlat

BANDS = ("B2", "B3", "B4")


def tile_row(transform, size, *, crs="EPSG:32633", scene="made", cell=(0, 0)):
    """One row of a tile index; `size` is (width, height)."""
    a, b, c, d, e, f = transform
    width, height = size
    centre = [a * width / 2 + b * height / 2 + c, d * width / 2 + e * height / 2 + f]
    lon, lat = to_lonlat([centre], crs)[0]
    return {
        "tile_id": f"{scene}-{cell[0]}-{cell[1]}",
        "scene_id": scene,
        "crs": crs,
        "transform": [float(value) for value in transform],
        "width": width,
        "height": height,
        "row": cell[0],
        "col": cell[1],
        "centre_lon": lon,
        "centre_lat": lat,
        "datetime": None,
        "nodata_fraction": 0.0,
    }


def grid(
    rows, cols, *, size=96, stride=96, origin=(385_920.0, 5_820_480.0), res=10.0, **given
) -> pl.DataFrame:
    """A tile index of a north-up lattice."""
    made = []
    for row in range(rows):
        for col in range(cols):
            corner = (origin[0] + col * stride * res, origin[1] - row * stride * res)
            transform = (res, 0.0, corner[0], 0.0, -res, corner[1])
            made.append(tile_row(transform, (size, size), cell=(row, col), **given))
    return index_of(made)


def index_of(rows) -> pl.DataFrame:
    """Rows of `tile_row` as a table."""
    time = pl.Datetime("ms", "UTC")
    return pl.DataFrame(rows, schema_overrides={"datetime": time})


def at_metres(x, y, crs="EPSG:32633"):
    """(N, 2) lon/lat of CRS points."""
    return to_lonlat(np.stack(np.broadcast_arrays(x, y), axis=-1).reshape(-1, 2), crs)


def write_tile_set(folder, index, *, nodata=0):
    """A tile set whose index and description are whole, and whose shards are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    statistics = {"min": 1.0, "max": 9.0, "mean": 5.0, "std": 2.0}
    content = {
        "schema_version": 1,
        "kind": "tiles",
        "bands": [{"name": name, "statistics": statistics} for name in BANDS],
        "dtype": "uint16",
        "nodata": nodata,
        "size": 96,
        "stride": 96,
        "grid": "scene",
        "partial": "skip",
        "codec": "zstd",
        "predictor": 2,
        "counts": {"tiles": index.height, "scenes": 1, "shards": 1},
        "plan_hash": "made",
    }
    (folder / "dataset.json").write_text(json.dumps(content))
    members = {"shard": "shards/tiles-000000.tar", "offset": 512, "length": 100}
    index.with_columns(**{name: pl.lit(value) for name, value in members.items()}).write_parquet(
        folder / "index.parquet"
    )
    return folder


class PixelTiles:
    """A tile set in memory, as far as the probe reads one."""

    def __init__(self, index, arrays, *, nodata=0):
        from types import SimpleNamespace

        self.index = index
        self._arrays = arrays
        names = tuple(f"band{number + 1}" for number in range(len(arrays[0])))
        self.info = SimpleNamespace(bands=names, nodata=nodata)

    def read(self, rows):
        return [self._arrays[row] for row in rows]
