"""Virtual rasters: a VRT is a text, its pixels lie in the files that it names."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gair_cli.errors import InputError
from gair_cli.geo.outputs import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT: Final = b"<VRTDataset"
_HEAD_BYTES: Final = 1024
_SOURCE: Final = re.compile(r"<Source(?:Filename|Dataset)\b([^>]*)>([^<]+)<")
_RELATIVE: Final = re.compile(r"relativeToVRT\s*=\s*[\"']1[\"']", re.IGNORECASE)


def raster_fingerprints(path: Path) -> list[str]:
    """Return hashes that change when a raster's pixels do.

    Args:
        path: A local raster. Of a VRT, every local file that it reads counts too.

    Returns:
        One fingerprint a file; the first is that of `path` itself.

    Raises:
        InputError: If a file cannot be read.
    """
    return [fingerprint(file) for file in raster_files(path)]


def raster_files(path: Path) -> list[Path]:
    """Return a raster's file and, of a VRT, the local files behind it, each once.

    Raises:
        InputError: If one of them is a pipe or a device, which would be waited for without end.
    """
    found: dict[Path, None] = {}
    waiting = [path]
    while waiting:
        file = waiting.pop(0)
        if file not in found:
            _refuse_pipe(file, path)
            found[file] = None
            waiting.extend(_sources(file))
    return list(found)


def _sources(path: Path) -> Iterator[Path]:
    """Yield what a VRT names and is there, but folders; nothing of another raster."""
    if not path.is_file() or not _is_virtual(path):
        return
    for attributes, name in _SOURCE.findall(path.read_text("utf-8", errors="replace")):
        source = Path(unescape(name.strip()))
        source = path.parent / source if _RELATIVE.search(attributes) else source
        if source.exists() and not source.is_dir():
            yield source


def _refuse_pipe(file: Path, asked: Path) -> None:
    if file.exists() and not (file.is_file() or file.is_dir()):
        named = "" if file == asked else f", which {asked} reads,"
        raise InputError(
            f"{file}{named} is a pipe or a device, not a file", hint="copy it into a file first"
        )


def _is_virtual(path: Path) -> bool:
    with path.open("rb") as file:
        return _ROOT in file.read(_HEAD_BYTES)
