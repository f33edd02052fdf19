"""From rows of the training index to batches: read by offset, decode, prepare, augment.

In two halves: `raw_batch` reads and decodes, on any thread; `finish` prepares and changes pixels
where they are, on a GPU for example. A batch is a pure function of (rows, epoch): the same on any
thread, with or without the cache. Tiles are decoded without GDAL. What is decoded stays in memory
until the cache is full and is never thrown out again, because with a shuffle no row is a better
guess than another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch

from gair_cli.data.augment import (
    Augment,
    change_bands,
    change_photos,
    crop,
    displace,
    draws,
    turn_places,
    turn_tiles,
)
from gair_cli.data.batch import Batch, RawBatch
from gair_cli.errors import DataError
from gair_cli.geo.coordinates import to_lonlat
from gair_cli.geo.locator import tile_metres
from gair_cli.geo.photos import read_jpeg
from gair_cli.geo.tileset import decode_tile

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from gair_cli.data.transforms import RsInput, SvInput
    from gair_cli.geo.shards import ShardReader

_MIB = 2**20


class TrainingData:
    """Batches of one folder of shards, for one model.

    Args:
        reader: The shards.
        rs: The satellite tower's input, or None for a model without one.
        sv: The photo tower's input, or None for a model without one.
        seed: Of the run; keys fresh points and augmentations.
        augment: What is changed when `batch` is asked to augment.
        cache_mb: Memory for prepared tiles and photos, MiB; 0 reads from the disk each time.

    Raises:
        DataError: If the model needs a band that the tiles do not have.
    """

    def __init__(
        self,
        reader: ShardReader,
        *,
        rs: RsInput | None,
        sv: SvInput | None,
        seed: int,
        augment: Augment | None = None,
        cache_mb: int = 1024,
    ) -> None:
        self.reader, self.rs, self.sv = reader, rs, sv
        self.seed, self.augment = seed, augment or Augment()
        self._bands = rs.select(reader.bands) if rs is not None and reader.has_tiles else []
        index = reader.index
        self._ids = index["sample_id"].to_list()
        self._lonlat = index.select("lon", "lat").to_numpy().astype(np.float64)
        self._xy = index.select("x", "y").to_numpy().astype(np.float64)
        self._radius = index["h_accuracy_m"].fill_null(0).to_numpy().astype(np.float32)
        self._tile = _tile_rows(index, reader.tiles)
        self._places = _Places(reader.tiles)
        measured = tile_metres(reader.tiles) if reader.has_tiles else np.zeros((0, 2))
        self._size_m = measured.astype(np.float32)  # (T, 2)
        sizes = reader.tiles.select("width", "height").n_unique() if reader.has_tiles else 0
        self._one_size = sizes <= 1
        self.has_tile = index["tile_offset"].is_not_null().to_numpy()
        self.has_photo = index["photo_offset"].is_not_null().to_numpy()
        self._cache = _Cache(cache_mb * _MIB)

    def mixed_by_tile(self) -> NDArray[np.int64]:
        """Return all rows tile by tile, those of a tile in the order of their hashed ids.

        Neighbours in a photo table are often neighbours on the street; here they are not.
        """
        return np.lexsort((np.array(self._ids), self._tile)).astype(np.int64)

    def tile_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row in `tiles.parquet` of each row (B,), -1 without a tile."""
        tiles: NDArray[np.int64] = self._tile[rows]
        return tiles

    def first_of_tiles(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the first row of each tile, in the order of the rows."""
        _, first = np.unique(self._tile[rows], return_index=True)
        return rows[np.sort(first)]

    def lonlat(
        self, rows: NDArray[np.int64], *, epoch: int | NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the coordinates that rows have in an epoch, without reading any pixel.

        Args:
            rows: (B,) rows of the index.
            epoch: A tile without photos has another point in each epoch; one number, or (B,).

        Returns:
            (B, 2) float64 degrees.
        """
        return self._positions(rows, np.broadcast_to(epoch, len(rows)))[0]

    def ids(self, rows: NDArray[np.int64]) -> list[str]:
        """Return the sample ids of rows (B,)."""
        return [self._ids[row] for row in rows]

    def batch(
        self, rows: NDArray[np.int64], *, epoch: int | NDArray[np.int64], augment: bool = False
    ) -> Batch:
        """Return the batch of some rows, whole, on the CPU; see `raw_batch`."""
        return self.finish(self.raw_batch(rows, epoch=epoch, augment=augment))

    def raw_batch(
        self,
        rows: NDArray[np.int64],
        *,
        epoch: int | NDArray[np.int64],
        augment: bool = False,
        view: int = 0,
    ) -> RawBatch:
        """Return the batch of some rows before its pixels are prepared.

        Args:
            rows: (B,) rows of the index, all with the same halves.
            epoch: Keys fresh points and augmentations; one number, or (B,).
            augment: Whether to change tiles and photos as `self.augment` says.
            view: Another number is another augmentation of the same rows.

        Returns:
            The batch on the CPU; a half that the model or the data lacks is None.

        Raises:
            DataError: If some rows have a tile or photo and others have none.
            InputError: If a shard cannot be read.
        """
        epochs = np.broadcast_to(epoch, len(rows))
        lonlat, xy = self._positions(rows, epochs)
        raw = RawBatch(Batch(torch.from_numpy(lonlat), self.ids(rows)))
        drawn = _Draws(self.seed, epochs, view, augment=augment)
        if self.rs is not None and _all(self.has_tile[rows], "tile"):
            raw = self._with_tiles(raw, rows, xy, drawn)
        if self.sv is not None and _all(self.has_photo[rows], "photo"):
            raw = self._with_photos(raw, rows, drawn)
        return raw

    def finish(self, raw: RawBatch) -> Batch:
        """Prepare and change the pixels of a raw batch, on its own device.

        Args:
            raw: From `raw_batch`.

        Returns:
            Float32 tiles and photos as the towers take them.
        """
        batch = raw.batch
        if raw.tiles is not None and self.rs is not None:
            batch = replace(batch, rs=self._finish_tiles(raw, raw.tiles, self.rs))
        if raw.photos is not None and self.sv is not None:
            batch = replace(batch, sv=self._finish_photos(raw, raw.photos, self.sv))
        return batch

    def _finish_tiles(self, raw: RawBatch, tiles: Tensor, rs: RsInput) -> Tensor:
        prepared = rs.prepare_batch(tiles) if self._one_size else tiles
        if raw.tile_crop is not None:
            size = (rs.size, rs.size)
            prepared = crop(
                prepared, keep=self.augment.crop_tiles, size=size, numbers=raw.tile_crop
            )
        if raw.turn is not None:
            prepared = turn_tiles(prepared, numbers=raw.turn)
        if raw.bands is not None:
            prepared = change_bands(prepared, most=self.augment.bands, numbers=raw.bands)
        return prepared

    def _finish_photos(self, raw: RawBatch, photos: Tensor, sv: SvInput) -> Tensor:
        if raw.photo_crop is None:
            prepared = sv.prepare_batch(photos)
        else:
            size, keep = (sv.height, sv.width), self.augment.crop
            prepared = crop(sv.scale(photos), keep=keep, size=size, numbers=raw.photo_crop)
        if raw.look is not None:
            prepared = change_photos(prepared, self.augment, numbers=raw.look)
        return prepared

    def _positions(
        self, rows: NDArray[np.int64], epochs: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        lonlat, xy = self._lonlat[rows], self._xy[rows]
        fresh = np.flatnonzero(self.has_tile[rows] & ~np.isfinite(xy).all(axis=1))
        if len(fresh):
            ids = self.ids(rows[fresh])
            drawn = draws(ids, 2, seed=self.seed, epoch=epochs[fresh], purpose="point").numpy()
            xy[fresh] = 2 * drawn - 1
            lonlat[fresh] = self._places.lonlat(self._tile[rows[fresh]], xy[fresh])
        return lonlat, xy

    def _with_tiles(
        self, raw: RawBatch, rows: NDArray[np.int64], xy: NDArray[np.float64], drawn: _Draws
    ) -> RawBatch:
        tiles, first, tile_of = np.unique(self._tile[rows], return_index=True, return_inverse=True)
        pixels = torch.stack([self._rs(int(row)) for row in rows[first]])
        where, at = torch.from_numpy(tile_of), torch.from_numpy(xy.astype(np.float32))
        radius = torch.from_numpy(self._radius[rows])
        size_m = torch.from_numpy(self._size_m[tiles])
        augment = self.augment
        if drawn.augment and augment.radii_m and self.has_photo[rows].all():
            numbers = drawn.of(raw.batch.sample_ids, 2, "radius")
            own, own_radius, radii = at, radius, augment.radii_m
            at, radius = displace(at, radius, size_m[where], radii=radii, numbers=numbers)
            if augment.exact_too:
                told = own_radius if bool((own_radius > 0).any()) else None
                exact = replace(raw.batch, exact_xy=own, exact_radius_m=told)
                raw = replace(raw, batch=exact)
        if drawn.augment:
            names = self.reader.tiles["tile_id"].gather(tiles)
            ids, tile_draws = [f"tile {tile}" for tile in names], drawn.at(first)
            if augment.turn_tiles:
                turn = tile_draws.of(ids, 3, "turn")
                raw = replace(raw, turn=turn)
                before = size_m
                at, size_m = turn_places(at, where, before, numbers=turn)
                if raw.batch.exact_xy is not None:
                    own, _ = turn_places(raw.batch.exact_xy, where, before, numbers=turn)
                    raw = replace(raw, batch=replace(raw.batch, exact_xy=own))
            if augment.bands:
                raw = replace(raw, bands=tile_draws.of(ids, 2 * pixels.shape[1], "bands"))
            if augment.crop_tiles < 1:
                raw = replace(raw, tile_crop=tile_draws.of(ids, 4, "crop"))
        batch = replace(raw.batch, xy=at, radius_m=radius, tile_of=where, size_m=size_m)
        return replace(raw, batch=batch, tiles=pixels)

    def _with_photos(self, raw: RawBatch, rows: NDArray[np.int64], drawn: _Draws) -> RawBatch:
        raw = replace(raw, photos=torch.stack([self._sv(int(row)) for row in rows]))
        if not drawn.augment:
            return raw
        ids, augment = raw.batch.sample_ids, self.augment
        if augment.roll_panoramas or augment.mirror_photos or augment.colour:
            raw = replace(raw, look=drawn.of(ids, 4, "photo"))
        if augment.crop < 1:
            raw = replace(raw, photo_crop=drawn.of(ids, 4, "photo crop"))
        return raw

    def _rs(self, row: int) -> Tensor:
        return self._cache.get(("rs", int(self._tile[row])), lambda: self._read_tile(row))

    def _sv(self, row: int) -> Tensor:
        return self._cache.get(("sv", row), lambda: self._read_photo(row))

    def _read_tile(self, row: int) -> Tensor:
        data = self.reader.tile_bytes(row)
        if data is None or self.rs is None:
            raise DataError(f"row {row} has no tile")
        array = decode_tile(data, bands=self._bands)
        if not self._one_size:
            return self.rs.prepare(array)
        return torch.from_numpy(np.ascontiguousarray(array))

    def _read_photo(self, row: int) -> Tensor:
        data = self.reader.photo_bytes(row)
        if data is None or self.sv is None:
            raise DataError(f"row {row} has no photo")
        larger = 1 / self.augment.crop  # so that the smallest crop is as fine as the tower's input
        size = (math.ceil(self.sv.height * larger), math.ceil(self.sv.width * larger))
        return self.sv.to_bytes(read_jpeg(data), size=size)


@dataclass(frozen=True, slots=True)
class _Draws:
    """Random numbers of one batch, keyed by seed, epoch, view and id."""

    seed: int
    epochs: NDArray[np.int64]
    view: int
    augment: bool

    def of(self, ids: Sequence[str], n: int, purpose: str) -> Tensor:
        """Return (len(ids), n) numbers in [0, 1)."""
        purpose = f"{purpose}, view {self.view}" if self.view else purpose
        return draws(ids, n, seed=self.seed, epoch=self.epochs, purpose=purpose)

    def at(self, rows: NDArray[np.int64]) -> _Draws:
        """Return the draws of some of the rows."""
        return replace(self, epochs=self.epochs[rows])


def _all(there: NDArray[np.bool_], what: str) -> bool:
    if there.all() or not there.any():
        return bool(there.all())
    raise DataError(
        f"{int(there.sum())} of {len(there)} rows of a batch have a {what}, the others have none",
        hint="ask for rows of one kind, as training.steps does",
    )


def _tile_rows(index: pl.DataFrame, tiles: pl.DataFrame) -> NDArray[np.int64]:
    """Return the row in `tiles` of each sample, -1 without a tile."""
    numbers = pl.DataFrame({"tile_id": tiles["tile_id"]}).with_row_index("at")
    joined = index.select("tile_id").join(numbers, on="tile_id", how="left", maintain_order="left")
    return joined["at"].cast(pl.Int64).fill_null(-1).to_numpy()


class _Places:
    """Where positions inside tiles lie on the Earth."""

    def __init__(self, tiles: pl.DataFrame) -> None:
        if not tiles.height:
            return
        self._crs = tiles["crs"].to_list()
        self._transform = np.array(tiles["transform"].to_list(), dtype=np.float64)  # (T, 6)
        self._size = tiles.select("width", "height").to_numpy().astype(np.float64)  # (T, 2)

    def lonlat(self, tiles: NDArray[np.int64], xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (N, 2) degrees of the positions xy (N, 2) in tiles (N,)."""
        column, row = ((xy + 1) / 2 * self._size[tiles]).T
        a, b, c, d, e, f = self._transform[tiles].T
        plane = np.stack([a * column + b * row + c, d * column + e * row + f], axis=1)
        names = np.array([self._crs[tile] for tile in tiles])
        lonlat = np.empty_like(plane)
        for name in np.unique(names):
            mine = names == name
            lonlat[mine] = to_lonlat(plane[mine], str(name))
        return lonlat


class _Cache:
    """Keeps tensors until a number of bytes is reached; safe from several threads."""

    def __init__(self, limit: int) -> None:
        self._limit, self._used = limit, 0
        self._kept: dict[Hashable, Tensor] = {}

    def get(self, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """Return the tensor of a key, made if it is not there."""
        found = self._kept.get(key)
        if found is not None:
            return found
        made = make()
        size = made.numel() * made.element_size()
        if self._used + size <= self._limit:
            self._used += size
            self._kept[key] = made
        return made
