"""What changes when an input's pixels do, wherever it lies."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gair_cli.geo.inputs.remote import is_remote
from gair_cli.geo.virtual import raster_fingerprints

if TYPE_CHECKING:
    from collections.abc import Iterable

_AT_ONCE: Final = 8
_ARCHIVE: Final = re.compile(r"/vsi(?:zip|tar|gzip)/\{?(.+?\.(?:zip|tar|tgz|gz))\}?(?:/.*)?")


def input_fingerprints(files: Iterable[str]) -> list[str]:
    """Return hashes that change when one of some files does, each file once.

    Args:
        files: As in `Scene.files`. Of a member of an archive the whole archive counts, of a remote
            file its size and entity tag where the server tells, of a VRT every local file that it
            reads.

    Raises:
        InputError: If a local file cannot be read.
    """
    different = list(dict.fromkeys(_outermost(file) for file in files))
    remote = [file for file in different if is_remote(file)]
    asked = _asked(remote) if remote else {}
    found: list[str] = []
    for file in different:
        if file in asked:
            found.append(asked[file])
        elif Path(file).exists():
            found.extend(raster_fingerprints(Path(file)))
    return found


def _asked(remote: list[str]) -> dict[str, str]:
    """Return what servers say of files."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only for the web

    from gair_cli.geo.inputs.web import remote_fingerprint  # noqa: PLC0415 - slow to load

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(remote, pool.map(remote_fingerprint, remote), strict=True))


def _outermost(file: str) -> str:
    found = _ARCHIVE.fullmatch(file)
    return file if found is None or is_remote(file) else found[1]
