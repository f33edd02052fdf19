"""How scenes are cut: what `gair tile` can be told, checked for sense."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from gair_cli.errors import UsageError
from gair_cli.geo.grids import GridChoice
from gair_cli.geo.periods import Period
from gair_cli.geo.scenes import SceneOptions

if TYPE_CHECKING:
    from pathlib import Path

    from gair_cli.records import Bounds

DEFAULT_SIZE: Final = 96
DEFAULT_SHARD_BYTES: Final = 256 * 10**6
DEFAULT_LEVEL: Final = 1
"""ZSTD's level: level 3 makes 8 % less of scene A for 1.8 times the CPU of the whole command."""

PARTIAL: Final = ("skip", "pad", "shift")
_LEVELS: Final = range(1, 20)
_NOT_IN_PLAN: Final = frozenset({"jobs", "memory", "append", "overwrite", "resume", "region"})
"""What changes no byte; a region counts by its polygons instead of its path."""


@dataclass(frozen=True, slots=True)
class TilingOptions:
    """How scenes are cut.

    Attributes:
        size: Pixels a side; None makes one tile of each whole scene.
        stride: Pixels between tiles; None is `size`.
        grid: Which grid the tiles lie on.
        res: Pixel size in metres on the ground, where the grid does not say; None is the scene's.
        reproject: CRS that scenes are resampled to before they are cut.
        partial: `skip`, `pad` or `shift` tiles that reach over the edge.
        max_nodata: Greatest share of invalid pixels; tiles that are nodata only are always left
            out.
        max_cloud: Greatest share of cloudy pixels; below 1 every scene needs a cloud source.
        bbox: west, south, east, north in degrees (west > east crosses the antimeridian): only
            tiles whose footprint shares area with it are cut.
        region: A file of polygons, for the same purpose.
        period: Only scenes that were taken in it are cut.
        scenes: How scenes are read.
        level: ZSTD's level, 1 to 19; None leaves tiles uncompressed.
        shard_bytes: Most bytes of a shard.
        memory: Most bytes of decoded blocks; None is as many as decoding once needs, in reason.
        jobs: Threads; None is all cores. Does not change the result.
        append: Add to the tile set that is there.
        overwrite: Replace what is there.
        resume: Whether unfinished work of the same plan is kept.
    """

    size: int | None = DEFAULT_SIZE
    stride: int | None = None
    grid: GridChoice = field(default_factory=GridChoice)
    res: float | None = None
    reproject: str | None = None
    partial: str = "skip"
    max_nodata: float = 1.0
    max_cloud: float = 1.0
    bbox: Bounds | None = None
    region: Path | None = None
    period: Period = field(default_factory=Period)
    scenes: SceneOptions = field(default_factory=SceneOptions)
    level: int | None = DEFAULT_LEVEL
    shard_bytes: int = DEFAULT_SHARD_BYTES
    memory: int | None = None
    jobs: int | None = None
    append: bool = False
    overwrite: bool = False
    resume: bool = True

    def to_plan(self) -> dict[str, Any]:
        """Return what decides the result, a region aside."""
        return {key: value for key, value in asdict(self).items() if key not in _NOT_IN_PLAN}

    @property
    def grid_name(self) -> str:
        """What `dataset.json` calls the grid."""
        return str(self.grid) if self.reproject is None else self.reproject.lower()

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            UsageError: If a number is out of range, or two options contradict each other.
        """
        for what in ("size", "stride", "shard_bytes", "memory"):
            value = getattr(self, what)
            if value is not None and value < 1:
                raise UsageError(f"{what} {value} is not at least 1")
        if self.res is not None and not 0 < self.res < float("inf"):
            raise UsageError(f"a resolution of {self.res} metres is not positive")
        if self.level is not None and self.level not in _LEVELS:
            raise UsageError(
                f"ZSTD has no level {self.level} here", hint="--compress zstd:1 to zstd:19, or none"
            )
        if self.partial not in PARTIAL:
            raise UsageError(f"partial tiles: {self.partial} is not one of {', '.join(PARTIAL)}")
        if self.append and self.overwrite:
            raise UsageError("--append adds, --overwrite replaces", hint="leave one of them out")
        if self.size is None and self.stride is not None:
            raise UsageError("a stride needs a --size in pixels", hint="leave --stride out")
        if self.scenes.band_pattern is not None and not self.scenes.stack:
            raise UsageError(
                "--band-pattern finds the bands of one-band files", hint="pass --stack with it"
            )
        self._check_grid()

    def _check_grid(self) -> None:
        kind = self.grid.kind
        if kind == "scene":
            if self.res is not None and self.reproject is None:
                raise UsageError(
                    "--res needs a grid to resample to",
                    hint="pass --reproject EPSG:n, or --grid utm or majortom:KM",
                )
            return
        if self.reproject is not None:
            raise UsageError(
                f"--reproject and --grid {self.grid} both say which CRS the tiles have",
                hint="leave one of them out",
            )
        if self.size is None:
            raise UsageError(
                f"--size full makes no tiles of --grid {self.grid}", hint="give pixels"
            )
        if self.partial == "shift":
            raise UsageError(
                f"--partial shift would move tiles off --grid {self.grid}",
                hint="tiles of a common grid have fixed places: use skip or pad",
            )
        if kind != "utm" and self.stride is not None:
            raise UsageError(
                f"--grid {self.grid} has a stride of its own", hint="leave --stride out"
            )
        if kind == "xyz" and self.res is not None:
            raise UsageError(
                f"--grid {self.grid} and --size make the resolution", hint="leave --res out"
            )
