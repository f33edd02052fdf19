"""A scene as the raster command reads it: windows of the model's bands, NaN where nothing is.

A scene is one raster, or a folder of one-band files on the same grid whose names are the bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.embedding.grid import to_pixels
from gair_cli.errors import DataError, InputError
from gair_cli.geo.rasters import raster_info, read_window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gair_cli.data.transforms import RsInput
    from gair_cli.embedding.grid import Grid
    from gair_cli.geo.rasters import RasterInfo
    from gair_cli.records import Transform

SUFFIXES: Final = (".tif", ".tiff", ".jp2")


@dataclass(frozen=True, slots=True)
class Scene:
    """A raster whose bands are the model's, in its order.

    Attributes:
        sources: One (file, band number from 1) a band.
        crs: `EPSG:n` or WKT.
        transform: Of any orientation.
        width: Columns.
        height: Rows.
        nodata: The value of a pixel that is none, or None.
    """

    sources: tuple[tuple[Path, int], ...]
    crs: str
    transform: Transform
    width: int
    height: int
    nodata: float | None

    def read(self, col: int, row: int, width: int, height: int) -> np.ndarray:
        """Return a window (C, height, width) float32, NaN where a value is nodata.

        Raises:
            InputError: When a file cannot be decoded.
        """
        window = (col, row, width, height)
        files = list(dict.fromkeys(path for path, _ in self.sources))
        out = np.empty((len(self.sources), height, width), np.float32)
        for path in files:
            places = [i for i, (file, _) in enumerate(self.sources) if file == path]
            bands = [self.sources[i][1] for i in places]
            out[places] = read_window(path, window, bands=bands)
        if self.nodata is not None:
            out[out == np.float32(self.nodata)] = np.nan
        return out

    def holds(self, pixels: np.ndarray) -> np.ndarray:
        """Return which positions (N, 2) in pixels lie in the scene; (N,) bool."""
        size = np.array([self.width, self.height])
        return np.asarray(((pixels >= 0) & (pixels < size)).all(axis=1))

    def pixels_of(self, grid: Grid) -> np.ndarray:
        """Return the centres of a grid's pixels as (column, row) of the scene, (N, 2)."""
        return to_pixels(grid.centres(), self.transform)


def open_scene(
    path: Path,
    wanted: RsInput,
    *,
    band_names: Sequence[str] | None = None,
    nodata: float | None = None,
    assume_crs: str | None = None,
) -> Scene:
    """Open a raster, or a folder of one-band files, for a model's bands.

    Args:
        path: The file or folder.
        wanted: The model's input.
        band_names: Names for the raster's bands, in its order.
        nodata: The value of a pixel that is none, where the file does not say.
        assume_crs: The CRS, where the file has none.

    Returns:
        The scene.

    Raises:
        InputError: When nothing can be read there.
        DataError: When there is no CRS, a band is missing, or files of a folder do not fit.
    """
    files = band_files(path)
    infos = [raster_info(file) for file in files]
    first = infos[0]
    if any((i.width, i.height, i.transform) != (first.width, first.height, first.transform)
           for i in infos):  # fmt: skip
        raise DataError(f"the files in {path} have different grids", hint="resample them first")
    crs = first.crs or assume_crs
    if crs is None or not first.has_transform:
        raise DataError(f"{path} has no CRS or no georeference", hint="pass --assume-crs EPSG:n")
    names, places = _bands(files, infos)
    if band_names is not None and len(band_names) != len(names):
        raise DataError(f"{len(band_names)} band names for the {len(names)} bands of {path}")
    chosen = wanted.select(list(band_names or names))
    void = next((v for v in (nodata, first.nodata, wanted.nodata) if v is not None), None)
    sources = tuple(places[at] for at in chosen)
    return Scene(sources, crs, first.transform, first.width, first.height, void)


def band_files(path: Path) -> list[Path]:
    """Return the raster files of a scene, in the order of their names.

    Raises:
        InputError: When nothing is there, or a folder has no raster.
    """
    if not path.exists() and "://" not in str(path) and not str(path).startswith("/vsi"):
        raise InputError(f"{path} does not exist", hint="check the path")
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(f"{path} has no raster files", hint="give a GeoTIFF, or a folder of bands")
    return files


def _bands(
    files: Sequence[Path], infos: Sequence[RasterInfo]
) -> tuple[list[str], list[tuple[Path, int]]]:
    """Return the names of all bands of a scene and where each is; alpha is no band.

    In a folder of one-band files the names are the files': the part after the last `_` or `-`.
    """
    names, places = [], []
    for file, info in zip(files, infos, strict=True):
        single = len(files) > 1 and info.count == 1
        found = [_name_of(file)] if single and not info.named else list(info.bands)
        for number, name in enumerate(found, start=1):
            if number != info.alpha:
                names.append(name)
                places.append((file, number))
    return names, places


def _name_of(file: Path) -> str:
    return file.stem.replace("-", "_").rpartition("_")[2]
