"""Scan folders of photos: headers, sidecars, checks, pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from gair_cli.errors import DataError, UsageError
from gair_cli.geo import photo_checks as checks
from gair_cli.geo.columns import ColumnNames
from gair_cli.geo.outputs import fingerprint, plan_hash
from gair_cli.geo.panoramas import ViewOptions, is_panorama
from gair_cli.geo.photo_pixels import LARGEST_DIFFERENCE, Measured, measure_photos, near_duplicates
from gair_cli.geo.photos import ALL_SUFFIXES, photo_files, read_headers
from gair_cli.geo.sidecars import find_sidecars, matched, read_sidecar, with_sidecar
from gair_cli.geo.tables import check_bad

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Progress = Callable[[int], None]

LEAST_SHARPNESS: Final = 40.0
"""Between the 63 real photos of the tests (95 and more) and the same blurred by 2 px (18)."""
MOST_BITS: Final = LARGEST_DIFFERENCE
"""Recompressed and smaller copies differ in up to 15 bits of 256, other photos in 55 and more."""
_HEADERS_AT_ONCE: Final = 2048
_COLUMNS: Final[Mapping[str, Any]] = {
    "photo_id": pl.String, "path": pl.String, "lon": pl.Float64, "lat": pl.Float64,
    "heading": pl.Float32, "pitch": pl.Float32, "fov": pl.Float32,
    "captured_at": pl.Datetime("ms", "UTC"), "h_accuracy_m": pl.Float32, "altitude": pl.Float32,
    "sequence_id": pl.String, "source": pl.String, "licence": pl.String,
    "captured_local": pl.String, "width": pl.UInt32, "height": pl.UInt32, "orientation": pl.UInt8,
    "panorama": pl.Boolean, "sharpness": pl.Float32,
}  # fmt: skip
"""The columns of the table; with views `panorama_id` and `turn` follow."""


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """How photos are scanned.

    Attributes:
        sidecars: Files that tell more of the photos, besides those found by their name.
        names: Column names of sidecars that are tables.
        pixels: Whether photos are decoded: cut-off, blurred and alike ones are found so only.
        least_sharpness: Photos below are blurred; None keeps all.
        most_bits: Bits of 256 in which near-duplicates may differ, at most 15; None keeps all.
        time_zone: Time zone of camera clocks that tell none, as `Europe/Berlin`.
        source: Filled into the column where a sidecar says none.
        licence: Likewise.
        views: How panoramas are cut, if they are.
        max_bad: Photos at fault that are tolerated: a share below 1, or a number; None for any.
        limit: Use the first photos only.
    """

    sidecars: tuple[Path, ...] = ()
    names: ColumnNames = field(default_factory=ColumnNames)
    pixels: bool = True
    least_sharpness: float | None = LEAST_SHARPNESS
    most_bits: int | None = MOST_BITS
    time_zone: str | None = None
    source: str | None = None
    licence: str | None = None
    views: ViewOptions | None = None
    max_bad: float | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.time_zone is not None:
            _refuse_unknown_zone(self.time_zone)


def _refuse_unknown_zone(name: str) -> None:
    try:
        pl.Series([datetime(2020, 1, 1)]).dt.replace_time_zone(name)  # noqa: DTZ001 - a clock
    except pl.exceptions.PolarsError as error:
        raise UsageError(
            f"--time-zone {name}: no such time zone", hint="write it as Europe/Berlin, or UTC"
        ) from error


@dataclass(frozen=True, slots=True)
class Scanned:
    """Photos of which headers and sidecars are read.

    Attributes:
        frame: One row a photo: the columns of the table but `sharpness`, with absolute paths, and
            `fault`, `error`.
        reasons: Why each is rejected so far, None for those that are kept.
        told: Photos that some sidecar names.
        sidecars: The sidecars that were read.
    """

    frame: pl.DataFrame
    reasons: list[str | None]
    told: int
    sidecars: tuple[Path, ...]


def scan(
    folders: Sequence[Path], options: ScanOptions, *, progress: Progress | None = None
) -> Scanned:
    """Read the headers of all photos of some folders, and what their sidecars say.

    Args:
        folders: Searched with their folders; a photo's id is its path in its folder.
        options: How to scan.
        progress: Called with the number of photos read.

    Raises:
        InputError: If a folder is missing or holds no photo, or a sidecar is unreadable.
        DataError: If two photos of two folders have the same id.
        BadRowsError: If more photos are at fault than tolerated.
    """
    ids, paths = _listed(folders, options.limit)
    advance = progress or (lambda _count: None)
    parts = []
    for start in range(0, len(paths), _HEADERS_AT_ONCE):
        parts.append(read_headers(paths[start : start + _HEADERS_AT_ONCE]))
        advance(parts[-1].height)
    frame = pl.DataFrame({"photo_id": ids, "path": [str(path) for path in paths]})
    frame = frame.hstack(pl.concat(parts))
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name)
                               for name in ("sequence_id", "source", "licence"))  # fmt: skip
    found = [path for folder in folders for path in find_sidecars(folder)]
    sidecars = tuple(dict.fromkeys(path.absolute() for path in (*found, *options.sidecars)))
    named: set[int] = set()
    for sidecar in sidecars:
        told = read_sidecar(sidecar, options.names)
        rows = matched(paths, sidecar, told["file"].to_list())
        named |= {number for number, row in enumerate(rows) if row is not None}
        frame = with_sidecar(frame, rows, told)
    frame = _filled(frame, options)
    reasons = checks.header_reasons(frame, now=datetime.now(UTC))
    if options.max_bad is not None:
        bad = sum(reason is not None for reason in reasons)
        check_bad(bad, frame.height, max_bad=options.max_bad, what="photos")
    return Scanned(frame, reasons, len(named), sidecars)


def _listed(folders: Sequence[Path], limit: int | None) -> tuple[list[str], list[Path]]:
    """Return ids and absolute paths of all photos."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in photo_files(folder, ALL_SUFFIXES):
            name = path.relative_to(folder).as_posix()
            if name in found and found[name] != path.absolute():
                raise DataError(
                    f"{found[name]} and {path} would both have the id {name}",
                    hint="scan the folder that holds both folders",
                )
            found[name] = path.absolute()
    names = list(found)[:limit]
    return names, [found[name] for name in names]


