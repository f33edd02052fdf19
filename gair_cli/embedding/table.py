"""Read embedding tables again: whole or block by block, with the space and model they belong to.

Files of `gair embed` carry their model and space. Anybody's table is read too (a Parquet or Arrow
file with a list column, a CSV with `e0`..`eN`, an npy file); then model and space are unknown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from gair_cli.embedding.schema import OWN_COLUMNS
from gair_cli.embedding.sinks import vectors_of_array
from gair_cli.errors import DataError, InputError, ModelError
from gair_cli.geo.columns import ColumnNames, find_lonlat
from gair_cli.geo.frames import read_source

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_ROWS: Final = 16_384


@dataclass(frozen=True, slots=True)
class EmbeddingMeta:
    """What a file says of its vectors; None where it says nothing.

    Attributes:
        model: Name of the model.
        model_sha256: Hash of the weights.
        space: `joint` or `encoder`.
        modality: `rs`, `sv`, `location` or `rs_at`.
        licence: Licence of the weights.
        version: Version of gair that wrote the file.
    """

    model: str | None = None
    model_sha256: str | None = None
    space: str | None = None
    modality: str | None = None
    licence: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class EmbeddingTable:
    """A whole embedding table in memory, rows in the file's order.

    Attributes:
        ids: N texts, repeats allowed.
        vectors: (N, D) float32, NaN where `status` is not `ok`.
        modality: (N,) text.
        status: (N,) text.
        lonlat: (N, 2) float64 degrees, NaN where unknown, or None if no place is known.
        meta: Model and space.
        frame: The other columns, N rows.
    """

    ids: list[str]
    vectors: np.ndarray
    modality: np.ndarray
    status: np.ndarray
    lonlat: np.ndarray | None
    meta: EmbeddingMeta
    frame: pl.DataFrame

    def __len__(self) -> int:
        return len(self.ids)


def read_embeddings(path: str | Path) -> EmbeddingTable:
    """Read a whole embedding table.

    Args:
        path: Parquet, Arrow (file or stream), CSV with `e0`..`eN`, or npy with its `.ids.txt`.

    Returns:
        The table.

    Raises:
        InputError: When the file is missing or cannot be read.
        DataError: When it holds no embeddings.
    """
    blocks = list(read_blocks(path))
    if not blocks:
        raise DataError(f"{path} has no rows", hint="embed a table with at least one row")
    first, vectors = blocks[0], np.concatenate([block.vectors for block in blocks])
    lonlat = None
    if first.lonlat is not None:
        lonlat = np.concatenate([block.lonlat for block in blocks if block.lonlat is not None])
    return replace(
        first,
        ids=[id_ for block in blocks for id_ in block.ids],
        vectors=vectors,
        modality=np.concatenate([block.modality for block in blocks]),
        status=np.concatenate([block.status for block in blocks]),
        lonlat=lonlat,
        frame=pl.concat([block.frame for block in blocks]),
    )


def read_blocks(path: str | Path) -> Iterator[EmbeddingTable]:
    """Yield an embedding table in blocks of at most `BLOCK_ROWS` rows; errors as above."""
    source = Path(path)
    if not source.is_file():
        raise InputError(f"{source} does not exist", hint="give the output of gair embed")
    if source.stat().st_size == 0:
        raise InputError(f"{source} is empty (0 bytes)")
    if source.suffix == ".npy":
        yield from _npy_blocks(source)
        return
    start = 0
    for batch in _record_batches(source):
        yield _block(batch, source, start=start)
        start += batch.num_rows


def read_meta(path: str | Path) -> EmbeddingMeta:
    """Return what a Parquet or Arrow file says of its vectors; errors as in `read_embeddings`."""
    source = Path(path)
    if source.suffix == ".npy":
        return EmbeddingMeta()
    return _meta(_schema(source))


def _schema(source: Path) -> pa.Schema:
    batch = next(iter(_record_batches(source, rows=1)), None)
    if batch is None:
        raise DataError(f"{source} has no rows")
    return batch.schema


def _record_batches(source: Path, rows: int = BLOCK_ROWS) -> Iterator[pa.RecordBatch]:
    try:
        with source.open("rb") as file:
            magic = file.read(6)
            file.seek(0)
            if magic[:4] == b"PAR1":
                yield from pq.ParquetFile(file).iter_batches(rows)
            elif magic == b"ARROW1":
                reader = pa.ipc.open_file(file)
                yield from (reader.get_batch(i) for i in range(reader.num_record_batches))
            elif magic[:4] == b"\xff\xff\xff\xff":
                yield from pa.ipc.open_stream(file)
            else:
                yield from _csv_batches(source)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{source} cannot be read: {str(error).splitlines()[0]}") from error


def _csv_batches(source: Path) -> list[pa.RecordBatch]:
    frame = read_source(source).frame
    names = [f"e{i}" for i in range(frame.width) if f"e{i}" in frame.columns]
    if not names:
        raise DataError(
            f"{source} has no vectors: columns {', '.join(frame.columns[:12])}",
            hint="give an embedding table, or a CSV with the columns e0, e1...",
        )
    vectors = frame.select(pl.col(names).cast(pl.Float32).fill_null(float("nan"))).to_numpy()
    flat = pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(vectors).reshape(-1)), len(names)
    )
    rest = frame.drop(names).to_arrow(compat_level=pl.CompatLevel.oldest())
    table = rest.append_column("embedding", flat).combine_chunks()
    return list(table.to_batches())


def _npy_blocks(source: Path) -> Iterator[EmbeddingTable]:
    vectors = np.load(source, mmap_mode="r")
    if vectors.ndim != 2:  # noqa: PLR2004 - (N, D)
        raise DataError(f"{source} has the shape {vectors.shape}, (N, D) is wanted")
    names = source.with_name(source.name + ".ids.txt")
    ids = _lines(names) if names.is_file() else None
    if ids is not None and len(ids) != len(vectors):
        raise DataError(f"{names} has {len(ids)} ids for {len(vectors)} vectors")
    for start in range(0, len(vectors), BLOCK_ROWS):
        part = np.asarray(vectors[start : start + BLOCK_ROWS], np.float32)
        rows = [str(start + i) for i in range(len(part))]
        yield _table(ids[start : start + len(part)] if ids else rows, part, pl.DataFrame())


def _lines(names: Path) -> list[str]:
    """Return the lines of a file of ids; only a newline ends one, for an id may hold U+2028."""
    text = names.read_bytes().decode("utf-8").removesuffix("\n")
    return [line.removesuffix("\r") for line in text.split("\n")]


def _table(ids: list[str], vectors: np.ndarray, frame: pl.DataFrame) -> EmbeddingTable:
    finite = np.isfinite(vectors).all(axis=1)
    status = np.where(finite, "ok", "nodata")
    modality = np.full(len(ids), "", dtype="<U8")
    return EmbeddingTable(ids, vectors, modality, status, None, EmbeddingMeta(), frame)


def _block(batch: pa.RecordBatch, source: Path, *, start: int) -> EmbeddingTable:
    """Return a batch whose first row is row `start` of the file; ids are row numbers if need be."""
    name = embedding_column(batch.schema, source)
    vectors = vectors_of_array(batch.column(name)).astype(np.float32)
    skipped = {name, "geometry", "embedding"}
    plain = [column for column in batch.schema.names if column not in skipped]
    frame = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch]).select(plain)
                                       .replace_schema_metadata(None)))  # fmt: skip
    ids = _texts(frame, "id") or [str(start + row) for row in range(len(vectors))]
    base = _table(ids, vectors, frame.drop(set(OWN_COLUMNS) & set(frame.columns)))
    return replace(
        base,
        status=np.array(_texts(frame, "status") or base.status),
        modality=np.array(_texts(frame, "modality") or base.modality),
        lonlat=_lonlat(frame),
        meta=_meta(batch.schema),
    )


def embedding_column(schema: pa.Schema, source: Path) -> str:
    """Return the name of the column of vectors: `embedding`, else the only list of floats.

    Raises:
        DataError: When there is none, or more than one.
    """
    lists = [field.name for field in schema if _is_vector(field.type)]
    if "embedding" in lists:
        return "embedding"
    if len(lists) != 1:
        raise DataError(
            f"{source} has {len(lists)} columns of vectors among {', '.join(schema.names[:12])}",
            hint="name the column of vectors `embedding`",
        )
    return str(lists[0])


def _is_vector(kind: pa.DataType) -> bool:
    lists = (pa.types.is_fixed_size_list, pa.types.is_list, pa.types.is_large_list)
    return any(test(kind) for test in lists) and pa.types.is_floating(kind.value_type)


def _texts(frame: pl.DataFrame, column: str) -> list[str] | None:
    return frame[column].cast(pl.String).to_list() if column in frame.columns else None


def _lonlat(frame: pl.DataFrame) -> np.ndarray | None:
    """Return the centres of the rows' boxes, else the coordinate columns, else None."""
    if "bbox" in frame.columns and isinstance(frame.schema["bbox"], pl.Struct):
        box = frame["bbox"].struct.unnest()
        sides = (("xmin", "xmax"), ("ymin", "ymax"))
        return np.stack([_floats((box[a] + box[b]) / 2) for a, b in sides], axis=1)
    found = find_lonlat(frame.columns, ColumnNames())
    if found is None:
        return None
    return np.stack([_floats(frame[name]) for name in found], axis=1)


def _floats(column: pl.Series) -> np.ndarray:
    return column.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()


def _meta(schema: pa.Schema) -> EmbeddingMeta:
    text = (schema.metadata or {}).get(b"gair")
    if text is None:
        return EmbeddingMeta()
    content: dict[str, Any] = json.loads(text)
    names = ("model", "model_sha256", "space", "modality", "licence", "version")
    return EmbeddingMeta(**{name: content.get(name) for name in names})


def check_same_space(first: EmbeddingMeta, second: EmbeddingMeta, *, what: str) -> None:
    """Refuse to compare vectors of different models or spaces; what is unknown passes.

    Args:
        first: Model and space of the one side.
        second: Of the other side.
        what: What is compared, for the message, as `the query and emb.parquet`.

    Raises:
        ModelError: When models or spaces are known and differ.
    """
    if first.space and second.space and first.space != second.space:
        raise ModelError(
            f"{what} are in different spaces: {first.space} and {second.space}",
            hint="embed both with the same --space",
        )
    one, other = first.model_sha256, second.model_sha256
    if one and other and one != other:
        raise ModelError(
            f"{what} come from different models: {first.model} ({one[:12]}) and "
            f"{second.model} ({other[:12]})",
            hint="embed both with the same --model",
        )
