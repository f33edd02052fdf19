"""Cut scenes into a tile set: tar shards, a GeoParquet index and `dataset.json`.

Scenes are cut in the order given, row of tiles by row of tiles; each compressed block is decoded
once. The same scenes and options give the same bytes, also after a kill.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from gair_cli import _rust
from gair_cli.errors import DataError, DiskFullError, GairError, InputError, UsageError
from gair_cli.geo import ids
from gair_cli.geo.build import require_gdal
from gair_cli.geo.outputs import Workspace, fingerprint, open_workspace, plan_hash, write_json
from gair_cli.geo.scenes import Scene, SceneOptions, inputs_of, open_scene
from gair_cli.geo.tile_append import earlier_index, link_shards, opened_for_append, shards_of
from gair_cli.geo.tile_index import PRIVATE, in_hilbert_order, index_metadata, pooled, rows_of
from gair_cli.geo.tile_shards import PARTS, ShardSink
from gair_cli.geo.tileset import DATASET_FILE, INDEX_FILE, TileSet, TileSetInfo
from gair_cli.geo.writers import write_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import polars as pl

    Progress = Callable[[int], None]

DEFAULT_SIZE: Final = 96
DEFAULT_SHARD_BYTES: Final = 256 * 10**6
GRID: Final = "scene"
LAYOUT: Final = 1
"""Counts changes of the bytes that a plan gives."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT})
_PREDICTORS: Final = {"float32": 3, "float64": 3, "int64": 1, "uint64": 1}


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
        digests: Fingerprints of all inputs.
        tiles: Tiles on all lattices, before nodata is looked at.
        pixel_bytes: Their bytes, uncompressed.
    """

    scenes: tuple[Scene, ...]
    bad: tuple[BadScene, ...]
    digests: tuple[str, ...]
    tiles: int
    pixel_bytes: int


@dataclass(frozen=True, slots=True)
class TilingReport:
    """What was done.

    Attributes:
        status: `new`, `resumed` or `finished` (nothing was to do).
        tiles: Tiles in the tile set.
        scenes: Scenes in it.
        dropped: Tiles left out by this run: nodata only, or above the limit.
        shards: Shards in it.
        kept_shards: Shards that an interrupted run had finished.
        kept_tiles: Tiles in these.
        bad: Scenes that could not be read.
    """

    status: str
    tiles: int
    scenes: int
    dropped: int
    shards: int
    kept_shards: int
    kept_tiles: int
    bad: tuple[BadScene, ...]


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
    counts = [_lattice_length(scene, options) for scene in scenes]
    areas = [_size(scene, options)[0] * _size(scene, options)[1] for scene in scenes]
    pixels = sum(count * area for count, area in zip(counts, areas, strict=True))
    value_bytes = int(scenes[0].dtype.lstrip("uintfloa")) // 8 * len(scenes[0].bands)
    digests = [fingerprint(file) for _, files in inputs for file in files if file.exists()]
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


def _size(scene: Scene, options: TilingOptions) -> tuple[int, int]:
    """Return rows and columns of the scene's tiles."""
    return (scene.height, scene.width) if options.size is None else (options.size, options.size)


def _stride(scene: Scene, options: TilingOptions) -> tuple[int, int]:
    return _size(scene, options) if options.stride is None else (options.stride, options.stride)


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


def _lattice(scene: Scene, options: TilingOptions) -> tuple[list[int], list[int]]:
    shape, size = (scene.height, scene.width), _size(scene, options)
    return tile_lattice(shape, size, _stride(scene, options), options.partial)


def _lattice_length(scene: Scene, options: TilingOptions) -> int:
    tops, lefts = _lattice(scene, options)
    return len(tops) * len(lefts)


