"""One request to embed: from the command's options to a job, its kind and its plan."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from gair_cli import __version__
from gair_cli.embedding.jobs import (
    Job,
    Settings,
    keep_columns,
    points_in_tiles_job,
    points_job,
    tiles_job,
)
from gair_cli.embedding.photo_jobs import photos_job
from gair_cli.embedding.schema import ModelFacts, TableKind
from gair_cli.embedding.towers import require_tower, width_of
from gair_cli.errors import BadRowsError, UsageError
from gair_cli.geo.columns import ColumnNames
from gair_cli.geo.outputs import atomic_file
from gair_cli.geo.tables import check_bad, read_points, relative_paths
from gair_cli.geo.tileset import TileSet

if TYPE_CHECKING:
    from gair_cli.embedding.writer import Written
    from gair_cli.models.gair import GairModel
    from gair_cli.records import Modality, Space


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """What `gair embed` is asked for.

    Attributes:
        points: A table of points, or `-`.
        photos: A photo table, a folder of photos, or `-`.
        tiles: A tile set: to be embedded, or to be read at the points.
        space: `joint` or `encoder`.
        dtype: `float32` or `float16`.
        batch_size: Rows a step.
        radius_m: Radius of queries in tiles.
        names: The user's column names.
        crs: CRS of the points' coordinates.
        photos_root: Folder of relative photo paths.
        limit: Use the first rows only.
        columns: `all`, `none` or names with commas: which of the user's columns to carry.
        max_bad: Bad rows tolerated.
    """

    points: Path | None = None
    photos: Path | None = None
    tiles: Path | None = None
    space: Space = "joint"
    dtype: str = "float32"
    batch_size: int | None = None
    radius_m: float | None = None
    names: ColumnNames = field(default_factory=ColumnNames)
    crs: str | None = None
    photos_root: Path | None = None
    limit: int | None = None
    columns: str | None = None
    max_bad: float | None = None

    def __post_init__(self) -> None:
        """Refuse a mixture of inputs that has no meaning."""
        if self.points is None and self.photos is None and self.tiles is None:
            raise UsageError("nothing to embed", hint="pass --points, --photos or --tiles")
        if self.photos is not None and (self.points is not None or self.tiles is not None):
            raise UsageError("--photos goes with neither --points nor --tiles")

    @property
    def modality(self) -> Modality:
        """Which kind of vectors is asked for."""
        if self.photos is not None:
            return "sv"
        if self.points is None:
            return "rs"
        return "location" if self.tiles is None else "rs_at"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request, ready to run.

    Attributes:
        job: The rows.
        kind: What all rows share.
        plan: Hashes of the inputs, and the options: equal plans give equal bytes.
        bad: Rows of the input that cannot be used, with `row` and `reason`.
        max_bad: Bad rows tolerated.
    """

    job: Job
    kind: TableKind
    plan: dict[str, Any]
    bad: pl.DataFrame
    max_bad: float | None

    def check_unreadable(self, written: int) -> None:
        """Stop when too many photos cannot be read.

        Raises:
            BadRowsError: When more are bad than tolerated.
        """
        check_bad(written, len(self.job), max_bad=self.max_bad, what="photos")


def prepare(model: GairModel, facts: ModelFacts, request: EmbedRequest) -> Prepared:
    """Read the inputs of a request.

    Args:
        model: The model.
        facts: Its name, hashes and licence.
        request: What is asked for.

    Returns:
        The job with its kind and plan.

    Raises:
        ModelError: When the model has no tower for it.
        InputError: When an input is missing or unreadable.
        DataError: When an input cannot be used.
        BadRowsError: When more rows are bad than tolerated.
    """
    modality = request.modality
    require_tower(model.config, modality)
    settings = Settings(request.space, request.batch_size, request.radius_m)
    job, bad, inputs = _job(model, request, settings)
    job = keep_columns(job, request.columns)
    width = width_of(model, modality, request.space)
    kind = TableKind(modality, request.space, width, request.dtype, facts, __version__)
    plan = {
        "command": "embed",
        "inputs": inputs,
        "columns": job.columns.columns,
        "radius_m": request.radius_m,
        "batch_size": request.batch_size,
        "limit": request.limit,
    }
    return Prepared(job, kind, plan, bad, request.max_bad)


