"""Read tables in the formats of the field: CSV, Parquet, Arrow IPC, GeoJSON.

Identifiers stay text (`007` in a CSV stays `007`): a column is taken for numbers only if no value
has a leading zero. Standard input is recognised by its first bytes.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import polars as pl

from gair_cli.errors import DataError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

Format: TypeAlias = Literal["csv", "parquet", "arrow", "geojsonl"]
STDIN: Final = "-"

_SUFFIXES: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".geoparquet": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".geojsonl": "geojsonl",
    ".geojsons": "geojsonl",
    ".geojson": "geojsonl",
    ".json": "geojsonl",
    ".ndjson": "geojsonl",
}
_DELIMITERS: Final = ",;\t|"
_ID_COLUMNS: Final = ("photo_id", "id", "uuid", "image_id", "point_id", "tile_id", "sequence_id")
_RECORD_SEPARATOR: Final = "\x1e"
_GZIP: Final = b"\x1f\x8b"
_NUMBER: Final = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_LEADING_ZERO: Final = r"^\s*[+-]?0\d"
_DECIMAL_COMMA: Final = r"^\s*[+-]?\d+,\d+\s*$"


@dataclass(frozen=True, slots=True)
class Source:
    """A table as it was read.

    Attributes:
        frame: All columns; CSV columns are text, integers or floats.
        format: What it was.
        name: The path, or `standard input`, for messages.
        folder: The folder that relative paths inside the table start from.
        geo: The `geo` metadata text of GeoParquet, if any.
    """

    frame: pl.DataFrame
    format: Format
    name: str
    folder: Path
    geo: str | None = None


def read_source(source: str | Path, *, text_columns: Sequence[str] = ()) -> Source:
    """Read a whole table.

    Args:
        source: A path, or `-` for standard input.
        text_columns: CSV columns that stay text besides those with the usual names of ids.

    Returns:
        The table with what is known of it.

    Raises:
        InputError: If it is missing, of zero bytes, or cannot be parsed.
        DataError: If it has no rows.
    """
    name = "standard input" if str(source) == STDIN else str(source)
    data = _read_bytes(source, name)
    format_ = sniff(data) if str(source) == STDIN else table_format(Path(source), data)
    try:
        frame, geo = _parse(data, format_, text_columns)
    except unparsable() as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{name} cannot be read as {format_}: {first}",
            hint="is it whole, and of the format that its name tells?",
        ) from error
    if frame.height == 0:
        raise DataError(f"{name} has no rows", hint="give a table with at least one row")
    folder = Path.cwd() if str(source) == STDIN else Path(source).absolute().parent
    return Source(frame, format_, name, folder, geo)


def unparsable() -> tuple[type[Exception], ...]:
    """Return the errors of tables that cannot be parsed.

    They are asked for when one was raised, since pyarrow is 40 MB and a tenth of a second that a
    command which reads Parquet in Rust, or CSV, does without.
    """
    import pyarrow as pa  # noqa: PLC0415

    # pyarrow calls a file that ends early an OSError
    return pl.exceptions.PolarsError, pa.ArrowException, ValueError, KeyError, OSError


def read_frame(source: str | Path) -> pl.DataFrame:
    """Return the rows of a table; errors as in `read_source`."""
    return read_source(source).frame


def _read_bytes(source: str | Path, name: str) -> bytes:
    try:
        data = sys.stdin.buffer.read() if str(source) == STDIN else Path(source).read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{name} does not exist", hint="check the path") from error
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}") from error
    if not data:
        raise InputError(f"{name} is empty (0 bytes)", hint="check what should have written it")
    return gzip.decompress(data) if data[:2] == _GZIP else data


def table_format(path: Path, data: bytes) -> Format:
    """Return the format of a table by its name, else by its first bytes."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    return _SUFFIXES.get(suffixes[-1], sniff(data)) if suffixes else sniff(data)


def sniff(data: bytes) -> Format:
    """Return the format that the first bytes of a table speak of."""
    if data[:4] == b"PAR1":
        return "parquet"
    if data[:6] == b"ARROW1" or data[:4] == b"\xff\xff\xff\xff":
        return "arrow"
    return "geojsonl" if data.lstrip(b"\x1e \r\n\t")[:1] == b"{" else "csv"


def _parse(
    data: bytes, format_: Format, text_columns: Sequence[str]
) -> tuple[pl.DataFrame, str | None]:
    if format_ == "csv":
        return parse_csv(data, text_columns=text_columns), None
    if format_ == "geojsonl":
        return _parse_geojson(data), None
    table, texts = _read_parquet(data) if format_ == "parquet" else _read_arrow(data)
    geo = (texts or {}).get(b"geo")
    return pl.DataFrame(without_extensions(table)), geo.decode() if geo else None


