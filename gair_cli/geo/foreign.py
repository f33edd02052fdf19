"""Photo collections of other tools, as photo tables: WebDataset shards and Hugging Face folders.

WebDataset: tar files whose members share a key before the first dot; here a picture (`.jpg`,
`.jpeg`, `.png`, `.webp`, also numbered, `.000.jpg`) with a `.json` that says where it is. Photos
stay in their tar: a path `shard.tar::offset,length::member` names their bytes. Hugging Face: an
image folder with `metadata.csv`, `.jsonl` or `.parquet` whose `file_name` points at each picture,
in the folder or one of its split folders.
"""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal, TypeAlias

import polars as pl

from gair_cli.errors import DataError, InputError
from gair_cli.geo.columns import ColumnNames
from gair_cli.geo.frames import Source, read_frame
from gair_cli.geo.tables import PhotoTable, read_photo_table

if TYPE_CHECKING:
    from collections.abc import Iterator

Origin: TypeAlias = Literal["webdataset", "huggingface"]
ORIGINS: Final = ("webdataset", "huggingface")

_PICTURES: Final = ("jpg", "jpeg", "png", "webp")
_MARK: Final = "::"
_METADATA: Final = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_SPLITS: Final = {"train": "train", "validation": "val", "valid": "val", "val": "val",
                  "dev": "val", "test": "test"}  # fmt: skip


def read_foreign(
    source: Path,
    origin: Origin,
    *,
    names: ColumnNames | None = None,
    max_bad: float | None = None,
) -> tuple[PhotoTable, bool]:
    """Read a collection of photos as a photo table.

    Args:
        source: A tar file or a folder of them; or a folder with metadata.
        origin: Who wrote it.
        names: The user's names of columns, or of the keys of a `.json`.
        max_bad: Share (below 1) or number of bad rows that is tolerated.

    Returns:
        The table, with paths that `read_bytes` takes; and whether it says which split a photo is
        in, by folder or by a column `split`.

    Raises:
        InputError: If there is no such collection.
        DataError: If it has no photo, or says nothing about their place.
        BadRowsError: If more rows are bad than tolerated.
    """
    if not source.exists():
        raise InputError(f"{source} does not exist", hint="check the path")
    frame = _webdataset(source) if origin == "webdataset" else _image_folder(source)
    given = names or ColumnNames()
    known = replace(given, path=given.path or "path", id=given.id or "photo_id")
    table = read_photo_table(
        Source(frame, "parquet", str(source), source), names=known, max_bad=max_bad
    )
    return table, "split" in table.frame.columns


def read_bytes(path: str) -> bytes:
    """Return the bytes of a photo, from a file or from within a tar.

    Args:
        path: A file, or `shard.tar::offset,length::member`.

    Raises:
        OSError: If it cannot be read.
    """
    if _MARK not in path:
        return Path(path).read_bytes()
    shard, span, _ = path.split(_MARK, 2)
    offset, length = (int(number) for number in span.split(","))
    with Path(shard).open("rb") as file:
        file.seek(offset)
        return file.read(length)


@dataclass(slots=True)
class _Sample:
    """The members of one key of a tar."""

    pictures: list[tuple[str, str]]
    told: Any = None


def _webdataset(source: Path) -> pl.DataFrame:
    shards = sorted(source.rglob("*.tar")) if source.is_dir() else [source]
    if not shards:
        raise InputError(f"{source} holds no tar file", hint="WebDataset shards end in .tar")
    rows = [row for shard in shards for row in _rows_of_shard(shard)]
    if not rows:
        raise DataError(
            f"{source} holds no picture with a .json beside it",
            hint="a sample is KEY.jpg and KEY.json, which has lon and lat",
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def _rows_of_shard(shard: Path) -> Iterator[dict[str, Any]]:
    samples: dict[str, _Sample] = {}
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                if member.isfile():
                    _note(samples, shard, tar, member)
    except (tarfile.TarError, OSError) as error:
        raise InputError(
            f"{shard} cannot be read: {error}", hint="it must be an uncompressed tar"
        ) from error
    for key, sample in samples.items():
        yield from _rows_of_sample(key, sample, shard)


def _note(
    samples: dict[str, _Sample], shard: Path, tar: tarfile.TarFile, member: tarfile.TarInfo
) -> None:
    folder, _, name = member.name.rpartition("/")
    stem, _, ending = name.partition(".")
    key = f"{folder}/{stem}" if folder else stem
    kind = ending.rpartition(".")[2].lower()
    sample = samples.setdefault(key, _Sample([]))
    if kind in _PICTURES:
        span = f"{member.offset_data},{member.size}"
        sample.pictures.append(
            (member.name, _MARK.join((str(shard.absolute()), span, member.name)))
        )
    elif kind == "json":
        file: IO[bytes] | None = tar.extractfile(member)
        try:
            sample.told = json.loads(file.read()) if file is not None else None
        except ValueError as error:
            raise DataError(f"{shard}: {member.name} is no JSON: {error}") from error


def _rows_of_sample(key: str, sample: _Sample, shard: Path) -> Iterator[dict[str, Any]]:
    told = sample.told
    each = told.get("samples") if isinstance(told, dict) else None  # as gair writes them
    many = each if isinstance(each, list) else [told] * len(sample.pictures)
    if len(many) != len(sample.pictures):
        raise DataError(
            f"{shard}: {key}.json tells of {len(many)} photos, there are {len(sample.pictures)}"
        )
    for (name, path), one in zip(sorted(sample.pictures), many, strict=True):
        if not isinstance(one, dict):
            raise DataError(
                f"{shard}: {name} has no {key}.json that says where it is",
                hint='like {"lon": 13.37, "lat": 52.46}',
            )
        plain = {k: v for k, v in one.items() if isinstance(v, str | int | float | None)}
        number = f"{key}.{name.partition('.')[2].rpartition('.')[0]}".rstrip(".")
        yield {**plain, "path": path, "photo_id": str(plain.get("photo_id") or number)}


def _image_folder(source: Path) -> pl.DataFrame:
    parts = []
    for folder in (source, *sorted(path for path in source.iterdir() if path.is_dir())):
        found = next((folder / name for name in _METADATA if (folder / name).is_file()), None)
        if found is not None:
            parts.append(_metadata(found, source))
    if not parts:
        raise InputError(
            f"{source} has no {', '.join(_METADATA[:2])} or {_METADATA[2]}",
            hint="a Hugging Face image folder has one beside its pictures, with file_name, lon, "
            "lat; save a data set of embedded pictures as an image folder first",
        )
    return pl.concat(parts, how="diagonal_relaxed")


def _metadata(file: Path, source: Path) -> pl.DataFrame:
    frame = pl.read_ndjson(file) if file.suffix == ".jsonl" else read_frame(file)
    if "file_name" not in frame.columns:
        raise DataError(
            f"{file} has no column file_name", hint=f"it has {', '.join(frame.columns)}"
        )
    folder = file.parent
    names = frame["file_name"].cast(pl.String)
    inside = folder.relative_to(source).as_posix()
    ids = [name if inside == "." else f"{inside}/{name}" for name in names]
    added = [pl.Series("path", [str(folder.absolute() / name) for name in names])]
    if "photo_id" not in frame.columns:
        added.append(pl.Series("photo_id", ids))
    split = _SPLITS.get(folder.name.lower()) if folder != source else None
    if split is not None and "split" not in frame.columns:
        added.append(pl.Series("split", [split] * frame.height))
    return frame.drop("file_name").with_columns(added)
