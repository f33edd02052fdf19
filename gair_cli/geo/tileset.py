"""Read a tile set: `dataset.json`, its index, and tiles by row; works without GDAL."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import polars as pl

from gair_cli import _rust
from gair_cli.errors import DataError, InputError
from gair_cli.records import canonical_band

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

SCHEMA_VERSION: Final = 1
KIND: Final = "tiles"
DATASET_FILE: Final = "dataset.json"
INDEX_FILE: Final = "index.parquet"
CODEC: Final = "zstd"
_READ_FROM_INDEX: Final = ("tile_id", "shard", "offset", "length")


@dataclass(frozen=True, slots=True)
class BandStatistics:
    """Valid pixels of one band over all tiles; NaN where there is none.

    Attributes:
        minimum: Least value.
        maximum: Greatest value.
        mean: Mean over pixels.
        std: Standard deviation over pixels (population).
        count: Number of pixels.
    """

    minimum: float
    maximum: float
    mean: float
    std: float
    count: int = 0

    def to_json(self) -> dict[str, float | None]:
        """Return the content of a `statistics` entry; JSON has no NaN, so that is null."""
        values = {"min": self.minimum, "max": self.maximum, "mean": self.mean, "std": self.std}
        finite = {name: value if np.isfinite(value) else None for name, value in values.items()}
        return {**finite, "count": self.count}

    @classmethod
    def from_json(cls, content: Mapping[str, float | None]) -> Self:
        """Return what `to_json` wrote."""
        found = (content[name] for name in ("min", "max", "mean", "std"))
        low, high, mean, std = (float("nan") if one is None else float(one) for one in found)
        return cls(low, high, mean, std, count=int(content.get("count") or 0))


@dataclass(frozen=True, slots=True)
class TileSetInfo:
    """What a tile set's `dataset.json` says.

    Attributes:
        bands: Names in the tiles' order.
        dtype: numpy's name of the pixel type.
        size: Pixels a side, or None for one tile a raster (`--size full`).
        stride: Pixels between tiles, or None likewise.
        nodata: The value of a pixel that is none, or None.
        statistics: One entry a band.
        counts: `tiles`, `scenes`, `shards`.
        grid: `scene`: the lattice of each scene's own pixels.
        partial: What was done with tiles over a scene's edge.
        predictor: TIFF predictor of the tiles' blocks.
        plan_hash: Of the inputs and options that made the tiles.
    """

    bands: tuple[str, ...]
    dtype: str
    size: int | None
    stride: int | None
    nodata: float | None
    statistics: tuple[BandStatistics, ...]
    counts: Mapping[str, int]
    grid: str
    partial: str
    predictor: int
    plan_hash: str

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `dataset.json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "bands": [
                {"name": name, "statistics": one.to_json()}
                for name, one in zip(self.bands, self.statistics, strict=True)
            ],
            "dtype": self.dtype,
            "nodata": _nodata_json(self.nodata),
            "size": self.size,
            "stride": self.stride,
            "grid": self.grid,
            "partial": self.partial,
            "codec": CODEC,
            "predictor": self.predictor,
            "counts": dict(self.counts),
            "plan_hash": self.plan_hash,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read the content of `dataset.json`.

        Raises:
            KeyError: If a field is missing.
        """
        nodata = content["nodata"]
        return cls(
            bands=tuple(band["name"] for band in content["bands"]),
            dtype=content["dtype"],
            size=content["size"],
            stride=content["stride"],
            nodata=None if nodata is None else float(nodata),
            statistics=tuple(
                BandStatistics.from_json(band["statistics"]) for band in content["bands"]
            ),
            counts=content["counts"],
            grid=content["grid"],
            partial=content["partial"],
            predictor=content["predictor"],
            plan_hash=content["plan_hash"],
        )


def _nodata_json(value: float | None) -> float | str | None:
    """Return a nodata value for JSON, which has no NaN: a whole number stays one."""
    if value is None or np.isfinite(value):
        return int(value) if value is not None and value == int(value) else value
    return str(value)