def _filled(frame: pl.DataFrame, options: ScanOptions) -> pl.DataFrame:
    """Return photos with what the user says of all of them, and whether they are panoramas."""
    sides = frame.select("width", "height").rows()
    by_sides = pl.Series([is_panorama(*size) for size in sides], dtype=pl.Boolean)
    columns = [
        pl.col("source").fill_null(pl.lit(options.source, pl.String)),
        pl.col("licence").fill_null(pl.lit(options.licence, pl.String)),
        (pl.col("panorama").fill_null(value=False) | by_sides).alias("panorama"),
    ]
    if options.time_zone is not None:
        local = pl.col("captured_local").str.to_datetime(
            "%Y:%m:%d %H:%M:%S", time_unit="ms", strict=False
        )
        zoned = local.dt.replace_time_zone(
            options.time_zone, ambiguous="earliest", non_existent="null"
        )
        columns.append(
            pl.col("captured_at").fill_null(zoned.dt.convert_time_zone("UTC")).alias("captured_at")
        )
    return frame.with_columns(columns)


def plan_of(folders: Sequence[Path], scanned: Scanned, options: ScanOptions) -> dict[str, Any]:
    """Return hashes of the photos and sidecars, and the options: equal plans, equal bytes."""
    files = []
    for path in scanned.frame["path"].to_list():
        told = Path(path).stat()
        files.append((path, told.st_size, told.st_mtime_ns))
    views = options.views
    return {
        "command": "photos",
        "folders": [str(folder.absolute()) for folder in folders],
        "files": plan_hash({"files": files}),
        "sidecars": [fingerprint(path) for path in scanned.sidecars],
        "names": repr(options.names),
        "pixels": options.pixels,
        "least_sharpness": options.least_sharpness,
        "most_bits": options.most_bits,
        "time_zone": options.time_zone,
        "source": options.source,
        "licence": options.licence,
        "views": None if views is None else [views.count, views.degrees, views.size],
        "limit": options.limit,
    }