def tile_scenes(
    scenes: Sequence[Path],
    output: Path,
    *,
    options: TilingOptions | None = None,
    progress: Progress | None = None,
    manifest: dict[str, Any] | None = None,
    plan: TilingPlan | None = None,
) -> TilingReport:
    """Cut scenes into the tile set at `output`.

    Args:
        scenes: Rasters, or folders of one-band files with `options.scenes.stack`.
        output: The folder to write.
        options: How to cut.
        progress: Called with the number of tiles that were looked at.
        manifest: What the side manifest says besides.
        plan: What `plan_tiles` returned for the same scenes and options, if it was called.

    Returns:
        What was done. A scene that cannot be read is in `bad` and leaves no tile.

    Raises:
        InputError: If a scene is missing, or none can be read.
        DataError: If a scene has no CRS, scenes differ in bands or type, or no tile is left.
        OutputExistsError: If `output` holds something else.
        DiskFullError: If the disk or the file-size limit is reached; finished shards are kept.
    """
    options = options or TilingOptions()
    plan = plan or plan_tiles(scenes, options)
    earlier = opened_for_append(output, plan.scenes, options) if options.append else None
    content: dict[str, Any] = {
        "command": "tile",
        "layout": LAYOUT,
        "inputs": plan.digests,
        "scenes": [scene.scene_id for scene in plan.scenes],
        "options": options.to_plan(),
    }
    if earlier is not None:
        content["appends_to"] = earlier.info.plan_hash
        known = set(earlier.index["scene_id"])
        if all(scene.scene_id in known for scene in plan.scenes):
            return _nothing_to_do(earlier, plan.bad)
    workspace = open_workspace(output, content, overwrite=options.overwrite or options.append)
    if workspace.status == "finished":
        shutil.rmtree(output / PARTS, ignore_errors=True)
        return _nothing_to_do(TileSet.open(output), plan.bad)
    with _full_disks_named():
        return _Run(workspace, plan, options, progress, earlier).finish(manifest or {}, content)


def _nothing_to_do(tiles: TileSet, bad: tuple[BadScene, ...]) -> TilingReport:
    counts = tiles.info.counts
    return TilingReport(
        "finished", len(tiles), counts["scenes"], 0, counts["shards"], counts["shards"],
        len(tiles), bad,
    )  # fmt: skip


@contextmanager
def _full_disks_named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, GairError) or error.errno not in _FULL:
            raise
        raise DiskFullError(
            f"the disk or the file-size limit is full: {error}",
            hint="free some space, then run the same command again: finished shards are kept",
        ) from error