def without_extensions(table: pa.Table) -> pa.Table:
    """Return the table with extension types (such as `geoarrow.wkb`) as what they store."""
    import pyarrow as pa  # noqa: PLC0415 - see `unparsable`

    for index, column in enumerate(table.columns):
        type_ = column.type
        if isinstance(type_, pa.BaseExtensionType):
            column = column.cast(type_.storage_type)  # noqa: PLW2901 - the same column, bare
        table = table.set_column(index, pa.field(table.schema.names[index], column.type), column)
    return table.replace_schema_metadata(None)


def _read_parquet(data: bytes) -> tuple[pa.Table, dict[bytes, bytes] | None]:
    """Return a table and the texts of its file, which its schema may lack."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    with pq.ParquetFile(io.BytesIO(data)) as file:
        return file.read(), file.metadata.metadata


def _read_arrow(data: bytes) -> tuple[pa.Table, dict[bytes, bytes] | None]:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.ipc  # noqa: PLC0415

    if data[:6] == b"ARROW1":
        table = pa.ipc.open_file(io.BytesIO(data)).read_all()
    else:
        table = pa.ipc.open_stream(io.BytesIO(data)).read_all()
    return table, table.schema.metadata


def parse_csv(data: bytes, *, text_columns: Sequence[str] = ()) -> pl.DataFrame:
    """Parse CSV bytes: any of `, ; tab |` between columns, UTF-8 with or without a BOM.

    Args:
        data: The file's bytes.
        text_columns: Columns that stay text besides those with the usual names of ids.

    Returns:
        Columns of text, integers (Int64) or floats (Float64). With `;` between columns a decimal
        comma is understood. An empty field is null; `NA` is text.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    header = data.split(b"\n", 1)[0].decode("utf-8", errors="replace")
    delimiter = max(_DELIMITERS, key=header.count)
    frame = pl.read_csv(data, separator=delimiter, infer_schema=False, truncate_ragged_lines=False)
    frame.columns = [column.strip() for column in frame.columns]
    text = {*text_columns, *_ID_COLUMNS}
    return frame.select(
        column if column.name in text else _typed(column, commas=delimiter == ";")
        for column in frame
    )


def _typed(column: pl.Series, *, commas: bool) -> pl.Series:
    """Turn a text column into numbers where every value is one, and none has a leading zero."""
    if commas and bool(column.str.contains(_DECIMAL_COMMA).any()):
        column = column.str.replace(r"^(\s*[+-]?\d+),(\d+\s*)$", "$1.$2")
    if column.null_count() == len(column):
        return column
    numeric = column.str.contains(_NUMBER) & ~column.str.contains(_LEADING_ZERO)
    if not numeric.fill_null(value=True).all():
        return column
    stripped = column.str.strip_chars()
    integers = stripped.cast(pl.Int64, strict=False)
    same = integers.null_count() == column.null_count()
    return integers if same else stripped.cast(pl.Float64)


def _parse_geojson(data: bytes) -> pl.DataFrame:
    rows = [feature_row(feature) for feature in features(data.decode("utf-8-sig"))]
    return pl.DataFrame(rows, infer_schema_length=None)


def features(text: str) -> Iterator[dict[str, Any]]:
    """Yield the features of a collection, or of a sequence with one object a line."""
    try:
        whole = json.loads(text.strip(_RECORD_SEPARATOR + " \r\n\t"))
    except json.JSONDecodeError:
        lines = (line.strip(_RECORD_SEPARATOR + " \r\t") for line in text.splitlines())
        yield from (json.loads(line) for line in lines if line)
        return
    yield from whole["features"] if whole.get("type") == "FeatureCollection" else [whole]


def feature_row(feature: dict[str, Any]) -> dict[str, Any]:
    """Return a GeoJSON point feature as a row; an object that is no feature stays as it is.

    Raises:
        DataError: If its geometry is not a point.
    """
    if feature.get("type") != "Feature":
        return feature
    geometry = feature.get("geometry") or {}
    if geometry and geometry.get("type") != "Point":
        raise DataError(f"a {geometry.get('type')} geometry: points are wanted")
    lon, lat = (geometry.get("coordinates") or (None, None))[:2]
    properties = {
        key: json.dumps(value) if isinstance(value, dict | list) else value
        for key, value in (feature.get("properties") or {}).items()
    }
    named = {"id": str(feature["id"])} if "id" in feature else {}
    return {**named, **properties, "lon": lon, "lat": lat}
