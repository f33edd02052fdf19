"""Training shards: a folder of tar files with an index of byte offsets, and how to read it.

```
train/
  dataset.json              bands, statistics of the tiles in use, counts, plan hash
  index.parquet             one row a sample: a photo at a place in a tile, or either alone
  tiles.parquet             the tile index rows in use, their offsets into these shards
  shards/train-000000.tar   <key>.tif, <key>.000.jpg, <key>.001.jpg..., <key>.json
```
Rows of the index are sorted by tile, so neighbouring rows share a tile. Reading goes by offset and
from several threads at once; nothing is unpacked. `gair_cli.geo.packing` writes them.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from typing import TYPE_CHECKING, Final, Self

import polars as pl

from gair_cli.errors import DataError, InputError
from gair_cli.geo.shards_info import KIND, ShardsInfo

if TYPE_CHECKING:
    from pathlib import Path

    from gair_cli.geo.tileset import BandStatistics

INDEX_SCHEMA: Final[dict[str, pl.DataType]] = {
    "sample_id": pl.String(),
    "tile_id": pl.String(),
    "photo_id": pl.String(),
    "lon": pl.Float64(),
    "lat": pl.Float64(),
    "x": pl.Float64(),
    "y": pl.Float64(),
    "heading": pl.Float32(),
    "captured_at": pl.Datetime("ms", "UTC"),
    "h_accuracy_m": pl.Float32(),
    "sequence_id": pl.String(),
    "source": pl.String(),
    "cell": pl.String(),
    "split": pl.String(),
    "shard": pl.String(),
    "tile_offset": pl.UInt64(),
    "tile_length": pl.UInt64(),
    "photo_offset": pl.UInt64(),
    "photo_length": pl.UInt64(),
    "sha256": pl.String(),
}
"""Columns of `index.parquet`; the user's own come after them."""


class ShardReader:
    """Read training shards by row of their index; safe to use from several threads.

    Attributes:
        path: The folder.
        info: What `dataset.json` says.
        index: `index.parquet`, one row a sample.
        tiles: `tiles.parquet`, one row a tile; empty without tiles.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.info = _read_info(path)
        self.index = _read_parquet(path / "index.parquet")
        self.tiles = _read_parquet(path / "tiles.parquet")
        self._files: dict[str, int] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        self.close()

    def __len__(self) -> int:
        """Return the number of samples."""
        return self.index.height

    @property
    def bands(self) -> tuple[str, ...]:
        """Band names of the tiles, in order."""
        return self.info.bands

    @property
    def statistics(self) -> tuple[BandStatistics, ...]:
        """Statistics of each band over the tiles in use."""
        return self.info.statistics

    @property
    def has_tiles(self) -> bool:
        """Whether any sample has a tile."""
        return self.tiles.height > 0

    @property
    def has_photos(self) -> bool:
        """Whether any sample has a photo."""
        return bool(self.info.counts["photos"])

    def tile_bytes(self, row: int) -> bytes | None:
        """Return the GeoTIFF of a sample's tile, or None for a photo without one.

        Raises:
            InputError: If the shard is missing or too short.
        """
        return self._part(row, "tile")

    def photo_bytes(self, row: int) -> bytes | None:
        """Return the JPEG of a sample, or None for a tile without photos.

        Raises:
            InputError: If the shard is missing or too short.
        """
        return self._part(row, "photo")

    def verify(self, row: int) -> bool:
        """Tell whether a sample's bytes still have the hash of the index."""
        expected = str(self.index["sha256"][row])
        return sample_hash(self.tile_bytes(row), self.photo_bytes(row)) == expected

    def close(self) -> None:
        """Close the shards; reading opens them again."""
        with self._lock:
            for descriptor in self._files.values():
                os.close(descriptor)
            self._files.clear()

    def _part(self, row: int, half: str) -> bytes | None:
        offset = self.index[f"{half}_offset"][row]
        if offset is None:
            return None
        length = self.index[f"{half}_length"][row]
        name = self.index["shard"][row]
        data = os.pread(self._descriptor(name), length, offset)
        if len(data) != length:
            raise InputError(
                f"{self.path / name} is too short: row {row} ends at byte {offset + length}",
                hint="pack the shards again",
            )
        return data

    def _descriptor(self, name: str) -> int:
        with self._lock:
            if name not in self._files:
                try:
                    self._files[name] = os.open(self.path / name, os.O_RDONLY)
                except OSError as error:
                    raise InputError(f"{self.path / name}: {error.strerror}") from error
            return self._files[name]


def sample_hash(tile: bytes | None, photo: bytes | None) -> str:
    """Return the SHA-256 of a sample: the bytes of its tile, then those of its photo."""
    return hashlib.sha256((tile or b"") + (photo or b"")).hexdigest()


def _read_info(path: Path) -> ShardsInfo:
    file = path / "dataset.json"
    if not path.exists():
        raise InputError(f"{path} does not exist", hint="make it with `gair pack`")
    if not file.is_file():
        raise InputError(f"{path} is no folder of training shards", hint="make it with `gair pack`")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content.get("kind") != KIND:
            raise InputError(
                f"{path} holds no training shards (kind {content.get('kind')!r})",
                hint="pack a tile set or pairs with `gair pack` first",
            )
        return ShardsInfo.from_dict(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{file} cannot be understood: {error!r}") from error


def _read_parquet(file: Path) -> pl.DataFrame:
    if not file.is_file():
        raise InputError(f"{file} is missing", hint="pack the shards again")
    try:
        return pl.read_parquet(file, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{file} cannot be read: {error}", hint="pack the shards again") from error
