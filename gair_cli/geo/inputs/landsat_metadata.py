"""Landsat's metadata file (`*_MTL.txt`, `.xml` or `.json`) of any collection."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gair_cli.errors import InputError
from gair_cli.geo.inputs.cloud_bits import BQA_BEFORE, BQA_COLLECTION_1, QA_PIXEL
from gair_cli.geo.inputs.xml_tree import parse_xml
from gair_cli.geo.products import parse_date

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

_METADATA: Final = re.compile(r".*_MTL\.(txt|xml|json)", re.IGNORECASE)
_BAND: Final = re.compile(r"FILE_NAME_BAND_(?:ST_)?B?(\d+\w*)")
_ORDER: Final = ("txt", "xml", "json")
_MOST_BYTES: Final = 1 << 20
_QUALITY: Final = ("FILE_NAME_QUALITY_L1_PIXEL", "FILE_NAME_BAND_QUALITY")


@dataclass(frozen=True, slots=True)
class LandsatMetadata:
    """What a metadata file says.

    Attributes:
        path: The file.
        fields: Its fields; of those that occur twice, the first: a Level-2 product repeats the
            fields of its Level-1 source behind its own.
    """

    path: Path
    fields: Mapping[str, str]

    @property
    def product_id(self) -> str:
        """Product id, or the scene id of products from before the collections."""
        fields = self.fields
        return fields.get("LANDSAT_PRODUCT_ID") or fields.get("LANDSAT_SCENE_ID") or ""

    @property
    def taken_at(self) -> datetime | None:
        """Time of the scene's centre, UTC."""
        clock = self.fields.get("SCENE_CENTER_TIME", "00:00:00").split(".")[0].rstrip("Z")
        return parse_date(f"{self.fields.get('DATE_ACQUIRED', '')}T{clock}")

    @property
    def collection(self) -> int:
        """Number of the collection; 0 for products from before them."""
        text = self.fields.get("COLLECTION_NUMBER", "0")
        return int(text) if text.isdigit() else 0

    @property
    def band_files(self) -> dict[str, str]:
        """File name of each band, by name (`B1`, `B6_VCID_1`), in order."""
        found: dict[str, str] = {}
        for key, file in self.fields.items():
            if (band := _BAND.fullmatch(key)) is not None:
                found.setdefault(f"B{band[1]}", file)
        return found

    @property
    def quality_file(self) -> str | None:
        """File name of the quality band, if there is one."""
        return next((self.fields[key] for key in _QUALITY if key in self.fields), None)

    @property
    def quality_tests(self) -> tuple[tuple[int, int], ...]:
        """What marks a cloud in the quality band, which changed with each collection."""
        if self.collection >= 2 or _QUALITY[0] in self.fields:  # noqa: PLR2004 - Collection 2
            return QA_PIXEL
        return BQA_COLLECTION_1 if self.collection == 1 else BQA_BEFORE

    @property
    def panchromatic(self) -> str | None:
        """Name of the 15 m band, if the sensor has one."""
        sensor = self.fields.get("SENSOR_ID", "")
        return "B8" if sensor.startswith(("OLI", "ETM")) else None

    def scaling(self, band: str) -> tuple[float | None, float | None]:
        """Return factor and summand from stored values to reflectance or kelvin, if stated."""
        number = band.removeprefix("B")
        for kind in (f"REFLECTANCE_{{}}_BAND_{number}", f"TEMPERATURE_{{}}_BAND_ST_B{number}"):
            pair = [self.fields.get(kind.format(what)) for what in ("MULT", "ADD")]
            if all(pair):
                return _number(pair[0]), _number(pair[1])
        return None, None


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def metadata_files(folder: Path) -> list[Path]:
    """Return the metadata files of a folder; text comes before XML and JSON of the same name."""
    found = [path for path in folder.iterdir() if _METADATA.fullmatch(path.name)]
    one_each: dict[str, Path] = {}
    for path in sorted(found, key=lambda path: _ORDER.index(path.suffix[1:].lower())):
        one_each.setdefault(path.stem, path)
    return sorted(one_each.values())


def metadata_beside(folder: Path) -> LandsatMetadata | None:
    """Return the only readable Landsat metadata in a folder, or None."""
    files = metadata_files(folder) if folder.is_dir() else []
    if len(files) != 1:
        return None
    try:
        found = read_metadata(files[0])
    except InputError:
        return None
    return found if found.product_id else None


def read_metadata(path: Path) -> LandsatMetadata:
    """Read a metadata file.

    Raises:
        InputError: If it cannot be read or says nothing.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(f"{path} has {path.stat().st_size} bytes, too many for Landsat metadata")
    data = path.read_bytes()
    readers = {".xml": _xml_fields, ".json": _json_fields}
    read = readers.get(path.suffix.lower(), _text_fields)
    fields: dict[str, str] = {}
    for key, value in read(data, str(path)):
        fields.setdefault(key, value)
    found = LandsatMetadata(path, fields)
    if not found.band_files:
        raise InputError(f"{path} names no band files", hint="is it Landsat's metadata, whole?")
    return found


def _text_fields(data: bytes, _: str) -> Iterator[tuple[str, str]]:
    for line in data.decode("utf-8", errors="replace").splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip():
            yield key.strip(), value.strip().strip('"')


def _xml_fields(data: bytes, name: str) -> Iterator[tuple[str, str]]:
    for element in parse_xml(data, name).iter():
        if not len(element):
            yield element.tag, (element.text or "").strip()


def _json_fields(data: bytes, name: str) -> Iterator[tuple[str, str]]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is no JSON: {error}") from error
    yield from _leaves(content)


def _leaves(content: Any) -> Iterator[tuple[str, str]]:
    waiting = [content]
    while waiting:
        one = waiting.pop(0)
        for key, value in one.items() if isinstance(one, dict) else ():
            if isinstance(value, dict):
                waiting.append(value)
            else:
                yield key, str(value)