class _Run:
    """One run of the plan in its workspace."""

    def __init__(
        self,
        workspace: Workspace,
        plan: TilingPlan,
        options: TilingOptions,
        progress: Progress | None,
        earlier: TileSet | None,
    ) -> None:
        self._workspace = workspace
        self._plan = plan
        self._options = options
        self._progress = progress
        self._earlier = earlier
        self._bad = list(plan.bad)
        self._dropped = 0
        first = 0 if earlier is None else link_shards(earlier, workspace.folder)
        self._sink = ShardSink(workspace, first=first)

    def finish(self, manifest: dict[str, Any], content: dict[str, Any]) -> TilingReport:
        try:
            self._cut_all()
            rows = self._sink.rows()
            if rows.is_empty():
                raise self._no_tiles()
        except (DataError, InputError):
            self._sink.abandon()
            shutil.rmtree(self._workspace.folder)  # the same again could only fail again
            raise
        except BaseException:
            self._sink.abandon()
            raise
        info = self._write_tables(rows, plan_hash(content))
        self._workspace.finish_folder({**manifest, "command": "tile", "plan": content})
        shutil.rmtree(self._workspace.output / PARTS)
        return self._report(info)

    def _report(self, info: TileSetInfo) -> TilingReport:
        sink = self._sink
        status = "resumed" if sink.kept_shards else "new"
        return TilingReport(
            status, info.counts["tiles"], info.counts["scenes"], self._dropped,
            info.counts["shards"], sink.kept_shards, sink.kept_tiles, tuple(self._bad),
        )  # fmt: skip

    def _cut_all(self) -> None:
        start, first = self._sink.position()
        failure: InputError | None = None
        for number, scene in enumerate(self._plan.scenes):
            if number < start:
                self._advance(_lattice_length(scene, self._options))
                continue
            try:
                self._cut(number, scene, first=first if number == start else 0)
            except InputError as error:
                self._sink.take_out(number)
                self._bad.append(BadScene(scene.name, str(error)))
                failure = error
        self._sink.close()
        if failure is not None and len(self._bad) == len(self._plan.scenes) + len(self._plan.bad):
            raise failure

    def _cut(self, number: int, scene: Scene, *, first: int) -> None:
        """Cut one scene from its tile `first` on.

        Raises:
            InputError: If it cannot be decoded.
        """
        names = self._tile_ids(scene)
        cutter = _cutter(scene, names, self._options, first)
        done, seen = not names, first
        self._advance(first)
        while not done:
            try:
                tiles, full, done = cutter.fill(self._sink.tar(), self._options.shard_bytes)
            except OSError as error:
                if error.errno is not None:
                    raise
                raise InputError(f"{scene.name} cannot be decoded: {error}") from error
            if len(tiles["number"]):
                rows = rows_of(
                    tiles, scene, number=number, shard=self._sink.shard, tile_ids=names,
                    size=_size(scene, self._options),
                )  # fmt: skip
                self._sink.add(rows)
                self._advance(int(tiles["number"][-1]) + 1 - seen)
                seen = int(tiles["number"][-1]) + 1
            if full:
                self._sink.close()
        self._advance(len(names) - seen)
        self._dropped += cutter.dropped

    def _tile_ids(self, scene: Scene) -> list[str]:
        tops, lefts = _lattice(scene, self._options)
        cells = [(row, col) for row in range(len(tops)) for col in range(len(lefts))]
        size, stride = _size(scene, self._options), _stride(scene, self._options)
        return ids.tile_ids(scene.scene_id, GRID, size, stride, cells)

    def _advance(self, tiles: int) -> None:
        if self._progress is not None and tiles:
            self._progress(tiles)

    def _no_tiles(self) -> DataError:
        return DataError(
            f"no tile is left of {self._plan.tiles} on the lattice",
            hint="scenes smaller than --size need --size full or --partial pad; "
            "check --nodata and --max-nodata",
        )

    def _write_tables(self, rows: pl.DataFrame, digest: str) -> TileSetInfo:
        index = in_hilbert_order(earlier_index(self._earlier, rows.drop(PRIVATE)))
        folder = self._workspace.folder
        write_parquet(index, folder / INDEX_FILE, metadata=index_metadata(index))
        info = self._info(rows, index, digest)
        write_json(folder / DATASET_FILE, info.to_dict())
        return info

    def _info(self, rows: pl.DataFrame, index: pl.DataFrame, digest: str) -> TileSetInfo:
        scene, options = self._plan.scenes[0], self._options
        before = () if self._earlier is None else self._earlier.info.statistics
        return TileSetInfo(
            bands=scene.bands,
            dtype=scene.dtype,
            size=options.size,
            stride=options.stride or options.size,
            nodata=scene.nodata,
            statistics=pooled(rows, len(scene.bands), earlier=before),
            counts={
                "tiles": index.height,
                "scenes": index["scene_id"].n_unique(),
                "shards": len(shards_of(index)),
            },
            grid=GRID,
            partial=options.partial,
            predictor=_PREDICTORS.get(scene.dtype, 2),
            plan_hash=digest,
        )


def _cutter(
    scene: Scene, names: Sequence[str], options: TilingOptions, first: int
) -> _rust.SceneCutter:
    try:
        return _rust.SceneCutter(
            scene.sources,
            mask=scene.mask,
            dtype=scene.dtype,
            shape=(scene.height, scene.width),
            crs=scene.crs,
            transform=scene.transform,
            band_names=scene.bands,
            nodata=scene.nodata,
            nodata_text=_nodata_text(scene),
            size=_size(scene, options),
            stride=_stride(scene, options),
            partial=options.partial,
            max_nodata=options.max_nodata,
            names=[f"{name}.tif" for name in names],
            first=first,
            threads=options.jobs or len(os.sched_getaffinity(0)),
        )
    except OSError as error:
        raise InputError(f"{scene.name} cannot be read: {error}") from error
    except ValueError as error:
        raise DataError(f"{scene.name}: {error}", hint="check --nodata and the bands") from error


def _nodata_text(scene: Scene) -> str | None:
    if scene.nodata is None:
        return None
    return (
        repr(int(scene.nodata)) if scene.nodata == int_or_nan(scene.nodata) else repr(scene.nodata)
    )


def int_or_nan(value: float) -> float:
    """Return a finite value without its fraction, NaN for any other."""
    return float(int(value)) if abs(value) < float("inf") else float("nan")
