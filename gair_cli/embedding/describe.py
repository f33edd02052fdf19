"""What a file or folder is, and its key facts; what this installation is."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gair_cli import __version__
from gair_cli.embedding.table import read_embeddings, read_meta
from gair_cli.errors import InputError
from gair_cli.geo.build import gdal_version
from gair_cli.geo.frames import read_frame
from gair_cli.geo.kinds import kind_of
from gair_cli.geo.rasters import raster_info
from gair_cli.geo.shards import ShardReader
from gair_cli.geo.tileset import TileSet
from gair_cli.models.resolve import packaged_models, resolve_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl

PACKAGES: Final = ("torch", "timm", "polars", "pyarrow", "numpy")
RASTERS: Final = (".tif", ".tiff", ".vrt", ".jp2")
_MEGA: Final = 1_000_000
_TURN: Final = 360.0


def versions() -> dict[str, str]:
    """Return the versions that run, whether GDAL is there, and the packaged models."""
    found = {"gair": __version__, "python": platform.python_version()}
    found |= {name: importlib.metadata.version(name) for name in PACKAGES}
    found["gdal"] = gdal_version() or "not built in"
    found["packaged models"] = ", ".join(packaged_models()) or "none"
    return found


def describe(path: Path) -> dict[str, Any]:
    """Return what a path is and its key facts.

    Args:
        path: A tile set, pair table, photo table, training shards, embedding table, model, run or
            raster.

    Returns:
        `kind` first, then plain values.

    Raises:
        InputError: When nothing is there, or it is none of these.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist", hint="check the path")
    kind = _kind(path)
    return {"kind": kind, **_FACTS[kind](path)}


def _kind(path: Path) -> str:
    """Tell what a path is; tables by their columns, without reading their rows."""
    if path.is_dir():
        return kind_of(path)
    if path.suffix.lower() in RASTERS:
        return "raster"
    if path.suffix == ".npy":
        return "embedding table"
    columns = set(_columns(path))
    if {"sample_id", "tile_id", "x", "y"} <= columns:
        return "pair table"
    if "embedding" in columns or "e0" in columns:
        return "embedding table"
    return "table"


def _columns(path: Path) -> list[str]:
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"PAR1":
        try:
            return list(pq.read_schema(path).names)
        except pa.ArrowException as error:
            raise InputError(f"{path} cannot be read as parquet: {error}") from error
    return read_frame(path).columns


def _tile_set(path: Path) -> dict[str, Any]:
    tiles = TileSet.open(path)
    info, index = tiles.info, tiles.index
    return {
        "tiles": len(tiles),
        "scenes": index["scene_id"].n_unique(),
        "shards": index["shard"].n_unique(),
        "bands": list(info.bands),
        "dtype": info.dtype,
        "size": info.size or "full",
        "stride": info.stride or "full",
        "nodata": info.nodata,
        "crs": sorted(index["crs"].unique().to_list()),
        "mean": {name: _round(one.mean) for name, one in zip(info.bands, info.statistics,
                                                            strict=True)},
        "bounds": _tile_bounds(index["bbox"].struct.unnest()),
    }  # fmt: skip


