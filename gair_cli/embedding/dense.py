"""A scene as a continuous field of embeddings: read it at any position, in any order.

Tiles of the lattice are encoded when a position needs them and kept while memory allows; the value
at a position is the weighted mean of what the tiles around it say, so it depends on the position
alone.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import torch

from gair_cli.embedding.extract import batches, tile_field
from gair_cli.embedding.towers import BATCH
from gair_cli.geo.locator import ground_sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gair_cli.embedding.lattice import Lattice
    from gair_cli.embedding.scenes import Scene
    from gair_cli.models.field import TileField
    from gair_cli.models.gair import GairModel

Tile: TypeAlias = tuple[int, int]
CACHE_BYTES: Final = 512 * 2**20
QUERY_ROWS: Final = 16_384
FINE_QUERY_ROWS: Final = 2_048
"""A footprint has a dozen points, each of which reads all maps."""


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A lattice tile, encoded, or None without a valid pixel, and its valid pixels."""

    field: TileField | None
    valid: np.ndarray

    def nbytes(self) -> int:
        return (0 if self.field is None else self.field.nbytes) + self.valid.nbytes


@dataclass(slots=True)
class DenseField:
    """The localised satellite embedding over a scene; use it inside `evaluating`.

    Attributes:
        model: A model with a satellite tower.
        scene: The pixels, bands in the model's order.
        lattice: The model tiles over the scene.
        device: Where to compute.
        batch_size: Tiles encoded at a time.
        cache_bytes: Memory for tokens that are kept.
    """

    model: GairModel
    scene: Scene
    lattice: Lattice
    device: torch.device
    batch_size: int = BATCH["rs"]
    cache_bytes: int = CACHE_BYTES
    _cache: OrderedDict[Tile, _Encoded] = field(default_factory=OrderedDict)
    _held: int = 0

    @property
    def width(self) -> int:
        """E, the width of the satellite tower."""
        return self.model.width("rs")

    def read(self, pixels: np.ndarray, *, radius_m: float) -> tuple[torch.Tensor, np.ndarray]:
        """Return the field at positions.

        Args:
            pixels: (N, 2) float64 column and row in the scene; a pixel's centre is at + 0.5.
            radius_m: Radius of each query in metres.

        Returns:
            (N, E) float32 tower output, zero where there is no value, and (N,) bool: whether the
            pixel at the position is valid.
        """
        total = torch.zeros(len(pixels), self.width, device=self.device)
        weights = np.zeros(len(pixels))
        valid = np.zeros(len(pixels), bool)
        inside = self.scene.holds(pixels)
        tiles = self.lattice.tiles_at(pixels[inside])
        for group in batches(tiles, self.batch_size):
            for tile, encoded in zip(group, self._encoded(group), strict=True):
                self._add(tile, encoded, pixels, inside, radius_m, (total, weights, valid))
        share = torch.from_numpy(np.where(weights > 0, weights, 1).astype(np.float32))
        return total / share.to(self.device)[:, None], valid

    def _add(
        self,
        tile: Tile,
        encoded: _Encoded,
        pixels: np.ndarray,
        inside: np.ndarray,
        radius_m: float,
        sums: tuple[torch.Tensor, np.ndarray, np.ndarray],
    ) -> None:
        """Add what one tile says, weighted, where it has a say."""
        total, weights, valid = sums
        rows = np.flatnonzero(self.lattice.holds(tile, pixels) & inside)
        if encoded.field is None or not len(rows):
            return
        weight = self.lattice.weight(tile, pixels[rows])
        xy = self.lattice.position(tile, pixels[rows])
        valid[rows] |= _pixel_values(encoded.valid, xy)
        weights[rows] += weight
        step = FINE_QUERY_ROWS if encoded.field.fine else QUERY_ROWS
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            read = self._query(encoded.field, xy[part], radius_m)
            scale = torch.from_numpy(weight[part].astype(np.float32)).to(self.device)
            total.index_add_(0, torch.from_numpy(rows[part]).to(self.device), read * scale[:, None])

    def _query(self, field: TileField, xy: np.ndarray, radius_m: float) -> torch.Tensor:
        position = torch.from_numpy(xy.astype(np.float32)).to(self.device)
        radius = torch.full((len(xy),), radius_m, device=self.device) if radius_m else None
        nowhere = torch.zeros(len(xy), dtype=torch.int64, device=self.device)
        return self.model.localize(field, position, tile_of=nowhere, radius_m=radius).float()

    def _encoded(self, tiles: Sequence[Tile]) -> list[_Encoded]:
        """Return tiles from the cache, encoding those that are not there."""
        found = {tile: self._cache[tile] for tile in tiles if tile in self._cache}
        fresh = [tile for tile in tiles if tile not in found]
        found.update(zip(fresh, self._encode(fresh), strict=True))
        for tile in tiles:
            self._keep(tile, found[tile])
        return [found[tile] for tile in tiles]

    def _keep(self, tile: Tile, encoded: _Encoded) -> None:
        if tile in self._cache:
            self._cache.move_to_end(tile)
            return
        self._cache[tile] = encoded
        self._held += encoded.nbytes()
        while self._held > self.cache_bytes and len(self._cache) > 1:
            self._held -= self._cache.popitem(last=False)[1].nbytes()

    def _encode(self, tiles: Sequence[Tile]) -> list[_Encoded]:
        arrays = [self._pixels(tile) for tile in tiles]
        valid = [~np.isnan(array).all(axis=0) for array in arrays]
        used = [i for i, mask in enumerate(valid) if mask.any()]
        fields: dict[int, TileField] = {}
        if used:
            sizes = self._sizes_m([tiles[i] for i in used])
            made = tile_field(self.model, [arrays[i] for i in used], self.device, size_m=sizes)
            fields = {i: made.take(n, n + 1) for n, i in enumerate(used)}
        return [_Encoded(fields.get(i), mask) for i, mask in enumerate(valid)]

    def _sizes_m(self, tiles: Sequence[Tile]) -> np.ndarray:
        """Measure lattice tiles on the ground, (n, 2) metres."""
        columns, rows = self.lattice.columns, self.lattice.rows
        a, b, c, d, e, f = self.scene.transform
        starts = [(float(columns.starts[i]), float(rows.starts[j])) for i, j in tiles]
        moved = [(a, b, a * x + b * y + c, d, e, d * x + e * y + f) for x, y in starts]
        sizes = np.full((len(tiles), 2), (columns.size, rows.size), np.uint32)
        return ground_sizes(np.array(moved, np.float64), sizes, self.scene.crs)

    def _pixels(self, tile: Tile) -> np.ndarray:
        """Read a lattice tile (C, size, size); a scene smaller than it is reflected."""
        columns, rows = self.lattice.columns, self.lattice.rows
        col, row = int(columns.starts[tile[0]]), int(rows.starts[tile[1]])
        width = min(columns.size, columns.length)
        height = min(rows.size, rows.length)
        array = self.scene.read(col, row, width, height)
        missing = ((0, 0), (0, rows.size - height), (0, columns.size - width))
        return np.pad(array, missing, mode="symmetric") if any(map(sum, missing)) else array


def _pixel_values(mask: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Return the mask's values (h, w) at positions (N, 2) in [-1, 1]."""
    height, width = mask.shape
    col = np.clip(((xy[:, 0] + 1) / 2 * width).astype(np.int64), 0, width - 1)
    row = np.clip(((xy[:, 1] + 1) / 2 * height).astype(np.int64), 0, height - 1)
    values: np.ndarray = mask[row, col]
    return values
