"""Cut scenes into a tile set: tar shards, a GeoParquet index and `dataset.json`.

Scenes are cut in the order given, row of tiles by row of tiles; each compressed block is decoded
once. The same scenes and options give the same bytes, also after a kill.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gair_cli import _rust
from gair_cli.errors import DataError, DiskFullError, GairError, InputError
from gair_cli.geo import ids
from gair_cli.geo.outputs import Workspace, open_workspace, plan_hash, write_json
from gair_cli.geo.tile_append import earlier_index, link_shards, opened_for_append, shards_of
from gair_cli.geo.tile_index import PRIVATE, in_hilbert_order, index_metadata, pooled, rows_of
from gair_cli.geo.tile_plan import (
    BadScene,
    TilingOptions,
    TilingPlan,
    plan_tiles,
    scene_lattice,
    tile_count,
    tile_size,
    tile_stride,
)
from gair_cli.geo.tile_shards import PARTS, ShardSink
from gair_cli.geo.tileset import DATASET_FILE, INDEX_FILE, TileSet, TileSetInfo
from gair_cli.geo.writers import write_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import polars as pl

    from gair_cli.geo.scenes import Scene

    Progress = Callable[[int], None]

__all__ = [
    "BadScene",
    "TilingOptions",
    "TilingPlan",
    "TilingReport",
    "plan_tiles",
    "tile_scenes",
]

GRID: Final = "scene"
LAYOUT: Final = 1
"""Counts changes of the bytes that a plan gives."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT})
_PREDICTORS: Final = {"float32": 3, "float64": 3, "int64": 1, "uint64": 1}


@dataclass(frozen=True, slots=True)
class TilingReport:
    """What was done.

    Attributes:
        status: `new`, `resumed` or `finished` (nothing was to do).
        tiles: Tiles in the tile set.
        scenes: Scenes in it.
        dropped: Tiles of these scenes left out: nodata only, or above the limit.
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
        DataError: If a scene has no CRS or masks pixels without a nodata value, scenes differ in
            bands or type, or no tile is left.
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
    workspace = open_workspace(output, content, overwrite=options.overwrite, extends=options.append)
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
        self._looked_at = self._dropped = 0
        first = 0 if earlier is None else link_shards(earlier, workspace.folder)
        self._sink = ShardSink(workspace, first=first)

    def finish(self, manifest: dict[str, Any], content: dict[str, Any]) -> TilingReport:
        try:
            rows = self._cut_all()
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

    def _cut_all(self) -> pl.DataFrame:
        """Cut every scene and return the index rows of all tiles."""
        start, first = self._sink.position()
        noted = self._sink.noted_bad()
        failure: InputError | None = None
        for number, scene in enumerate(self._plan.scenes):
            if number < start:
                self._pass_over(scene, noted.get(number))
                continue
            try:
                self._cut(number, scene, first=first if number == start else 0)
            except InputError as error:
                self._sink.take_out(number)
                self._sink.note_bad(number, str(error))
                self._bad.append(BadScene(scene.name, str(error)))
                failure = error
            else:
                self._looked_at += tile_count(scene, self._options)
        self._sink.close()
        if failure is not None and len(self._bad) == len(self._plan.scenes) + len(self._plan.bad):
            raise failure
        rows = self._sink.rows()
        if rows.is_empty():
            raise self._no_tiles()
        self._dropped = self._looked_at - rows.height
        return rows

    def _pass_over(self, scene: Scene, reason: str | None) -> None:
        """Count a scene that an interrupted run was through with, bad if there is a reason."""
        tiles = tile_count(scene, self._options)
        self._advance(tiles)
        if reason is None:
            self._looked_at += tiles
        else:
            self._bad.append(BadScene(scene.name, reason))

    def _cut(self, number: int, scene: Scene, *, first: int) -> None:
        """Cut one scene from its tile `first` on.

        Raises:
            InputError: If it cannot be decoded.
            DataError: If its mask leaves out pixels for which there is no value.
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
                    size=tile_size(scene, self._options),
                )  # fmt: skip
                _check_masked(scene, rows)
                self._sink.add(rows)
                self._advance(int(tiles["number"][-1]) + 1 - seen)
                seen = int(tiles["number"][-1]) + 1
            if full:
                self._sink.close()
        self._advance(len(names) - seen)

    def _tile_ids(self, scene: Scene) -> list[str]:
        tops, lefts = scene_lattice(scene, self._options)
        cells = [(row, col) for row in range(len(tops)) for col in range(len(lefts))]
        size, stride = tile_size(scene, self._options), tile_stride(scene, self._options)
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


def _check_masked(scene: Scene, rows: pl.DataFrame) -> None:
    """Refuse masked integers without a nodata value, which nobody could tell from pixels.

    Raises:
        DataError: If so.
    """
    if scene.nodata is not None or scene.dtype.startswith("float"):
        return
    if (rows["nodata_fraction"] > 0).any():
        raise DataError(
            f"{scene.name} masks pixels, but has no nodata value to mark them in tiles",
            hint="pass --nodata 0, or another value that no pixel has",
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
            size=tile_size(scene, options),
            stride=tile_stride(scene, options),
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
