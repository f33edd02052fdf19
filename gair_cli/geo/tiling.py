"""Cut scenes into a tile set: tar shards, a GeoParquet index and `dataset.json`.

Scenes are cut in the order given; each compressed block is decoded once. The same scenes and
options give the same bytes, also after a kill.
"""

from __future__ import annotations

import errno
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gair_cli.errors import DiskFullError, GairError
from gair_cli.geo.outputs import let_go_of_output, open_workspace, refuse_foreign
from gair_cli.geo.tile_append import known_scenes, opened_for_append
from gair_cli.geo.tile_plan import BadScene, TilingOptions, TilingPlan, plan_tiles
from gair_cli.geo.tile_rejected import noted_bad, rejected_path, write_rejected
from gair_cli.geo.tile_run import TilingRun
from gair_cli.geo.tile_shards import remove_parts
from gair_cli.geo.tileset import TileSet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from gair_cli.geo.tile_run import Progress

__all__ = [
    "BadScene",
    "TilingOptions",
    "TilingPlan",
    "TilingReport",
    "plan_tiles",
    "tile_scenes",
]

LAYOUT: Final = 2
"""Counts changes of the bytes that a plan gives."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class TilingReport:
    """What was done.

    Attributes:
        status: `new`, `resumed` or `finished` (nothing was to do).
        tiles: Tiles in the tile set.
        scenes: Scenes in it.
        dropped: Tiles of these scenes left out: nodata only, or above the limits.
        shards: Shards in it.
        kept_shards: Shards that an interrupted run had finished.
        kept_tiles: Tiles in these.
        bad: Scenes that could not be read, also those of an earlier run of the same plan.
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
    scenes: Sequence[str | Path],
    output: Path,
    *,
    options: TilingOptions | None = None,
    progress: Progress | None = None,
    manifest: dict[str, Any] | None = None,
    plan: TilingPlan | None = None,
) -> TilingReport:
    """Cut scenes into the tile set at `output`.

    Args:
        scenes: Rasters, products, or folders of one-band files with `options.scenes.stack`.
        output: The folder to write.
        options: How to cut.
        progress: Called with numbers of tiles that were looked at and of bytes decoded for them.
        manifest: What the side manifest says besides.
        plan: What `plan_tiles` returned for the same scenes and options, if it was called.

    Returns:
        What was done. A scene that cannot be read is in `bad` and leaves no tile; it is listed in
        `rejected_path(output)` too.

    Raises:
        InputError: If a scene is missing, or none can be read.
        DataError: If a scene has no CRS or masks pixels without a nodata value, scenes differ in
            bands or type, or no tile is left.
        OutputExistsError: If `output` holds something else, or another run works on it.
        DiskFullError: If the disk or the file-size limit is reached; finished shards are kept.
    """
    options = options or TilingOptions()
    plan = plan or plan_tiles(scenes, options)
    refuse_foreign(rejected_path(output), output, overwrite=options.overwrite)
    opened = [one.scene for one in plan.scenes]
    earlier = opened_for_append(output, opened, options) if options.append else None
    content = _content(plan, options)
    if earlier is not None:
        content["appends_to"] = earlier.info.plan_hash
        if {scene.scene_id for scene in opened} <= known_scenes(earlier):
            let_go_of_output(output)
            return _nothing_to_do(earlier, plan)
    workspace = open_workspace(
        output,
        content,
        overwrite=options.overwrite,
        extends=options.append,
        resume=options.resume,
    )
    if workspace.status == "finished":
        remove_parts(output)
        return _nothing_to_do(TileSet.open(output), plan)
    with _full_disks_named():
        run = TilingRun(workspace, plan, options, progress=progress, earlier=earlier)
        counts = run.finish(manifest or {}, content).counts
    return TilingReport(
        "resumed" if run.sink.kept_shards else "new",
        counts["tiles"],
        counts["scenes"],
        run.dropped,
        counts["shards"],
        run.sink.kept_shards,
        run.sink.kept_tiles,
        tuple(run.bad),
    )


def _content(plan: TilingPlan, options: TilingOptions) -> dict[str, Any]:
    """Return what decides the bytes of a tile set."""
    return {
        "command": "tile",
        "layout": LAYOUT,
        "inputs": plan.digests,
        "scenes": [one.scene.scene_id for one in plan.scenes],
        "options": options.to_plan(),
        "region": plan.region,
    }


def _nothing_to_do(tiles: TileSet, plan: TilingPlan) -> TilingReport:
    """Report a finished tile set, with the scenes that this plan could not read then or now."""
    wanted = {one.scene.scene_id for one in plan.scenes}
    bad = (*plan.bad, *(one for one in noted_bad(tiles.path) if one.scene_id in wanted))
    if bad and not rejected_path(tiles.path).exists():
        write_rejected(bad, tiles.path)
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
