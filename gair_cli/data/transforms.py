"""What happens to pixels before a tower sees them, as values that a model's config stores.

Bands are picked by name; whatever is resized is resized whole, without crop or padding, so that a
position (x, y) in [-1, 1] stays the same place. numpy in, torch out; a batched torch form beside
it runs on any device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch.nn import functional

from gair_cli.errors import DataError, UsageError
from gair_cli.records import canonical_band

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

RELEASED_CLIP: float = 2.0
"""Standard deviations that the released preprocessing keeps on either side of the mean."""


def band_positions(wanted: Sequence[str], available: Sequence[str]) -> list[int]:
    """Return where bands are among those of a raster.

    Args:
        wanted: Band names, in the order in which they are wanted.
        available: Band names of the raster, in order; `B02` matches `B2`.

    Returns:
        One position a wanted band; the first one where a name is there twice.

    Raises:
        DataError: If a band is missing; the message lists what is there.
    """
    there = {canonical_band(name): at for at, name in reversed(list(enumerate(available)))}
    missing = [name for name in wanted if canonical_band(name) not in there]
    if missing:
        raise DataError(
            f"the model needs band {missing[0]}; there are {', '.join(available) or 'none'}",
            hint="name the bands with --band-names when tiling, in the order of the file",
        )
    return [there[canonical_band(name)] for name in wanted]


@dataclass(frozen=True, slots=True)
class BandStatistics:
    """Names and statistics of a raster's bands, as a tile set knows them.

    Attributes:
        names: C band names.
        mean: C means over valid pixels, in the raster's own units.
        std: C standard deviations over valid pixels.
        nodata: The value of a pixel that is none, or None.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    nodata: float | None = None


@dataclass(frozen=True, slots=True)
class RsInput:
    """How a satellite tile becomes the RS tower's input.

    Attributes:
        bands: C names, in the order in which the tower takes them.
        mean: C means in the raster's units.
        std: C standard deviations; one that is 0 (a constant band) counts as 1.
        size: Rows and columns of the tower's input.
        scaling: `standard` gives (value - mean) / std; `uint8` is the released form: mean -/+
            `clip` standard deviations become 0..255, truncated, then / 255.
        clip: Standard deviations kept on either side of the mean; 0 keeps all (`standard` only).
        antialias: Whether a larger tile is low-passed when it is made smaller; the release is not.
        nodata: Pixels of this value, and NaN always, are replaced by their band's mean.
    """

    bands: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    size: int = 96
    scaling: Literal["standard", "uint8"] = "standard"
    clip: float = 5.0
    antialias: bool = True
    nodata: float | None = None

    def __post_init__(self) -> None:
        """Refuse statistics that do not fit the bands."""
        if not len(self.bands) == len(self.mean) == len(self.std):
            raise UsageError(
                f"{len(self.bands)} bands, {len(self.mean)} means, {len(self.std)} deviations",
                hint="give bands, mean and std of one length",
            )
        if self.size < 1 or self.clip < 0 or (self.scaling == "uint8" and self.clip == 0):
            raise UsageError(f"input size {self.size}, clip {self.clip}: too small")

    def select(self, available: Sequence[str]) -> list[int]:
        """Return where this input's bands are among those of a raster.

        Args:
            available: Band names of the raster, in order; `B02` matches `B2`.

        Returns:
            One position a band, to read from the raster.

        Raises:
            DataError: If a band is missing; the message lists what is there.
        """
        return band_positions(self.bands, available)

    def prepare(self, array: np.ndarray) -> Tensor:
        """Prepare one tile.

        Args:
            array: (C, H, W), any number type, bands already in this input's order.

        Returns:
            (C, size, size) float32.
        """
        tile = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
        return self.prepare_batch(tile[None])[0]

    def prepare_many(self, arrays: Sequence[np.ndarray]) -> Tensor:
        """Prepare tiles of any sizes; each is brought to the model's size before stacking.

        Args:
            arrays: T arrays (C, H, W), each with its own H and W.

        Returns:
            (T, C, size, size) float32.
        """
        if not arrays:
            return torch.empty(0, len(self.bands), self.size, self.size)
        if len({array.shape for array in arrays}) == 1:
            stack = np.stack(arrays).astype(np.float32, copy=False)
            return self.prepare_batch(torch.from_numpy(stack))
        return torch.stack([self.prepare(array) for array in arrays])

    def prepare_batch(self, tiles: Tensor) -> Tensor:
        """Prepare tiles of one size on their own device.

        Args:
            tiles: (T, C, H, W), any number type.

        Returns:
            (T, C, size, size) float32.

        Raises:
            DataError: If C is not the number of bands.
        """
        if tiles.ndim != 4 or tiles.shape[1] != len(self.bands):  # noqa: PLR2004 - T, C, H, W
            raise DataError(
                f"a tile batch of shape {tuple(tiles.shape)}, wanted (T, {len(self.bands)}, H, W)",
                hint="pick the bands by name first",
            )
        return _resize(self._scale(tiles.float()), (self.size, self.size), self.antialias)

    def _scale(self, tiles: Tensor) -> Tensor:
        mean = tiles.new_tensor(self.mean)[:, None, None]
        std = tiles.new_tensor([sd if sd > 0 else 1.0 for sd in self.std])[:, None, None]
        void = torch.isnan(tiles)
        if self.nodata is not None:
            void |= tiles == self.nodata
        tiles = torch.where(void, mean, tiles)
        if self.scaling == "uint8":
            low, high = mean - self.clip * std, mean + self.clip * std
            scaled = ((tiles - low) / (high - low)).clamp(0, 1) * 255
            return scaled.to(torch.uint8).float() / 255
        scaled = (tiles - mean) / std
        return scaled.clamp(-self.clip, self.clip) if self.clip else scaled