class TileSet:
    """A tile set on disk; safe to use from several threads.

    Attributes:
        path: The folder.
        info: Bands, type, size, statistics.
        index: One row a tile, in Hilbert order, in the columns of the tile index.
    """

    def __init__(self, path: Path, info: TileSetInfo, index: pl.DataFrame) -> None:
        self.path = path
        self.info = info
        self.index = index

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open the tile set in a folder.

        Raises:
            InputError: If the folder is missing or is not a tile set.
        """
        folder = Path(path)
        if not folder.exists():
            raise InputError(f"{folder} does not exist", hint="make tiles with: gair tile")
        info = _read_info(folder)
        try:
            index = pl.read_parquet(folder / INDEX_FILE)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise _not_tiles(folder, f"{INDEX_FILE} cannot be read: {error}") from error
        missing = [name for name in _READ_FROM_INDEX if name not in index.columns]
        if missing:
            raise _not_tiles(folder, f"{INDEX_FILE} lacks the columns {', '.join(missing)}")
        return cls(folder, info, index)

    def __len__(self) -> int:
        return self.index.height

    def read(
        self, rows: Sequence[int], *, bands: Sequence[str] | None = None
    ) -> list[NDArray[np.generic]]:
        """Read and decode tiles in parallel.

        Args:
            rows: Rows of the index.
            bands: Names of the bands to read, in this order; None is all.

        Returns:
            One array (C, H, W) a row, in the order of `rows`.

        Raises:
            DataError: If a band is not there.
            InputError: If a shard is missing, cut off or damaged.
        """
        numbers = None if bands is None else self.band_numbers(bands)
        chosen = self.index[list(rows), list(_READ_FROM_INDEX)].with_row_index("order")
        tiles: dict[int, NDArray[np.generic]] = {}
        for (shard,), part in chosen.group_by("shard", maintain_order=True):
            offsets, lengths = part["offset"].to_list(), part["length"].to_list()
            try:
                arrays = _rust.read_tiles(self._shard(str(shard)), offsets, lengths, numbers)
            except (OSError, ValueError) as error:
                raise _damaged(error) from error
            tiles.update(zip(part["order"].to_list(), arrays, strict=True))
        return [tiles[order] for order in range(chosen.height)]

    def member_bytes(self, row: int) -> bytes:
        """Return the bytes of one tile's GeoTIFF.

        Raises:
            InputError: If the shard is missing or cut off.
        """
        _, shard, offset, length = self.index.select(_READ_FROM_INDEX).row(row)
        try:
            return _rust.read_member(self._shard(shard), offset, length)
        except (OSError, ValueError) as error:
            raise _damaged(error) from error

    def band_numbers(self, names: Sequence[str]) -> list[int]:
        """Return where bands stand in the tiles, from 0; `B02` finds `B2`.

        Raises:
            DataError: If a band is not there; the message lists those that are.
        """
        places = {canonical_band(name): place for place, name in enumerate(self.info.bands)}
        places.update({name: place for place, name in enumerate(self.info.bands)})
        found = [places.get(name, places.get(canonical_band(name))) for name in names]
        missing = [name for name, place in zip(names, found, strict=True) if place is None]
        if missing:
            there = ", ".join(self.info.bands)
            raise DataError(
                f"{self.path} has no band {', '.join(missing)}; it has {there}",
                hint="name other bands, or name the tiles' bands with gair tile --band-names",
            )
        return [place for place in found if place is not None]

    def _shard(self, name: str) -> Path:
        return self.path / name


def _read_info(folder: Path) -> TileSetInfo:
    try:
        content = json.loads((folder / DATASET_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _not_tiles(folder, f"{DATASET_FILE} cannot be read") from error
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise _not_tiles(folder, f"{DATASET_FILE} does not describe tiles")
    if content.get("schema_version") != SCHEMA_VERSION:
        raise _not_tiles(folder, f"schema version {content.get('schema_version')} is unknown")
    try:
        return TileSetInfo.from_dict(content)
    except (KeyError, TypeError) as error:
        raise _not_tiles(folder, f"{DATASET_FILE} lacks {error}") from error


def _not_tiles(folder: Path, why: str) -> InputError:
    return InputError(
        f"{folder} is not a tile set: {why}", hint="give a folder that gair tile wrote"
    )


def _damaged(error: Exception) -> InputError:
    return InputError(f"damaged tile set: {error}", hint="make it again with gair tile")


def decode_tile(data: bytes, *, bands: Sequence[int] | None = None) -> NDArray[np.generic]:
    """Decode one tile of the fixed layout, without GDAL.

    Args:
        data: The bytes of a tile's GeoTIFF.
        bands: Band numbers from 0, in the order wanted; None is all.

    Returns:
        (C, H, W).

    Raises:
        InputError: If the bytes are not a whole tile.
        DataError: If a band is not there.
    """
    try:
        return _rust.decode_tile(data, None if bands is None else list(bands))
    except ValueError as error:
        kind = DataError if "band index" in str(error) else InputError
        raise kind(str(error)) from error
