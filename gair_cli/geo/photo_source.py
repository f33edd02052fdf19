"""Photos of a table of any size, handed to the pairing engine pass by pass.

Parquet and Arrow whose columns have fitting types are read by the engine itself. Any other table is
read in batches and brought to the photo table's columns first; a folder of photos is a table in
memory.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import polars as pl

from gair_cli import _rust
from gair_cli.errors import DataError, InputError
from gair_cli.geo import columns as names_of
from gair_cli.geo.columns import ColumnNames, find_column, find_lonlat
from gair_cli.geo.fingerprints import fingerprint
from gair_cli.geo.frames import STDIN
from gair_cli.geo.geoparquet import BBOX, GEOMETRY, crs_of, primary_column
from gair_cli.geo.outputs import plan_hash
from gair_cli.geo.pair_plan import Columns, kind_of
from gair_cli.geo.photos import heading_in_extra, with_heading_from_extra
from gair_cli.geo.table_batches import TableFile, open_table
from gair_cli.geo.tables import PHOTO_FLOATS, PHOTO_TEXT, canonical_photos, read_lonlat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gair_cli.geo.pair_counts import Looked
    from gair_cli.geo.pair_options import PairingOptions

    Progress = Callable[[int], None]

_NUMBERS: Final = frozenset({"integer", "float"})
_NAMES: Final = frozenset({"integer", "text"})
_FITS: Final = {
    "id": _NAMES,
    "path": frozenset({"text"}),
    "text": _NAMES,
    "float64": _NUMBERS,
    "float32": _NUMBERS,
    "time": frozenset({"time"}),
    "wkb_x": frozenset({"binary"}),
    "wkb_y": frozenset({"binary"}),
}
_FRAME_ROWS: Final = 65_536


class PhotoSource(Protocol):
    """Where photos come from."""

    @property
    def name(self) -> str:
        """The path, or `standard input`, for messages."""

    @property
    def root(self) -> Path:
        """Folder that relative paths start from."""

    def columns(self, options: PairingOptions) -> Columns:
        """Return the photos' columns; what a first look finds may be needed for that."""

    def feed(self, engine: _rust.PairEngine, *, progress: Progress) -> None:
        """Hand all rows to the engine's pass."""

    def fingerprint(self) -> str:
        """Return a hash that changes when the photos do."""


@dataclass(frozen=True, slots=True)
class EnginePhotos:
    """A Parquet or Arrow file that the engine reads.

    Attributes:
        path: The file.
        name: The path as given, or `standard input`.
        root: Folder that relative paths start from.
        specs: Column, name in the photo table, kind.
        limit: Use the first rows only.
    """

    path: Path
    name: str
    root: Path
    specs: tuple[tuple[str, str, str], ...]
    limit: int | None = None

    def columns(self, options: PairingOptions) -> Columns:
        """Return the photos' columns."""
        kinds = {target: kind for _, target, kind in self.specs}
        text = options.block_column
        if text is not None and kinds.get(text) == "own":
            kinds[text] = "text"
        return [(source, target, kinds[target]) for source, target, _ in self.specs]

    def feed(self, engine: _rust.PairEngine, *, progress: Progress) -> None:
        """Let the engine read the file."""
        try:
            engine.read(self.path, limit=self.limit, progress=progress)
        except OSError as error:
            if not str(error).startswith(f"{self.path}: "):
                raise  # of a file that is written
            raise _unreadable(self.name, self.path, error) from error

    def fingerprint(self) -> str:
        """Hash the file."""
        return fingerprint(self.path)


