"""Turn points, photos and tiles into vectors with a model: the loops around its towers.

N rows, D embedding, C bands, H and W pixels. Every function returns float32 on the CPU, runs the
model in evaluation mode without gradients, and gives the same numbers for any batch size up to
rounding. `space="encoder"` is a tower's own output; `"joint"` is projected and L2-normalised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
import torch

from gair_cli.embedding.towers import (
    BATCH,
    evaluating,
    in_space,
    require_tower,
    rs_config,
    sv_config,
    width_of,
)
from gair_cli.errors import GairError, UsageError
from gair_cli.geo.photos import read_jpeg

if TYPE_CHECKING:
    from gair_cli.geo.tileset import TileSet
    from gair_cli.models.field import TileField
    from gair_cli.models.gair import GairModel
    from gair_cli.records import Modality, Space

Progress: TypeAlias = Callable[[int], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors of N rows and what became of each row.

    Attributes:
        vectors: (N, D) float32; a row is NaN where its status is not `ok`.
        status: (N,) text: `ok`, `nodata`, `outside` or `unreadable`.
        reasons: Why a row is unreadable, by row number.
    """

    vectors: np.ndarray
    status: np.ndarray
    reasons: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.vectors)

    def mark(self, rows: Sequence[int] | np.ndarray, status: str) -> None:
        """Give rows a status; those that are not `ok` lose their vector."""
        self.status[rows] = status
        self.vectors[rows] = np.nan


def empty(model: GairModel, n: int, modality: Modality, space: Space) -> Embedded:
    """Return N rows without vectors yet, all with the status `ok`."""
    vectors = np.full((n, width_of(model, modality, space)), np.nan, np.float32)
    return Embedded(vectors, np.full(n, "ok", dtype="<U10"))


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of at most `size` items."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def embed_points(
    model: GairModel,
    lonlat: np.ndarray,
    *,
    space: Space = "joint",
    batch_size: int | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Embed coordinates with the location tower.

    Args:
        model: A model that has a location tower.
        lonlat: (N, 2) float64 degrees, longitude first.
        space: `joint` or `encoder`.
        batch_size: Points at a time.
        device: Where to compute; None is where the model is.
        progress: Called with the number of points done.

    Returns:
        (N, D) float32.

    Raises:
        ModelError: When the model has no location tower.
        UsageError: When the coordinates are not (N, 2), not finite or out of range.
    """
    require_tower(model.config, "location")
    points = checked_lonlat(lonlat)
    size = batch_size or BATCH["location"]
    out = empty(model, len(points), "location", space).vectors
    with evaluating(model, device) as where:
        for start in range(0, len(points), size):
            part = points[start : start + size]
            vectors = in_space(model, _locations(model, part, where), "location", space)
            out[start : start + len(part)] = vectors
            _advance(progress, len(part))
    return out


def _locations(model: GairModel, lonlat: np.ndarray, where: torch.device) -> torch.Tensor:
    """Return the location tower's output; on a CPU its fixed features come from the Rust core."""
    if model.location is not None and where.type == "cpu":
        features = model.location.quick_features(lonlat)
        if features is not None:
            return model.location.embed(torch.from_numpy(features))
    return model.encode_location(torch.from_numpy(lonlat).to(where))


def checked_lonlat(lonlat: np.ndarray) -> np.ndarray:
    """Return coordinates as contiguous (N, 2) float64 degrees.

    Raises:
        UsageError: When the shape is not (N, 2), or a value is not finite or out of range.
    """
    points = np.array(lonlat, dtype=np.float64, order="C")
    if points.ndim != 2 or points.shape[1] != 2:  # noqa: PLR2004 - longitude and latitude
        raise UsageError(f"points must have the shape (N, 2), got {points.shape}")
    legal = np.isfinite(points).all(axis=1) & (np.abs(points[:, 1]) <= 90)  # noqa: PLR2004
    if not legal.all():
        row = int(np.argmin(legal))
        raise UsageError(
            f"row {row} is no longitude and latitude in degrees: {points[row].tolist()}",
            hint="longitude comes first; latitude is in [-90, 90]",
        )
    return points


def _advance(progress: Progress | None, count: int) -> None:
    if progress is not None:
        progress(count)


