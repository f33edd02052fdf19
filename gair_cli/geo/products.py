"""Product ids and dates of satellite scenes, from names, tags and Landsat's metadata file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gair_cli.geo.rasters import RasterInfo

_SENTINEL2: Final = re.compile(
    r"(S2[A-D]_MSIL(?:1C|2A)_(\d{8}T\d{6})_N\d{4}_R\d{3}_T\w{5}_\d{8}T\d{6})(?:\.SAFE|\.zip)?"
)
_LANDSAT: Final = re.compile(r"L[COTEM]\d{2}_L\w{3}_\d{6}_(\d{8})_\d{8}_\d{2}_(?:T1|T2|RT)")
_MTL_FIELD: Final = re.compile(r'^\s*(\w+)\s*=\s*"?([^"\n]*)"?\s*$', re.MULTILINE)
_DATE_TAGS: Final = ("ACQUISITION_DATETIME", "DATETIME", "datetime", "TIFFTAG_DATETIME")
_DATE_FORMS: Final = (
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S",
    "%Y:%m:%d %H:%M:%S",
    "%Y%m%dT%H%M%S",
    "%Y%m%d",
    "%Y-%m-%d",
)
_MTL_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Product:
    """What a product says of itself.

    Attributes:
        product_id: Its id, None for anything but Sentinel-2 and Landsat.
        taken_at: When it was taken, UTC.
    """

    product_id: str | None
    taken_at: datetime | None


def product_of(name: str, info: RasterInfo, files: Sequence[Path]) -> Product:
    """Find the product that a scene is.

    Args:
        name: The scene's path.
        info: Its first file.
        files: All its files; Landsat's `*_MTL.txt` is looked for beside several.
    """
    stem = Path(name).stem if len(files) == 1 else Path(name).name
    for text in (info.tags.get("PRODUCT_URI", ""), Path(name).name, stem):
        if found := _SENTINEL2.fullmatch(text):
            return Product(found[1], _date(found[2]))
        if found := _LANDSAT.fullmatch(text):
            return Product(found[0], _date(found[1]))
    if len(files) > 1 and (metadata := _landsat_metadata(files[0].parent)):
        return metadata
    dates = (_date(info.tags[tag]) for tag in _DATE_TAGS if tag in info.tags)
    return Product(None, next((date for date in dates if date is not None), None))


def _landsat_metadata(folder: Path) -> Product | None:
    files = sorted(folder.glob("*_MTL.txt"))
    if len(files) != 1 or files[0].stat().st_size > _MTL_BYTES:
        return None
    fields = dict(_MTL_FIELD.findall(files[0].read_text(encoding="utf-8", errors="replace")))
    product = fields.get("LANDSAT_PRODUCT_ID") or fields.get("LANDSAT_SCENE_ID")
    clock = fields.get("SCENE_CENTER_TIME", "00:00:00").split(".")[0].rstrip("Z")
    return Product(product, _date(f"{fields.get('DATE_ACQUIRED', '')}T{clock}"))


def _date(text: str) -> datetime | None:
    for form in _DATE_FORMS:
        try:
            return datetime.strptime(text.strip().rstrip("Z"), form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
