"""Write tiles into shards of a bounded size, each with its own index, so that a kill loses little.

A shard is finished when its index part is there too; what follows the last finished one is done
again. A scene that turns out unreadable is taken out as if it had never been given.
"""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from gair_cli import _rust
from gair_cli.geo.outputs import write_json
from gair_cli.geo.tile_index import PART_SCHEMA, SCENE, TILE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gair_cli.geo.outputs import Workspace

PARTS: Final = "parts"
BAD_SCENES: Final = f"{PARTS}/bad.json"
_HEADER_BYTES: Final = 512


def shard_name(number: int) -> str:
    """Return the path of a shard in the tile set."""
    return f"shards/tiles-{number:06d}.tar"


def part_name(number: int) -> str:
    """Return the path of a shard's own index in the workspace."""
    return f"{PARTS}/tiles-{number:06d}.parquet"


def remove_parts(output: Path) -> None:
    """Remove the shards' own indexes, which a finished tile set does not need."""
    shutil.rmtree(output / PARTS, ignore_errors=True)


class ShardSink:
    """The shards of one run, in order.

    Attributes:
        kept_shards: Shards that an earlier run finished.
        kept_tiles: Tiles in them.
        number: Number of the shard that is written next, or now.
    """

    def __init__(self, workspace: Workspace, *, first: int = 0) -> None:
        self._workspace = workspace
        self._first = first
        self._stack = ExitStack()
        self._tar: _rust.TarWriter | None = None
        self._rows: list[pl.DataFrame] = []
        self.number = self._resume()
        self.kept_shards = self.number - first
        self.kept_tiles = sum(part.height for part in self._parts())

    def _resume(self) -> int:
        """Drop what follows the last finished shard; return the number of the next one."""
        number = self._first
        while self._workspace.has(part_name(number)) and self._workspace.has(shard_name(number)):
            number += 1
        for stray in sorted((self._workspace.folder / PARTS).glob("*.parquet")):
            if stray.name >= Path(part_name(number)).name:
                stray.unlink()
        for stray in sorted((self._workspace.folder / "shards").glob("*.tar")):
            if stray.name >= Path(shard_name(number)).name:
                stray.unlink()
        return number

    def _part(self, number: int) -> pl.DataFrame:
        return pl.read_parquet(self._workspace.folder / part_name(number), glob=False)

    def _parts(self) -> list[pl.DataFrame]:
        return [self._part(number) for number in range(self._first, self.number)]

    def position(self) -> tuple[int, int]:
        """Return scene number and tile number of the first tile that is not yet written."""
        for number in range(self.number - 1, self._first - 1, -1):
            rows = self._part(number)
            if rows.height:
                return int(rows[SCENE][-1]), int(rows[TILE][-1]) + 1
        return 0, 0

    @property
    def shard(self) -> str:
        """Path of the open shard in the tile set."""
        return shard_name(self.number)

    def tar(self) -> _rust.TarWriter:
        """Return the open shard, starting one if there is none."""
        if self._tar is None:
            path = self._stack.enter_context(self._workspace.part(self.shard))
            self._tar = _rust.TarWriter(path)
        return self._tar

    def add(self, rows: pl.DataFrame) -> None:
        """Note the index rows of tiles that are in the open shard."""
        self._rows.append(rows)

    def close(self) -> None:
        """Finish the open shard and its index; without tiles it is dropped."""
        if self._tar is None:
            return
        rows = self._open_rows()
        if rows.is_empty():
            self.abandon()
            return
        self._tar.finish()
        self._stack.close()
        with self._workspace.part(part_name(self.number)) as path:
            rows.write_parquet(path)
        self._tar, self._rows = None, []
        self.number += 1

    def abandon(self) -> None:
        """Drop the open shard."""
        self._stack.__exit__(InterruptedError, InterruptedError(), None)
        self._tar, self._rows = None, []

    def take_out(self, scene: int) -> None:
        """Remove all tiles of the last scene, also from shards that are finished.

        Args:
            scene: Its number; nothing of a later one may have been written.
        """
        if self._tar is not None and self._holds_earlier(self._open_rows(), scene):
            self._rewind(self._tar, scene)
            return
        self.abandon()
        while self.number > self._first and self._part(self.number - 1)[SCENE][-1] == scene:
            self.number -= 1
            rows = self._part(self.number)
            (self._workspace.folder / part_name(self.number)).unlink()
            if self._holds_earlier(rows, scene):
                self._reopen(rows, scene)
                return
            (self._workspace.folder / self.shard).unlink()

    def note_bad(self, scene: int, reason: str) -> None:
        """Keep why a scene was taken out, for the run that goes on after a kill."""
        self._write_bad({**self.noted_bad(), scene: reason})

    def forget_bad(self, scene: int) -> None:
        """Drop the note of a scene that an interrupted run could not read and this one could."""
        noted = self.noted_bad()
        if noted.pop(scene, None) is not None:
            self._write_bad(noted)

    def _write_bad(self, bad: Mapping[int, str]) -> None:
        (self._workspace.folder / PARTS).mkdir(parents=True, exist_ok=True)
        write_json(self._workspace.folder / BAD_SCENES, {str(key): why for key, why in bad.items()})

    def noted_bad(self) -> dict[int, str]:
        """Return the reasons of the scenes taken out so far, by their numbers."""
        path = self._workspace.folder / BAD_SCENES
        if not path.exists():
            return {}
        return {int(key): why for key, why in json.loads(path.read_text("utf-8")).items()}

    def _open_rows(self) -> pl.DataFrame:
        return pl.concat(self._rows) if self._rows else PART_SCHEMA.to_frame()

    def _holds_earlier(self, rows: pl.DataFrame, scene: int) -> bool:
        """Tell whether a shard holds tiles of earlier scenes too."""
        return rows.height > 0 and int(rows[SCENE][0]) < scene

    def _rewind(self, tar: _rust.TarWriter, scene: int) -> None:
        rows = self._open_rows()
        ours = rows.filter(pl.col(SCENE) == scene)
        if ours.height:
            tar.rewind(int(ours["offset"][0]) - _HEADER_BYTES)
        self._rows = [rows.filter(pl.col(SCENE) < scene)]

    def _reopen(self, rows: pl.DataFrame, scene: int) -> None:
        """Go on in a finished shard, behind the tiles of earlier scenes."""
        position = int(rows.filter(pl.col(SCENE) == scene)["offset"][0]) - _HEADER_BYTES
        finished = self._workspace.folder / self.shard
        path = self._stack.enter_context(self._workspace.part(self.shard))
        shutil.copyfile(finished, path)
        self._tar = _rust.TarWriter(path, resume_at=position)
        self._rows = [rows.filter(pl.col(SCENE) < scene)]

    def rows(self) -> pl.DataFrame:
        """Return the index rows of all finished shards, in the order of the plan."""
        parts = self._parts()
        return pl.concat(parts) if parts else PART_SCHEMA.to_frame()