def embed_photos(
    model: GairModel,
    photos: Sequence[str | Path | bytes | np.ndarray],
    *,
    space: Space = "joint",
    batch_size: int | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> Embedded:
    """Embed street photos with the photo tower.

    Args:
        model: A model that has a photo tower.
        photos: Paths, bytes of JPEG files, or (h, w, 3) uint8 arrays of any size.
        space: `joint` or `encoder`.
        batch_size: Photos at a time.
        device: Where to compute; None is where the model is.
        progress: Called with the number of photos done.

    Returns:
        The vectors; a photo that cannot be read has the status `unreadable` and a reason.

    Raises:
        ModelError: When the model has no photo tower.
    """
    prepare = sv_config(model).input.prepare_many
    result = empty(model, len(photos), "sv", space)
    with evaluating(model, device) as where:
        for rows in batches(range(len(photos)), batch_size or BATCH["sv"]):
            images = _read_images(photos, rows, result)
            if images:
                stack = prepare(list(images.values())).to(where)
                vectors = in_space(model, model.encode_sv(stack), "sv", space)
                result.vectors[list(images)] = vectors
            _advance(progress, len(rows))
    return result


def _read_images(
    photos: Sequence[str | Path | bytes | np.ndarray], rows: Sequence[int], result: Embedded
) -> dict[int, np.ndarray]:
    """Return the photos that can be read, by row; mark the others in `result`."""
    images = {}
    for row in rows:
        try:
            images[row] = read_image(photos[row])
        except (GairError, OSError, ValueError) as error:
            result.mark([row], "unreadable")
            result.reasons[row] = str(error).splitlines()[0]
    return images


def read_image(photo: str | Path | bytes | np.ndarray) -> np.ndarray:
    """Return a photo as (h, w, 3) uint8.

    Raises:
        UsageError: When an array has another shape or number type.
        GairError: When a file cannot be read.
    """
    if not isinstance(photo, np.ndarray):
        return read_jpeg(photo if isinstance(photo, bytes) else Path(photo))
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8:  # noqa: PLR2004
        raise UsageError(f"a photo must be (h, w, 3) uint8, got {photo.shape} {photo.dtype}")
    return photo


def embed_tiles(
    model: GairModel,
    tiles: TileSet,
    rows: Sequence[int] | None = None,
    *,
    space: Space = "joint",
    batch_size: int | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> Embedded:
    """Embed whole tiles with the satellite tower: the mean of a tile's tokens.

    Args:
        model: A model that has a satellite tower.
        tiles: A tile set with the model's bands.
        rows: Rows of its index, N of them; None is all.
        space: `joint` or `encoder`.
        batch_size: Tiles at a time.
        device: Where to compute; None is where the model is.
        progress: Called with the number of tiles done.

    Returns:
        The vectors; a tile without any valid pixel has the status `nodata`.

    Raises:
        ModelError: When the model has no satellite tower.
        DataError: When the tile set lacks one of the model's bands.
    """
    wanted = list(range(len(tiles))) if rows is None else list(rows)
    void = tiles.index["nodata_fraction"].to_numpy()[wanted] >= 1
    result = empty(model, len(wanted), "rs", space)
    names = band_names(model, tiles.info.bands)
    size = batch_size or BATCH["rs"]
    with evaluating(model, device):
        for part in batches(range(len(wanted)), size):
            arrays = tiles.read([wanted[i] for i in part], bands=names)
            result.vectors[part] = _tile_vectors(model, arrays, space)
            _advance(progress, len(part))
    result.mark(np.flatnonzero(void), "nodata")
    return result


def band_names(model: GairModel, available: Sequence[str]) -> list[str]:
    """Return a raster's own names of the model's bands, in the model's order.

    Raises:
        DataError: When one is missing.
    """
    return [available[at] for at in rs_config(model).input.select(available)]


def embed_tile_arrays(
    model: GairModel,
    arrays: Sequence[np.ndarray],
    *,
    space: Space = "joint",
    batch_size: int | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """Embed tiles given as arrays.

    Args:
        model: A model that has a satellite tower.
        arrays: N arrays (C, H, W) of any H and W, the model's bands in its order, in the units
            of the scenes it was trained on; NaN is nodata.
        space: `joint` or `encoder`.
        batch_size: Tiles at a time.
        device: Where to compute; None is where the model is.
        progress: Called with the number of tiles done.

    Returns:
        (N, D) float32.

    Raises:
        ModelError: When the model has no satellite tower.
        DataError: When C is not the model's number of bands.
    """
    out = empty(model, len(arrays), "rs", space).vectors
    with evaluating(model, device):
        for part in batches(range(len(arrays)), batch_size or BATCH["rs"]):
            out[part] = _tile_vectors(model, [arrays[i] for i in part], space)
            _advance(progress, len(part))
    return out


def tile_field(
    model: GairModel, arrays: Sequence[np.ndarray], where: torch.device, *, size_m: np.ndarray
) -> TileField:
    """Return T tiles (C, H, W) encoded for reading at positions; call inside `evaluating`.

    Args:
        model: A model with a satellite tower.
        arrays: T arrays, bands in the model's order.
        where: The model's device.
        size_m: (T, 2) width and height on the ground in metres.
    """
    prepared = rs_config(model).input.prepare_many(arrays).to(where)
    sizes = torch.from_numpy(np.ascontiguousarray(size_m, dtype=np.float32))
    return model.encode_tiles(prepared, size_m=sizes.to(where))


def _tile_vectors(model: GairModel, arrays: Sequence[np.ndarray], space: Space) -> np.ndarray:
    where = next(iter(model.parameters())).device
    tokens = model.encode_rs(rs_config(model).input.prepare_many(arrays).to(where))
    pooled = model.pool_rs(tokens)
    vectors: np.ndarray = in_space(model, pooled, "rs", space)
    return vectors
