"""Write the samples of a plan into shards, one after the other, each whole or not at all.

Where a shard ends depends on the samples before it only, so work that was killed goes on after its
last whole shard and ends in the same bytes as undisturbed work.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from gair_cli.errors import BadRowsError
from gair_cli.geo.outputs import write_json
from gair_cli.geo.packed_photos import PackedPhoto, pack_photos
from gair_cli.geo.packing_plan import KEY, PATH, TILE_ROW
from gair_cli.geo.shard_writer import Sample, write_shard
from gair_cli.geo.shards_summary import shards_info, tiles_in_use, tiles_metadata
from gair_cli.geo.tables import check_bad
from gair_cli.geo.writers import write_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gair_cli.geo.outputs import Workspace
    from gair_cli.geo.tileset import TileSet

_PARTS: Final = "parts"


@dataclass(frozen=True, slots=True)
class PackOptions:
    """How shards are made.

    Attributes:
        short_side: Longest short side of a photo in pixels; photos are never enlarged.
        shard_bytes: Bytes of tiles and photos after which a shard ends; one sample stays whole.
        jobs: Threads that decode photos; the shards do not depend on it.
        max_bad: Share (below 1) or number of bad photos that is tolerated; None for the default.
    """

    short_side: int = 288
    shard_bytes: int = 256 * 2**20
    jobs: int = 1
    max_bad: float | None = None


@dataclass(frozen=True, slots=True)
class PackReport:
    """What was packed.

    Attributes:
        counts: As in `dataset.json`.
        kept_shards: Shards that an earlier run had finished.
        rejected: The photos that could not be used, with `reason`.
    """

    counts: dict[str, Any]
    kept_shards: int
    rejected: pl.DataFrame


def pack_rows(
    workspace: Workspace,
    rows: pl.DataFrame,
    *,
    tiles: TileSet | None,
    options: PackOptions,
    progress: Callable[[int], None] | None = None,
) -> PackReport:
    """Write shards, index, tiles and description into a workspace.

    Args:
        workspace: Of the output folder.
        rows: The samples in packing order, from `packing_plan`.
        tiles: The tile set, if any sample has a tile.
        options: How shards are made.
        progress: Called with the number of further samples done.

    Returns:
        What was packed.

    Raises:
        BadRowsError: If more photos are bad than tolerated, or none is good.
    """
    done = _finished_parts(workspace)
    kept = len(done)
    start = done[-1]["end"] if done else 0
    if progress is not None and start:
        progress(start)
    rejected = _Rejected(rows, options.max_bad, n_bad=sum(part["bad"] for part in done))
    samples = _samples(rows, tiles, start, options=options, rejected=rejected, progress=progress)
    _write_shards(workspace, samples, number=kept, rejected=rejected, limit=options.shard_bytes)
    return _describe(workspace, tiles, options=options, rejected=rejected, kept=kept)


class _Rejected:
    """Bad photos: rows since the last shard, and the count of all."""

    def __init__(self, rows: pl.DataFrame, max_bad: float | None, *, n_bad: int) -> None:
        self.n_total, self.max_bad, self.n_bad = rows.height, max_bad, n_bad
        self._rows: list[tuple[int, str]] = []
        self._plan = rows

    def add(self, row: int, reason: str) -> None:
        """Note a bad photo; raise as soon as there are too many."""
        self._rows.append((row, reason))
        self.n_bad += 1
        check_bad(self.n_bad, self.n_total, max_bad=self.max_bad, what="photos")

    def take(self, end: int | None = None) -> pl.DataFrame:
        """Hand over the bad rows before `end` (all without), once."""
        mine = [one for one in self._rows if end is None or one[0] < end]
        self._rows = [one for one in self._rows if end is not None and one[0] >= end]
        reasons = pl.Series("reason", [reason for _, reason in mine], dtype=pl.String)
        return self._plan[[row for row, _ in mine]].drop(KEY, TILE_ROW, PATH).with_columns(reasons)


def _finished_parts(workspace: Workspace) -> list[dict[str, Any]]:
    """Return the shards that an earlier run wrote, in order, up to the first gap."""
    found: list[dict[str, Any]] = []
    while workspace.has(f"{_PARTS}/{len(found):06d}.json"):
        file = workspace.folder / _PARTS / f"{len(found):06d}.json"
        found.append(json.loads(file.read_text(encoding="utf-8")))
    return found


def _samples(
    rows: pl.DataFrame,
    tiles: TileSet | None,
    start: int,
    *,
    options: PackOptions,
    rejected: _Rejected,
    progress: Callable[[int], None] | None,
) -> Iterator[Sample]:
    """Yield the samples that have anything good, from row `start` on."""
    paths = rows[PATH][start:].to_list()
    photos = pack_photos(paths, short_side=options.short_side, jobs=options.jobs)
    lengths = rows[KEY][start:].rle().struct.field("len").to_list()
    for length in lengths:
        group = [next(photos) for _ in range(length)]
        sample = _sample(rows[start : start + length], group, tiles, start, rejected=rejected)
        start += length
        if progress is not None:
            progress(length)
        if sample is not None:
            yield sample


def _sample(
    rows: pl.DataFrame,
    photos: list[PackedPhoto],
    tiles: TileSet | None,
    start: int,
    *,
    rejected: _Rejected,
) -> Sample | None:
    tile_row = rows[TILE_ROW][0]
    wanted = rows["photo_id"].is_not_null().to_list()
    for number, (photo, needed) in enumerate(zip(photos, wanted, strict=True)):
        if needed and photo.reason is not None:
            rejected.add(start + number, photo.reason)
    good = [
        number
        for number, (photo, needed) in enumerate(zip(photos, wanted, strict=True))
        if photo.data is not None or not needed
    ]
    if not good:
        return None
    tile = None if tile_row is None or tiles is None else tiles.member_bytes(tile_row)
    data = tuple(photos[number].data for number in good)
    return Sample(rows[KEY][0], rows[good], tile, data, start + rows.height)


def _write_shards(
    workspace: Workspace,
    samples: Iterator[Sample],
    *,
    number: int,
    rejected: _Rejected,
    limit: int,
) -> None:
    sample = next(samples, None)
    while sample is not None:
        name = f"shards/train-{number:06d}.tar"
        with workspace.part(name) as path:
            part, sample = write_shard(path, sample, samples, name=name, limit=limit)
        bad = rejected.take(part.end)
        _write_part(workspace, number, part.index, bad)
        content = {"end": part.end, "bad": bad.height}
        write_json(workspace.folder / _PARTS / f"{number:06d}.json", content)
        number += 1


def _write_part(workspace: Workspace, number: int, index: pl.DataFrame, bad: pl.DataFrame) -> None:
    folder = workspace.folder / _PARTS
    folder.mkdir(exist_ok=True)
    write_parquet(index, folder / f"{number:06d}.index.parquet", metadata={})
    if bad.height:
        write_parquet(bad, folder / f"{number:06d}.bad.parquet", metadata={})


def _describe(
    workspace: Workspace,
    tiles: TileSet | None,
    *,
    options: PackOptions,
    rejected: _Rejected,
    kept: int,
) -> PackReport:
    """Join the parts and describe the whole; `dataset.json` last, as the mark of the end."""
    folder = workspace.folder
    bad = [
        pl.read_parquet(file, glob=False)
        for file in sorted((folder / _PARTS).glob("*.bad.parquet"))
    ]
    all_bad = pl.concat([*bad, rejected.take()])
    parts = sorted((folder / _PARTS).glob("*.index.parquet"))
    if not parts:
        raise BadRowsError(
            f"none of {rejected.n_total} photos can be read ({all_bad['reason'][0]})",
            hint="check the paths, or pass --photos-root",
        )
    index = pl.concat([pl.read_parquet(file, glob=False) for file in parts])
    used = tiles_in_use(index, tiles)
    info = shards_info(
        index, used, tiles, short_side=options.short_side, plan_hash=workspace.plan_hash
    )
    write_parquet(index, folder / "index.parquet", metadata={})
    write_parquet(used, folder / "tiles.parquet", metadata=tiles_metadata(used))
    write_json(folder / "dataset.json", info.to_dict())
    return PackReport(dict(info.counts), kept, all_bad)


def remove_parts(workspace: Workspace) -> None:
    """Remove the bookkeeping of unfinished work, once the rejected photos are written aside."""
    shutil.rmtree(workspace.folder / _PARTS, ignore_errors=True)


def remove_if_empty(workspace: Workspace) -> None:
    """Remove the folder of unfinished work if not one shard in it is finished."""
    if not _finished_parts(workspace):
        shutil.rmtree(workspace.folder, ignore_errors=True)
