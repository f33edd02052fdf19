"""The Rust extension: every function checks, releases the interpreter, calls the core, converts.

Arrays are C-contiguous; points are (N, 2) float64, longitude before latitude. Wrong shapes raise
ValueError, files raise OSError. Only `gair_cli.geo` imports this module.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self, TypedDict, final

import numpy as np
from numpy.typing import NDArray

from gair_cli.geo.layouts import Layout
from gair_cli.geo.pair_counts import ArrowTable, Looked, TilesInUse, Written
from gair_cli.geo.scene import Grid, Scene
from gair_cli.records import Transform

HAS_GDAL: bool
__version__: str

# ---- hash ----
def hash16(parts: Sequence[str]) -> str:
    """Return the first 16 hexadecimal digits of the BLAKE3 hash of a list of texts."""

def hash16_pairs(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Return one `hash16` for each row of two equally long lists of texts."""

def hash_fractions(seed: str, names: Sequence[str]) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each name: the hash of `seed` and the name as a fraction."""

# ---- footprints ----
@final
class Footprints:
    """Tiles on the ground, to be compared by their row."""

    def __new__(
        cls,
        crs: NDArray[np.uint32],
        boxes: NDArray[np.float64],
        centres: NDArray[np.float64],
        half_m: NDArray[np.float64],
    ) -> Self: ...
    def gaps(
        self, first: NDArray[np.int64], second: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the metres between pairs of tiles, negative where they overlap."""

    def too_close(
        self, rows: NDArray[np.int64], others: NDArray[np.int64], buffer_m: float
    ) -> NDArray[np.bool_]:
        """Tell which of some tiles come closer than a buffer to any of others, or overlap one."""

# ---- coordinates ----
def utm(
    points: NDArray[np.float64], *, zone: int, north: bool, inverse: bool = False
) -> NDArray[np.float64]:
    """Project (N, 2) lon, lat to UTM eastings and northings, or back with `inverse`."""

def web_mercator(points: NDArray[np.float64], *, inverse: bool = False) -> NDArray[np.float64]:
    """Project (N, 2) lon, lat to Web Mercator metres, or back with `inverse`."""

def equal_earth_inverse(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N, 2) longitudes and latitudes of points of the Equal Earth map of a unit sphere."""

# ---- encodings ----
# A new array is float64 with `double`, else float32; `out` is filled in its own precision.
# A point that is not finite, or has a latitude beyond 90, becomes a row of NaN.
def equal_earth(
    lonlat: NDArray[np.float64],
    *,
    scale: float = 1.0,
    double: bool = True,
    out: NDArray[np.floating] | None = None,
) -> NDArray[np.floating]:
    """Encode (N, 2) lon, lat as (N, 2) x, y of the Equal Earth map of a unit sphere, times `scale`."""

def fourier_features(
    points: NDArray[np.float64],
    matrix: NDArray[np.float64],
    *,
    scales: int = 1,
    double: bool = False,
    out: NDArray[np.floating] | None = None,
) -> NDArray[np.floating]:
    """Encode (N, 2) points with (S F, 2) directions: of each scale F cosines, then F sines."""

def spherical_harmonics(
    lonlat: NDArray[np.float64],
    degree: int,
    *,
    double: bool = False,
    out: NDArray[np.floating] | None = None,
) -> NDArray[np.floating]:
    """Encode (N, 2) lon, lat as the (N, (degree + 1)^2) real harmonics up to `degree`."""

def unit_sphere_xyz(
    lonlat: NDArray[np.float64],
    *,
    double: bool = True,
    out: NDArray[np.floating] | None = None,
) -> NDArray[np.floating]:
    """Encode (N, 2) lon, lat as (N, 3) points of the unit sphere."""

def sphere2vec(
    lonlat: NDArray[np.float64],
    form: str,
    *,
    scales: int,
    min_radius: float,
    max_radius: float,
    double: bool = False,
    out: NDArray[np.floating] | None = None,
) -> NDArray[np.floating]:
    """Encode (N, 2) lon, lat by a form of Sphere2Vec: `c`, `c+`, `m`, `m+` or `dfs`."""

# ---- pairing ----
@final
class Projection:
    """How longitude and latitude become the coordinates of a CRS."""

    @staticmethod
    def geographic() -> Projection:
        """Longitude and latitude themselves."""

    @staticmethod
    def web_mercator() -> Projection:
        """The sphere of web maps, EPSG:3857."""

    @staticmethod
    def utm(zone: int, north: bool) -> Projection:
        """A UTM zone of WGS84."""

    @staticmethod
    def proj(crs: str) -> Projection:
        """Any CRS that PROJ knows (only with GDAL)."""

@final
class TileArrays:
    """The tiles of one CRS."""

    def __new__(
        cls,
        projection: Projection,
        numbers: NDArray[np.uint32],
        transforms: NDArray[np.float64],
        sizes: NDArray[np.uint32],
        scenes: NDArray[np.uint32],
        *,
        geographic: bool,
    ) -> TileArrays:
        """Take T tiles by number (T,), affine (T, 6), columns and rows (T, 2), scene (T,).

        `geographic` says that the CRS's units are degrees.
        """

@final
class TileFinder:
    """The tiles of any number of CRSs: which of them holds a point, and where inside it."""

    def __new__(cls, systems: Sequence[TileArrays]) -> TileFinder:
        """Index tiles; no number may stand for two of them."""

    def locate(
        self, lonlat: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Locate (N, 2) lon, lat: tile (N,), -1 outside; x, y (N, 2); metres to the edge (N,)."""

