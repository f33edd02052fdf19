"""Rasters in and out through GDAL: describe, read windows, write GeoTIFFs and COGs.

Arrays are (C, H, W); a window is (col, row, width, height) in pixels from the top left.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from gair_cli import _rust
from gair_cli.errors import DataError, GairError, InputError
from gair_cli.geo.build import gdal_words, require_gdal
from gair_cli.geo.inputs.remote import is_remote
from gair_cli.geo.virtual import raster_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from numpy.typing import NDArray

    from gair_cli.records import Transform

IDENTITY: Final[Transform] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""The transform of a raster that has none: pixels as coordinates."""


@dataclass(frozen=True, slots=True)
class RasterInfo:
    """What a raster says of itself.

    Attributes:
        path: As it was asked for.
        width: Columns.
        height: Rows.
        bands: Names: the descriptions where every band has its own, else `band1`, `band2`...
        dtype: numpy's name of the first band's type.
        dtypes: One a band.
        crs: `EPSG:n`, or WKT2, or None.
        transform: Pixels to CRS, as in rasterio; the identity where `has_transform` is off.
        has_transform: Whether the raster has a transform.
        nodata: The first band's nodata value, or None.
        nodata_values: One a band.
        scales: One a band, where stored values are to be multiplied; None where nothing is said.
        unit_offsets: One a band, what is added after that; None where nothing is said.
        alpha: Number (from 1) of the alpha band, or None.
        masked: Whether a mask band, other than alpha, says which pixels are valid.
        block: Columns and rows of a compressed block.
        pixel_interleaved: Whether a block holds all bands.
        named: Whether the band names came from the file.
        tags: Metadata of the default domain.
    """

    path: Path
    width: int
    height: int
    bands: tuple[str, ...]
    dtype: str
    dtypes: tuple[str, ...]
    crs: str | None
    transform: Transform
    has_transform: bool
    nodata: float | None
    nodata_values: tuple[float | None, ...]
    scales: tuple[float | None, ...]
    unit_offsets: tuple[float | None, ...]
    alpha: int | None
    masked: bool
    block: tuple[int, int]
    pixel_interleaved: bool
    named: bool
    tags: dict[str, str]

    @property
    def count(self) -> int:
        """Number of bands."""
        return len(self.bands)


def raster_info(path: str | Path) -> RasterInfo:
    """Describe a raster without reading its pixels.

    Args:
        path: Anything GDAL opens: a file, a VRT, `/vsitar/...`.

    Returns:
        Its description.

    Raises:
        InputError: If it is missing, empty or unreadable.
        DataError: If its values are complex numbers.
        MissingPackageError: In a build without GDAL.
    """
    require_gdal("reading rasters")
    _check_file(path)
    try:
        found = _rust.raster_info(str(path))
    except OSError as error:
        raise _unreadable(path, error) from error
    dtypes = tuple(dtype for dtype in found["dtypes"] if dtype is not None)
    if len(dtypes) != len(found["dtypes"]):
        raise DataError(
            f"{path} holds complex numbers, which no tile can",
            hint="make their parts or amplitude a raster first, such as with gdal_calc.py",
        )
    names, named = _band_names(found["descriptions"])
    alpha = found["alpha"]
    transform = found["transform"]
    return RasterInfo(
        path=Path(path),
        width=found["width"],
        height=found["height"],
        bands=names,
        dtype=dtypes[0],
        dtypes=dtypes,
        crs=found["crs"],
        transform=IDENTITY if transform is None else transform,
        has_transform=transform is not None,
        nodata=found["nodata"][0],
        nodata_values=tuple(found["nodata"]),
        scales=tuple(found["scales"]),
        unit_offsets=tuple(found["offsets"]),
        alpha=alpha.index(True) + 1 if True in alpha else None,
        masked=found["masked"],
        block=found["block"],
        pixel_interleaved=found["pixel_interleaved"],
        named=named,
        tags=dict(found["tags"]),
    )


def _check_file(path: str | Path) -> None:
    """Refuse what is plainly not there before GDAL words it less clearly."""
    text = str(path)
    if text.startswith("/vsi") or "://" in text:
        return
    file = Path(text)
    if not file.exists():
        raise InputError(f"{path} does not exist", hint="check the path")
    if file.is_file() and file.stat().st_size == 0:
        raise InputError(f"{path} is empty (zero bytes)", hint="fetch or copy it again")
    raster_files(file)  # refuses pipes


def _unreadable(path: str | Path, error: OSError) -> InputError:
    if is_remote(str(path)):
        return InputError(
            f"{gdal_words(error)} (it cannot be fetched in time, or is no raster)",
            hint="check the address and the network, then run the same again",
        )
    return InputError(
        f"{gdal_words(error)} (not a raster that GDAL can read)", hint="check it with gdalinfo"
    )


