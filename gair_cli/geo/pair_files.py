"""From a photo table or folder and a tile set to a pair table on disk."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import polars as pl

from gair_cli.errors import BadRowsError, UsageError
from gair_cli.geo.columns import PATH, ColumnNames, find_column
from gair_cli.geo.geoparquet import points_metadata
from gair_cli.geo.outputs import open_workspace, refuse_foreign
from gair_cli.geo.pairing import PairingOptions, PairReport, PairResult, pair_photos
from gair_cli.geo.photos import scan_photos, with_heading_from_extra
from gair_cli.geo.tables import PhotoTable, check_bad, read_photo_table, relative_paths
from gair_cli.geo.tileset import TileSet
from gair_cli.geo.writers import format_of, write_parquet, write_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


STDIN: Final = "-"
SCHEMA_VERSION: Final = 1
_PAIRS: Final = "pairs"


@dataclass(frozen=True, slots=True)
class PairJob:
    """What is paired, and how.

    Attributes:
        photos: A photo table, `-` for one on standard input, or a folder of photos with EXIF.
        tiles: A tile set.
        options: Of the split.
        names: The user's column names.
        photos_root: Folder of relative paths; default the table's own.
        crs: CRS of the coordinates when they are not longitude and latitude.
        max_bad: Bad rows tolerated: a share below 1, or a number.
        limit: Use the first photos only.
    """

    photos: Path
    tiles: Path
    options: PairingOptions = field(default_factory=PairingOptions)
    names: ColumnNames = field(default_factory=ColumnNames)
    photos_root: Path | None = None
    crs: str | None = None
    max_bad: float | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class PairOutcome:
    """What `pair_to_file` did.

    Attributes:
        status: `finished` means that the output was there already.
        report: Counts; None when there was nothing to do.
        rejected: Where the rejected photos were written, if there are any.
        bad: How many of them are bad rows.
        duplicates: How many rows repeated an earlier one.
        notes: What the user should know.
    """

    status: Literal["new", "finished"]
    report: PairReport | None
    rejected: Path | None = None
    bad: int = 0
    duplicates: int = 0
    notes: tuple[str, ...] = ()


def rejected_path(output: Path) -> Path:
    """Return where rejected photos go: `pairs.rejected.parquet` beside `pairs.parquet`."""
    return output.with_name(output.stem + ".rejected.parquet")


def read_photos(job: PairJob) -> PhotoTable:
    """Read the photos of a job.

    Raises:
        InputError: If the table or folder is missing or unreadable.
        DataError: If the table has no rows or no coordinates, or an id stands for two rows.
        BadRowsError: If more rows are bad than tolerated.
    """
    if str(job.photos) != STDIN and job.photos.is_dir():
        table = scan_photos(job.photos)
        total = table.frame.height + table.bad.height
        check_bad(table.bad.height, total, max_bad=job.max_bad, what="photos")
        frame = table.frame if job.limit is None else table.frame.head(job.limit)
        return PhotoTable(frame, table.bad, table.duplicates)
    table = read_photo_table(
        job.photos,
        names=job.names,
        photos_root=job.photos_root,
        crs=job.crs,
        max_bad=job.max_bad,
        limit=job.limit,
    )
    return PhotoTable(with_heading_from_extra(table.frame), table.bad, table.duplicates)


def pair_table(job: PairJob) -> tuple[PairResult, PhotoTable, str]:
    """Pair without writing: the result, the photos, and the hash of the tile set's plan.

    Paths stay absolute; errors are those of `read_photos`, `TileSet.open` and `pair_photos`.
    """
    if str(job.photos) != STDIN and not job.photos.exists():
        read_photos(job)  # raises: a missing table comes before a missing tile set
    tiles = TileSet.open(job.tiles)
    photos = read_photos(job)
    return pair_photos(photos.frame, tiles.index, options=job.options), photos, tiles.info.plan_hash


def pair_to_file(
    job: PairJob,
    output: Path,
    *,
    format_: str | None = None,
    overwrite: bool = False,
    manifest: Mapping[str, Any] | None = None,
) -> PairOutcome:
    """Write the pair table, and the rejected photos beside it.

    Args:
        job: What to pair.
        output: The pair table.
        format_: `parquet`, `csv`, `geojsonl` or `arrow`; default by the name.
        overwrite: Replace an output made from other inputs or options.
        manifest: More entries for the side manifest (argv, version...).

    Returns:
        What was done. Bad rows are in the rejected table, and counted.

    Raises:
        OutputExistsError: If something else is there.
        InputError: If an input is missing or unreadable.
        DataError: If the photos cannot be used.
        BadRowsError: If more rows are bad than tolerated.
    """
    chosen = format_of(output, format_)
    if chosen == "npy":
        raise UsageError("a pair table cannot be written as npy", hint="end the name in .parquet")
    result, photos, tiles_hash = pair_table(job)
    plan = _plan(job, photos, tiles_hash, chosen)
    refuse_foreign(rejected_path(output), output, overwrite=overwrite)
    space = open_workspace(output, plan, overwrite=overwrite)
    if space.status == "finished":
        return PairOutcome("finished", None)
    folder = output.absolute().parent
    pairs = _with_relative_paths(result.pairs, folder)
    rejected = _write_rejected(result.rejected, photos.bad, job, output)
    texts = {"geo": points_metadata(pairs), "gair": _metadata(result.report, job, tiles_hash)}
    with space.part(_PAIRS) as part:
        write_table(pairs, part, chosen, metadata=texts)
    space.finish_file(_PAIRS, {**(manifest or {}), "report": asdict(result.report)})
    notes = tuple(notes_of(result.report, job.options))
    return PairOutcome("new", result.report, rejected, photos.bad.height, photos.duplicates, notes)


def refuse_bad(count: int, rejected: Path | None) -> None:
    """Tell by the exit code that some rows were bad, after the rest is done.

    Args:
        count: How many.
        rejected: Where they were written, if anywhere.

    Raises:
        BadRowsError: If there were any.
    """
    if count:
        where = "left out" if rejected is None else f"set aside in {rejected}"
        raise BadRowsError(
            f"{count} bad rows were {where}; the rest is done",
            hint="the column `reason` of the rejected table says why",
        )


def notes_of(report: PairReport, options: PairingOptions) -> list[str]:
    """Return what a person should know before training on the pairs."""
    notes = []
    if report.pairs == 0:
        notes.append("no photo lies in any tile; do the tiles cover the photos?")
    if report.shared_tiles:
        notes.append(
            f"{report.shared_tiles} of {report.tiles_used} tiles are shared with, or overlap tiles "
            "of, another split; --buffer METRES keeps splits apart"
        )
    if report.pairs and not options.own_split:
        empty = [name for name in ("train", "val", "test") if not report.splits.get(name)]
        if empty:
            notes.append(
                f"{report.blocks} blocks of {report.block} leave no photo for {', '.join(empty)}; "
                "use a smaller --block, or another --seed"
            )
    return notes


def _plan(job: PairJob, photos: PhotoTable, tiles_hash: str, format_: str) -> dict[str, Any]:
    return {
        "command": "pair",
        "schema_version": SCHEMA_VERSION,
        "photos": _digest(photos),
        "tiles": tiles_hash,
        "options": asdict(job.options),
        "format": format_,
    }


def _digest(photos: PhotoTable) -> str:
    """Hash what was read: it holds for tables, folders and standard input alike."""
    digest = hashlib.blake2b(digest_size=16)
    for frame in (photos.frame, photos.bad):
        digest.update(
            json.dumps([(name, str(kind)) for name, kind in frame.schema.items()]).encode()
        )
        flat = frame.select(pl.all().exclude(pl.Binary, pl.Struct, pl.List, pl.Array))
        digest.update(flat.write_csv().encode())
    return digest.hexdigest()


def _metadata(report: PairReport, job: PairJob, tiles_hash: str) -> str:
    content = {
        "kind": _PAIRS,
        "schema_version": SCHEMA_VERSION,
        "tiles": tiles_hash,
        "block": report.block,
        "seed": job.options.seed,
        "split": "own" if job.options.own_split else "block",
    }
    return json.dumps(content, sort_keys=True)


def _with_relative_paths(frame: pl.DataFrame, folder: Path) -> pl.DataFrame:
    if "path" not in frame.columns:
        return frame
    paths = relative_paths(frame["path"].to_list(), folder)
    return frame.with_columns(pl.Series("path", paths, dtype=pl.String))


def _write_rejected(
    rejected: pl.DataFrame, bad: pl.DataFrame, job: PairJob, output: Path
) -> Path | None:
    """Write rejected photos and bad rows; remove what an earlier run left."""
    path = rejected_path(output)
    path.unlink(missing_ok=True)
    if not rejected.height and not bad.height:
        return None
    mended = _bad_as_photos(bad, rejected.schema, job)
    whole = pl.concat([rejected, mended], how="diagonal_relaxed") if bad.height else rejected
    whole = _with_relative_paths(whole, output.absolute().parent)
    write_parquet(whole.drop("row", strict=False), path, metadata={})
    return path


def _bad_as_photos(bad: pl.DataFrame, schema: Mapping[str, Any], job: PairJob) -> pl.DataFrame:
    """Bring bad rows of the user's table to the photo table's columns, as far as they go."""
    found = find_column(bad.columns, PATH, given=job.names.path, flag="--path-column")
    if found is not None and not job.photos.is_dir():
        root = (job.photos_root or job.photos.parent).absolute()
        texts = bad[found].cast(pl.String).to_list()
        paths = [None if text is None else str(root / text) for text in texts]
        bad = bad.drop(found).with_columns(pl.Series("path", paths, dtype=pl.String))
    casts = [
        pl.col(name).cast(kind, strict=False)
        for name, kind in schema.items()
        if name in bad.columns
    ]
    return bad.with_columns(casts)
