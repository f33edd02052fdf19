"""The Rust extension: every function checks, releases the interpreter, calls the core, converts.

Arrays are C-contiguous; points are (N, 2) float64, longitude before latitude. Wrong shapes raise
ValueError, files raise OSError. Only `gair_cli.geo` imports this module.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict, final

import numpy as np
from numpy.typing import NDArray

HAS_GDAL: bool
__version__: str

# ---- hash ----
def hash16(parts: Sequence[str]) -> str:
    """Return the first 16 hexadecimal digits of the BLAKE3 hash of a list of texts."""

def hash16_pairs(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Return one `hash16` for each row of two equally long lists of texts."""

# ---- coordinates ----
def utm(
    points: NDArray[np.float64], *, zone: int, north: bool, inverse: bool = False
) -> NDArray[np.float64]:
    """Project (N, 2) lon, lat to UTM eastings and northings, or back with `inverse`."""

def web_mercator(points: NDArray[np.float64], *, inverse: bool = False) -> NDArray[np.float64]:
    """Project (N, 2) lon, lat to Web Mercator metres, or back with `inverse`."""

def equal_earth(points: NDArray[np.float64], *, inverse: bool = False) -> NDArray[np.float64]:
    """Project (N, 2) lon, lat by Equal Earth on the unit sphere, or back with `inverse`."""

