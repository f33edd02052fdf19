"""What is to be cut: options, scenes that fit together, and the lattice of each."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from gair_cli import _rust
from gair_cli.errors import DataError, InputError, UsageError
from gair_cli.geo.build import require_gdal
from gair_cli.geo.scenes import Scene, SceneOptions, inputs_of, open_scene
from gair_cli.geo.virtual import raster_fingerprints

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DEFAULT_SIZE: Final = 96
DEFAULT_SHARD_BYTES: Final = 256 * 10**6


@dataclass(frozen=True, slots=True)
class TilingOptions:
    """How scenes are cut.

    Attributes:
        size: Pixels a side; None makes one tile of each whole scene.
        stride: Pixels between tiles; None is `size`.
        partial: `skip`, `pad` or `shift` tiles that reach over the edge.
        max_nodata: Greatest share of invalid pixels; tiles that are nodata only are always left
            out.
        scenes: How scenes are read.
        shard_bytes: Most bytes of a shard.
        jobs: Threads; None is all cores. Does not change the result.
        append: Add to the tile set that is there.
        overwrite: Replace what is there.
    """

    size: int | None = DEFAULT_SIZE
    stride: int | None = None
    partial: str = "skip"
    max_nodata: float = 1.0
    scenes: SceneOptions = field(default_factory=SceneOptions)
    shard_bytes: int = DEFAULT_SHARD_BYTES
    jobs: int | None = None
    append: bool = False
    overwrite: bool = False

    def to_plan(self) -> dict[str, Any]:
        """Return what decides the result."""
        left_out = {"jobs", "append", "overwrite"}
        return {key: value for key, value in asdict(self).items() if key not in left_out}


@dataclass(frozen=True, slots=True)
class BadScene:
    """A scene that could not be read, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class TilingPlan:
    """What is to be cut.

    Attributes:
        scenes: Those that could be opened, in order.
        bad: The others.
        digests: Fingerprints of all inputs, and of the files behind virtual ones.
        tiles: Tiles on all lattices, before nodata is looked at.
        pixel_bytes: Their bytes, uncompressed.
    """

    scenes: tuple[Scene, ...]
    bad: tuple[BadScene, ...]
    digests: tuple[str, ...]
    tiles: int
    pixel_bytes: int


def plan_tiles(paths: Sequence[Path], options: TilingOptions) -> TilingPlan:
    """Open every scene and lay out its tiles; no pixel is read.

    Raises:
        InputError: If a scene is missing, or none can be read.
        DataError: If a scene has no CRS, or scenes differ in bands or type.
        UsageError: If the options make no sense.
    """
    require_gdal("cutting tiles")
    _check(options)
    scenes: list[Scene] = []
    bad: list[BadScene] = []
    failures: list[InputError] = []
    inputs = inputs_of(paths, stack=options.scenes.stack)
    for name, files in inputs:
        try:
            scenes.append(open_scene(name, files, options=options.scenes))
        except InputError as error:
            failures.append(error)
            bad.append(BadScene(name, str(error)))
    if not scenes:
        raise failures[0]
    _check_alike(scenes)
    _check_padding(scenes[0], options)
    counts = [tile_count(scene, options) for scene in scenes]
    areas = [tile_size(scene, options)[0] * tile_size(scene, options)[1] for scene in scenes]
    pixels = sum(count * area for count, area in zip(counts, areas, strict=True))
    value_bytes = int(scenes[0].dtype.lstrip("uintfloa")) // 8 * len(scenes[0].bands)
    local = [file for _, files in inputs for file in files if file.exists()]
    digests = [digest for file in local for digest in raster_fingerprints(file)]
    return TilingPlan(tuple(scenes), tuple(bad), tuple(digests), sum(counts), pixels * value_bytes)


def _check(options: TilingOptions) -> None:
    for what in ("size", "stride", "shard_bytes"):
        value = getattr(options, what)
        if value is not None and value < 1:
            raise UsageError(f"{what} {value} is not at least 1")
    if options.size is None and options.stride is not None:
        raise UsageError("a stride needs a --size in pixels", hint="leave --stride out")


def _check_alike(scenes: Sequence[Scene]) -> None:
    """Refuse scenes that do not fit into one tile set, naming two that differ.

    Raises:
        DataError: If bands, types, nodata values or ids clash.
    """
    first = scenes[0]
    seen: dict[str, str] = {}
    for scene in scenes:
        if scene.bands != first.bands:
            raise DataError(
                f"bands differ: {first.name} has {','.join(first.bands)}, "
                f"{scene.name} has {','.join(scene.bands)}",
                hint="choose common bands with --bands, or name them with --band-names",
            )
        if scene.dtype != first.dtype:
            raise DataError(
                f"pixel types differ: {first.name} has {first.dtype}, {scene.name} {scene.dtype}",
                hint="tile them into two tile sets, or convert one with gdal_translate -ot",
            )
        if str(scene.nodata) != str(first.nodata):
            raise DataError(
                f"nodata differs: {first.name} has {first.nodata}, {scene.name} {scene.nodata}",
                hint="pass --nodata VALUE",
            )
        if scene.scene_id in seen:
            raise DataError(
                f"{seen[scene.scene_id]} and {scene.name} are the same scene ({scene.scene_id})",
                hint="give each scene once",
            )
        seen[scene.scene_id] = scene.name


def _check_padding(scene: Scene, options: TilingOptions) -> None:
    """Refuse to pad integers without a nodata value, which nobody could tell from pixels.

    Raises:
        DataError: If so.
    """
    if options.partial == "pad" and scene.nodata is None and not scene.dtype.startswith("float"):
        raise DataError(f"{scene.name} has no nodata value to pad with", hint="pass --nodata VALUE")


def tile_size(scene: Scene, options: TilingOptions) -> tuple[int, int]:
    """Return rows and columns of the scene's tiles."""
    return (scene.height, scene.width) if options.size is None else (options.size, options.size)


def tile_stride(scene: Scene, options: TilingOptions) -> tuple[int, int]:
    """Return rows and columns between the scene's tiles."""
    return tile_size(scene, options) if options.stride is None else (options.stride, options.stride)


def tile_lattice(
    shape: tuple[int, int], size: tuple[int, int], stride: tuple[int, int], partial: str
) -> tuple[list[int], list[int]]:
    """Return the first pixel of each row and of each column of tiles.

    Args:
        shape: Rows and columns of the scene.
        size: Rows and columns of a tile.
        stride: Rows and columns between tiles.
        partial: `skip`, `pad` or `shift`.
    """
    return _rust.tile_lattice(shape, size, stride, partial)


def scene_lattice(scene: Scene, options: TilingOptions) -> tuple[list[int], list[int]]:
    """Return the first pixel of each row and of each column of the scene's tiles."""
    shape, size = (scene.height, scene.width), tile_size(scene, options)
    return tile_lattice(shape, size, tile_stride(scene, options), options.partial)


def tile_count(scene: Scene, options: TilingOptions) -> int:
    """Return how many tiles are on the scene's lattice."""
    tops, lefts = scene_lattice(scene, options)
    return len(tops) * len(lefts)
