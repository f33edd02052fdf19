"""What a scene is once it is described: a grid, and bands that may lie on grids of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gair_cli.records import Transform

DEFAULT_RESAMPLING: Final = "bilinear"


@dataclass(frozen=True, slots=True)
class Grid:
    """The pixels of a raster, without their values.

    Attributes:
        crs: `EPSG:n` or WKT2.
        transform: Pixels to CRS, as in rasterio.
        width: Columns.
        height: Rows.
    """

    crs: str
    transform: Transform
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Band:
    """One band of a scene, in a file that may have a grid of its own.

    Attributes:
        name: As in the tiles.
        path: What GDAL opens: a local path, `/vsizip/...`, `/vsicurl/...`.
        number: Its number in the file, from 1.
        nodata: The file's value of a pixel that is none.
        resampling: `nearest`, `bilinear`, `cubic` or `average`, where its grid is not the tiles'.
        offset: Radiometric offset, added to valid pixels; integers are then at least 1.
        scale: Recorded only: the physical value is stored value * `scale` + `unit_offset`.
        unit_offset: See `scale`.
        resolution: Width and height of the file's own pixels, in units of its CRS.
    """

    name: str
    path: str
    number: int = 1
    nodata: float | None = None
    resampling: str = DEFAULT_RESAMPLING
    offset: float = 0.0
    scale: float | None = None
    unit_offset: float | None = None
    resolution: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class CloudBand:
    """A band that says where clouds are; it is read by nearest neighbour.

    Attributes:
        path: What GDAL opens.
        number: Its number in the file, from 1.
        tests: Pairs (mask, value): a pixel is cloudy if `pixel & mask == value` for any of them.
    """

    path: str
    number: int
    tests: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene, ready to be cut.

    Attributes:
        scene_id: As in the tile index.
        name: What messages call it.
        files: Its files, whose content decides the plan.
        bands: In the tiles' order.
        dtype: numpy's name of the pixel type of all bands.
        grid: The scene's own pixels: those of its finest band.
        nodata: The tiles' value of a pixel that is none, or None.
        mask: File whose mask or alpha band says which pixels are valid, or None.
        taken_at: When it was taken, if it says so.
        clouds: Bands that say where clouds are; a pixel is cloudy if any of them says so.
        cloud_source: `scl`, `qa60`, `bqa`, or None without `clouds`.
        product: What the product says of itself, recorded with the tiles.
    """

    scene_id: str
    name: str
    files: tuple[str, ...]
    bands: tuple[Band, ...]
    dtype: str
    grid: Grid
    nodata: float | None
    mask: str | None
    taken_at: datetime | None
    clouds: tuple[CloudBand, ...] = ()
    cloud_source: str | None = None
    product: Mapping[str, object] = field(default_factory=dict)

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of the bands, in the tiles' order."""
        return tuple(band.name for band in self.bands)

    @property
    def crs(self) -> str:
        """CRS of the grid."""
        return self.grid.crs

    @property
    def transform(self) -> Transform:
        """Transform of the grid."""
        return self.grid.transform

    @property
    def width(self) -> int:
        """Columns of the grid."""
        return self.grid.width

    @property
    def height(self) -> int:
        """Rows of the grid."""
        return self.grid.height