def fourier_features(
    points: NDArray[np.float64],
    matrix: NDArray[np.float64],
    *,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Encode (N, 2) points with (F, 2) directions as (N, 2F) cosines, then sines."""

def spherical_harmonics(
    lonlat: NDArray[np.float64], degree: int, *, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Encode (N, 2) lon, lat as the (N, (degree + 1)^2) real harmonics up to `degree`."""

def unit_sphere_xyz(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Encode (N, 2) lon, lat as (N, 3) points of the unit sphere."""

# ---- pairing ----
@final
class TileIndex:
    """The tiles of one CRS: which of them holds a point, and where inside it."""

    def __new__(
        cls,
        transforms: NDArray[np.float64],
        sizes: NDArray[np.uint32],
        scenes: NDArray[np.uint32],
        scales: NDArray[np.float64] | None,
    ) -> TileIndex:
        """Index T tiles by affines (T, 6), sizes (T, 2), scene numbers (T,), metres a unit (T, 2).

        `scales` is None for a geographic CRS, whose metres depend on the latitude.
        """

    def locate(
        self, points: NDArray[np.float64]
    ) -> tuple[
        NDArray[np.int64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
    ]:
        """Locate (N, 2) points: tile (-1 outside), x, y, metres to the edge, to the centre."""

# ---- photo ----
@final
class PhotoHeader:
    """What a photo file says of itself; None where it does not say."""

    @property
    def lon(self) -> float | None: ...
    @property
    def lat(self) -> float | None: ...
    @property
    def heading(self) -> float | None: ...
    @property
    def altitude(self) -> float | None: ...
    @property
    def h_accuracy_m(self) -> float | None: ...
    @property
    def captured_at_ms(self) -> int | None: ...
    @property
    def captured_local(self) -> str | None: ...
    @property
    def orientation(self) -> int: ...
    @property
    def width(self) -> int | None: ...
    @property
    def height(self) -> int | None: ...
    @property
    def panorama(self) -> bool: ...
    @property
    def error(self) -> str | None: ...

def read_photo_headers(paths: Sequence[str]) -> list[PhotoHeader]:
    """Read the headers of photo files, in their order; an unreadable one carries its error."""

# ---- shard ----
@final
class TarWriter:
    """A deterministic ustar: no times, no owners; the same members give the same bytes."""

    def __new__(cls, path: Path, *, resume_at: int | None = None) -> TarWriter:
        """Start a tar, or go on behind the first `resume_at` bytes of one."""

    def add(self, name: str, data: bytes) -> tuple[int, int]:
        """Append a member; return the offset and the length of its bytes."""

    @property
    def position(self) -> int:
        """Bytes written so far: where the next member's header begins."""

    def rewind(self, position: int) -> None:
        """Drop every member behind `position`."""

    def finish(self) -> int:
        """Write the end mark and sync to disk; return the length of the file."""

def decode_tile(data: bytes, bands: Sequence[int] | None = None) -> NDArray[np.generic]:
    """Decode a tile, or some of its bands (from 0) in the order asked for, to (C, H, W)."""

def read_tiles(
    path: Path,
    offsets: Sequence[int],
    lengths: Sequence[int],
    bands: Sequence[int] | None = None,
) -> list[NDArray[np.generic]]:
    """Read and decode tiles of one shard in parallel."""

def read_member(path: Path, offset: int, length: int) -> bytes:
    """Read the bytes of one member."""

# ---- raster (only with GDAL) ----
class _RasterInfo(TypedDict):
    width: int
    height: int
    descriptions: list[str]
    dtypes: list[str | None]
    nodata: list[float | None]
    alpha: list[bool]
    crs: str | None
    transform: tuple[float, float, float, float, float, float] | None
    block: tuple[int, int]
    pixel_interleaved: bool
    masked: bool
    tags: list[tuple[str, str]]

def gdal_version() -> str:
    """Return the version of the linked GDAL."""

def raster_info(path: str) -> _RasterInfo:
    """Describe a raster."""

def read_window(
    path: str, bands: Sequence[int], window: tuple[int, int, int, int] | None = None
) -> NDArray[np.generic]:
    """Read a window (col, row, width, height) of bands numbered from 1 (all: empty)."""

def crs_name(definition: str) -> str:
    """Name a coordinate reference system: `EPSG:n`, else WKT2."""

def proj_transform(
    xy: NDArray[np.float64], src_crs: str, dst_crs: str
) -> NDArray[np.float64]:
    """Transform points (N, 2) between two systems; those without a result become NaN."""

@final
class RasterWriter:
    """A GeoTIFF written window by window, which appears under its name when it is finished."""

    def __new__(
        cls,
        path: Path,
        *,
        width: int,
        height: int,
        dtype: str,
        band_names: Sequence[str],
        crs: str | None,
        transform: tuple[float, float, float, float, float, float],
        nodata: float | None,
        tags: Sequence[tuple[str, str]],
        cloud_optimised: bool,
    ) -> RasterWriter:
        """Create a raster beside its final place."""

    def write(self, array: NDArray[np.generic], col: int, row: int) -> None:
        """Write an array (C, h, w) of all bands with its top left pixel at `col`, `row`."""

    def finish(self) -> None:
        """Finish the raster and give it its name."""

    def abandon(self) -> None:
        """Drop the raster; nothing is left behind."""

# ---- tiling (only with GDAL) ----
class _Tiles(TypedDict):
    number: NDArray[np.uint64]
    row: NDArray[np.uint64]
    col: NDArray[np.uint64]
    offset: NDArray[np.uint64]
    length: NDArray[np.uint64]
    nodata_fraction: NDArray[np.float64]
    transform: NDArray[np.float64]
    band_offsets: NDArray[np.uint64]
    band_min: NDArray[np.float64]
    band_max: NDArray[np.float64]
    band_mean: NDArray[np.float64]
    band_m2: NDArray[np.float64]
    band_count: NDArray[np.float64]

def tile_lattice(
    scene: tuple[int, int], size: tuple[int, int], stride: tuple[int, int], partial: str
) -> tuple[list[int], list[int]]:
    """Return the first pixel of each row and of each column of tiles; sizes are (rows, columns)."""

@final
class SceneCutter:
    """Cuts one scene into a tar; every block is decoded once, in parallel."""

    def __new__(
        cls,
        sources: Sequence[tuple[str, int]],
        *,
        mask: str | None,
        dtype: str,
        shape: tuple[int, int],
        crs: str,
        transform: tuple[float, float, float, float, float, float],
        band_names: Sequence[str],
        nodata: float | None,
        nodata_text: str | None,
        size: tuple[int, int],
        stride: tuple[int, int],
        partial: str,
        max_nodata: float,
        names: Sequence[str],
        first: int,
        threads: int,
    ) -> SceneCutter:
        """Open a scene; `names` are the tiles' member names, `first` is the first to cut."""

    def fill(self, tar: TarWriter, limit: int) -> tuple[_Tiles, bool, bool]:
        """Move tiles into a tar until it would grow beyond `limit`, at most one row of tiles.

        Return the tiles' columns, whether the tar is full, and whether the scene is done.
        """

    @property
    def dropped(self) -> int:
        """How many tiles were left out so far: nodata only, or above the limit."""