def _round(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def _tile_bounds(box: pl.DataFrame) -> list[float]:
    """West, south, east, north of all footprints; west > east across the antimeridian."""
    west, south, east, north = box.select("xmin", "ymin", "xmax", "ymax").to_numpy().T
    low, high = _longitudes(west, east)
    return [round(float(value), 5) for value in (low, south.min(), high, north.max())]


def _longitudes(west: np.ndarray, east: np.ndarray) -> tuple[float, float]:
    """Return the west and east that hold all boxes, some of which may cross the antimeridian."""
    if (west <= east).all():
        return float(west.min()), float(east.max())
    start = west % _TURN
    low, high = start.min(), (start + (east - west) % _TURN).max()
    if high - low >= _TURN:
        return -180.0, 180.0
    return float((low + 180) % _TURN - 180), float((high + 180) % _TURN - 180)


def _bounds(lon: np.ndarray, lat: np.ndarray) -> list[float] | None:
    """Return west, south, east, north of the finite places; None without any."""
    finite = np.isfinite(lon) & np.isfinite(lat)
    if not finite.any():
        return None
    lon, lat = lon[finite], lat[finite]
    return [round(float(v), 5) for v in (lon.min(), lat.min(), lon.max(), lat.max())]


def _shards(path: Path) -> dict[str, Any]:
    with ShardReader(path) as reader:
        index = reader.index
        splits = index["split"].value_counts(sort=True) if "split" in index.columns else None
        return {
            "samples": len(reader),
            "tiles": bool(reader.has_tiles),
            "photos": bool(reader.has_photos),
            "bands": list(reader.bands),
            "shards": index["shard"].n_unique(),
            "splits": {} if splits is None else dict(splits.iter_rows()),
        }


def _model(path: Path) -> dict[str, Any]:
    from gair_cli.models.weights import (  # noqa: PLC0415 - torch takes seconds, tables need none
        load_model,
        model_hash,
        read_config,
    )

    ref = resolve_model(path)
    config = read_config(ref.path)
    model = load_model(ref)
    made = model.config
    facts: dict[str, Any] = {
        "folder": str(ref.path),
        "towers": list(made.towers),
        "dim": made.dim,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "query": made.query,
        "sha256": model_hash(ref.path),
        "licence": config.get("training", {}).get("licence") or "not stated",
    }
    if made.rs is not None:
        facts |= {"bands": list(made.rs.input.bands), "tile size": made.rs.input.size}
    return facts


def _embeddings(path: Path) -> dict[str, Any]:
    table, meta = read_embeddings(path), read_meta(path)
    statuses, counts = np.unique(table.status, return_counts=True)
    return {
        "rows": len(table),
        "dim": table.vectors.shape[1],
        "modality": meta.modality,
        "space": meta.space,
        "model": meta.model,
        "model_sha256": meta.model_sha256,
        "licence": meta.licence,
        "status": {str(name): int(n) for name, n in zip(statuses, counts, strict=True)},
        "bounds": None if table.lonlat is None else _bounds(*table.lonlat.T),
        "columns": table.frame.columns,
    }


def _pairs(path: Path) -> dict[str, Any]:
    frame = read_frame(path)
    splits = frame["split"].value_counts(sort=True) if "split" in frame.columns else None
    return {
        "pairs": frame.height,
        "photos": frame["photo_id"].n_unique(),
        "tiles": frame["tile_id"].n_unique(),
        "splits": {} if splits is None else dict(splits.iter_rows()),
        "bounds": _bounds(frame["lon"].to_numpy(), frame["lat"].to_numpy()),
    }


def _table(path: Path) -> dict[str, Any]:
    frame = read_frame(path)
    columns = {name: str(dtype) for name, dtype in frame.schema.items()}
    return {"rows": frame.height, "columns": columns}


def _raster(path: Path) -> dict[str, Any]:
    info = raster_info(path)
    own = json.loads(info.tags["gair"]) if "gair" in info.tags else None
    facts: dict[str, Any] = {
        "size": f"{info.width} x {info.height}",
        "bands": info.count if own else list(info.bands),
        "dtype": info.dtype,
        "crs": info.crs,
        "pixel": [abs(info.transform[0]), abs(info.transform[4])],
        "nodata": info.nodata if info.nodata is None else str(info.nodata),
        "megapixels": round(info.width * info.height / _MEGA, 2),
    }
    return facts if own is None else facts | {"embedding": own}


_FACTS: Final[dict[str, Callable[[Path], dict[str, Any]]]] = {
    "tile set": _tile_set,
    "training shards": _shards,
    "model": _model,
    "embedding table": _embeddings,
    "pair table": _pairs,
    "table": _table,
    "raster": _raster,
}