@dataclass(frozen=True, slots=True)
class SvInput:
    """How a street photo becomes the SV tower's input.

    Attributes:
        height: Rows of the tower's input.
        width: Columns of the tower's input; the photo's aspect ratio is not kept.
        mean: Mean of R, G and B on the scale 0..255.
        std: Standard deviation of R, G and B on the same scale.
        antialias: Whether a larger photo is low-passed when it is made smaller; the release is not.
    """

    height: int = 224
    width: int = 224
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    antialias: bool = True

    def __post_init__(self) -> None:
        """Refuse sizes and deviations of nothing."""
        if min(self.height, self.width) < 1 or min(self.std) <= 0:
            raise UsageError(f"photo size {self.height}x{self.width}, std {self.std}: too small")

    def prepare(self, image: np.ndarray) -> Tensor:
        """Prepare one photo.

        Args:
            image: (h, w, 3) uint8, R, G, B.

        Returns:
            (3, height, width) float32.
        """
        photo = torch.from_numpy(np.array(image, dtype=np.uint8, order="C"))
        return self.prepare_batch(photo.permute(2, 0, 1)[None])[0]

    def to_bytes(self, image: np.ndarray, *, size: tuple[int, int] | None = None) -> Tensor:
        """Bring one photo to a size as bytes, which `prepare_batch` takes on any device.

        Within half a level of what `prepare` makes of it, but where a sharp edge would leave
        0..255.

        Args:
            image: (h, w, 3) uint8, R, G, B.
            size: Rows and columns; None is the tower's.

        Returns:
            (3, *size) uint8.
        """
        size = size or (self.height, self.width)
        photo = torch.from_numpy(np.array(image, dtype=np.uint8, order="C")).permute(2, 0, 1)
        if tuple(photo.shape[1:]) == size:
            return photo.contiguous()
        resized = _resize(photo[None].float(), size, self.antialias)[0]
        return resized.round().clamp(0, 255).to(torch.uint8)

    def prepare_many(self, images: Sequence[np.ndarray]) -> Tensor:
        """Prepare photos of any sizes.

        Args:
            images: B arrays (h, w, 3) uint8, each with its own h and w.

        Returns:
            (B, 3, height, width) float32.
        """
        if not images:
            return torch.empty(0, 3, self.height, self.width)
        return torch.stack([self.prepare(image) for image in images])

    def prepare_batch(self, photos: Tensor) -> Tensor:
        """Prepare photos of one size on their own device.

        Args:
            photos: (B, 3, h, w), 0..255, any number type.

        Returns:
            (B, 3, height, width) float32.
        """
        return _resize(self.scale(photos), (self.height, self.width), self.antialias)

    def scale(self, photos: Tensor) -> Tensor:
        """Return photos (B, 3, h, w) of 0..255 less the mean, over the deviation, float32."""
        mean = torch.tensor(self.mean, device=photos.device)[:, None, None]
        std = torch.tensor(self.std, device=photos.device)[:, None, None]
        return (photos.float() - mean) / std


def _resize(images: Tensor, size: tuple[int, int], antialias: bool) -> Tensor:  # noqa: FBT001
    """Resize (N, C, H, W) bicubically; corners are not aligned, so positions stay valid."""
    if tuple(images.shape[-2:]) == size:
        return images
    return functional.interpolate(
        images, size=size, mode="bicubic", align_corners=False, antialias=antialias
    )
