"""One run of a tiling plan in its workspace: scene by scene, shard by shard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gair_cli.errors import DataError, InputError
from gair_cli.geo import ids
from gair_cli.geo.cutting import pixel_errors_named, scene_cutter
from gair_cli.geo.outputs import plan_hash, write_json
from gair_cli.geo.tile_append import earlier_index, link_shards
from gair_cli.geo.tile_dataset import dataset_info
from gair_cli.geo.tile_index import PRIVATE, in_hilbert_order, index_metadata, rows_of
from gair_cli.geo.tile_plan import BadScene
from gair_cli.geo.tile_rejected import note_of, rejected_before, rejected_path, write_rejected
from gair_cli.geo.tile_shards import ShardSink, remove_parts
from gair_cli.geo.tileset import DATASET_FILE, INDEX_FILE
from gair_cli.geo.writers import write_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import polars as pl

    from gair_cli import _rust
    from gair_cli.geo.layouts import Layout
    from gair_cli.geo.outputs import Workspace
    from gair_cli.geo.scene import Scene
    from gair_cli.geo.tile_options import TilingOptions
    from gair_cli.geo.tile_plan import PlannedScene, TilingPlan
    from gair_cli.geo.tileset import TileSet, TileSetInfo

    Progress = Callable[[int, int], None]


class TilingRun:
    """Cuts what a plan asks for.

    Args:
        workspace: Where to.
        plan: What.
        options: How.
        progress: Called with numbers of tiles looked at and of bytes decoded for them.
        earlier: The tile set that is added to, if any.

    Attributes:
        bad: Scenes that cannot be read, those of the plan first.
        dropped: Tiles left out: nodata only, or above the limits of nodata and clouds.
        sink: The shards.
    """

    def __init__(
        self,
        workspace: Workspace,
        plan: TilingPlan,
        options: TilingOptions,
        *,
        progress: Progress | None,
        earlier: TileSet | None,
    ) -> None:
        self._workspace = workspace
        self._plan = plan
        self._options = options
        self._progress = progress
        self._earlier = earlier
        self.bad = list(plan.bad)
        self._looked_at = self.dropped = 0
        first = 0 if earlier is None else link_shards(earlier, workspace.folder)
        self.sink = ShardSink(workspace, first=first)

    def finish(self, manifest: Mapping[str, Any], content: Mapping[str, Any]) -> TileSetInfo:
        """Cut all scenes, write the tables and publish the tile set.

        The table of rejected scenes comes first: a kill in between must not lose it.
        """
        try:
            rows = self._cut_all()
        except (DataError, InputError):
            self.sink.abandon()
            self._workspace.abandon()  # the same again could only fail again
            raise
        except BaseException:
            self.sink.abandon()
            raise
        info = self._write_tables(rows, plan_hash(content))
        output = self._workspace.output
        rejected = [*self._bad_before(), *self.bad]
        if rejected:
            write_rejected(rejected, output)
        notes = {"command": "tile", "plan": content, **note_of(self.bad)}
        self._workspace.finish_folder({**manifest, **notes})
        remove_parts(output)
        if not rejected:
            rejected_path(output).unlink(missing_ok=True)  # of an earlier run
        return info

    def _bad_before(self) -> list[BadScene]:
        """Return what the runs that wrote the earlier tiles could not read."""
        if self._earlier is None:
            return []
        given = {one.scene.name for one in self._plan.scenes} | {one.name for one in self.bad}
        return rejected_before(self._workspace.output, given=given)

    def _cut_all(self) -> pl.DataFrame:
        """Cut every scene and return the index rows of all tiles."""
        start, first = self.sink.position()
        noted = self.sink.noted_bad()
        failure: InputError | None = None
        for number, planned in enumerate(self._plan.scenes):
            if number < start:
                self._pass_over(planned, noted.get(number))
                continue
            try:
                self._cut(number, planned, first=first if number == start else 0)
            except InputError as error:
                self.sink.take_out(number)
                self.sink.note_bad(number, str(error))
                self._note_bad(planned.scene, str(error))
                failure = error
            else:
                self._looked_at += planned.tiles
                self.sink.forget_bad(number)
        self.sink.close()
        if failure is not None and len(self.bad) == len(self._plan.scenes) + len(self._plan.bad):
            raise failure
        rows = self.sink.rows()
        if rows.is_empty():
            raise self._no_tiles()
        self.dropped = self._looked_at - rows.height
        return rows

    def _pass_over(self, planned: PlannedScene, reason: str | None) -> None:
        """Count a scene that an interrupted run was through with, bad if there is a reason."""
        self._advance(planned.tiles)
        if reason is None:
            self._looked_at += planned.tiles
        else:
            self._note_bad(planned.scene, reason)

    def _note_bad(self, scene: Scene, reason: str) -> None:
        self.bad.append(BadScene(scene.name, reason, scene.scene_id))

    def _cut(self, number: int, planned: PlannedScene, *, first: int) -> None:
        """Cut one scene from its tile `first` on, counted through all its layouts.

        Raises:
            InputError: If it cannot be decoded.
            DataError: If its mask leaves out pixels for which there is no value.
        """
        before = 0
        for layout in planned.layouts:
            skipped = min(max(first - before, 0), len(layout))
            self._advance(skipped)
            if skipped < len(layout):
                self._cut_layout(number, planned.scene, layout, first=skipped, before=before)
            before += len(layout)

    def _cut_layout(
        self, number: int, scene: Scene, layout: Layout, *, first: int, before: int
    ) -> None:
        """Cut the tiles of one layout; `before` are those of the scene's earlier layouts."""
        names = _tile_ids(scene, layout)
        cutter = self._cutter(scene, layout, names, first)
        costs = cutter.plan
        tile_bytes = costs["decoded_bytes"] / max(costs["tiles"], 1)
        done, seen = False, first
        while not done:
            tiles, full, done = self._filled(cutter, scene)
            if len(tiles["number"]):
                rows = rows_of(
                    tiles, scene, layout, number=number, before=before, shard=self.sink.shard,
                    tile_ids=names,
                )  # fmt: skip
                _check_masked(scene, rows)
                self.sink.add(rows)
                last = int(tiles["position"][-1]) + 1
                self._advance(last - seen, tile_bytes)
                seen = last
            if full:
                self.sink.close()
        self._advance(len(names) - seen, tile_bytes)

    def _cutter(
        self, scene: Scene, layout: Layout, names: Sequence[str], first: int
    ) -> _rust.SceneCutter:
        options = self._options
        return scene_cutter(
            scene,
            layout,
            tile_ids=names,
            max_nodata=options.max_nodata,
            max_cloud=options.max_cloud,
            level=options.level,
            first=first,
            jobs=options.jobs,
            memory=options.memory,
        )

    def _filled(self, cutter: _rust.SceneCutter, scene: Scene) -> tuple[_rust._Tiles, bool, bool]:
        tar = self.sink.tar()
        with pixel_errors_named(scene):
            return cutter.fill(tar, self._options.shard_bytes)

    def _advance(self, tiles: int, tile_bytes: float = 0.0) -> None:
        if self._progress is not None and tiles:
            self._progress(tiles, round(tiles * tile_bytes))

    def _no_tiles(self) -> DataError:
        scenes = self._plan.scenes
        where = scenes[0].scene.name if len(scenes) == 1 else f"{len(scenes)} scenes"
        return DataError(
            f"{where}: no tile is left of {self._plan.tiles} on the lattice",
            hint="scenes smaller than --size need --size full or --partial pad; "
            "check --nodata, --max-nodata and --max-cloud",
        )

    def _write_tables(self, rows: pl.DataFrame, digest: str) -> TileSetInfo:
        index = in_hilbert_order(earlier_index(self._earlier, rows.drop(PRIVATE)))
        folder = self._workspace.folder
        write_parquet(index, folder / INDEX_FILE, metadata=index_metadata(index))
        bad = {one.scene_id for one in self.bad}
        scenes = [one.scene for one in self._plan.scenes if one.scene.scene_id not in bad]
        info = dataset_info(
            scenes, rows, index, options=self._options, earlier=self._earlier, digest=digest
        )
        write_json(folder / DATASET_FILE, info.to_dict())
        return info


def _tile_ids(scene: Scene, layout: Layout) -> list[str]:
    cells = list(zip(layout.rows.tolist(), layout.cols.tolist(), strict=True))
    return ids.tile_ids(scene.scene_id, layout.name, layout.size, layout.stride, cells)


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
