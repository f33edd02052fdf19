"""`gair pack`: training shards from pairs and their tiles, tiles alone, or photos alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from gair_cli.errors import UsageError
from gair_cli.geo import packing_plan as plan
from gair_cli.geo.foreign import Origin, read_foreign
from gair_cli.geo.frames import read_frame
from gair_cli.geo.outputs import fingerprint, open_workspace, refuse_foreign
from gair_cli.geo.packing_stream import PackOptions, pack_rows, remove_if_empty, remove_parts
from gair_cli.geo.pairing import block_splits
from gair_cli.geo.shards import ShardReader
from gair_cli.geo.shards_info import SCHEMA_VERSION
from gair_cli.geo.tables import ColumnNames
from gair_cli.geo.tileset import TileSet
from gair_cli.geo.writers import write_parquet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np


__all__ = ["PackJob", "PackOptions", "PackOutcome", "pack", "plan_rows"]


@dataclass(frozen=True, slots=True)
class PackJob:
    """What is packed.

    Attributes:
        source: A pair table, a photo table, a folder of photos with EXIF positions, or None.
        tiles: The tile set that the pairs lie in, or tiles alone.
        origin: Who wrote `source`, where that is neither a table nor a folder of photos with
            positions: `webdataset` or `huggingface`.
        photos_root: Folder that relative paths start from; default the table's own.
        names: The user's column names, for photo tables.
        block: Size of a split's block for tiles alone and photos alone (`2km`, `0.5deg`); None for
            two tile edges, and 0.1 degree for photos.
        seed: Of the split by blocks.
        limit: Use the first rows only.
        per_tile: Photos of a tile at most; None is all.
        options: How shards are made.
    """

    source: Path | None = None
    tiles: Path | None = None
    origin: Origin | None = None
    photos_root: Path | None = None
    names: ColumnNames = field(default_factory=ColumnNames)
    block: str | None = None
    seed: int = 0
    limit: int | None = None
    per_tile: int | None = None
    options: PackOptions = field(default_factory=PackOptions)


@dataclass(frozen=True, slots=True)
class PackOutcome:
    """What `pack` did.

    Attributes:
        status: `new`, `resumed` or `finished` (there was nothing to do).
        counts: As in `dataset.json`.
        kept_shards: Shards that an earlier run had finished.
        rejected: Number of photos that could not be used.
        rejected_path: Where they are listed with reasons, or None.
    """

    status: Literal["new", "resumed", "finished"]
    counts: dict[str, Any]
    kept_shards: int = 0
    rejected: int = 0
    rejected_path: Path | None = None


def pack(
    job: PackJob,
    output: Path,
    *,
    overwrite: bool = False,
    manifest: dict[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> PackOutcome:
    """Write training shards.

    The bytes depend on the inputs, the seed and the options, not on the number of jobs nor on
    kills in between. A folder of photos is known by its files; photos of a table by the table.

    Args:
        job: What is packed.
        output: The folder; nothing may be there, or the same job's work.
        overwrite: Replace another job's output.
        manifest: More entries for the side manifest (argv, version...).
        progress: Called with the number of further samples done.

    Returns:
        What was done. Photos that could not be read are in `rejected_path`.

    Raises:
        UsageError: If the inputs do not go together.
        InputError: If an input is missing or unreadable.
        DataError: If a pair's tile is unknown, or an id stands for two different rows.
        BadRowsError: If more photos are bad than tolerated.
        OutputExistsError: If something else is at `output`.
    """
    refuse_foreign(_rejected_path(output), output, overwrite=overwrite)
    workspace = open_workspace(output, _plan(job), overwrite=overwrite)
    if workspace.status == "finished":
        with ShardReader(output) as reader:
            return PackOutcome("finished", dict(reader.info.counts))
    try:
        rows, bad_rows, tiles = plan_rows(job)
        report = pack_rows(workspace, rows, tiles=tiles, options=job.options, progress=progress)
    except BaseException:
        remove_if_empty(workspace)
        raise
    rejected = pl.concat([bad_rows, report.rejected], how="diagonal_relaxed")
    path = _write_rejected(rejected, output)
    remove_parts(workspace)
    workspace.finish_folder({**(manifest or {}), "counts": report.counts})
    return PackOutcome(workspace.status, report.counts, report.kept_shards, rejected.height, path)


def _plan(job: PackJob) -> dict[str, Any]:
    options = asdict(job.options)
    for name in ("jobs", "max_bad"):  # neither changes a byte
        del options[name]
    root = None if job.photos_root is None else str(job.photos_root.absolute())
    return {
        "command": "pack",
        "schema": SCHEMA_VERSION,
        "source": None if job.source is None else fingerprint(job.source),
        "origin": job.origin,
        "tiles": None if job.tiles is None else fingerprint(job.tiles),
        "photos_root": root,
        "names": asdict(job.names),
        "split": [job.block, job.seed],
        "limit": job.limit,
        "per_tile": job.per_tile,
        "options": options,
    }


def plan_rows(job: PackJob) -> tuple[pl.DataFrame, pl.DataFrame, TileSet | None]:
    """Return the samples in packing order, the table's bad rows, and the tile set.

    Raises:
        UsageError: If the inputs do not go together.
    """
    tiles = None if job.tiles is None else TileSet.open(job.tiles)
    if job.source is None:
        if tiles is None:
            raise UsageError(
                "nothing to pack", hint="give a pair table, a photo table, or --tiles DIR"
            )
        return plan.rows_of_tiles(tiles, _splits(job, tiles), limit=job.limit), _nothing(), tiles
    if job.origin is not None:
        return _foreign_rows(job)
    is_table = not job.source.is_dir() and job.source.exists()
    if is_table and plan.is_pair_table(read_frame(job.source).columns):
        if tiles is None:
            raise UsageError(f"{job.source} holds pairs and needs their tiles", hint="pass --tiles")
        rows = plan.rows_of_pairs(
            job.source,
            tiles,
            photos_root=job.photos_root,
            limit=job.limit,
            per_tile=job.per_tile,
        )
        return rows, _nothing(), tiles
    if tiles is not None:
        raise UsageError(
            f"{job.source} holds photos, not pairs",
            hint=f"run `gair pair {job.source} --tiles {job.tiles} -o pairs.parquet` first",
        )
    photos = plan.read_photos(
        job.source,
        names=job.names,
        photos_root=job.photos_root,
        max_bad=job.options.max_bad,
    )
    splits = _splits(job, None)
    rows = plan.rows_of_photos(photos, splits, own_split=job.names.split is not None)
    return (rows if job.limit is None else rows.head(job.limit)), photos.bad, None


def _foreign_rows(job: PackJob) -> tuple[pl.DataFrame, pl.DataFrame, None]:
    """Return the samples of another tool's collection of photos, in its own splits if it has."""
    if job.source is None or job.origin is None or job.tiles is not None:
        raise UsageError(
            "--from packs photos alone, with their coordinates",
            hint="give the collection and leave --tiles out",
        )
    photos, has_splits = read_foreign(
        job.source, job.origin, names=job.names, max_bad=job.options.max_bad
    )
    own = has_splits or job.names.split is not None
    rows = plan.rows_of_photos(photos, _splits(job, None), own_split=own)
    return (rows if job.limit is None else rows.head(job.limit)), photos.bad, None


def _splits(job: PackJob, tiles: TileSet | None) -> Callable[[np.ndarray], list[str]]:
    """Return the rule of `gair pair`: the block of the tile's centre, or of a photo alone."""

    def splits(lonlat: np.ndarray) -> list[str]:
        return block_splits(lonlat, block=job.block, seed=job.seed, tiles=tiles)

    return splits


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(schema={"reason": pl.String})


def _rejected_path(output: Path) -> Path:
    return output.with_name(output.name + ".rejected.parquet")


def _write_rejected(rejected: pl.DataFrame, output: Path) -> Path | None:
    path = _rejected_path(output)
    path.unlink(missing_ok=True)
    if not rejected.height:
        return None
    write_parquet(rejected, path, metadata={})
    return path
