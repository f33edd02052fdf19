"""Satellite embeddings read at points: locate each point in a tile, query the tile's tokens.

Where tiles overlap the tile whose centre is nearest is read. Points are grouped by tile, so each
tile is read and encoded once a call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from gair_cli.embedding.extract import Embedded, Progress, band_names, batches, empty, tile_field
from gair_cli.embedding.towers import BATCH, evaluating, in_space, require_tower
from gair_cli.errors import UsageError
from gair_cli.geo.locator import TileLocator, tile_metres

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gair_cli.geo.tileset import TileSet
    from gair_cli.models.field import TileField
    from gair_cli.models.gair import GairModel
    from gair_cli.records import Space

QUERY_ROWS: Final = 4096


@dataclass(frozen=True, slots=True)
class _Group:
    """Points in a few tiles that are encoded together.

    Attributes:
        rows: (n,) int64, row of each point in the result.
        slot: (n,) int64, which of the group's tiles a point lies in.
        xy: (n, 2) float32 in [-1, 1].
        radius_m: (n,) float32.
    """

    rows: np.ndarray
    slot: np.ndarray
    xy: np.ndarray
    radius_m: np.ndarray


def embed_at(
    model: GairModel,
    tiles: TileSet,
    lonlat: np.ndarray,
    *,
    radius_m: float | np.ndarray = 0.0,
    space: Space = "joint",
    batch_size: int | None = None,
    device: str | None = None,
    progress: Progress | None = None,
    locator: TileLocator | None = None,
) -> Embedded:
    """Embed the satellite image at points, at their exact positions.

    Args:
        model: A model that has a satellite tower.
        tiles: A tile set with the model's bands.
        lonlat: (N, 2) float64 degrees, longitude first.
        radius_m: Radius of the queries in metres, one number or (N,).
        space: `joint` or `encoder`.
        batch_size: Tiles at a time.
        device: Where to compute; None is where the model is.
        progress: Called with the number of points done.
        locator: The tile set's locator, where the caller has one already.

    Returns:
        The vectors; the status is `outside` where no tile holds the point and `nodata` where the
        pixel at the point has no value in any of the model's bands.

    Raises:
        ModelError: When the model has no satellite tower.
        DataError: When the tile set lacks one of the model's bands.
        UsageError: When a radius is negative or not finite.
    """
    require_tower(model.config, "rs_at")
    located = (locator or TileLocator(tiles.index)).locate(np.asarray(lonlat, np.float64))
    radius = np.broadcast_to(np.asarray(radius_m, np.float32), (len(lonlat),))
    if not (np.isfinite(radius).all() and (radius >= 0).all()):
        raise UsageError("a radius must be a number of metres, 0 or more")
    result = empty(model, len(lonlat), "rs_at", space)
    inside = np.flatnonzero(located.row >= 0)
    result.mark(np.flatnonzero(located.row < 0), "outside")
    _advance(progress, len(lonlat) - len(inside))
    names = band_names(model, tiles.info.bands)
    size = batch_size or BATCH["rs_at"]
    with evaluating(model, device) as where:
        for used, rows in _by_tiles(located.row, inside, size):
            arrays = tiles.read(used.tolist(), bands=names)
            slot = np.searchsorted(used, located.row[rows])
            group = _Group(rows, slot, located.xy[rows].astype(np.float32), radius[rows])
            sizes = tile_metres(tiles.index[used.tolist()])
            field = tile_field(model, arrays, where, size_m=sizes)
            result.vectors[rows] = _read_field(model, field, group, space)
            result.mark(rows[_void_pixels(arrays, group, tiles.info.nodata)], "nodata")
            _advance(progress, len(rows))
    return result


def _advance(progress: Progress | None, count: int) -> None:
    if progress is not None and count:
        progress(count)


def _by_tiles(
    tile: np.ndarray, inside: np.ndarray, size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (tiles, rows): at most `size` tiles in ascending order and all points in them."""
    order = inside[np.argsort(tile[inside], kind="stable")]
    ordered = tile[order]
    for used in batches(np.unique(ordered), size):
        start = np.searchsorted(ordered, used[0], "left")
        stop = np.searchsorted(ordered, used[-1], "right")
        yield np.array(used), order[start:stop]


def _read_field(model: GairModel, field: TileField, group: _Group, space: Space) -> np.ndarray:
    """Query tiles at a group's points; (n, D) float32."""
    where, out = field.device, []
    for start in range(0, len(group.rows), QUERY_ROWS):
        part = slice(start, start + QUERY_ROWS)
        vectors = model.localize(
            field,
            torch.from_numpy(group.xy[part]).to(where),
            tile_of=torch.from_numpy(group.slot[part]).to(where),
            radius_m=radii(group.radius_m[part], where),
        )
        out.append(in_space(model, vectors, "rs_at", space))
    return np.concatenate(out)


def radii(radius_m: np.ndarray, where: torch.device) -> torch.Tensor | None:
    """Return radii (n,) as a query takes them: None where all are 0, which is read faster."""
    if not radius_m.any():
        return None
    return torch.from_numpy(np.ascontiguousarray(radius_m, dtype=np.float32)).to(where)


def _void_pixels(arrays: Sequence[np.ndarray], group: _Group, nodata: float | None) -> np.ndarray:
    """Return which points lie on a pixel that has no value in any band; (n,) bool."""
    void = np.zeros(len(group.rows), bool)
    for row, (slot, (x, y)) in enumerate(zip(group.slot, group.xy, strict=True)):
        tile = arrays[slot]
        pixel = tile[:, pixel_of(y, tile.shape[1]), pixel_of(x, tile.shape[2])]
        void[row] = is_void(pixel, nodata).all()
    return void


def pixel_of(position: float, length: int) -> int:
    """Return the pixel (0..length - 1) at a position in [-1, 1]."""
    return int(min(max((position + 1) / 2 * length, 0), length - 1))


def is_void(values: np.ndarray, nodata: float | None) -> np.ndarray:
    """Return which values are nodata: NaN always, and the given value."""
    void = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    return void if nodata is None else void | (values == nodata)