def _band_names(descriptions: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    names = tuple(text.strip() for text in descriptions)
    if all(names) and len(set(names)) == len(names):
        return names, True
    return tuple(f"band{number + 1}" for number in range(len(names))), False


def read_window(
    path: str | Path,
    window: tuple[int, int, int, int] | None = None,
    *,
    bands: Sequence[int] | None = None,
) -> NDArray[np.generic]:
    """Read a window of a raster.

    Args:
        path: Anything GDAL opens.
        window: col, row, width, height in pixels; None is the whole raster.
        bands: Band numbers from 1; None is all bands.

    Returns:
        (C, h, w) in the type of the first band asked for.

    Raises:
        InputError: If the raster cannot be read.
        DataError: If a band or the window is not inside it.
        MissingPackageError: In a build without GDAL.
    """
    require_gdal("reading rasters")
    _check_file(path)
    try:
        return _rust.read_window(str(path), list(bands or ()), window)
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError as error:
        raise DataError(str(error)) from error


class RasterWriter:
    """Write a cloud-optimised GeoTIFF window by window, in any order.

    Used as a context manager: on a clean exit the file appears under its name, synced, with
    overviews; on an error nothing is left behind. The same pixels give the same bytes.

    Args:
        path: The file; its folder must exist.
        width: Columns.
        height: Rows.
        count: Bands.
        dtype: numpy's name of the pixel type.
        crs: `EPSG:n`, WKT, or None.
        transform: As in rasterio.
        nodata: The value of a pixel that is none.
        band_names: One a band.
        tags: Metadata.
        cloud_optimised: False leaves out overviews and the order of blocks.

    Raises:
        DataError: If the CRS is unknown or the type is not one GeoTIFF holds.
        GairError: If the file cannot be made.
    """

    def __init__(  # noqa: PLR0913 - what a raster is made of, each by name
        self,
        path: str | Path,
        *,
        width: int,
        height: int,
        count: int,
        dtype: str | np.dtype[np.generic],
        crs: str | None,
        transform: Transform,
        nodata: float | None = None,
        band_names: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
        cloud_optimised: bool = True,
    ) -> None:
        require_gdal("writing rasters")
        self.path = Path(path)
        self._dtype = np.dtype(dtype)
        self._shape = (count, height, width)
        if not self.path.absolute().parent.is_dir():
            raise InputError(f"folder {self.path.parent} does not exist", hint="make it first")
        names = list(band_names) if band_names is not None else [""] * count
        if len(names) != count:
            raise DataError(f"{len(names)} band names for {count} bands")
        try:
            self._writer = _rust.RasterWriter(
                self.path.absolute(),
                width=width,
                height=height,
                dtype=self._dtype.name,
                band_names=names,
                crs=crs,
                transform=transform,
                nodata=nodata,
                tags=sorted((tags or {}).items()),
                cloud_optimised=cloud_optimised,
            )
        except ValueError as error:
            raise DataError(str(error)) from error
        except OSError as error:
            raise GairError(f"{self.path} cannot be written: {error}") from error

    def write(self, array: NDArray[np.generic], col: int = 0, row: int = 0) -> None:
        """Write pixels of all bands.

        Args:
            array: (C, h, w), converted to the raster's type.
            col: Column of its first pixel.
            row: Row of its first pixel.

        Raises:
            DataError: If it has another number of bands or does not fit the raster.
            GairError: If the system refuses the write.
        """
        count, height, width = self._shape
        fits = array.ndim == len(self._shape) and array.shape[0] == count
        if not fits or row + array.shape[1] > height or col + array.shape[2] > width:
            raise DataError(
                f"pixels {array.shape} at row {row}, column {col} do not fit {self._shape}"
            )
        try:
            self._writer.write(np.asarray(array, dtype=self._dtype), col, row)
        except OSError as error:
            raise GairError(f"{self.path} cannot be written: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._writer.abandon()
            return
        try:
            self._writer.finish()
        except OSError as failure:
            raise GairError(f"{self.path} cannot be written: {failure}") from failure


def write_geotiff(
    path: str | Path,
    array: NDArray[np.generic],
    *,
    crs: str | None,
    transform: Transform,
    nodata: float | None = None,
    band_names: Sequence[str] | None = None,
    tags: Mapping[str, str] | None = None,
    description: str | None = None,
) -> None:
    """Write an array as a tiled, deflated GeoTIFF, whole or not at all.

    Args:
        path: The file; its folder must exist.
        array: (C, H, W).
        crs: `EPSG:n`, WKT, or None.
        transform: As in rasterio.
        nodata: The value of a pixel that is none.
        band_names: One a band.
        tags: Metadata.
        description: Text of TIFF's ImageDescription.

    Raises:
        DataError: If the CRS is unknown or the array is not (C, H, W).
        GairError: If the file cannot be written.
    """
    if array.ndim != 3:  # noqa: PLR2004 - (C, H, W)
        raise DataError(f"an array (C, H, W) is needed, not {array.shape}")
    count, height, width = array.shape
    described = {} if description is None else {"TIFFTAG_IMAGEDESCRIPTION": description}
    with RasterWriter(
        path,
        width=width,
        height=height,
        count=count,
        dtype=array.dtype,
        crs=crs,
        transform=transform,
        nodata=nodata,
        band_names=band_names,
        tags={**(tags or {}), **described},
        cloud_optimised=False,
    ) as writer:
        writer.write(array)
