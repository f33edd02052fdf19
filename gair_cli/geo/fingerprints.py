"""Hashes that tell whether an input has changed."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

from gair_cli.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_WHOLE_HASH_LIMIT: Final = 64 * 2**20
_SAMPLE: Final = 2**20


def fingerprint(path: Path) -> str:
    """Return a hash that changes when an input does; dates and places do not count.

    Files up to 64 MiB are hashed whole; of larger ones the size, the first and the last MiB. A
    folder counts by its `dataset.json`, `model.safetensors` with `config.json`, or else by the
    names, sizes and hashes of its files.

    Args:
        path: A file or folder.

    Returns:
        32 hexadecimal digits.

    Raises:
        InputError: If nothing is there, or it cannot be read.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist", hint="check the path")
    digest = hashlib.blake2b(digest_size=16)
    for file in _identifying_files(path):
        digest.update(str(file.relative_to(path)).encode() + b"\0")
        _hash_file(file, digest)
    return digest.hexdigest()


def _identifying_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    for names in (("dataset.json",), ("model.safetensors", "config.json")):
        files = [path / name for name in names]
        if all(file.is_file() for file in files):
            return files
    return sorted(file for file in path.rglob("*") if file.is_file())


def _hash_file(path: Path, digest: hashlib.blake2b) -> None:
    size = path.stat().st_size
    digest.update(size.to_bytes(8, "little"))
    try:
        with path.open("rb") as file:
            if size <= _WHOLE_HASH_LIMIT:
                while chunk := file.read(_SAMPLE):
                    digest.update(chunk)
                return
            digest.update(file.read(_SAMPLE))
            file.seek(-_SAMPLE, os.SEEK_END)
            digest.update(file.read(_SAMPLE))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
