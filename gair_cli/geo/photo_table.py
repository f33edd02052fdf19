"""Write the photo table of a scan, what was rejected, and the views of panoramas."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from gair_cli.errors import BadRowsError, DataError, InputError, UsageError
from gair_cli.geo.geoparquet import points_metadata, with_points
from gair_cli.geo.outputs import open_workspace, refuse_foreign
from gair_cli.geo.panoramas import ViewOptions, cut_view, detail_of, is_panorama, view_jpeg
from gair_cli.geo.photo_checks import FILTERED
from gair_cli.geo.photo_pixels import Measured
from gair_cli.geo.photo_scan import (
    Judged,
    Scanned,
    ScanOptions,
    judge,
    measured_parts,
    plan_of,
    scan,
    to_measure,
)
from gair_cli.geo.photos import read_jpeg
from gair_cli.geo.tables import relative_paths
from gair_cli.geo.writers import write_parquet, write_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gair_cli.geo.outputs import Workspace

    Progress = Callable[[int], None]

_PART_PHOTOS: Final = 512
_PHOTOS: Final = "photos"
_VIEWS: Final = "views"


@dataclass(frozen=True, slots=True)
class PhotoReport:
    """What became of the files.

    Attributes:
        files: How many photos there were.
        kept: How many are in the table, panoramas that were cut counted once.
        rows: Rows of the table.
        views: Views that were cut.
        whole_panoramas: Panoramas that were not cut because they do not go all around.
        headings: Kept photos whose heading is known.
        dates: Kept photos whose date is known in UTC.
        told: Photos that some sidecar names.
        rejected: Photos a reason.
        bad: Those of them that are at fault, not left out by choice.
        bounds: West, south, east, north of the kept.
    """

    files: int
    kept: int
    rows: int
    views: int
    whole_panoramas: int
    headings: int
    dates: int
    told: int
    rejected: Mapping[str, int]
    bad: int
    bounds: tuple[float, float, float, float] | None


@dataclass(frozen=True, slots=True)
class PhotoOutcome:
    """What `photos_to_file` did.

    Attributes:
        report: Counts; None when there was nothing to do.
        rejected: Where the rejected photos are listed, if there are any.
        views: The folder of views, if any were cut.
    """

    report: PhotoReport | None
    rejected: Path | None = None
    views: Path | None = None


def rejected_path(output: Path) -> Path:
    """Return where rejected photos are listed: `photos.rejected.parquet`."""
    return output.with_name(output.stem + ".rejected.parquet")


def views_path(output: Path) -> Path:
    """Return the folder of views: `photos.views` beside `photos.parquet`."""
    return output.with_name(output.stem + ".views")


def photos_to_file(
    folders: Sequence[Path],
    output: Path,
    options: ScanOptions,
    *,
    format_: str,
    overwrite: bool = False,
    jobs: int | None = None,
    progress: Callable[[int, str], Progress] | None = None,
) -> PhotoOutcome:
    """Scan folders and write the table; what was decoded is kept when the run is interrupted.

    Args:
        folders: Folders of photos.
        output: The table.
        options: How to scan.
        format_: `parquet`, `csv`, `geojsonl` or `arrow`.
        overwrite: Replace what is there.
        jobs: Threads that decode.
        progress: Called with a number of photos and what is done with them, at the start of each
            step; returns what is called with numbers of photos done.

    Raises:
        InputError: If a folder is missing or holds no photo.
        DataError: If every photo is rejected.
        OutputExistsError: If something else is at the output.
    """
    if format_ == "npy":
        raise UsageError("a photo table cannot be written as npy", hint="end it in .parquet")
    if not output.absolute().parent.is_dir():
        raise InputError(f"folder {output.parent} does not exist", hint=f"mkdir -p {output.parent}")
    step = progress or (lambda _count, _what: lambda _done: None)
    scanned = scan(folders, options, progress=step(0, "headers"))
    for beside in (rejected_path(output), *([views_path(output)] if options.views else [])):
        refuse_foreign(beside, output, overwrite=overwrite)
    plan = {**plan_of(folders, scanned, options), "format": format_}
    space = open_workspace(output, plan, overwrite=overwrite)
    if space.status == "finished":
        return PhotoOutcome(None)
    threads = jobs or os.cpu_count() or 1
    judged = _judged(scanned, options, space, threads, step)
    if not judged.kept.height:
        space.abandon()
        raise _nothing_left(judged)
    kept, views_cut = _with_views(judged, options, space, output, threads, step)
    report = _completed(views_cut, kept, judged, scanned)
    _write(kept, space, output, format_)
    aside = _write_rejected(judged, output)
    views = _publish_views(space, output) if report.views else None
    space.finish_file(_PHOTOS, {"report": asdict(report)})
    return PhotoOutcome(report, aside, views)


def photos_in_memory(
    folders: Sequence[Path], options: ScanOptions, *, jobs: int | None = None
) -> tuple[pl.DataFrame, PhotoReport]:
    """Scan folders into memory: the table, with absolute paths, and counts.

    Raises:
        UsageError: If views are asked for, which need a place.
        InputError: If a folder is missing or holds no photo.
        DataError: If every photo is rejected.
    """
    if options.views is not None:
        raise UsageError("--views needs a table on disk", hint="pass -o FILE")
    scanned = scan(folders, options)
    rows = to_measure(scanned) if options.pixels else []
    threads = jobs or os.cpu_count() or 1
    parts = measured_parts(scanned, rows, size=_PART_PHOTOS, jobs=threads)
    judged = judge(scanned, rows, [each for part in parts for each in part], options)
    if not judged.kept.height:
        raise _nothing_left(judged)
    lonlat = judged.kept.select("lon", "lat").to_numpy()
    report = _completed((0, 0), judged.kept, judged, scanned)
    return with_points(judged.kept, lonlat), report


def _nothing_left(judged: Judged) -> DataError:
    counts = ", ".join(f"{count} {reason}" for reason, count in _rejected(judged).items())
    return DataError(
        f"no photo is left of {judged.rejected.height}: {counts}",
        hint="do the photos carry GPS? name a table of positions with --sidecar",
    )


def _judged(
    scanned: Scanned,
    options: ScanOptions,
    space: Workspace,
    jobs: int,
    step: Callable[[int, str], Progress],
) -> Judged:
    """Decode photos part by part; parts of an earlier run are read."""
    rows = to_measure(scanned) if options.pixels else []
    advance = step(len(rows), "pixels")
    measured: list[Measured] = []
    for start in range(0, len(rows), _PART_PHOTOS):
        name = f"pixels/{start:09d}.parquet"
        part = rows[start : start + _PART_PHOTOS]
        if space.has(name):
            stored = pl.read_parquet(space.folder / name)
            found = [Measured(**row) for row in stored.to_dicts()]
        else:
            found = next(measured_parts(scanned, part, size=_PART_PHOTOS, jobs=jobs))
            with space.part(name) as path:
                pl.DataFrame([asdict(each) for each in found], schema=_MEASURED).write_parquet(path)
        measured += found
        advance(len(part))
    return judge(scanned, rows, measured, options)


_MEASURED: Final[Mapping[str, Any]] = {
    "sharpness": pl.Float64, "hash": pl.Binary, "error": pl.String
}  # fmt: skip


def _with_views(
    judged: Judged,
    options: ScanOptions,
    space: Workspace,
    output: Path,
    jobs: int,
    step: Callable[[int, str], Progress],
) -> tuple[pl.DataFrame, tuple[int, int]]:
    """Return the rows of the table, panoramas replaced by their views, and counts of both."""
    views = options.views
    if views is None:
        return judged.kept, (0, 0)
    kept = judged.kept.with_columns(
        pl.lit(None, pl.String).alias("panorama_id"), pl.lit(None, pl.Float32).alias("turn")
    )
    whole = pl.Series([bool(row["panorama"]) and is_panorama(row["width"], row["height"])
                       for row in kept.iter_rows(named=True)], dtype=pl.Boolean)  # fmt: skip
    panoramas = kept.filter(whole)
    advance = step(panoramas.height, "views")

    def cut(row: dict[str, Any]) -> list[dict[str, Any]]:
        made = _cut(row, views, space, views_path(output))
        advance(1)
        return made

    with ThreadPoolExecutor(jobs) as pool:
        made = list(pool.map(cut, panoramas.iter_rows(named=True)))
    numbers = iter(made)
    rows: list[dict[str, Any]] = []
    for row, is_whole in zip(kept.iter_rows(named=True), whole, strict=True):
        rows += next(numbers) if is_whole else [row]
    count = sum(len(each) for each in made)
    left = int(kept["panorama"].sum()) - panoramas.height
    return pl.DataFrame(rows, schema=kept.schema), (count, left)


def _cut(
    row: dict[str, Any], views: ViewOptions, space: Workspace, folder: Path
) -> list[dict[str, Any]]:
    """Cut the views of one panorama, those that an earlier run has not, and return their rows."""
    size = views.size or detail_of(int(row["width"]), views.degrees)
    stem = str(Path(row["photo_id"]).with_suffix("").as_posix())
    pixels = None
    made = []
    for number, turn in enumerate(views.turns):
        name = f"{stem}.view{number}.jpg"
        if not space.has(f"{_VIEWS}/{name}"):
            pixels = read_jpeg(row["path"]) if pixels is None else pixels
            view = cut_view(pixels, turn=turn, fov=views.degrees, size=size)
            with space.part(f"{_VIEWS}/{name}") as path:
                path.write_bytes(view_jpeg(view))
        heading = None if row["heading"] is None else (row["heading"] + turn) % 360.0
        made.append(row | {
            "photo_id": name, "path": str(folder.absolute() / name), "heading": heading,
            "pitch": 0.0, "fov": views.degrees, "width": size, "height": size, "orientation": 1,
            "panorama": False, "sharpness": None,
            "panorama_id": row["photo_id"], "turn": turn,
        })  # fmt: skip
    return made


def _completed(
    views: tuple[int, int], kept: pl.DataFrame, judged: Judged, scanned: Scanned
) -> PhotoReport:
    rejected = _rejected(judged)
    photos = judged.kept
    box = [photos["lon"].min(), photos["lat"].min(), photos["lon"].max(), photos["lat"].max()]
    west, south, east, north = (float(value) for value in box)  # type: ignore[arg-type]
    return PhotoReport(
        files=scanned.frame.height,
        kept=photos.height,
        rows=kept.height,
        views=views[0],
        whole_panoramas=views[1],
        headings=int(photos["heading"].is_not_null().sum()),
        dates=int(photos["captured_at"].is_not_null().sum()),
        told=scanned.told,
        rejected=rejected,
        bad=sum(count for reason, count in rejected.items() if reason not in FILTERED),
        bounds=(west, south, east, north),
    )


def _rejected(judged: Judged) -> dict[str, int]:
    return dict(sorted(Counter(judged.rejected["reason"].to_list()).items()))


def _write(kept: pl.DataFrame, space: Workspace, output: Path, format_: str) -> None:
    folder = output.absolute().parent
    paths = pl.Series("path", relative_paths(kept["path"].to_list(), folder), dtype=pl.String)
    lonlat = kept.select("lon", "lat").to_numpy()
    table = with_points(kept.with_columns(paths), lonlat)
    with space.part(_PHOTOS) as path:
        write_table(table, path, format_, metadata={"geo": points_metadata(table)})


def _write_rejected(judged: Judged, output: Path) -> Path | None:
    path = rejected_path(output)
    if not judged.rejected.height:
        path.unlink(missing_ok=True)
        return None
    folder = output.absolute().parent
    files = relative_paths(judged.rejected["path"].to_list(), folder)
    frame = judged.rejected.with_columns(pl.Series("path", files, dtype=pl.String))
    write_parquet(frame, path, metadata={})
    return path


def _publish_views(space: Workspace, output: Path) -> Path:
    """Give the folder of views its name; an older one of this output goes."""
    target = views_path(output)
    old = target.with_name(f".{target.name}.old.tmp")
    if target.exists():
        target.rename(old)
    (space.folder / _VIEWS).rename(target)
    if old.exists():
        shutil.rmtree(old)
    return target


def lines_of(report: PhotoReport) -> list[str]:
    """Return the report as lines for people."""
    cut = f"; {report.views:,} views cut" if report.views else ""
    counts = f"{report.kept:,} of {report.files:,} photos kept, {report.headings:,} with heading"
    lines = [f"{counts}, {report.dates:,} with date{cut}"]
    if report.told:
        lines.append(f"sidecars told of {report.told:,} photos")
    if report.rejected:
        counts = ", ".join(f"{count:,} {reason}" for reason, count in report.rejected.items())
        lines.append(f"rejected: {counts}")
    return lines


def notes_of(report: PhotoReport) -> list[str]:
    """Return what a person should know before using the table."""
    notes = []
    if report.whole_panoramas:
        notes.append(
            f"{report.whole_panoramas:,} panoramas do not go all around (2 to 1) and were not cut"
        )
    return notes


def refuse_bad(report: PhotoReport, rejected: Path | None) -> None:
    """Tell by the exit code that some photos were at fault, after the rest is done.

    Raises:
        BadRowsError: When there were any.
    """
    if not report.bad:
        return
    photos = "photo" if report.bad == 1 else "photos"
    where = f"listed in {rejected}" if rejected else "left out"
    raise BadRowsError(
        f"{report.bad:,} bad {photos} {where}, the rest is done",
        hint="the column `reason` says why" if rejected else "pass -o FILE to get all reasons",
    )
