"""A STAC item as a scene: its data assets are the bands, local or on the web."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urljoin, urlsplit

from gair_cli.errors import DataError, InputError
from gair_cli.geo.inputs.cloud_bits import is_class_band, named_clouds
from gair_cli.geo.inputs.draft import BandSource, Draft
from gair_cli.geo.inputs.remote import gdal_path, is_virtual
from gair_cli.geo.products import parse_iso, product_named
from gair_cli.records import canonical_band

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST_BYTES: Final = 16 * 2**20
_NO_DATA_ROLES: Final = frozenset({"thumbnail", "overview", "metadata", "visual", "date", "angle"})
_DATA_ROLES: Final = frozenset({"data", "reflectance", "temperature", "cloud", "mask"})
_RASTER_SUFFIXES: Final = frozenset({".tif", ".tiff", ".jp2", ".vrt", ".img"})
_SAFE_TEXT: Final = re.compile(r"[^A-Za-z0-9._-]+")
_SLOW_SUFFIX: Final = ".jp2"


@dataclass(frozen=True, slots=True)
class _Asset:
    """One raster of an item.

    Attributes:
        key: Its key in the item.
        path: What GDAL opens.
        bands: What the item says of each band.
        named: Whether the item says something of its bands' names.
        pixels: The raster extension's part for each band.
    """

    key: str
    path: str
    bands: tuple[Mapping[str, Any], ...]
    named: bool
    pixels: tuple[Mapping[str, Any], ...]


def stac_draft(name: str, path: str) -> Draft:
    """Describe a STAC item.

    Args:
        name: What messages call it.
        path: The item: a file, or an address on the web.

    Raises:
        InputError: If it cannot be read, or is no STAC item.
        DataError: If it has no data assets.
    """
    item = _item(name, path)
    assets = list(_assets(item, path, name))
    named = _preferred([asset for asset in assets if asset.named])
    rest = [asset for asset in assets if not asset.named]
    bands = _unique(_bands(named or rest, name))
    extras = _unique(_bands(rest if named else [], name))
    data = tuple(band for band in bands if not band.classes)
    classes = tuple(band for band in (*bands, *extras) if band.classes)
    if not data:
        keys = ", ".join(item["assets"]) or "none"
        raise DataError(f"{name} has no data assets; it has {keys}")
    identity = str(item.get("id", ""))
    product = product_named(identity)
    local = () if is_virtual(path) else (path,)
    return Draft(
        name=name,
        stem=_SAFE_TEXT.sub("_", identity).strip("._")[:100] or "item",
        files=(*local, *dict.fromkeys(band.path for band in classes)),
        bands=data,
        extras=tuple(dict.fromkeys((*classes, *(b for b in extras if not b.classes)))),
        clouds=named_clouds(classes),
        product_id=None if product is None else product.product_id,
        taken_at=_taken_at(item),
        product=_record(item, identity),
    )


def _fetched(path: str) -> bytes:
    from gair_cli.geo.inputs.web import fetch  # noqa: PLC0415 - slow to load

    return fetch(path.removeprefix("/vsicurl/"))


def _item(name: str, path: str) -> dict[str, Any]:
    data = _fetched(path) if is_virtual(path) else _local(Path(path))
    try:
        item = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is no JSON: {error}") from error
    kind = item.get("type") if isinstance(item, dict) else None
    if kind != "Feature" or "stac_version" not in item or not isinstance(item.get("assets"), dict):
        raise InputError(
            f"{name} is no STAC item (type {kind!r}; Feature with stac_version and assets is one)",
            hint="give one item a file; take the items of a collection one by one",
        )
    found: dict[str, Any] = item
    return found


def _local(path: Path) -> bytes:
    if not path.is_file():
        raise InputError(f"{path} does not exist", hint="check the path")
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(f"{path} has {path.stat().st_size} bytes: no STAC item")
    return path.read_bytes()


def _assets(item: Mapping[str, Any], base: str, name: str) -> Iterator[_Asset]:
    """Yield the assets that are rasters of data or classes."""
    for key, asset in item["assets"].items():
        if not isinstance(asset, dict) or not isinstance(asset.get("href"), str):
            raise InputError(f"{name}: asset {key} has no href")
        if not _is_data(str(key), asset):
            continue
        described = [_objects(asset.get(field)) for field in ("eo:bands", "bands", "raster:bands")]
        bands = described[0] or described[1]
        named = any(_said_name(band) for band in bands)
        pixels = described[2] or described[1]
        path = _place(asset["href"], base)
        yield _Asset(str(key), path, bands or pixels or ({},), named, pixels)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> tuple[Mapping[str, Any], ...]:
    return tuple(one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()


def _is_data(key: str, asset: Mapping[str, Any]) -> bool:
    """Return whether an asset is a raster of values: by role, else by its kind of file."""
    said = asset.get("roles")
    roles = {str(role).lower() for role in said} if isinstance(said, list) else set()
    kind = str(asset.get("type", "")).lower()
    suffix = PurePosixPath(urlsplit(asset["href"]).path).suffix.lower()
    if kind and not kind.startswith(("image/tiff", "image/jp2", "image/vnd.stac.geotiff")):
        return False
    if not kind and suffix not in _RASTER_SUFFIXES:
        return False
    if key.lower() == "visual" or (roles & _NO_DATA_ROLES and not is_class_band(key)):
        return False
    return not roles or bool(roles & _DATA_ROLES) or is_class_band(key)


def _place(href: str, base: str) -> str:
    """Return what GDAL opens for a reference of the item."""
    if "://" in href:
        return gdal_path(href)
    if is_virtual(base):
        return gdal_path(urljoin(base.removeprefix("/vsicurl/"), href))
    return str(Path(base).parent / unquote(href))


def _said_name(band: Mapping[str, Any]) -> str:
    names = (band.get(field) for field in ("name", "common_name", "eo:common_name"))
    return next((name for name in names if isinstance(name, str) and name), "")


def _preferred(assets: list[_Asset]) -> list[_Asset]:
    """Order assets so that the better of two with the same band comes first.

    Files of one band come before composites, and GeoTIFF before JPEG 2000; otherwise the item's
    order holds.
    """
    return sorted(assets, key=lambda a: (len(a.bands) > 1, a.path.lower().endswith(_SLOW_SUFFIX)))


def _bands(assets: list[_Asset], name: str) -> list[BandSource]:
    found = []
    for asset in assets:
        for place, band in enumerate(asset.bands):
            said = _said_name(band)
            numbered = asset.key if len(asset.bands) == 1 else f"{asset.key}_{place + 1}"
            label = canonical_band(said or numbered)
            pixels = asset.pixels[place] if place < len(asset.pixels) else {}
            found.append(
                BandSource(
                    label.upper() if is_class_band(label) else label,
                    asset.path,
                    place + 1,
                    nodata=_number(pixels.get("nodata", band.get("nodata")), name),
                    scale=_number(pixels.get("scale", pixels.get("raster:scale")), name),
                    unit_offset=_number(pixels.get("offset", pixels.get("raster:offset")), name),
                    classes=is_class_band(label),
                )
            )
    return found


def _unique(bands: list[BandSource]) -> tuple[BandSource, ...]:
    """Return the first band of each name."""
    first: dict[str, BandSource] = {}
    for band in bands:
        first.setdefault(band.name, band)
    return tuple(first.values())


def _number(value: object, name: str) -> float | None:
    if value is None:
        return None
    try:
        return float(str(value))
    except ValueError as error:
        raise InputError(f"{name}: {value!r} is no number") from error


def _taken_at(item: Mapping[str, Any]) -> Any:
    facts = _mapping(item.get("properties"))
    times = (facts.get(field) for field in ("datetime", "start_datetime"))
    return next((parse_iso(time) for time in times if isinstance(time, str)), None)


def _record(item: Mapping[str, Any], identity: str) -> dict[str, object]:
    facts = _mapping(item.get("properties"))
    kept = ("platform", "constellation", "s2:processing_baseline", "processing:version")
    found: dict[str, object] = {"item_id": identity}
    if product := product_named(identity):
        found["product_id"] = product.product_id
    return {**found, **{key: facts[key] for key in kept if isinstance(facts.get(key), str)}}
