"""From a photo table of any size, or a folder, and a tile set to a pair table on disk or a pipe."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import polars as pl

from gair_cli.errors import BadRowsError, UsageError
from gair_cli.geo.columns import ColumnNames
from gair_cli.geo.geoparquet import GEOMETRY, geo_metadata
from gair_cli.geo.outputs import open_workspace, refuse_foreign, sync
from gair_cli.geo.pair_options import PairingOptions
from gair_cli.geo.pair_plan import TILE_COLUMNS, TileFacts, plan_engine
from gair_cli.geo.pair_report import report_pairs
from gair_cli.geo.pair_run import PairReport, PairRun
from gair_cli.geo.pair_sinks import open_pair_sink
from gair_cli.geo.photo_source import FramePhotos, PhotoSource, no_progress, open_photos
from gair_cli.geo.photos import scan_photos
from gair_cli.geo.tables import check_bad, relative_paths
from gair_cli.geo.tileset import TileSet
from gair_cli.geo.writers import format_of, write_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from gair_cli import _rust
    from gair_cli.geo.outputs import Workspace

    Progress = Callable[[int], None]


STDIN: Final = "-"
SCHEMA_VERSION: Final = 2
_PAIRS: Final = "pairs"
_REJECTED: Final = "rejected"


@dataclass(frozen=True, slots=True)
class PairJob:
    """What is paired, and how.

    Attributes:
        photos: A photo table, `-` for one on standard input, or a folder of photos with EXIF.
        tiles: A tile set.
        options: How to pair.
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

    @property
    def is_folder(self) -> bool:
        """Whether the photos are a folder of files."""
        return str(self.photos) != STDIN and self.photos.is_dir()


@dataclass(frozen=True, slots=True)
class PairOutcome:
    """What `pair_to_file` did.

    Attributes:
        status: `finished` means that the output was there already.
        report: Counts; None when there was nothing to do.
        rejected: Where the rejected photos were written, if there are any.
    """

    status: Literal["new", "finished"]
    report: PairReport | None
    rejected: Path | None = None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A job whose photos and tiles are open."""

    job: PairJob
    source: PhotoSource
    bad: pl.DataFrame
    tiles: TileSet

    def run(self, folder: Path | None, progress: Progress) -> PairRun:
        """Plan the pairing and look at all photos once."""
        options, source = self.job.options, self.source
        facts = TileFacts.of(self.tiles.index, options)
        columns = source.columns(options)
        engine = plan_engine(facts, columns, options, photos_root=source.root, folder=folder)
        run = PairRun(engine, source, facts, options, self.job.max_bad, progress)
        run.look()
        run.survey()
        return run

    def plan(self, format_: str) -> dict[str, Any]:
        """Return hashes of the inputs, and the options: equal plans give equal bytes."""
        job = self.job
        return {
            "command": "pair",
            "schema_version": SCHEMA_VERSION,
            "photos": self.source.fingerprint(),
            "bad": self.bad.height,
            "photos_root": None if job.photos_root is None else str(job.photos_root),
            "names": repr(job.names),
            "crs": job.crs,
            "limit": job.limit,
            "tiles": self.tiles.info.plan_hash,
            "options": asdict(job.options),
            "format": format_,
        }


@contextmanager
def _opened(job: PairJob) -> Iterator[_Opened]:
    if job.is_folder:
        table = scan_photos(job.photos)
        total = table.frame.height + table.bad.height
        check_bad(table.bad.height, total, max_bad=job.max_bad, what="photos")
        frame = table.frame if job.limit is None else table.frame.head(job.limit)
        source = FramePhotos(frame, str(job.photos))
        yield _Opened(job, source, table.bad, _tiles(job))
        return
    with open_photos(
        job.photos,
        names=job.names,
        photos_root=job.photos_root,
        crs=job.crs,
        limit=job.limit,
    ) as photos:
        yield _Opened(job, photos, pl.DataFrame(), _tiles(job))


def _tiles(job: PairJob) -> TileSet:
    return TileSet.open(job.tiles, columns=TILE_COLUMNS)


def rejected_path(output: Path) -> Path:
    """Return where rejected photos go: `pairs.rejected.parquet` beside `pairs.parquet`."""
    return output.with_name(output.stem + ".rejected.parquet")


def pair_to_file(
    job: PairJob,
    output: Path,
    *,
    format_: str | None = None,
    overwrite: bool = False,
    manifest: Mapping[str, Any] | None = None,
    report: Path | None = None,
    picture: Path | None = None,
    progress: Progress = no_progress,
) -> PairOutcome:
    """Write the pair table, and the rejected photos beside it; memory holds a few batches.

    Args:
        job: What to pair.
        output: The pair table.
        format_: `parquet`, `csv`, `geojsonl` or `arrow`; default by the name.
        overwrite: Replace an output made from other inputs or options.
        manifest: More entries for the side manifest (argv, version...).
        report: Where to write the counts, and the least distances between splits, as JSON.
        picture: Where to draw the tiles of each split, a PNG.
        progress: Called with the number of rows done, pass by pass.

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
    if picture is not None and picture.suffix.lower() != ".png":
        raise UsageError(f"--map {picture}: the map is a PNG", hint="end its name in .png")
    refuse_foreign(rejected_path(output), output, overwrite=overwrite)
    with _opened(job) as opened:
        beside = {"report": report, "map": picture}
        more = {name: str(path) for name, path in beside.items() if path is not None}
        plan = {**opened.plan(chosen), **more}
        space = open_workspace(output, plan, overwrite=overwrite)
        if space.status == "finished":
            return PairOutcome("finished", None)
        try:
            run = opened.run(output.absolute().parent, progress)
            done = _with_folder(_write(opened, run, space, chosen), opened.bad)
            if report is not None or picture is not None:
                report_pairs(run, done, report_path=report, picture=picture)
            aside = _rejected_part(space, opened.bad, output)
        except BaseException:
            space.abandon()  # a pairing takes minutes at most and starts anew
            raise
        space.finish_file(_PAIRS, {**(manifest or {}), "report": asdict(done)})
    return PairOutcome("new", done, aside)


