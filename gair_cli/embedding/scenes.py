"""A scene as the raster command reads it: windows of the model's bands, NaN where nothing is.

Model tiles overlap and lie across the file's blocks, so pixels are read in blocks of 512 that are
kept for a while: each is decoded about once.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.embedding.grid import to_pixels
from gair_cli.geo import scenes as geo_scenes
from gair_cli.geo.inputs.kinds import is_plain_folder
from gair_cli.geo.rasters import raster_info, read_window
from gair_cli.geo.scene_pixels import ScenePixels, is_plain
from gair_cli.geo.scenes import SceneOptions

if TYPE_CHECKING:
    from pathlib import Path

    from gair_cli.data.transforms import RsInput
    from gair_cli.embedding.grid import NorthUpGrid
    from gair_cli.records import Transform

BLOCK: Final = 512
KEPT_BYTES: Final = 192 * 2**20


@dataclass(frozen=True, slots=True)
class Scene:
    """A raster whose bands are the model's, in its order.

    Attributes:
        files: Its files.
        sources: One (file, band number from 1) a band.
        crs: `EPSG:n` or WKT.
        transform: Of any orientation.
        width: Columns.
        height: Rows.
        nodata: The value of a pixel that is none, or None.
        alpha: (file, band number) of a band that is 0 where there is no pixel, or None.
        mixed: Its pixels as they are tiled, if its bands lie on several grids or have offsets.
    """

    files: tuple[str, ...]
    sources: tuple[tuple[str, int], ...]
    crs: str
    transform: Transform
    width: int
    height: int
    nodata: float | None
    alpha: tuple[str, int] | None = None
    mixed: ScenePixels | None = None
    _blocks: OrderedDict[tuple[int, int], np.ndarray] = field(
        default_factory=OrderedDict, compare=False, repr=False
    )

    def read(self, col: int, row: int, width: int, height: int) -> np.ndarray:
        """Return a window (C, height, width) float32, NaN where a value is nodata.

        Raises:
            InputError: When a file cannot be decoded.
        """
        out = np.empty((len(self.sources), height, width), np.float32)
        for top in range(row // BLOCK * BLOCK, row + height, BLOCK):
            for left in range(col // BLOCK * BLOCK, col + width, BLOCK):
                block = self._block(left, top)
                rows = slice(max(row, top), min(row + height, top + BLOCK))
                cols = slice(max(col, left), min(col + width, left + BLOCK))
                into = (slice(None), _moved(rows, row), _moved(cols, col))
                out[into] = block[:, _moved(rows, top), _moved(cols, left)]
        return out

    def _block(self, left: int, top: int) -> np.ndarray:
        """Return a block of pixels, from those kept or from the files."""
        found = self._blocks.pop((left, top), None)
        if found is None:
            found = self._decode(left, top)
        self._blocks[left, top] = found
        while len(self._blocks) > 1 and len(self._blocks) * found.nbytes > KEPT_BYTES:
            self._blocks.popitem(last=False)
        return found

    def _decode(self, left: int, top: int) -> np.ndarray:
        window = (left, top, min(BLOCK, self.width - left), min(BLOCK, self.height - top))
        out = self._values(window)
        if self.nodata is not None:
            out[out == np.float32(self.nodata)] = np.nan
        if self.alpha is not None:
            alpha = read_window(self.alpha[0], window, bands=[self.alpha[1]])[0]
            out[:, alpha == 0] = np.nan
        return out

    def _values(self, window: tuple[int, int, int, int]) -> np.ndarray:
        """Return a window (C, h, w) float32 as the files have it."""
        if self.mixed is not None:
            return self.mixed.read(window).astype(np.float32)
        out = np.empty((len(self.sources), window[3], window[2]), np.float32)
        for file in dict.fromkeys(file for file, _ in self.sources):
            places = [i for i, (other, _) in enumerate(self.sources) if other == file]
            out[places] = read_window(file, window, bands=[self.sources[i][1] for i in places])
        return out

    def holds(self, pixels: np.ndarray) -> np.ndarray:
        """Return which positions (N, 2) in pixels lie in the scene; (N,) bool."""
        size = np.array([self.width, self.height])
        return np.asarray(((pixels >= 0) & (pixels < size)).all(axis=1))

    def pixels_of(self, grid: NorthUpGrid) -> np.ndarray:
        """Return the centres of a grid's pixels as (column, row) of the scene, (N, 2)."""
        return to_pixels(grid.centres(), self.transform)


def _moved(part: slice, start: int) -> slice:
    """Return a slice counted from another start."""
    return slice(part.start - start, part.stop - start)


def open_scene(
    path: str | Path,
    wanted: RsInput,
    *,
    band_names: tuple[str, ...] | None = None,
    nodata: float | None = None,
    assume_crs: str | None = None,
) -> Scene:
    """Open a raster, a product, or a folder of one-band files, for a model's bands.

    Args:
        path: What `gair tile` takes as one scene: a file, folder or address.
        wanted: The model's input; its nodata value is used where neither the caller nor the
            scene says one.
        band_names: Names for the raster's bands, in its order.
        nodata: The value of a pixel that is none.
        assume_crs: The CRS, where the file has none.

    Returns:
        The scene.

    Raises:
        InputError: When nothing can be read there.
        DataError: When there is no CRS, a band is missing, or files of a folder do not fit.
    """
    stack = is_plain_folder(path)
    options = SceneOptions(band_names=band_names, nodata=nodata, assume_crs=assume_crs, stack=stack)
    name, files = geo_scenes.inputs_of([path], stack=stack)[0]
    found = geo_scenes.open_scene(name, files, options=options)
    bands = tuple(found.band_names[at] for at in wanted.select(found.band_names))
    found = geo_scenes.open_scene(name, files, options=replace(options, bands=bands))
    return Scene(
        files=found.files,
        sources=tuple((band.path, band.number) for band in found.bands),
        crs=found.crs,
        transform=found.transform,
        width=found.width,
        height=found.height,
        nodata=wanted.nodata if found.nodata is None else found.nodata,
        alpha=_alpha_of(found.mask),
        mixed=None if is_plain(found) else ScenePixels(found),
    )


def _alpha_of(mask: str | None) -> tuple[str, int] | None:
    number = None if mask is None else raster_info(mask).alpha
    return None if mask is None or number is None else (mask, number)
