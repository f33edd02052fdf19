"""Read the satellite embedding at photos' positions, displaced ones, and on a grid of a tile.

Tiles are encoded once while memory allows; positions are (x, y) in [-1, 1], x along columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.evaluation.encoded_tiles import EncodedTiles
from gair_cli.geo.coordinates import great_circle_m, to_lonlat

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl
    from numpy.typing import NDArray

    from gair_cli.geo.tileset import TileSet
    from gair_cli.models.field import TileField
    from gair_cli.models.gair import GairModel

    Floats = NDArray[np.float64]
    Vectors = NDArray[np.float32]
    Ints = NDArray[np.int64]

DIRECTIONS: Final = 16
"""Directions tried for a displaced query that is to stay inside its tile."""

QUERY_ROWS: Final = 4096


@dataclass(frozen=True, slots=True)
class PlaceReader:
    """Some tiles, encoded, and how large they are.

    Attributes:
        model: The model, in evaluation mode.
        tiles: The tiles, on the model's device.
        size_m: (T, 2) width and height of each tile in metres.
    """

    model: GairModel
    tiles: EncodedTiles
    size_m: Floats

    @property
    def reads_footprints(self) -> bool:
        """Whether the model's query makes use of a radius."""
        return self.model.config.reads_footprints

    def read(self, xy: Floats, tile_of: Ints, *, radius_m: Floats) -> Vectors:
        """Read the joint embedding at positions.

        Args:
            xy: (N, 2) in [-1, 1].
            tile_of: (N,) in [0, T).
            radius_m: (N,) radius of the queries.

        Returns:
            (N, D) float32, L2-normalised.
        """
        import torch  # noqa: PLC0415 - heavy

        from gair_cli.embedding.localised import radii  # noqa: PLC0415 - needs torch

        found = np.empty((len(xy), self.model.config.dim), np.float32)
        with torch.inference_mode():
            for rows, field, slot in self.tiles.parts(tile_of):
                for start in range(0, len(rows), QUERY_ROWS):
                    part = slice(start, start + QUERY_ROWS)
                    at = rows[part]
                    vectors = self.model.localize(
                        field,
                        torch.from_numpy(xy[at].astype(np.float32)).to(field.device),
                        tile_of=torch.from_numpy(slot[part]).to(field.device),
                        radius_m=radii(radius_m[at], field.device),
                    )
                    found[at] = self.model.project(vectors, "rs_at").float().cpu().numpy()
        return found

    def tile_means(self, tile_of: Ints) -> Vectors:
        """Read the joint embedding of whole tiles: (N, D) for (N,) tile numbers."""
        import torch  # noqa: PLC0415 - heavy

        found = np.empty((len(tile_of), self.model.config.dim), np.float32)
        with torch.inference_mode():
            for rows, field, slot in self.tiles.parts(tile_of):
                pooled = self.model.project(self.model.pool_rs(field.tokens), "rs")
                found[rows] = pooled.float().cpu().numpy()[slot]
        return found

    def locate(self, queries: Vectors, tile: int, *, step_m: float, radius_m: float) -> Floats:
        """Find where in one tile each query scores highest, on a regular grid.

        Args:
            queries: (N, D) L2-normalised.
            tile: Tile number.
            step_m: Distance of grid points.
            radius_m: Radius of the queries on the grid.

        Returns:
            (N, 2) positions (x, y) in [-1, 1].
        """
        grid = grid_positions(self.size_m[tile], step_m)
        everywhere = np.full(len(grid), tile, dtype=np.int64)
        field = self.read(grid, everywhere, radius_m=np.full(len(grid), radius_m))
        return np.asarray(grid[(queries @ field.T).argmax(axis=1)])


