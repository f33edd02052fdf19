"""A Landsat folder as a scene: its metadata file names the bands and the quality band."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from gair_cli.errors import InputError
from gair_cli.geo.inputs.cloud_bits import constant
from gair_cli.geo.inputs.draft import BandSource, Draft
from gair_cli.geo.inputs.landsat_metadata import LandsatMetadata, metadata_files, read_metadata
from gair_cli.geo.inputs.notes import NOTES
from gair_cli.geo.scene import CloudBand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gair_cli.geo.inputs.draft import CloudMaker

_FILL: Final = 0.0
_RECORDED: Final = {
    "SPACECRAFT_ID": "spacecraft",
    "SENSOR_ID": "sensor",
    "PROCESSING_LEVEL": "level",
    "DATA_TYPE": "level",
    "COLLECTION_NUMBER": "collection",
    "COLLECTION_CATEGORY": "category",
    "CLOUD_COVER": "cloud_cover",
}


def is_landsat(folder: Path) -> bool:
    """Return whether a folder holds one Landsat product: a metadata file beside GeoTIFFs."""
    images = (path for path in folder.iterdir() if path.suffix.lower() in {".tif", ".tiff"})
    return len(metadata_files(folder)) == 1 and next(images, None) is not None


def landsat_draft(name: str, folder: Path) -> Draft:
    """Describe a Landsat folder.

    The panchromatic band is left out unless `--bands` names it: it would make the grid 15 m. The
    fill value is 0. Factors to reflectance are recorded, never applied.

    Raises:
        InputError: If the metadata cannot be read, or no band file is there.
    """
    metadata = _only_metadata(folder)
    files = _present(metadata)
    bands = [_band(metadata, band, path) for band, path in files.items() if path is not None]
    if not bands:
        raise InputError(f"{folder} holds none of the band files that {metadata.path.name} names")
    pan = metadata.panchromatic
    quality = _find(folder, metadata.quality_file, metadata.product_id)
    return Draft(
        name=name,
        stem=metadata.product_id or folder.name,
        files=(str(metadata.path), *([str(quality)] if quality else [])),
        bands=tuple(band for band in bands if band.name != pan),
        extras=tuple(band for band in bands if band.name == pan) + _quality_band(metadata, quality),
        clouds=_clouds(metadata, quality),
        product_id=metadata.product_id or None,
        taken_at=metadata.taken_at,
        product={**_record(metadata), **_notes(metadata, files)},
    )


def _only_metadata(folder: Path) -> LandsatMetadata:
    files = metadata_files(folder)
    if len(files) != 1:
        raise InputError(f"{folder} holds {len(files)} Landsat metadata files, not one")
    return read_metadata(files[0])


def _present(metadata: LandsatMetadata) -> dict[str, Path | None]:
    """Return the file of each band that the metadata name, None where it is not there."""
    folder, product = metadata.path.parent, metadata.product_id
    return {band: _find(folder, file, product) for band, file in metadata.band_files.items()}


def _find(folder: Path, file: str | None, product_id: str) -> Path | None:
    """Return a file by its name in the metadata, or the only one with the same ending.

    Raises:
        InputError: If the name leads out of the folder, or several files end so.
    """
    if not file:
        return None
    if Path(file).name != file or "\\" in file:
        raise InputError(f"{folder}: the metadata name a file outside the folder: {file}")
    if (folder / file).is_file():
        return folder / file
    ending = _ending(file, product_id)
    found = sorted(p for p in folder.iterdir() if p.name.upper().endswith(ending) and p.is_file())
    if len(found) > 1:
        raise InputError(
            f"{folder} holds {len(found)} files for {file}: {found[0].name}, {found[1].name}",
            hint="keep one product a folder",
        )
    return found[0] if found else None


def _ending(file: str, product_id: str) -> str:
    """Return what follows the product id in a file's name: `_B1.TIF`."""
    upper, product = file.upper(), product_id.upper()
    if product and upper.startswith(product + "_"):
        return upper[len(product) :]
    return "_" + upper.rpartition("_")[2]


def _band(metadata: LandsatMetadata, band: str, path: Path) -> BandSource:
    scale, summand = metadata.scaling(band)
    return BandSource(band, str(path), nodata=_FILL, scale=scale, unit_offset=summand)


def _quality_band(metadata: LandsatMetadata, path: Path | None) -> tuple[BandSource, ...]:
    if path is None:
        return ()
    name = "QA_PIXEL" if "QA_PIXEL" in (metadata.quality_file or "").upper() else "BQA"
    return (BandSource(name, str(path), classes=True),)


def _clouds(metadata: LandsatMetadata, path: Path | None) -> dict[str, CloudMaker]:
    if path is None:
        return {}
    return {"bqa": constant(CloudBand(str(path), 1, metadata.quality_tests))}


def _notes(metadata: LandsatMetadata, files: Mapping[str, Path | None]) -> dict[str, object]:
    absent = [band for band, path in files.items() if path is None]
    pan = metadata.panchromatic
    notes = []
    if absent:
        notes.append(f"band files that the metadata name are not there: {', '.join(absent)}")
    if pan is not None and files.get(pan) is not None:
        notes.append(f"{pan} is left out, it would make the grid 15 m: --bands can name it")
    return {NOTES: notes} if notes else {}


def _record(metadata: LandsatMetadata) -> dict[str, object]:
    fields = metadata.fields
    found: dict[str, object] = {"product_id": metadata.product_id}
    for field, name in _RECORDED.items():
        if field in fields:
            found.setdefault(name, fields[field])
    return found
