"""Files that appear whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gair_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TEMPORARY: Final = ".tmp"
"""Ending of names that are not finished."""


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success it is synced and renamed to `path`.

    Args:
        path: The final name; its folder must exist.

    Yields:
        The temporary name to write to. On an error it is removed and `path` stays as it was.

    Raises:
        InputError: If the folder of `path` does not exist.
    """
    if not path.parent.is_dir():
        raise InputError(f"folder {path.parent} does not exist", hint=f"mkdir -p {path.parent}")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=TEMPORARY)
    os.close(handle)
    temporary = Path(name)
    temporary.chmod(0o666 & ~_umask())
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, whole or not at all, with sorted keys and a final newline."""
    with atomic_file(path) as temporary:
        temporary.write_text(dump_json(content, indent=2) + "\n", encoding="utf-8")


def dump_json(content: Mapping[str, Any], *, indent: int | None = None) -> str:
    """Return a JSON text with sorted keys; what JSON does not know becomes text."""
    return json.dumps(content, sort_keys=True, indent=indent, default=str, ensure_ascii=False)