def to_measure(scanned: Scanned) -> list[int]:
    """Return the rows of photos that are not rejected yet."""
    return [row for row, reason in enumerate(scanned.reasons) if reason is None]


def measured_parts(
    scanned: Scanned, rows: Sequence[int], *, size: int, jobs: int
) -> Iterator[list[Measured]]:
    """Decode the photos of some rows, part by part."""
    paths = [Path(path) for path in scanned.frame["path"].gather(list(rows)).to_list()]
    for start in range(0, len(paths), size):
        yield list(measure_photos(paths[start : start + size], jobs=jobs))


@dataclass(frozen=True, slots=True)
class Judged:
    """Photos with their verdicts.

    Attributes:
        kept: The columns of the table, absolute paths.
        rejected: The others, with `reason`, `detail` (what exactly) and `duplicate_of` (an id).
    """

    kept: pl.DataFrame
    rejected: pl.DataFrame


def judge(
    scanned: Scanned, rows: Sequence[int], measured: Sequence[Measured], options: ScanOptions
) -> Judged:
    """Join headers and pixels, and part the photos.

    Args:
        scanned: What `scan` returned.
        rows: The rows that were decoded.
        measured: What their pixels tell; nothing where pixels were not looked at.
        options: The limits.
    """
    frame = scanned.frame
    sharp: list[float | None] = [None] * frame.height
    details = frame["error"].to_list()
    reasons, twins = list(scanned.reasons), [None] * frame.height
    for row, pixels in zip(rows, measured, strict=True):
        sharp[row] = pixels.sharpness
        if pixels.error is not None:
            reasons[row], details[row] = checks.UNREADABLE, pixels.error
        elif (
            options.least_sharpness is not None
            and pixels.sharpness is not None
            and pixels.sharpness < options.least_sharpness
        ):
            limit = f"{options.least_sharpness:g}"
            reasons[row] = checks.BLURRED
            details[row] = f"sharpness {pixels.sharpness:.1f} below {limit}"
    if options.most_bits is not None:
        _mark_duplicates(frame, rows, measured, options.most_bits, reasons, twins)
    frame = frame.with_columns(pl.Series("sharpness", sharp, dtype=pl.Float32))
    kept = np.array([reason is None for reason in reasons], bool)
    columns = [pl.col(name).cast(kind) for name, kind in _COLUMNS.items()]
    aside = frame.filter(pl.Series(~kept)).select(columns)
    left_out = np.flatnonzero(~kept)
    return Judged(
        frame.filter(pl.Series(kept)).select(columns),
        aside.with_columns(
            pl.Series("reason", [reasons[row] for row in left_out], dtype=pl.String),
            pl.Series("detail", [details[row] for row in left_out], dtype=pl.String),
            pl.Series("duplicate_of", [twins[row] for row in left_out], dtype=pl.String),
        ),
    )


def _mark_duplicates(
    frame: pl.DataFrame,
    rows: Sequence[int],
    measured: Sequence[Measured],
    most_bits: int,
    reasons: list[str | None],
    twins: list[Any],
) -> None:
    """Reject photos that look like an earlier one that is kept."""
    ids = frame["photo_id"]
    left = [(row, pixels.hash) for row, pixels in zip(rows, measured, strict=True)
            if reasons[row] is None]  # fmt: skip
    like = near_duplicates([code for _, code in left], most=most_bits)
    for (row, _), twin in zip(left, like, strict=True):
        if twin is not None:
            reasons[row], twins[row] = checks.DUPLICATE, ids[left[twin][0]]
