"""A Sentinel-2 L1C or L2A product (`.SAFE` folder or zip) as a scene, found by its metadata."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from gair_cli.errors import InputError
from gair_cli.geo.inputs.cloud_bits import FLAG, QA60, SCL, constant
from gair_cli.geo.inputs.cloud_polygons import polygon_clouds
from gair_cli.geo.inputs.draft import BandSource, Draft
from gair_cli.geo.inputs.kinds import is_safe_metadata
from gair_cli.geo.inputs.notes import NOTES
from gair_cli.geo.inputs.packages import Folder, Package
from gair_cli.geo.inputs.sentinel2_metadata import Image, Sentinel2Metadata, parse_sentinel2
from gair_cli.geo.inputs.zips import Zip, open_zip
from gair_cli.geo.scene import CloudBand
from gair_cli.records import SENTINEL2_BANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gair_cli.geo.inputs.draft import CloudMaker
    from gair_cli.geo.inputs.options import SceneOptions

_SUFFIXES: Final = ("", ".jp2", ".JP2", ".tif")
_FOLDERS: Final = ("R10m", "R20m", "R60m")
_CLASS_IMAGES: Final = frozenset({"SCL", "QA60", "CLD", "SNW"})
_NOT_BANDS: Final = frozenset({"TCI"})
_TILE: Final = re.compile(r"_T(\d\d[A-Z]{3})(?:_|$)")
_POLYGONS: Final = re.compile(r".*MSK_CLOUDS_.*B00.*\.gml", re.IGNORECASE)
_CLASSES: Final = re.compile(r".*MSK_CLASSI_.*B00.*\.jp2", re.IGNORECASE)
_BITS: Final = re.compile(r".*QA60.*\.(jp2|tiff?)", re.IGNORECASE)
_OFFSETS_SINCE: Final = "04.00"


def sentinel2_draft(name: str, path: Path, options: SceneOptions) -> Draft:
    """Describe a product; bands are in the instrument's order, each at its finest resolution.

    A band whose file is missing is an error, unless `--bands` asks for others.

    Args:
        name: What messages call it.
        path: The `.SAFE` folder, its metadata file, one of its granules, or a zip.
        options: How scenes are read.

    Raises:
        InputError: If the product is not whole, leads outside itself, or cannot be read.
    """
    package, file, granule = _located(path)
    metadata = parse_sentinel2(package.read(file), f"{package.name}: {file}")
    images = _granule(metadata, granule, package)
    found = _Images(package, metadata, images, lenient=options.bands is not None)
    bands = tuple(found.source(band) for band in SENTINEL2_BANDS if band in found.files)
    others = [band for band in found.files if band not in SENTINEL2_BANDS]
    if not bands:
        raise InputError(f"{package.name}: the metadata name no band's image that is there")
    clouds, cloud_files = found.clouds()
    product_id = _product_id(metadata, granule, package)
    return Draft(
        name=name,
        stem=product_id,
        files=package.files([file, *cloud_files]),
        bands=bands,
        extras=tuple(found.source(band) for band in others),
        clouds=clouds,
        unpacked=found.unpacked(),
        product_id=product_id,
        taken_at=metadata.taken_at,
        product=_record(metadata, product_id),
    )


def _located(path: Path) -> tuple[Package, str, str | None]:
    """Return the package, the name of its metadata file, and the granule that was asked for."""
    if path.is_dir() and path.parent.name == "GRANULE":
        package: Package = Folder(path.parent.parent)
        return package, _metadata_file(package), path.name
    if path.is_dir():
        package = Folder(path)
        return package, _metadata_file(package), None
    if path.suffix.lower() == ".zip":
        package = _product_in(path)
        return package, _metadata_file(package), None
    return Folder(path.parent), path.name, None


def _product_in(path: Path) -> Zip:
    """Return the product in a zip, at its top or in its only product folder."""
    members = open_zip(path)
    found = [PurePosixPath(name) for name in members if is_safe_metadata(PurePosixPath(name).name)]
    tops = {str(name.parent) for name in found if "GRANULE" not in name.parts}
    if len(tops) != 1:
        raise InputError(
            f"{path} holds {len(tops) or 'no'} Sentinel-2 products",
            hint="a zip is a scene if it holds one .SAFE; unpack others first",
        )
    top = tops.pop()
    return Zip(path, "" if top == "." else f"{top}/", members)


def _metadata_file(package: Package) -> str:
    found = [name for name in package.names("") if is_safe_metadata(name)]
    if len(found) != 1:
        raise InputError(
            f"{package.name} holds {len(found) or 'no'} product metadata (MTD_MSIL*.xml)",
            hint="a Sentinel-2 product is a whole .SAFE folder or zip",
        )
    return found[0]


def _granule(
    metadata: Sentinel2Metadata, wanted: str | None, package: Package
) -> tuple[Image, ...]:
    """Return the images of the granule asked for, or of the only one."""
    granules = metadata.granules
    for key, images in granules.items():
        if wanted is not None and any(f"GRANULE/{wanted}/" in image.file for image in images):
            return images
        if wanted == key:
            return images
    if wanted is None and len(granules) == 1:
        return next(iter(granules.values()))
    raise InputError(
        f"{package.name} holds {len(granules)} granules" + (f", not {wanted}" if wanted else ""),
        hint="unpack it and give its folder, or the granules you want: GRANULE/*",
    )


def _product_id(metadata: Sentinel2Metadata, granule: str | None, package: Package) -> str:
    stem = PurePosixPath(package.name).name.removesuffix(".zip").removesuffix(".SAFE")
    product_id = metadata.product_id or stem
    tile = _TILE.search(granule or "")
    if len(metadata.granules) > 1 and tile is not None:
        return f"{product_id}_T{tile[1]}"
    return product_id


def _record(metadata: Sentinel2Metadata, product_id: str) -> dict[str, object]:
    found: dict[str, object] = {
        "product_id": product_id,
        "level": f"L{metadata.level}",
        "baseline": metadata.baseline,
        **metadata.recorded,
    }
    if metadata.quantification is not None:
        found["quantification"] = metadata.quantification
    if metadata.baseline >= _OFFSETS_SINCE and not metadata.offsets:
        found[NOTES] = [f"baseline {metadata.baseline} states no radiometric offset: none applied"]
    return found


class _Images:
    """The images of one granule that are there, each band at its finest.

    Attributes:
        files: Name of each band's file in the package.
    """

    def __init__(
        self,
        package: Package,
        metadata: Sentinel2Metadata,
        images: Sequence[Image],
        *,
        lenient: bool,
    ) -> None:
        self._package = package
        self._metadata = metadata
        self.files: dict[str, str] = {}
        for image in sorted(images, key=lambda image: image.resolution_m):
            if image.band not in self.files and image.band not in _NOT_BANDS:
                optional = lenient or image.band not in SENTINEL2_BANDS
                if file := self._find(image, optional=optional):
                    self.files[image.band] = file

    def _find(self, image: Image, *, optional: bool) -> str:
        """Return the name of an image's file; empty if it is optional and not there.

        Raises:
            InputError: If it is not there, or leads outside.
        """
        place = PurePosixPath(image.file)
        folders = [place.parent, *(place.parent / folder for folder in _FOLDERS)]
        for folder in folders:
            for suffix in _SUFFIXES:
                name = str(folder / (place.name + suffix))
                if self._package.has(name):
                    return name
        if optional:
            return ""
        raise InputError(
            f"{self._package.name} has no {image.file}, which its metadata name",
            hint="the product is not whole: fetch it again, or choose among its bands by --bands",
        )

    def source(self, band: str) -> BandSource:
        """Return where a band lies, and what the metadata say of its values."""
        return BandSource(
            band,
            self._package.path_of(self.files[band]),
            nodata=self._metadata.nodata,
            offset=self._metadata.offsets.get(band, 0.0),
            classes=band in _CLASS_IMAGES,
        )

    def unpacked(self) -> dict[str, int]:
        """Return the bytes of each image once unpacked, by its path."""
        package = self._package
        return {package.path_of(file): package.stored_bytes(file) for file in self.files.values()}

    def clouds(self) -> tuple[dict[str, CloudMaker], list[str]]:
        """Return the cloud sources, the preferred first, and the files that they read."""
        found: dict[str, CloudMaker] = {}
        files: list[str] = []
        if "SCL" in self.files:
            path = self._package.path_of(self.files["SCL"])
            found["scl"] = constant(CloudBand(path, 1, SCL))
            files.append(self.files["SCL"])
        folder = PurePosixPath(next(iter(self.files.values())))
        while folder.parent.name not in {"GRANULE", ""}:
            folder = folder.parent
        maker, file = self._bits(f"{folder}/QI_DATA", f"{folder}/IMG_DATA")
        if maker is not None:
            found["qa60"] = maker
            files.append(file)
        return found, files

    def _bits(self, quality: str, images: str) -> tuple[CloudMaker | None, str]:
        """Return the first of QA60, class masks and polygons that there is."""
        package = self._package
        for folder in (images, quality):
            if file := self._matching(folder, _BITS):
                return constant(CloudBand(package.path_of(file), 1, QA60)), file
        if file := self._matching(quality, _CLASSES):
            path = package.path_of(file)
            return constant(CloudBand(path, 1, FLAG), CloudBand(path, 2, FLAG)), file
        if file := self._matching(quality, _POLYGONS):
            return polygon_clouds(package.read(file), f"{package.name}: {file}"), file
        return None, ""

    def _matching(self, folder: str, pattern: re.Pattern[str]) -> str:
        names = [name for name in self._package.names(folder) if pattern.fullmatch(name)]
        return f"{folder}/{names[0]}" if names else ""
