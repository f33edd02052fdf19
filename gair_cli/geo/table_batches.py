"""Read tables of any size batch by batch, in the formats of `geo.frames`.

Parquet and Arrow come in their own batches, CSV and GeoJSON text in blocks of lines; one GeoJSON
object of all features is read whole. Standard input is first copied to a temporary file, so that a
table can be read twice.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

import polars as pl

from gair_cli.errors import InputError
from gair_cli.geo.frames import (
    STDIN,
    Format,
    Source,
    feature_row,
    features,
    parse_csv,
    sniff,
    table_format,
    unparsable,
    without_extensions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

_ROWS: Final = 32_768
_BLOCK: Final = 4 * 2**20
_LONGEST_LINE: Final = 64 * 2**20
_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"
_SEPARATOR: Final = "\x1e"


@dataclass(frozen=True, slots=True)
class TableFile:
    """A table that can be read again and again.

    Attributes:
        path: Where its bytes are.
        format: What it is.
        name: The path as given, or `standard input`, for messages.
        text_columns: CSV columns that stay text besides those with the usual names of ids.
    """

    path: Path
    format: Format
    name: str
    text_columns: tuple[str, ...] = ()

    def batches(self, *, text_columns: Sequence[str] = ()) -> Iterator[Source]:
        """Yield the rows in order, at most some megabytes at a time.

        Args:
            text_columns: More CSV columns that stay text.

        Raises:
            InputError: If the table cannot be parsed.
        """
        try:
            for frame, geo in self._frames((*self.text_columns, *text_columns)):
                yield Source(frame, self.format, self.name, self.path.absolute().parent, geo)
        except unparsable() as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(
                f"{self.name} cannot be read as {self.format}: {first}",
                hint="is it whole, and of the format that its name tells?",
            ) from error
        except (EOFError, gzip.BadGzipFile) as error:
            raise InputError(f"{self.name} cannot be unpacked: {error}") from error

    def _frames(self, text: tuple[str, ...]) -> Iterator[tuple[pl.DataFrame, str | None]]:
        if self.format == "parquet":
            yield from _parquet_frames(self.path)
        elif self.format == "arrow":
            yield from _arrow_frames(self.path)
        else:
            with _opened(self.path) as file:
                frames = _csv_frames(file, text) if self.format == "csv" else _json_frames(file)
                yield from ((frame, None) for frame in frames)


@contextmanager
def open_table(source: str | Path, *, text_columns: Sequence[str] = ()) -> Iterator[TableFile]:
    """Open a table for reading in batches.

    Args:
        source: A path, or `-` for standard input.
        text_columns: CSV columns that stay text besides those with the usual names of ids.

    Yields:
        The table; a copy of standard input is removed in the end.

    Raises:
        InputError: If it is missing, of zero bytes or unreadable.
    """
    if str(source) != STDIN:
        path = Path(source)
        yield TableFile(path, table_format(path, _start(path, str(source))), str(source),
                        tuple(text_columns))  # fmt: skip
        return
    with tempfile.NamedTemporaryFile(prefix="gair-") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        path = Path(copy.name)
        start = _start(path, "standard input")
        yield TableFile(path, sniff(start), "standard input", tuple(text_columns))


def _start(path: Path, name: str) -> bytes:
    """Return the first bytes, unpacked."""
    try:
        with _opened(path) as file:
            start = file.read(4096)
    except FileNotFoundError as error:
        raise InputError(f"{name} does not exist", hint="check the path") from error
    except (OSError, EOFError) as error:
        raise InputError(f"{name} cannot be read: {error}") from error
    if not start:
        raise InputError(f"{name} is empty (0 bytes)", hint="check what should have written it")
    return start


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        if not packed:
            yield file
            return
        with gzip.open(file) as unpacked:
            yield cast("IO[bytes]", unpacked)


def _parquet_frames(path: Path) -> Iterator[tuple[pl.DataFrame, str | None]]:
    import pyarrow.parquet as pq  # noqa: PLC0415 - see `unparsable`

    with pq.ParquetFile(path) as file:
        texts = file.metadata.metadata  # the schema's own lack them where a writer keeps both apart
        for batch in file.iter_batches(batch_size=_ROWS):
            yield _from_arrow(batch, texts)


def _arrow_frames(path: Path) -> Iterator[tuple[pl.DataFrame, str | None]]:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.ipc  # noqa: PLC0415

    with pa.memory_map(str(path)) as source:
        if source.read(6) == b"ARROW1":
            file = pa.ipc.open_file(source)
            batches = map(file.get_batch, range(file.num_record_batches))
            yield from (_from_arrow(batch, file.schema.metadata) for batch in batches)
            return
        source.seek(0)
        stream = pa.ipc.open_stream(source)
        yield from (_from_arrow(batch, stream.schema.metadata) for batch in stream)


def _from_arrow(
    batch: pa.RecordBatch, texts: Mapping[bytes, bytes] | None
) -> tuple[pl.DataFrame, str | None]:
    import pyarrow as pa  # noqa: PLC0415

    geo = (texts or {}).get(b"geo")
    table = without_extensions(pa.Table.from_batches([batch]))
    return pl.DataFrame(pl.from_arrow(table)), geo.decode() if geo else None


def _csv_frames(file: IO[bytes], text: tuple[str, ...]) -> Iterator[pl.DataFrame]:
    header = file.readline(_LONGEST_LINE).removeprefix(_BOM)
    if not header.endswith(b"\n"):
        header += _refuse_long(file.read(1))
    for block in _whole_lines(file):
        yield parse_csv(header + block, text_columns=text)


def _refuse_long(following: bytes) -> bytes:
    if following:
        raise ValueError(f"the first line is longer than {_LONGEST_LINE >> 20} MB")
    return b"\n"


def _whole_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Yield blocks that end where a line does; a quoted field may hold line breaks."""
    rest = b""
    while more := file.read(_BLOCK):
        rest += more
        end = _last_line_end(rest)
        if end:
            yield rest[:end]
            rest = rest[end:]
        elif len(rest) > _LONGEST_LINE:
            raise ValueError(f"a line, or an open quote, is longer than {_LONGEST_LINE >> 20} MB")
    if rest.strip():
        yield rest


def _last_line_end(block: bytes) -> int:
    """Return the position behind the last line break outside quotes, 0 where there is none."""
    end = block.rfind(b"\n") + 1
    inside = block.count(b'"', 0, end) % 2
    while end and inside:
        before = block.rfind(b"\n", 0, end - 1) + 1
        inside ^= block.count(b'"', before, end) % 2
        end = before
    return end


def _json_frames(file: IO[bytes]) -> Iterator[pl.DataFrame]:
    """Yield the features of a sequence block by block, of one object at once."""
    if not _is_sequence(file.readline(_LONGEST_LINE)):
        file.seek(0)
        yield _frame_of(file.read().decode("utf-8-sig"))
        return
    file.seek(0)
    while lines := file.readlines(_BLOCK):
        yield _frame_of(b"".join(lines).decode("utf-8-sig"))


def _is_sequence(line: bytes) -> bool:
    """Tell whether a first line is a whole object that is not a collection."""
    text = line.decode("utf-8-sig").strip(_SEPARATOR + " \r\n\t")
    try:
        return text == "" or json.loads(text).get("type") != "FeatureCollection"
    except (json.JSONDecodeError, AttributeError):
        return False


def _frame_of(text: str) -> pl.DataFrame:
    return pl.DataFrame([feature_row(each) for each in features(text)], infer_schema_length=None)
