"""Which photos of a folder cannot be trusted, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from gair_cli.geo.coordinates import great_circle_m
from gair_cli.geo.tables import coordinate_faults

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

UNREADABLE: Final = "unreadable photo"
NO_PLACE: Final = "no coordinates"
NULL_ISLAND: Final = "at 0, 0"
SWAPPED: Final = "longitude and latitude swapped"
MIRRORED: Final = "wrong GPS hemisphere"
FUTURE: Final = "date in the future"
BLURRED: Final = "blurred"
DUPLICATE: Final = "near-duplicate"
FILTERED: Final = frozenset({BLURRED, DUPLICATE})
"""Reasons of photos that are left out by choice; the others are at fault."""
REASONS: Final = (
    UNREADABLE, "georeferenced raster", "swapped GPS references", "no GPS hemisphere",
    "latitude beyond 90", "longitude beyond 180", NO_PLACE, NULL_ISLAND, SWAPPED, MIRRORED, FUTURE,
    BLURRED, DUPLICATE,
)  # fmt: skip
"""Every reason that a rejected photo can have, in the order in which they are looked for."""

_NULL_ISLAND_DEG: Final = 1e-5
_AWAY_M: Final = 200_000.0
_NEAR_M: Final = 20_000.0
_LEAST_COMPANY: Final = 3
_LEAST_SHARE: Final = 0.5
_DAY_MS: Final = 86_400_000


def header_reasons(photos: pl.DataFrame, *, now: datetime) -> list[str | None]:
    """Return why each photo is rejected, None for those that are kept.

    Args:
        photos: `lon`, `lat`, `fault`, `error`, `captured_at`, `captured_local`.
        now: What is the future; clocks of unknown time zones may be a day ahead.
    """
    lonlat = photos.select("lon", "lat").to_numpy().astype(np.float64)
    found = np.full(photos.height, None, object)

    def give(rows: NDArray[np.bool_], reasons: object) -> None:
        free = rows & (found == None)  # noqa: E711 - element by element
        found[free] = np.broadcast_to(np.asarray(reasons, object), found.shape)[free]

    give(photos["error"].is_not_null().to_numpy(), UNREADABLE)
    faults = photos["fault"].to_numpy()
    give(photos["fault"].is_not_null().to_numpy(), faults)
    outside = coordinate_faults(lonlat)
    give(outside != "", outside)
    give(np.abs(lonlat).max(axis=1, initial=0) < _NULL_ISLAND_DEG, NULL_ISLAND)
    usable = found == None  # noqa: E711
    give(usable, _misplaced(lonlat, usable))
    give(_in_the_future(photos, now), FUTURE)
    return [None if reason is None else str(reason) for reason in found]


def _in_the_future(photos: pl.DataFrame, now: datetime) -> NDArray[np.bool_]:
    """Tell which photos were taken after now, or a day after by a clock of unknown time zone."""
    latest = int(now.timestamp() * 1000)
    local = photos["captured_local"].str.to_datetime(
        "%Y:%m:%d %H:%M:%S", time_unit="ms", strict=False
    )
    by_clock = local.cast(pl.Int64) > latest + _DAY_MS
    known = photos["captured_at"].dt.timestamp("ms")
    ahead = pl.Series(known > latest + _DAY_MS).fill_null(by_clock)
    return ahead.fill_null(value=False).to_numpy()


def _misplaced(lonlat: NDArray[np.float64], usable: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Tell which photos would lie among the others if their position were read in another way.

    Most of the photos must lie together: a photo far from all of these whose position with
    another hemisphere, or with longitude and latitude exchanged, is amid them is told.
    """
    told = np.full(len(lonlat), None, object)
    rows = np.flatnonzero(usable)
    if len(rows) <= _LEAST_COMPANY:
        return told
    middle = np.median(lonlat[rows], axis=0)[None]
    away = great_circle_m(lonlat[rows], middle)
    home = lonlat[rows[away < _NEAR_M]]
    if len(home) < max(_LEAST_COMPANY, _LEAST_SHARE * len(rows)):
        return told
    strays = rows[away > _AWAY_M]
    lon, lat = lonlat[strays].T
    others = [(MIRRORED, -lon, lat), (MIRRORED, lon, -lat), (MIRRORED, -lon, -lat)]
    legal = np.abs(lon) <= 90  # noqa: PLR2004 - a latitude
    others.append((SWAPPED, np.where(legal, lat, np.nan), np.where(legal, lon, np.nan)))
    for reason, x, y in others:
        there = np.stack([x, y], axis=1)
        near = np.isfinite(there).all(axis=1)
        near[near] = great_circle_m(there[near], middle) < _NEAR_M
        free = near & (told[strays] == None)  # noqa: E711
        told[strays[free]] = reason
    return told
