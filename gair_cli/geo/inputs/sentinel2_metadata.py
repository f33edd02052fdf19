"""A Sentinel-2 product's own metadata: bands, files, offsets, dates, of any format version."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gair_cli.errors import InputError
from gair_cli.geo.inputs.xml_tree import parse_xml, text_of, texts
from gair_cli.geo.products import parse_date
from gair_cli.records import SENTINEL2_BANDS, canonical_band

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from xml.etree.ElementTree import Element

_GRANULES: Final = ("Granule", "Granules")
_FILE_TAGS: Final = ("IMAGE_FILE", "IMAGE_FILE_2A")
_ID_TAGS: Final = ("IMAGE_ID", "IMAGE_ID_2A")
_URI_TAGS: Final = ("PRODUCT_URI", "PRODUCT_URI_2A", "PRODUCT_URI_1C")
_TIME_TAGS: Final = ("PRODUCT_START_TIME", "DATATAKE_SENSING_START")
_QUANTIFICATION_TAGS: Final = (
    "BOA_QUANTIFICATION_VALUE",
    "L2A_BOA_QUANTIFICATION_VALUE",
    "QUANTIFICATION_VALUE",
    "L1C_TOA_QUANTIFICATION_VALUE",
)
_OFFSET_TAGS: Final = ("RADIO_ADD_OFFSET", "BOA_ADD_OFFSET")
_IMAGE: Final = re.compile(r"_(B\d[\dA]|SCL|AOT|WVP|TCI|CLD|SNW|QA60)(?:_(\d\d)m)?(?:\.\w+)?$")
_FOLDER: Final = re.compile(r"/R(\d\d)m/")


@dataclass(frozen=True, slots=True)
class Image:
    """One image of a granule.

    Attributes:
        band: Its band, or `SCL`, `AOT`...
        file: Its name in the product, mostly without suffix.
        resolution_m: Metres a pixel, if the name says so; 0 if not.
    """

    band: str
    file: str
    resolution_m: int


@dataclass(frozen=True, slots=True)
class Sentinel2Metadata:
    """What the metadata of a product say.

    Attributes:
        product_id: Product URI without `.SAFE`; empty if it is not told.
        level: `1C` or `2A`.
        baseline: Processing baseline, such as `05.10`; empty if it is not told.
        taken_at: Start of sensing, UTC.
        nodata: The value of a pixel that is none.
        quantification: Stored values per unit of reflectance, None if it is not told.
        offsets: Radiometric offset by band; empty before baseline 04.00.
        granules: Images of each granule, by the granule's id.
        recorded: Other facts worth keeping.
    """

    product_id: str
    level: str
    baseline: str
    taken_at: datetime | None
    nodata: float
    quantification: float | None
    offsets: Mapping[str, float]
    granules: Mapping[str, tuple[Image, ...]]
    recorded: Mapping[str, str]


def parse_sentinel2(data: bytes, name: str) -> Sentinel2Metadata:
    """Parse the metadata file of a product.

    Raises:
        InputError: If it is no such XML, names no images, or a number in it is none.
    """
    root = parse_xml(data, name)
    granules = {key: images for key, images in _granules(root) if images}
    if not granules:
        raise InputError(f"{name} names no image files", hint="is it a product's metadata, whole?")
    uri = text_of(root, *_URI_TAGS) or ""
    levels = (text_of(root, "PROCESSING_LEVEL") or "", uri)
    level = "2A" if any("Level-2A" in text or "MSIL2A" in text for text in levels) else "1C"
    quantification = text_of(root, *_QUANTIFICATION_TAGS)
    return Sentinel2Metadata(
        product_id=uri.removesuffix(".SAFE"),
        level=level,
        baseline=text_of(root, "PROCESSING_BASELINE") or "",
        taken_at=parse_date(text_of(root, *_TIME_TAGS) or ""),
        nodata=_nodata(root, name),
        quantification=None if quantification is None else _number(quantification, name),
        offsets=_offsets(root, name),
        granules=granules,
        recorded=_recorded(root),
    )


def _granules(root: Element) -> Iterator[tuple[str, tuple[Image, ...]]]:
    for tag in _GRANULES:
        for granule in root.iter(tag):
            key = granule.get("granuleIdentifier", "")
            yield key, tuple(_images(granule, key))


def _images(granule: Element, granule_id: str) -> Iterator[Image]:
    files = [text for tag in _FILE_TAGS for text in texts(granule, tag)]
    ids = [text for tag in _ID_TAGS for text in texts(granule, tag)]
    for file in [*files, *(f"GRANULE/{granule_id}/IMG_DATA/{text}" for text in ids)]:
        if (found := _IMAGE.search(file)) is not None:
            folder = _FOLDER.search(file)
            resolution = found[2] or (folder[1] if folder else "0")
            yield Image(canonical_band(found[1]), file, int(resolution))


def _nodata(root: Element, name: str) -> float:
    for special in root.iter("Special_Values"):
        if text_of(special, "SPECIAL_VALUE_TEXT") == "NODATA":
            return _number(text_of(special, "SPECIAL_VALUE_INDEX") or "0", name)
    return 0.0


def _offsets(root: Element, name: str) -> dict[str, float]:
    """Return the offset of each band; `band_id` counts as the spectral information says."""
    bands = {str(number): band for number, band in enumerate(SENTINEL2_BANDS)}
    for element in root.iter("Spectral_Information"):
        if element.get("bandId") and element.get("physicalBand"):
            bands[element.get("bandId", "")] = canonical_band(element.get("physicalBand", ""))
    found = {}
    for element in (one for tag in _OFFSET_TAGS for one in root.iter(tag)):
        band = element.get("band_id", element.get("bandId", ""))
        if band not in bands:
            raise InputError(f"{name} states an offset of the unknown band_id {band!r}")
        found[bands[band]] = _number(element.text or "", name)
    return found


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"{name}: {text.strip()!r} is no number") from error


def _recorded(root: Element) -> dict[str, str]:
    tags = {"SPACECRAFT_NAME": "spacecraft", "GENERATION_TIME": "generated_at"}
    return {name: text for tag, name in tags.items() if (text := text_of(root, tag))}