# ---- pairs ----
@final
class PairEngine:
    """One pairing of one table of photos with tiles: passes over the table, wave by wave."""

    def __new__(
        cls,
        finder: TileFinder,
        tiles: Mapping[str, object],
        columns: Sequence[tuple[str, str, str]],
        output: Sequence[str],
        options: Mapping[str, object],
        *,
        photos_root: Path,
        folder: Path | None,
    ) -> PairEngine:
        """Plan the pairing of a table whose columns are (name, name of the photo table, kind).

        Kinds are `id`, `path`, `text`, `float64`, `float32`, `time`, `own`, `wkb_x` and `wkb_y`.
        """

    def write_to(self, pairs: Path | None, rejected: Path | None) -> None:
        """Write pairs and rejected photos as Parquet; what has no file is handed out."""

    def begin(self, phase: str) -> None:
        """Start a pass: `look`, `look_hard`, `compare`, `survey` or `write`."""

    def add(self, rows: ArrowTable) -> None:
        """Hand some rows to the pass."""

    def read(
        self,
        path: Path,
        *,
        limit: int | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        """Hand the rows of a Parquet or Arrow file to the pass; `progress` is told of new rows."""

    def looked(self) -> Looked:
        """End the first look."""

    def compared(self) -> int:
        """End the comparison of rows of one id: how many repeat an earlier one."""

    def surveyed(self) -> TilesInUse:
        """End the survey: the tiles in use."""

    def give_way(self, pairs: Sequence[tuple[int, str]]) -> None:
        """Say which pairs are left out, by number of the tile and split."""

    def take(self) -> list[tuple[ArrowTable, ArrowTable | None]]:
        """Take the pairs and rejected photos that no file takes."""

    def written(self) -> tuple[Written, TilesInUse]:
        """Work on the last rows: counts, and the tiles in use."""

    def close(self, metadata: Sequence[tuple[str, str]]) -> bool:
        """End the files, with texts of the pair table; whether rejected photos have one."""

    @staticmethod
    def reasons() -> list[tuple[str, bool]]:
        """Return every reason a photo can be rejected for; True where the row is at fault."""

def describe_table(path: Path) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Describe a Parquet or Arrow file: (column, kind of type), (key, text)."""

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
    def fault(self) -> str | None: ...
    @property
    def pitch(self) -> float | None: ...
    @property
    def fov(self) -> float | None: ...
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
    scales: list[float | None]
    offsets: list[float | None]
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

def proj_transform(xy: NDArray[np.float64], src_crs: str, dst_crs: str) -> NDArray[np.float64]:
    """Transform points (N, 2) between two systems; those without a result become NaN."""

def suggest_grid(
    grid: Grid, crs: str, resolution: float | None = None
) -> tuple[Transform, int, int]:
    """Propose a grid of another system for a raster: its transform, columns and rows.

    It is north up, its square pixels begin at whole multiples of their size. Without a resolution
    the size keeps the raster's diagonal in pixels, rounded to three significant digits; a raster
    that is north up in that system already keeps its grid.
    """

def grid_bounds(grid: Grid, crs: str) -> tuple[float, float, float, float]:
    """Return the bounds of a raster in another system: west, south, east, north.

    Longitudes are continuous, so that across the antimeridian east is above 180 or west below
    -180; a raster that holds a pole has all longitudes.
    """

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

# ---- region (only with GDAL) ----
def read_polygons(path: str) -> list[tuple[str | None, list[bytes]]]:
    """Read the polygons of a vector file: CRS and two-dimensional WKB of each layer."""

def shares_area(outlines: Sequence[bytes], polygons: Sequence[bytes]) -> NDArray[np.bool_]:
    """Tell which WKB outlines share area with any WKB polygon; a common edge is not enough."""

# ---- tiling (only with GDAL) ----
class _Tiles(TypedDict):
    position: NDArray[np.uint64]
    number: NDArray[np.uint64]
    offset: NDArray[np.uint64]
    length: NDArray[np.uint64]
    nodata_fraction: NDArray[np.float64]
    cloud_fraction: NDArray[np.float64]
    transform: NDArray[np.float64]
    band_offsets: NDArray[np.uint64]
    band_min: NDArray[np.float64]
    band_max: NDArray[np.float64]
    band_mean: NDArray[np.float64]
    band_m2: NDArray[np.float64]
    band_count: NDArray[np.float64]

class _CutPlan(TypedDict):
    tiles: int
    blocks: int
    redecoded_blocks: int
    decoded_bytes: int
    peak_bytes: int

def tile_lattice(
    scene: tuple[int, int], size: tuple[int, int], stride: tuple[int, int], partial: str
) -> tuple[list[int], list[int]]:
    """Return the first pixel of each row and of each column of tiles; sizes are (rows, columns)."""

def workers_running() -> int:
    """Return how many threads still work, those that an interrupt left behind among them.

    Where that is not 0, end the process by `os._exit`: a worker may be inside GDAL.
    """

@final
class SceneCutter:
    """Cuts one scene into a tar; every block is decoded once as far as memory allows.

    Tiles come in an order of the cutter's own, which depends on the scene and the layout alone.
    """

    def __new__(
        cls,
        scene: Scene,
        layout: Layout,
        *,
        names: Sequence[str],
        nodata_text: str | None,
        max_nodata: float,
        max_cloud: float,
        level: int | None,
        first: int,
        threads: int,
        memory: int | None,
    ) -> SceneCutter:
        """Open a scene and plan the cut; nothing is decoded yet.

        `names` are the members' names by tile number, `level` is ZSTD's (None: uncompressed),
        `first` is the position of the first tile to cut, `memory` the most bytes of decoded
        blocks (None: what decoding once takes, within reason).
        """

    def fill(self, tar: TarWriter, limit: int) -> tuple[_Tiles, bool, bool]:
        """Move tiles into a tar until it would grow beyond `limit`, or for a moment.

        Return the tiles' columns, whether the tar is full, and whether the scene is done.
        """

    def take(self) -> tuple[_Tiles, list[NDArray[np.uint8]], bool]:
        """Take tiles out of the cutter instead of moving them into a tar, at most one batch.

        Return the tiles' columns (offsets are 0), the bytes of each tile's file, and whether the
        scene is done.
        """

    @property
    def plan(self) -> _CutPlan:
        """What the cut costs."""

    @property
    def dropped(self) -> int:
        """How many tiles were left out so far: nodata only, or above the limit."""

@final
class SceneReader:
    """Reads windows of one scene on a grid: what its tiles hold, before they are encoded."""

    def __new__(
        cls, scene: Scene, grid: Grid, *, threads: int, memory: int | None
    ) -> SceneReader:
        """Open a scene; its files stay open. `memory` is as in `SceneCutter`."""

    def read(self, window: tuple[int, int, int, int]) -> NDArray[np.generic]:
        """Read a window (col, row, width, height), which may reach beyond the grid, as (C, h, w).

        Invalid pixels hold the scene's nodata value (NaN in floats without one).
        """