@dataclass(slots=True)
class BatchPhotos:
    """A table that is read in batches and brought to the photo table's columns.

    Attributes:
        table: Where the rows are.
        names: The user's column names.
        root: Folder that relative paths start from.
        crs: CRS of the coordinates when they are not longitude and latitude.
        limit: Use the first rows only.
    """

    table: TableFile
    names: ColumnNames
    root: Path
    crs: str | None = None
    limit: int | None = None
    _schema: pl.Schema | None = field(default=None, init=False)
    _from_extra: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        """The path, or `standard input`."""
        return self.table.name

    def columns(self, options: PairingOptions) -> Columns:
        """Look at all rows for the types of the columns, and return these."""
        first = self._canonical_batches(self._look())
        names = next(first).columns
        return [(name, name, kind_of(name, options)) for name in names]

    def feed(self, engine: _rust.PairEngine, *, progress: Progress) -> None:
        """Hand the rows over, batch by batch."""
        for frame in self._canonical_batches(self._look()):
            engine.add(frame)
            progress(frame.height)

    def fingerprint(self) -> str:
        """Hash the file's content."""
        return fingerprint(self.table.path)

    def _look(self) -> pl.Schema:
        """Return the types that hold the values of all batches."""
        if self._schema is None:
            seen: pl.DataFrame | None = None
            for frame in self._frames(()):
                self._from_extra |= heading_in_extra(frame)
                types = {s.name: pl.Null if s.null_count() == len(s) else s.dtype for s in frame}
                empty = pl.DataFrame(schema=types)
                seen = empty if seen is None else pl.concat([seen, empty], how="diagonal_relaxed")
            if seen is None:
                raise DataError(f"{self.name} has no rows", hint="give a table with at least one")
            self._schema = pl.Schema(
                {n: pl.String if kind == pl.Null else kind for n, kind in seen.schema.items()}
            )
        return self._schema

    def _frames(self, text: tuple[str, ...]) -> Iterator[pl.DataFrame]:
        rows = 0
        for source in self.table.batches(text_columns=text):
            left = source.frame.height if self.limit is None else self.limit - rows
            if left <= 0:
                return
            rows += min(left, source.frame.height)
            yield source.frame.head(left)

    def _canonical_batches(self, schema: pl.Schema) -> Iterator[pl.DataFrame]:
        coordinates = find_lonlat(list(schema), self.names, planar_names=True) or ()
        text = tuple(n for n, kind in schema.items() if kind == pl.String and n not in coordinates)
        first = 0
        for source in self.table.batches(text_columns=text):
            left = source.frame.height if self.limit is None else self.limit - first
            if left <= 0:
                return
            frame = source.frame.head(left)
            lonlat = read_lonlat(source, frame, self.names, crs=self.crs)
            photos = canonical_photos(
                _cast(frame, schema), lonlat, self.names, self.root, first_row=first
            )
            yield with_heading_from_extra(photos, always=self._from_extra)
            first += frame.height