def read_tiles(
    model: GairModel,
    tiles: TileSet,
    rows: Ints,
    *,
    batch_size: int | None = None,
    device: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> PlaceReader:
    """Encode tiles and measure them.

    Args:
        model: A model with a satellite tower; it is left in evaluation mode.
        tiles: A tile set with the model's bands.
        rows: (T,) rows of its index, in the order of the reader's tile numbers.
        batch_size: Tiles at a time.
        device: Where to compute.
        progress: Called with the number of tiles done.

    Raises:
        ModelError: If the model has no satellite tower.
        DataError: If the tile set lacks one of the model's bands.
    """
    from gair_cli.embedding.extract import band_names, tile_field  # noqa: PLC0415 - needs torch
    from gair_cli.embedding.towers import BATCH, evaluating  # noqa: PLC0415 - needs torch

    names = band_names(model, tiles.info.bands)
    sizes = tile_sizes_m(tiles.index[rows.tolist()])

    def encode(part: slice) -> TileField:
        arrays = tiles.read(rows[part].tolist(), bands=names)
        with evaluating(model, device) as where:
            return tile_field(model, arrays, where, size_m=sizes[part])

    encoded = EncodedTiles(encode, len(rows), batch_size or BATCH["rs"])
    for _, field, _ in encoded.parts(np.arange(len(rows))):
        if progress is not None:
            progress(len(field))
    return PlaceReader(model.eval(), encoded, sizes)


def tile_sizes_m(index: pl.DataFrame) -> Floats:
    """Measure tiles (T rows of an index) along their middle row and column: (T, 2) metres."""
    matrix = np.array(index["transform"].to_list(), dtype=np.float64).reshape(-1, 6)
    width, height = (index[name].to_numpy().astype(np.float64) for name in ("width", "height"))
    sizes = np.empty((len(index), 2))
    crs = index["crs"].to_numpy()
    for name in np.unique(crs):
        rows = np.flatnonzero(crs == name)
        for axis, ends in enumerate((((0.0, 0.5), (1.0, 0.5)), ((0.5, 0.0), (0.5, 1.0)))):
            first, last = (
                to_lonlat(_planar(matrix[rows], u * width[rows], v * height[rows]), str(name))
                for u, v in ends
            )
            sizes[rows, axis] = great_circle_m(first, last)
    return sizes


def displaced(xy: Floats, size_m: Floats, *, shift_m: float, seed: int) -> Floats:
    """Move positions by a distance in a random direction, inside their own tile.

    Of 16 directions, in an order drawn by the seed, the first is taken that stays inside; a tile
    smaller than the distance clips the position to its edge.

    Args:
        xy: (N, 2) in [-1, 1].
        size_m: (N, 2) width and height of each position's tile in metres.
        shift_m: Distance.
        seed: Seed of the directions.

    Returns:
        (N, 2) in [-1, 1].
    """
    generator = np.random.default_rng((seed, 3))
    start = generator.uniform(0.0, 2.0 * np.pi, size=(len(xy), 1))
    order = generator.permuted(np.tile(np.arange(DIRECTIONS), (len(xy), 1)), axis=1)
    angle = start + order * (2.0 * np.pi / DIRECTIONS)  # (N, 16)
    steps = np.stack([np.cos(angle), np.sin(angle)], axis=2) * 2.0 * shift_m / size_m[:, None, :]
    moved = xy[:, None, :] + steps  # (N, 16, 2)
    inside = (np.abs(moved) <= 1.0).all(axis=2)
    chosen = moved[np.arange(len(xy)), inside.argmax(axis=1)]
    return np.asarray(np.clip(chosen, -1.0, 1.0))


def grid_positions(size_m: Floats, step_m: float) -> Floats:
    """Return cell centres of a regular grid over a tile of (width, height) metres: (G, 2)."""
    x, y = (_centres(max(1, round(float(side) / step_m))) for side in size_m)
    return np.stack([np.tile(x, len(y)), np.repeat(y, len(x))], axis=1)


def _centres(count: int) -> Floats:
    return np.asarray((np.arange(count) + 0.5) / count * 2.0 - 1.0)


def _planar(matrix: Floats, column: Floats, row: Floats) -> Floats:
    """Apply transforms (T, 6) to pixel positions (T,), (T,): (T, 2) in the tiles' CRS."""
    a, b, c, d, e, f = matrix.T
    return np.stack([a * column + b * row + c, d * column + e * row + f], axis=1)