def _write(opened: _Opened, run: PairRun, space: Workspace, format_: str) -> PairReport:
    """Write the parts `pairs` and, where photos are rejected, `rejected`."""
    with space.part(_PAIRS) as pairs, space.part(_REJECTED) as rejected:
        if format_ == "parquet":
            run.engine.write_to(pairs, rejected)
            report = run.write()
            run.engine.close(list(_texts(opened, report.block, report).items()))
            return report
        run.engine.write_to(None, rejected)
        with pairs.open("wb") as file:
            report = _drained(opened, run, file, format_)
        run.engine.close([])
        return report


def _drained(opened: _Opened, run: PairRun, file: BinaryIO, format_: str) -> PairReport:
    sink = open_pair_sink(file, format_, _texts(opened, run.tiles.block))

    def drain(engine: _rust.PairEngine) -> None:
        for pairs, _ in engine.take():
            sink.write(pairs)

    report = run.write(drain)
    sink.close()
    return report


def pair_to_stream(
    job: PairJob, file: BinaryIO, *, format_: str, progress: Progress = no_progress
) -> PairReport:
    """Write the pairs to an open file or pipe, batch by batch.

    Returns:
        Counts.

    Raises:
        BrokenPipeError: When the reader has had enough.
    """
    with _opened(job) as opened:
        run = opened.run(None, progress)
        report = _with_folder(_drained(opened, run, file, format_), opened.bad)
    file.flush()
    return report


def pair_table(job: PairJob) -> tuple[pl.DataFrame, PairReport]:
    """Pair into memory: the pair table, with absolute paths, and counts."""
    parts: list[pl.DataFrame] = []
    with _opened(job) as opened:
        run = opened.run(None, no_progress)

        def drain(engine: _rust.PairEngine) -> None:
            parts.extend(pl.DataFrame(pairs) for pairs, _ in engine.take())

        report = run.write(drain)
        return pl.concat(parts), _with_folder(report, opened.bad)


def _with_folder(report: PairReport, bad: pl.DataFrame) -> PairReport:
    """Count the files of a folder that cannot be used among the bad rows."""
    return replace(report, bad=report.bad + bad.height)


def _rejected_part(space: Workspace, bad: pl.DataFrame, output: Path) -> Path | None:
    """Name the rejected photos' table, with what a folder's files had to be left out for."""
    path, part = rejected_path(output), space.folder / _REJECTED
    path.unlink(missing_ok=True)
    any_ = part.stat().st_size > 0
    if not any_ and not bad.height:
        part.unlink()
        return None
    if bad.height:
        folder = output.absolute().parent
        paths = pl.Series("path", relative_paths(bad["path"].to_list(), folder), dtype=pl.String)
        tables = [bad.with_columns(paths).drop("row", strict=False)]
        if any_:
            tables.insert(0, pl.read_parquet(part))
        write_parquet(pl.concat(tables, how="diagonal_relaxed"), part, metadata={})
    sync(part)
    part.replace(path)
    return path


def refuse_bad(count: int, rejected: Path | None) -> None:
    """Tell by the exit code that some rows were bad, after the rest is done.

    Args:
        count: How many.
        rejected: Where they were written, if anywhere.

    Raises:
        BadRowsError: If there were any.
    """
    if count:
        rows = "bad row was" if count == 1 else "bad rows were"
        where = "left out" if rejected is None else f"set aside in {rejected}"
        raise BadRowsError(
            f"{count} {rows} {where}; the rest is done",
            hint="the column `reason` of the rejected table says why"
            if rejected
            else "pass -o FILE to get all reasons",
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


def _texts(opened: _Opened, block: str, report: PairReport | None = None) -> dict[str, str]:
    """Return the texts of the whole table: `geo` where it has a geometry, and `gair`."""
    options = opened.job.options
    content = {
        "kind": _PAIRS,
        "schema_version": SCHEMA_VERSION,
        "tiles": opened.tiles.info.plan_hash,
        "block": block,
        "seed": options.seed,
        "split": "own" if options.own_split else "block",
    }
    texts = {"gair": json.dumps(content, sort_keys=True)}
    if options.columns is None or GEOMETRY in options.columns:
        texts["geo"] = geo_metadata(None if report is None else report.bounds, ["Point"])
    return texts
