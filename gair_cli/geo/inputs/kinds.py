"""What kind of input a path is, by what lies there."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Final

from gair_cli.errors import InputError
from gair_cli.geo.inputs.landsat import is_landsat
from gair_cli.geo.inputs.remote import is_virtual

_SAFE_METADATA: Final = re.compile(
    r"MTD_MSIL(1C|2A)\.xml|S2[A-D]_\w{4}_MTD_SAFL(1C|2A)_\w+\.xml", re.IGNORECASE
)
_ITEM: Final = frozenset({".json", ".geojson"})
_SERVED_ITEM: Final = re.compile(r"/collections/[^/]+/items/[^/]+/?$")


class Kind(Enum):
    """A kind of input."""

    RASTER = "raster"
    SAFE = "SAFE"
    LANDSAT = "Landsat"
    STAC = "STAC item"
    FOLDER = "folder"


def is_plain_folder(path: str | Path) -> bool:
    """Return whether a path is a folder that is no product of its own."""
    return kind_of(str(path)) is Kind.FOLDER


def is_safe_metadata(name: str) -> bool:
    """Return whether a file's name is that of a Sentinel-2 product's metadata."""
    return _SAFE_METADATA.fullmatch(name) is not None


def kind_of(path: str) -> Kind:
    """Return the kind of a scene.

    A metadata file stands for its product. What is missing counts as a raster, which says so when
    it is opened.

    Raises:
        InputError: If a folder may not be read.
    """
    plain = path.partition("?")[0]
    suffix = Path(plain).suffix.lower()
    if is_virtual(path):
        return Kind.STAC if suffix in _ITEM or _SERVED_ITEM.search(plain) else Kind.RASTER
    file = Path(path)
    try:
        return _kind_of_folder(file) if file.is_dir() else _kind_of_file(file, suffix)
    except OSError as error:
        raise InputError(f"{path} cannot be looked into: {error.strerror}") from error


def _kind_of_file(file: Path, suffix: str) -> Kind:
    if suffix == ".zip" or is_safe_metadata(file.name):
        return Kind.SAFE
    if file.stem.upper().endswith("_MTL") and suffix in {".txt", ".xml", ".json"}:
        return Kind.LANDSAT
    return Kind.STAC if suffix in _ITEM else Kind.RASTER


def _kind_of_folder(folder: Path) -> Kind:
    if folder.parent.name == "GRANULE" and _kind_of_folder(folder.parent.parent) is Kind.SAFE:
        return Kind.SAFE
    if folder.suffix.lower() == ".safe" or any(is_safe_metadata(p.name) for p in folder.iterdir()):
        return Kind.SAFE
    return Kind.LANDSAT if is_landsat(folder) else Kind.FOLDER
