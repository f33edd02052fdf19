"""Read a tile set: `dataset.json`, its index, and tiles by row; works without GDAL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import polars as pl

from gair_cli import _rust
from gair_cli.errors import DataError, InputError
from gair_cli.geo.tileset_info import (
    CODEC,
    KIND,
    PLAIN,
    SCHEMA_VERSION,
    BandFacts,
    BandStatistics,
    TileSetInfo,
)
from gair_cli.records import canonical_band

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "CODEC",
    "KIND",
    "PLAIN",
    "SCHEMA_VERSION",
    "BandFacts",
    "BandStatistics",
    "TileSet",
    "TileSetInfo",
    "decode_tile",
]

DATASET_FILE: Final = "dataset.json"
INDEX_FILE: Final = "index.parquet"
_READ_FROM_INDEX: Final = ("tile_id", "shard", "offset", "length")


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
    def open(cls, path: str | Path, *, columns: Sequence[str] | None = None) -> Self:
        """Open the tile set in a folder.

        Args:
            path: The folder.
            columns: Columns of the index to read besides those that tiles are found by, as far as
                they are there; None is all.

        Raises:
            InputError: If the folder is missing or is not a tile set.
        """
        folder = Path(path)
        if not folder.exists():
            raise InputError(f"{folder} does not exist", hint="make tiles with: gair tile")
        info = _read_info(folder)
        try:
            index = _read_index(folder / INDEX_FILE, columns)
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
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


def _read_index(path: Path, columns: Sequence[str] | None) -> pl.DataFrame:
    if columns is None:
        return pl.read_parquet(path, glob=False)
    wanted = {*_READ_FROM_INDEX, *columns}
    there = [name for name in pl.read_parquet_schema(path) if name in wanted]
    return pl.read_parquet(path, columns=there, glob=False)


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
