"""The tensors that travel from the data to the model, and their shapes, stated once.

Axis letters, here and everywhere: B pairs (rows of a batch), T distinct tiles of the batch, C
bands, H and W rows and columns of a tile, h and w rows and columns of a photo, N rows of a table,
D embedding. All rows of a batch have the same halves: either every row has a tile or none has, and
the same for photos, so that losses are skipped for whole batches only.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's input.

    Attributes:
        lonlat: (B, 2) float64, longitude and latitude in degrees; never float32, because a random
            Fourier feature of a high frequency would be wrong by radians.
        sample_ids: B ids of the training index, for messages about a bad step.
        rs: (T, C, H, W) float32, tiles as the model takes them, or None.
        sv: (B, 3, h, w) float32, photos as the model takes them, or None.
        xy: (B, 2) float32 in [-1, 1], position inside the row's tile, or None without tiles.
        radius_m: (B,) float32, radius of the query in metres, 0 for the point itself; or None
            without tiles.
        size_m: (T, 2) float32, width and height of each tile on the ground in metres, or None
            without tiles.
        tile_of: (B,) int64 in [0, T), which tile of `rs` a row lies in, or None without tiles.
        exact_xy: (B, 2) float32, where the rows are that `xy` has displaced, or None.
        exact_radius_m: (B,) float32, radius there, or None where all are 0.
    """

    lonlat: Tensor
    sample_ids: Sequence[str]
    rs: Tensor | None = None
    sv: Tensor | None = None
    xy: Tensor | None = None
    radius_m: Tensor | None = None
    tile_of: Tensor | None = None
    size_m: Tensor | None = None
    exact_xy: Tensor | None = None
    exact_radius_m: Tensor | None = None

    def __len__(self) -> int:
        """Return B, the number of rows."""
        return len(self.sample_ids)

    def to(self, device: torch.device | str) -> Batch:
        """Return the same batch with every tensor on a device.

        Args:
            device: Where to; tensors that are there already are not copied.

        Returns:
            A new batch; ids are shared.
        """
        moved = {
            field.name: getattr(self, field.name).to(device, non_blocking=True)
            for field in fields(self)
            if isinstance(getattr(self, field.name), torch.Tensor)
        }
        return replace(self, **moved)


@dataclass(frozen=True, slots=True)
class RawBatch:
    """One step's input before its pixels are prepared: what travels to the device.

    Pixels are as they were decoded, two bytes or one a number, and become float32 there. Positions
    are already where they belong after tiles are turned.

    Attributes:
        batch: All but pixels.
        tiles: (T, C, H, W) of the tile set's number type, or prepared float32; None without tiles.
        photos: (B, 3, h, w) uint8; None without photos.
        turn: (T, 3) numbers in [0, 1) of each tile's orientation, or None.
        bands: (T, 2 C) numbers of each band's change, or None.
        tile_crop: (T, 4) numbers of each tile's crop, or None.
        look: (B, 4) numbers of each photo's change, or None.
        photo_crop: (B, 4) numbers of each photo's crop, or None.
    """

    batch: Batch
    tiles: Tensor | None = None
    photos: Tensor | None = None
    turn: Tensor | None = None
    bands: Tensor | None = None
    tile_crop: Tensor | None = None
    look: Tensor | None = None
    photo_crop: Tensor | None = None

    def __len__(self) -> int:
        """Return B, the number of rows."""
        return len(self.batch)

    def to(self, device: torch.device | str) -> RawBatch:
        """Return the same batch with every tensor on a device."""
        moved = {
            field.name: getattr(self, field.name).to(device, non_blocking=True)
            for field in fields(self)
            if isinstance(getattr(self, field.name), torch.Tensor)
        }
        return replace(self, batch=self.batch.to(device), **moved)

    def pin(self) -> RawBatch:
        """Return the same batch with its pixels in pinned memory, from which a GPU copies aside."""
        pinned = {
            name: value.pin_memory()
            for name in ("tiles", "photos")
            if (value := getattr(self, name)) is not None
        }
        return replace(self, **pinned)
