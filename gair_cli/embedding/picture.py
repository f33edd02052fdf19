"""Pictures of embeddings: three principal components as red, green and blue.

A raster becomes a PNG of its own pixels, transparent where it has none; a table with places
becomes a scatter map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from gair_cli.embedding.pca import Components, fit_components
from gair_cli.embedding.table import read_embeddings
from gair_cli.errors import DataError
from gair_cli.geo.outputs import atomic_file
from gair_cli.geo.rasters import raster_info, read_window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gair_cli.geo.rasters import RasterInfo

MAX_SIDE: Final = 2048
LOW, HIGH = 2.0, 98.0
_RGB: Final = 3
_SAMPLE: Final = 20_000
_STRIP_BYTES: Final = 128 * 2**20


@dataclass(frozen=True, slots=True)
class Stretch:
    """How numbers become brightness: a range a channel.

    Attributes:
        low: (3,) values that become 0.
        high: (3,) values that become 255.
    """

    low: np.ndarray
    high: np.ndarray

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return (N, 4) uint8 red, green, blue, alpha of (N, 3) values; NaN is transparent."""
        span = np.where(self.high > self.low, self.high - self.low, 1)
        bright = np.nan_to_num((values - self.low) / span).clip(0, 1)
        valid = np.isfinite(values).all(axis=1)
        pixels = np.concatenate([bright * 255, valid[:, None] * 255.0], axis=1)
        pixels[~valid] = 0
        return np.asarray(np.rint(pixels), np.uint8)


def percentile_stretch(values: np.ndarray) -> Stretch:
    """Return the stretch between the 2nd and 98th percentile of each channel of (N, 3) values.

    Raises:
        DataError: When no value is finite.
    """
    finite = values[np.isfinite(values).all(axis=1)]
    if not len(finite):
        raise DataError("nothing to draw: no pixel has a value")
    low, high = np.percentile(finite, [LOW, HIGH], axis=0)
    return Stretch(low, high)


def raster_picture(source: Path, output: Path, *, max_side: int = MAX_SIDE) -> tuple[int, int]:
    """Draw an embedding raster as PNG.

    A raster of three bands or fewer is drawn as it is (one band grey); of more, its first three
    principal components, fit on a regular sample of its pixels. Each channel is stretched between
    its 2nd and 98th percentile.

    Args:
        source: The raster.
        output: The PNG; it appears whole or not at all.
        max_side: A larger raster is thinned to this many pixels on its longer side.

    Returns:
        Width and height of the picture.

    Raises:
        InputError: When the raster is missing or unreadable.
        DataError: When no pixel has a value.
    """
    info = raster_info(source)
    step = max(1, -(-max(info.width, info.height) // max_side))
    strips = list(_strips(source, info, step))
    shape = (sum(part.shape[1] for part in strips), strips[0].shape[2])
    vectors = np.concatenate([part.reshape(info.count, -1) for part in strips], axis=1).T
    channels = to_channels(vectors)
    pixels = percentile_stretch(channels).apply(channels).reshape(*shape, 4)  # (h, w, 4)
    with atomic_file(output) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG", optimize=True)
    return shape[1], shape[0]


def _strips(source: Path, info: RasterInfo, step: int) -> Iterator[np.ndarray]:
    """Yield strips (C, h, w) float32 of every `step`-th pixel, NaN for nodata."""
    row_bytes = 4 * info.count * info.width
    height = max(1, _STRIP_BYTES // row_bytes // step) * step
    for row in range(0, info.height, height):
        window = (0, row, info.width, min(height, info.height - row))
        part = read_window(source, window)[:, ::step, ::step].astype(np.float32)
        if info.nodata is not None and not np.isnan(info.nodata):
            part[part == np.float32(info.nodata)] = np.nan
        yield part


def to_channels(vectors: np.ndarray) -> np.ndarray:
    """Return (N, 3) numbers to draw of vectors (N, D): themselves, or principal components.

    Raises:
        DataError: When there are too few finite vectors.
    """
    width = vectors.shape[1]
    if width == _RGB:
        return vectors
    if width < _RGB:
        return np.repeat(vectors[:, :1], _RGB, axis=1)
    return picture_components(vectors).apply(vectors)


def picture_components(vectors: np.ndarray) -> Components:
    """Fit three components on a regular sample of the finite vectors (N, D)."""
    finite = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    step = max(1, len(finite) // _SAMPLE)
    return fit_components(vectors[finite[::step]], _RGB)


def table_picture(source: Path, output: Path) -> int:
    """Draw an embedding table as a scatter map: places, coloured by three principal components.

    Args:
        source: An embedding table with places.
        output: The PNG.

    Returns:
        How many rows are drawn.

    Raises:
        DataError: When no row has both a place and a vector.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - only pictures of tables need it

    table = read_embeddings(source)
    if table.lonlat is None:
        raise DataError(f"{source} has no places", hint="embed a table with coordinates")
    drawn = np.isfinite(table.vectors).all(axis=1) & np.isfinite(table.lonlat).all(axis=1)
    lonlat, vectors = table.lonlat[drawn], table.vectors[drawn]
    if len(vectors) < _RGB:
        raise DataError(f"{source} has {len(vectors)} rows with place and vector; 3 are needed")
    channels = to_channels(vectors)
    colours = percentile_stretch(channels).apply(channels)[:, :_RGB] / 255
    figure = Figure(figsize=(10, 7), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    size = float(np.clip(40_000 / len(lonlat), 2, 40))
    axes.scatter(lonlat[:, 0], lonlat[:, 1], c=colours, s=size, linewidths=0)
    middle = np.radians(np.abs(lonlat[:, 1].mean()))
    axes.set_aspect(1 / max(np.cos(middle), 0.2))
    axes.set(xlabel="longitude", ylabel="latitude")
    axes.set_title(f"{len(lonlat)} places, coloured by three principal components", loc="left")
    axes.grid(alpha=0.2)
    with atomic_file(output) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
    return len(lonlat)
