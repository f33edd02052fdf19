"""Small files of web servers, and what identifies large ones there.

Import it where it is used: few scenes lie on the web, and what speaks to it is slow to load.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from typing import Final

from gair_cli.errors import InputError
from gair_cli.geo.inputs.remote import WEB

_TIMEOUT_S: Final = 10.0
_MOST_BYTES: Final = 16 * 2**20


def remote_fingerprint(path: str) -> str:
    """Return a text that changes when a remote file does, as far as its server tells.

    Size and entity tag, or date of change, where a web server gives them (what follows `?` in the
    address does not count then: it is often a key of the day), else the address alone.
    """
    if not path.startswith((WEB + "http://", WEB + "https://")):
        return path
    address = path.removeprefix(WEB)
    try:
        with _open(urllib.request.Request(address, method="HEAD")) as answer:  # noqa: S310
            facts = [answer.headers.get(key, "") for key in ("Content-Length", "ETag")]
            dated = "" if facts[1] else answer.headers.get("Last-Modified", "")
    except (OSError, ValueError, http.client.HTTPException):
        return address
    if not (facts[1] or dated):
        return address
    return "|".join([address.partition("?")[0], *facts, dated])


def fetch(address: str) -> bytes:
    """Return a small file from a web server.

    Raises:
        InputError: If it cannot be had in time, or is no small file.
    """
    tries = 3
    for left in range(tries - 1, -1, -1):
        try:
            with _open(urllib.request.Request(address)) as answer:  # noqa: S310 - http(s) only
                data: bytes = answer.read(_MOST_BYTES + 1)
            break
        except (OSError, ValueError, http.client.HTTPException) as error:
            if left and not _is_final(error):
                continue
            raise InputError(
                f"{address} cannot be fetched: {error}", hint="check the address and the network"
            ) from error
    if len(data) > _MOST_BYTES:
        raise InputError(f"{address} is larger than {_MOST_BYTES >> 20} MiB: no STAC item")
    return data


def _is_final(error: Exception) -> bool:
    """Return whether asking again cannot help."""
    return (
        isinstance(error, urllib.error.HTTPError)
        and error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR
    )


def _open(request: urllib.request.Request) -> http.client.HTTPResponse:
    if not request.full_url.startswith(("http://", "https://")):
        raise ValueError(f"{request.full_url} is no web address")
    answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310
    return answer
