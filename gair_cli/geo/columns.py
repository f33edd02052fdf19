"""Which column holds what: the names that are recognised, and the user's overrides.

Longitude and latitude are looked for in this order: the user's flags, the exact names of `LON` and
`LAT` (without case), `x` and `y` for CSV only, then equal affixes around a known name
(`decimalLongitude`, `decimalLatitude`). Columns that speak of a box, an error or an extreme are
never taken for coordinates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gair_cli.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

LON: Final = ("lon", "lng", "long", "longitude")
LAT: Final = ("lat", "latitude")
PATH: Final = ("path", "file", "filename", "image", "image_path")
HEADING: Final = ("heading", "compass_angle", "bearing", "direction")
ID: Final = ("photo_id", "id", "uuid", "image_id")
SPLIT: Final = ("split",)

_NEVER = re.compile(r"bbox|min|max|err|accura|west|east|north|south", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """The user's own column names; None means: look for the usual ones."""

    lon: str | None = None
    lat: str | None = None
    path: str | None = None
    heading: str | None = None
    id: str | None = None
    split: str | None = None


def find_column(
    columns: Sequence[str], known: Sequence[str], *, given: str | None = None, flag: str = ""
) -> str | None:
    """Return the column that the user gave, else the first one with a known name.

    Args:
        columns: The table's column names.
        known: Names to look for, compared without case, in order of preference.
        given: The user's choice.
        flag: The option's name, for the message.

    Returns:
        The column's name as the table spells it, or None.

    Raises:
        DataError: If the column that the user gave is not there.
    """
    if given is not None:
        if given not in columns:
            raise DataError(
                f"{flag} {given}: no such column", hint=f"columns: {', '.join(columns)}"
            )
        return given
    by_name = {column.lower(): column for column in reversed(columns)}
    return next((by_name[name] for name in known if name in by_name), None)


def find_lonlat(
    columns: Sequence[str], names: ColumnNames, *, planar_names: bool = False
) -> tuple[str, str] | None:
    """Return the longitude and latitude columns of a table.

    Args:
        columns: The table's column names.
        names: The user's overrides.
        planar_names: Accept `x` and `y` (CSV only).

    Returns:
        (lon, lat) as the table spells them, or None if there are none.

    Raises:
        DataError: If a column that the user gave is not there.
    """
    lon = find_column(columns, LON, given=names.lon, flag="--lon-column")
    lat = find_column(columns, LAT, given=names.lat, flag="--lat-column")
    if (lon is None or lat is None) and planar_names:
        lon = lon or find_column(columns, ("x",))
        lat = lat or find_column(columns, ("y",))
    if lon is not None and lat is not None:
        return lon, lat
    return _find_affixed(columns)


def _find_affixed(columns: Sequence[str]) -> tuple[str, str] | None:
    """Find a pair such as `decimalLongitude`, `decimalLatitude`: equal text around the names."""
    usable = {column.lower(): column for column in columns if not _NEVER.search(column)}
    for lon_name, lat_name in (("longitude", "latitude"), ("lng", "lat"), ("lon", "lat")):
        for lower, column in usable.items():
            prefix, found, suffix = lower.partition(lon_name)
            partner = usable.get(prefix + lat_name + suffix)
            if found and partner is not None:
                return column, partner
    return None
