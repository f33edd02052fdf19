"""How the options of `gair tile` are written: sizes, lists of bands, values by band."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from gair_cli.geo.grids import GridChoice
    from gair_cli.geo.periods import Period

T = TypeVar("T")
Callback = Callable[[click.Context, click.Parameter, Any], Any]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_BYTES = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?)?b?\s*", re.IGNORECASE)


def parse_bytes(text: str) -> int:
    """Parse a size in bytes such as `64MB` or `1GiB`.

    Raises:
        click.BadParameter: If it is none.
    """
    found = _BYTES.fullmatch(text)
    if found is None or float(found[1]) <= 0:
        raise click.BadParameter(f"{text!r} is no size; write 64MB or 1GiB")
    return max(1, int(float(found[1]) * _UNITS[(found[2] or "").lower()]))


def parse_size(text: str) -> int | None:
    """Parse pixels a side; `full` is None.

    Raises:
        click.BadParameter: If it is neither.
    """
    if text == "full":
        return None
    if not text.isdigit() or int(text) < 1:
        raise click.BadParameter(f"{text!r} is neither a number of pixels nor `full`")
    return int(text)


def parse_names(text: str) -> tuple[str, ...]:
    """Parse `A,B,...`."""
    return tuple(name.strip() for name in text.split(","))


def parse_codec(text: str) -> int | None:
    """Parse `zstd:LEVEL` or `none`, which is None; `zstd` alone is level 1.

    Raises:
        click.BadParameter: If it is neither.
    """
    if text == "none":
        return None
    codec, _, level = text.partition(":")
    if codec != "zstd" or not (level or "1").isdigit():
        raise click.BadParameter(f"{text!r} is neither zstd:LEVEL (1 to 19) nor none")
    return int(level or 1)


def parse_grid(text: str) -> GridChoice:
    """Parse `scene`, `utm`, `xyz:Z` or `majortom:KM`."""
    from gair_cli.geo.grids import GridChoice

    return GridChoice.parse(text)


def parse_period(text: str) -> Period:
    """Parse `A/B`."""
    from gair_cli.geo.periods import Period

    return Period.parse(text)


def by_band(text: str, read: Callable[[str], T]) -> T | dict[str, T]:
    """Parse one value for all bands, or `BAND=VALUE,BAND=VALUE`.

    Raises:
        click.BadParameter: If it is neither.
    """
    try:
        if "=" not in text:
            return read(text.strip())
        pairs = [part.partition("=") for part in text.split(",")]
        return {band.strip(): read(value.strip()) for band, _, value in pairs}
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is neither VALUE nor BAND=VALUE,...") from error


def parse_offsets(text: str) -> float | dict[str, float]:
    """Parse a number for all bands, or numbers by band."""
    return by_band(text, float)


def parse_kernels(text: str) -> str | dict[str, str]:
    """Parse a kernel for all bands, or kernels by band."""
    return by_band(text, str)


def reading(parse: Callable[[str], Any]) -> Callback:
    """Return click's callback for a parser; an option that is not given stays None."""

    def callback(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Any:
        return None if text is None else parse(text)

    return callback