def _cast(frame: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return a batch in the types of the whole table, null where it has no such column."""
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in schema.items()
    )


@dataclass(frozen=True, slots=True)
class FramePhotos:
    """Photos in memory, in the photo table's columns; paths are absolute.

    Attributes:
        frame: One row a photo.
        name: Where they come from, for messages.
    """

    frame: pl.DataFrame
    name: str = "the photo table"

    @property
    def root(self) -> Path:
        """The working folder: no path is relative."""
        return Path.cwd()

    def columns(self, options: PairingOptions) -> Columns:
        """Return the photos' columns."""
        made = {GEOMETRY, BBOX}
        names = [name for name in self.frame.columns if name not in made]
        return [(name, name, kind_of(name, options)) for name in names]

    def feed(self, engine: _rust.PairEngine, *, progress: Progress) -> None:
        """Hand the rows over."""
        for start in range(0, self.frame.height, _FRAME_ROWS):
            part = self.frame[start : start + _FRAME_ROWS]
            engine.add(part)
            progress(part.height)

    def fingerprint(self) -> str:
        """Hash the rows."""
        flat = self.frame.select(pl.all().exclude(pl.Binary, pl.Struct, pl.List, pl.Array))
        return plan_hash({"schema": str(self.frame.schema), "rows": flat.write_csv()})


@contextmanager
def open_photos(
    source: Path,
    *,
    names: ColumnNames,
    photos_root: Path | None = None,
    crs: str | None = None,
    limit: int | None = None,
) -> Iterator[PhotoSource]:
    """Open a photo table of any size.

    Args:
        source: CSV, Parquet, GeoParquet, Arrow or GeoJSON; `-` is standard input.
        names: The user's column names.
        photos_root: Folder of relative paths; default the table's own.
        crs: CRS of the coordinates when they are not longitude and latitude.
        limit: Use the first rows only.

    Raises:
        InputError: If the table is missing, empty or unreadable.
        DataError: If a column that the user named is not there.
    """
    with open_table(source, text_columns=(names.id,) if names.id else ()) as table:
        own_folder = Path.cwd() if str(source) == STDIN else table.path.absolute().parent
        root = (photos_root or own_folder).absolute()
        readable = table.format in {"parquet", "arrow"} and crs is None
        specs = _fitting(table, names) if readable else None
        if specs is not None:
            yield EnginePhotos(table.path, table.name, root, tuple(specs), limit)
        else:
            yield BatchPhotos(table, names, root, crs, limit)


def _fitting(table: TableFile, names: ColumnNames) -> Columns | None:
    """Return the columns of a file if the engine can read them as they are."""
    try:
        described, texts = _rust.describe_table(table.path)
    except OSError as error:
        raise _unreadable(table.name, table.path, error) from error
    kinds = dict(described)
    coordinates = _coordinates(kinds, dict(texts), names)
    if coordinates is None:
        return None
    specs = _known(list(kinds), names, coordinates)
    targets = {target for _, target, _ in specs}
    if "photo_id" not in targets or ("heading" not in targets and kinds.get("extra") == "text"):
        return None  # said, or looked for, where tables are read batch by batch
    fits = all(kinds[source] in _FITS[kind] for source, _, kind in specs)
    used = {source for source, _, _ in specs}
    own = [name for name in kinds if name not in {*used, GEOMETRY, BBOX} and name not in targets]
    own = [name for name in own if name not in (find_lonlat(list(kinds), names) or ())]
    return [*specs, *((name, name, "own") for name in own)] if fits else None


def _unreadable(name: str, path: Path, error: OSError) -> InputError:
    what = str(error).removeprefix(f"{path}: ")
    return InputError(f"{name} cannot be read: {what}", hint="is it whole? write or copy it again")


def _coordinates(
    kinds: Mapping[str, str], texts: Mapping[str, str], names: ColumnNames
) -> Columns | None:
    given = names.lon is not None or names.lat is not None
    geo = texts.get("geo")
    if geo is not None and not given and GEOMETRY in kinds:
        if primary_column(geo) != GEOMETRY or crs_of(geo) is not None:
            return None
        return [(GEOMETRY, "lon", "wkb_x"), (GEOMETRY, "lat", "wkb_y")]
    found = find_lonlat(list(kinds), names)
    if found is None:
        return None
    return [(found[0], "lon", "float64"), (found[1], "lat", "float64")]


def _known(columns: list[str], names: ColumnNames, coordinates: Columns) -> Columns:
    """Return the columns that the photo table knows, in its order."""

    def find(known: tuple[str, ...], given: str | None, flag: str) -> str | None:
        return find_column(columns, known, given=given, flag=flag)

    path = find(names_of.PATH, names.path, "--path-column")
    id_ = find(names_of.ID, names.id, "--id-column")
    heading = find(names_of.HEADING, names.heading, "--heading-column")
    split = find(names_of.SPLIT, names.split, "--split-column")
    specs: Columns = []
    if id_ or path:
        specs.append((str(id_ or path), "photo_id", "id"))
    if path:
        specs.append((path, "path", "path"))
    specs += coordinates
    if heading:
        specs.append((heading, "heading", "float32"))
    if split:
        specs.append((split, "split", "text"))
    texts = [name for name in PHOTO_TEXT if name != "split"]
    for kind, group in (("float32", PHOTO_FLOATS), ("text", texts), ("time", ("captured_at",))):
        specs += [(name, name, kind) for name in group if name in columns]
    return specs


def no_progress(_rows: int) -> None:
    """Tell nobody."""


def lonlat_sample(looked: Looked) -> np.ndarray:
    """Return the sample of points of a first look, (n, 2) degrees."""
    return np.asarray(looked["sample"], np.float64).reshape(-1, 2)
