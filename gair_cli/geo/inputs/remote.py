"""Scenes that lie elsewhere: what GDAL calls an address, and what people call it."""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from gair_cli.errors import InputError, UsageError

_HANDLERS: Final = {
    "http": "/vsicurl/{}",
    "https": "/vsicurl/{}",
    "s3": "/vsis3/{}",
    "gs": "/vsigs/{}",
    "az": "/vsiaz/{}",
}
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+)://(.*)", re.DOTALL)
WEB: Final = "/vsicurl/"
"""What GDAL's path of a web address begins with."""
_REMOTE: Final = re.compile(r"/vsi(curl|s3|gs|az|adls|oss|swift|webhdfs|hdfs)(_streaming)?[/?]")


def gdal_path(word: str) -> str:
    """Return what GDAL opens for a path or an address such as `https://...` or `s3://...`.

    Raises:
        InputError: If it lies elsewhere and `GAIR_OFFLINE` is set.
        UsageError: If the address is of an unknown kind.
    """
    path = _path_of(word)
    if is_remote(path) and os.environ.get("GAIR_OFFLINE", "0") not in {"", "0"}:
        raise InputError(
            f"{word} lies elsewhere, and GAIR_OFFLINE is set",
            hint="fetch it first, or unset the variable",
        )
    return path


def _path_of(word: str) -> str:
    found = _SCHEME.fullmatch(word)
    if found is None or word.startswith("/"):
        return word
    scheme = found[1].lower()
    if scheme == "file":
        return unquote(urlsplit(word).path)
    if scheme not in _HANDLERS:
        raise UsageError(
            f"{word}: addresses that begin with {scheme}:// cannot be read",
            hint="give a path, https://..., s3://..., or a path of GDAL such as /vsicurl/...",
        )
    return _HANDLERS[scheme].format(
        f"{scheme}://{found[2]}" if scheme.startswith("http") else found[2]
    )


def spoken(path: str) -> str:
    """Return the address that people write for a path of GDAL; other paths stay."""
    if path.startswith(("/vsicurl/http://", "/vsicurl/https://")):
        return path.removeprefix(WEB)
    for scheme in ("s3", "gs", "az"):
        if path.startswith(f"/vsi{scheme}/"):
            return f"{scheme}://" + path.removeprefix(f"/vsi{scheme}/")
    return path


def is_remote(path: str) -> bool:
    """Return whether GDAL reads a path over the network."""
    return path.startswith("/vsi") and _REMOTE.search(path) is not None


def file_name(path: str) -> str:
    """Return the last part of a path or address, without what follows `?`."""
    return PurePosixPath(urlsplit(path).path if is_remote(path) else path).name


def is_virtual(path: str) -> bool:
    """Return whether a path is one of GDAL's own, not one of the file system."""
    return path.startswith("/vsi")
