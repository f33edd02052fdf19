"""Product ids and dates of satellite scenes, from their names and tags."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_SENTINEL2: Final = re.compile(
    r"(S2[A-D]_MSIL(?:1C|2A)_(\d{8}T\d{6})_N\d{4}_R\d{3}_T\w{5}_\d{8}T\d{6})"
)
_SENTINEL2_BEFORE: Final = re.compile(
    r"(S2[A-D]_\w{4}_PRD_MSIL(?:1C|2A)_\w{4}_\d{8}T\d{6}_R\d{3}_V(\d{8}T\d{6})_\d{8}T\d{6})"
)
_LANDSAT: Final = re.compile(r"(L[COTEM]\d{2}_L\w{3}_\d{6}_(\d{8})_\d{8}_\d{2}_(?:T1|T2|RT))")
_LANDSAT_BEFORE: Final = re.compile(r"(L[COTEM]\d\d{6}(\d{7})[A-Z]{3}\d{2})")
_PRODUCTS: Final = (
    (_SENTINEL2, "%Y%m%dT%H%M%S"),
    (_SENTINEL2_BEFORE, "%Y%m%dT%H%M%S"),
    (_LANDSAT, "%Y%m%d"),
    (_LANDSAT_BEFORE, "%Y%j"),
)
_ENDINGS: Final = re.compile(
    r"\.(?:safe|zip|tiff?|vrt|jp2|img|tar|gz|json|geojson)$", re.IGNORECASE
)
_DATE_TAGS: Final = ("ACQUISITION_DATETIME", "DATETIME", "datetime", "TIFFTAG_DATETIME")
_DATE_FORMS: Final = (
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y:%m:%d %H:%M:%S",
    "%Y%m%dT%H%M%S",
    "%Y%m%d",
    "%Y-%m-%d",
)


@dataclass(frozen=True, slots=True)
class Product:
    """What a name or a raster's tags say of the product.

    Attributes:
        product_id: The id of the product that this is; None for anything but a whole product of
            Sentinel-2 or Landsat.
        taken_at: When it was taken, UTC.
        origin: The id of the product that this was cut or made from, if only tags say so.
    """

    product_id: str | None
    taken_at: datetime | None
    origin: str | None = None

    def record(self) -> dict[str, object]:
        """Return what is recorded of it."""
        found = self.product_id or self.origin
        return {"product_id": found} if found else {}


def product_named(name: str) -> Product | None:
    """Return the product that a file or folder is named as, or None.

    Args:
        name: A name with any of the usual endings (`.SAFE.zip`, `.tif`), without folders.
    """
    stem = name
    while (cut := _ENDINGS.sub("", stem)) != stem:
        stem = cut
    for pattern, form in _PRODUCTS:
        if found := pattern.fullmatch(stem):
            return Product(found[1], _date(found[2], form))
    return None


def product_of(name: str, tags: Mapping[str, str]) -> Product:
    """Find the product that a raster is, or comes from.

    Only a name makes a raster a product: tags travel with every crop, and two crops of a product
    are two scenes.

    Args:
        name: The raster's file name.
        tags: Its tags.
    """
    if named := product_named(name):
        return named
    tagged = product_named(tags.get("PRODUCT_URI", "").strip())
    dates = (parse_date(tags[tag]) for tag in _DATE_TAGS if tag in tags)
    taken_at = next((date for date in dates if date is not None), None)
    if tagged is None:
        return Product(None, taken_at)
    return Product(None, tagged.taken_at, tagged.product_id)


def parse_date(text: str) -> datetime | None:
    """Return a time in UTC from one of the usual spellings, or None."""
    dates = (_date(text.strip().rstrip("Z"), form) for form in _DATE_FORMS)
    return next((date for date in dates if date is not None), None) or parse_iso(text)


def _date(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None


def parse_iso(text: str) -> datetime | None:
    """Return a time in UTC from ISO 8601, or None; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