def _job(
    model: GairModel, request: EmbedRequest, settings: Settings
) -> tuple[Job, pl.DataFrame, dict[str, str]]:
    """Return the job, the bad rows of its input and the hashes of its inputs."""
    if request.photos is not None:
        job = photos_job(model, request.photos, settings, names=request.names,
                         photos_root=request.photos_root, limit=request.limit)  # fmt: skip
        return job, pl.DataFrame(), {"photos": _photos_hash(job)}
    tiles = None if request.tiles is None else TileSet.open(request.tiles)
    if request.points is None and tiles is not None:
        job = tiles_job(model, tiles, settings, limit=request.limit)
        return job, pl.DataFrame(), {"tiles": tiles.info.plan_hash}
    table = read_points(str(request.points), names=request.names, crs=request.crs,
                        max_bad=request.max_bad, limit=request.limit)  # fmt: skip
    inputs = {"points": frame_hash(table.frame)}
    if tiles is None:
        return points_job(model, table, settings), table.bad, inputs
    inputs["tiles"] = tiles.info.plan_hash
    return points_in_tiles_job(model, table, tiles, settings), table.bad, inputs


def frame_hash(frame: pl.DataFrame) -> str:
    """Return a hash of a table's columns and values, wherever it came from."""
    buffer = io.BytesIO()
    frame.write_ipc(buffer)
    return hashlib.blake2b(buffer.getbuffer(), digest_size=16).hexdigest()


def _photos_hash(job: Job) -> str:
    """Return a hash of the photos' rows and file sizes; reading every photo would cost a pass."""
    paths = [Path(text) for text in job.columns["path"]]
    sizes = [path.stat().st_size if path.is_file() else -1 for path in paths]
    ids = pl.Series("id", list(job.ids), dtype=pl.String)
    frame = job.columns.drop("path").with_columns(ids, pl.Series("bytes", sizes))
    return frame_hash(frame)


def with_relative_paths(job: Job, output: Path) -> Job:
    """Return the job with photo paths as they are written into a table at `output`."""
    if job.modality != "sv" or "path" not in job.columns.columns:
        return job
    paths = relative_paths(job.columns["path"].to_list(), output.absolute().parent)
    return replace(job, columns=job.columns.with_columns(pl.Series("path", paths)))


def rejected_path(output: Path) -> Path:
    """Return where bad rows go: `emb.rejected.parquet` beside `emb.parquet`."""
    return output.with_name(output.stem + ".rejected.parquet")


def write_rejected(prepared: Prepared, written: Written, output: Path) -> Path | None:
    """Write bad rows and unreadable photos beside the output; remove what an earlier run left.

    Returns:
        The file, or None when there are none.
    """
    rows = [frame for frame in (prepared.bad, written.unreadable) if frame.height]
    path = rejected_path(output)
    if not rows:
        path.unlink(missing_ok=True)
        return None
    with atomic_file(path) as temporary:
        pl.concat(rows, how="diagonal_relaxed").write_parquet(temporary)
    return path


def refuse_bad(prepared: Prepared, written: Written, rejected: Path | None) -> None:
    """Tell by the exit code that some rows were bad, after the rest is done.

    Raises:
        BadRowsError: When there were bad rows or unreadable photos.
    """
    rows, photos = prepared.bad.height, written.unreadable.height
    if not rows + photos:
        return
    first = (prepared.bad if rows else written.unreadable).select("row", "reason").row(0)
    what = f"{rows} bad rows" if rows else f"{photos} unreadable photos"
    where = f"set aside in {rejected}" if rejected else "left without a vector"
    raise BadRowsError(
        f"{what} {where}, the rest is done; row {first[0]}: {first[1]}",
        hint="the column `reason` says why" if rejected else "pass -o FILE to get all reasons",
    )
