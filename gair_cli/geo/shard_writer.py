"""Write one training shard: samples into a tar, and the index rows that find them again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from gair_cli import _rust
from gair_cli.geo.packing_plan import KEY, PATH, TILE_ROW
from gair_cli.geo.shards import INDEX_SCHEMA, sample_hash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOUND_HERE: Final = ("shard", "tile_offset", "tile_length", "photo_offset", "photo_length",
                      "sha256")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sample:
    """What stays together in a tar: a tile with its photos, or one photo.

    Attributes:
        key: Name of the members before the first dot.
        rows: The plan's rows, one a photo (one for a tile alone).
        tile: GeoTIFF bytes, or None.
        photos: JPEG bytes, one a row, or None for a tile alone.
        end: Number of plan rows up to and with this sample, bad ones too.
    """

    key: str
    rows: pl.DataFrame
    tile: bytes | None
    photos: tuple[bytes | None, ...]
    end: int

    @property
    def size(self) -> int:
        """Bytes of the tile and the photos."""
        return len(self.tile or b"") + sum(len(photo or b"") for photo in self.photos)


@dataclass(frozen=True, slots=True)
class ShardPart:
    """A finished shard.

    Attributes:
        index: Its rows of the training index.
        end: Number of plan rows that are done with it, bad ones too.
    """

    index: pl.DataFrame
    end: int


def write_shard(
    path: Path, first: Sample, more: Iterator[Sample], *, name: str, limit: int
) -> tuple[ShardPart, Sample | None]:
    """Write samples until the next one would exceed the limit.

    Args:
        path: The tar file.
        first: The first sample, written in any case.
        more: The samples after it.
        name: The shard's name in the index.
        limit: Bytes of tiles and photos.

    Returns:
        The shard, and the sample that did not fit any more (None at the end).
    """
    writer = _rust.TarWriter(path)
    frames, size, sample = [], 0, first
    while True:
        frames.append(_add(writer, sample, name))
        size += sample.size
        end = sample.end
        following = next(more, None)
        if following is None or size + following.size > limit:
            writer.finish()
            return ShardPart(pl.concat(frames), end), following
        sample = following


def _add(writer: Any, sample: Sample, shard: str) -> pl.DataFrame:
    tile = writer.add(f"{sample.key}.tif", sample.tile) if sample.tile is not None else None
    photos = [
        None if photo is None else writer.add(f"{sample.key}.{number:03d}.jpg", photo)
        for number, photo in enumerate(sample.photos)
    ]
    n = len(sample.photos)
    found: dict[str, list[Any]] = {
        "shard": [shard] * n,
        "tile_offset": [tile and tile[0]] * n,
        "tile_length": [tile and tile[1]] * n,
        "photo_offset": [photo and photo[0] for photo in photos],
        "photo_length": [photo and photo[1] for photo in photos],
        "sha256": [sample_hash(sample.tile, photo) for photo in sample.photos],
    }
    rows = sample.rows.drop(KEY, TILE_ROW, PATH)
    writer.add(f"{sample.key}.json", _description(rows))
    columns = [pl.Series(name, found[name], dtype=INDEX_SCHEMA[name]) for name in _FOUND_HERE]
    filled = rows.with_columns(columns)
    return filled.select(*INDEX_SCHEMA, *[c for c in rows.columns if c not in INDEX_SCHEMA])


def _description(rows: pl.DataFrame) -> bytes:
    """Return the JSON member: the rows of the index without what the index alone knows."""
    text = json.dumps({"samples": rows.to_dicts()}, sort_keys=True, default=str, ensure_ascii=False)
    return text.encode()
