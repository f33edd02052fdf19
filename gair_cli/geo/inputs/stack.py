"""A folder or a list of one-band files as one scene: bands are named by the files."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from gair_cli.errors import DataError, InputError, UsageError
from gair_cli.geo.inputs.cloud_bits import BY_BAND, constant, is_class_band, named_clouds
from gair_cli.geo.inputs.draft import BandSource, Draft
from gair_cli.geo.inputs.landsat_metadata import LandsatMetadata, metadata_beside
from gair_cli.geo.inputs.notes import NOTES
from gair_cli.geo.inputs.raster import split_classes
from gair_cli.geo.inputs.remote import file_name
from gair_cli.geo.products import Product, product_named, product_of
from gair_cli.geo.rasters import RasterInfo, raster_info
from gair_cli.geo.scene import CloudBand
from gair_cli.records import canonical_band

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gair_cli.geo.inputs.draft import CloudMaker
    from gair_cli.geo.inputs.options import SceneOptions

RASTER_SUFFIXES: Final = frozenset({".tif", ".tiff", ".vrt", ".jp2", ".img"})
_CLASSES: Final = "|".join(BY_BAND)
_BAND_TOKEN: Final = re.compile(
    rf"(?:^|[_.\- ])(B\d{{1,2}}A?|{_CLASSES})(?:[_.\- ]|$)", re.IGNORECASE
)
_NAMED: Final = 3
_NUMBERS: Final = re.compile(r"(\d+)")


def rasters_in(folder: Path) -> tuple[str, ...]:
    """Return the rasters of a folder in the natural order of their bands.

    Raises:
        InputError: If it holds none.
    """
    files = [path for path in folder.iterdir() if path.suffix.lower() in RASTER_SUFFIXES]
    if not files:
        raise InputError(
            f"{folder} holds no rasters",
            hint=f"one-band files end in {', '.join(sorted(RASTER_SUFFIXES))}",
        )
    ordered = sorted(sorted(files), key=lambda path: _natural(_file_band(path.stem, "")))
    return tuple(str(path) for path in ordered)


def _natural(text: str) -> list[tuple[int, str]]:
    """Return a key that puts B9 before B10 and B8 before B8A."""
    parts = _NUMBERS.split(text)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _file_band(stem: str, prefix: str) -> str:
    """Return the band that a file's name ends in, or what follows the files' common prefix."""
    token = _BAND_TOKEN.search(stem)
    return canonical_band(token[1]) if token else stem[len(prefix) :]


def stack_draft(name: str, files: Sequence[str], options: SceneOptions) -> Draft:
    """Describe one-band files that belong together.

    Raises:
        InputError: If a file is missing, empty or unreadable, or no file's name has a band.
        DataError: If a file has several bands, or two files hold the same one.
        UsageError: If the band pattern is no regular expression.
    """
    named, left_out = _named(files, options)
    if not named:
        raise InputError(
            f"{name}: no file name matches the band pattern {options.band_pattern!r}",
            hint=f"a file here is named {file_name(files[0])}",
        )
    infos = {path: _one_band(path) for path in named}
    bands = tuple(
        BandSource(band, path, classes=is_class_band(band)) for path, band in named.items()
    )
    data, classes = split_classes(bands, options)
    metadata = metadata_beside(Path(files[0]).parent)
    product = _product_of(name, infos[next(iter(named))], metadata)
    return Draft(
        name=name,
        stem=product.origin or Path(name).stem or Path(name).resolve().name or "scene",
        files=tuple(files),
        bands=data,
        extras=classes,
        clouds={} if options.band_names else _clouds(classes, metadata),
        infos=infos,
        product_id=product.product_id,
        taken_at=product.taken_at,
        product={**product.record(), **({NOTES: [_left_out(left_out)]} if left_out else {})},
    )


def _named(files: Sequence[str], options: SceneOptions) -> tuple[dict[str, str], list[str]]:
    """Return the band of each file, and the names of files that have none."""
    stems = [PurePosixPath(file_name(file)).stem for file in files]
    prefix = _common_prefix(stems)
    pattern = _compiled(options.band_pattern)
    bands = [_file_band(stem, prefix) for stem in stems]
    if pattern is not None:
        bands = [_matched(pattern, file_name(file)) for file in files]
    named = {file: band for file, band in zip(files, bands, strict=True) if band}
    if options.band_names is None:
        _check_unique(named)
    left_out = [file_name(file) for file in files if file not in named]
    return named, left_out


def _left_out(files: list[str]) -> str:
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    return f"no band of the pattern in {', '.join(files[:_NAMED])}{more}: left out"


def _compiled(text: str | None) -> re.Pattern[str] | None:
    if text is None:
        return None
    try:
        return re.compile(text)
    except re.error as error:
        raise UsageError(
            f"--band-pattern {text!r} is no regular expression: {error}",
            hint=r"for names such as x_B04_10m.tif: --band-pattern '_(B\w+)_10m'",
        ) from error


def _matched(pattern: re.Pattern[str], file: str) -> str:
    """Return what the pattern says is the band in a file's name, empty for none."""
    found = pattern.search(file)
    if found is None:
        return ""
    if "band" in pattern.groupindex:
        return canonical_band(found["band"] or "")
    return canonical_band((found[1] if pattern.groups else found[0]) or "")


def _check_unique(named: dict[str, str]) -> None:
    seen: dict[str, str] = {}
    for file, band in named.items():
        if band in seen:
            raise DataError(
                f"two files hold band {band}: {seen[band]} and {file}",
                hint="choose files with --band-pattern, or name the bands with --band-names",
            )
        seen[band] = file


def _common_prefix(stems: Sequence[str]) -> str:
    """Return what all names begin with, up to and with the last separator."""
    shortest = min(stems, key=len)
    length = next(
        (i for i, letter in enumerate(shortest) if any(stem[i] != letter for stem in stems)),
        len(shortest),
    )
    cut = max(shortest.rfind(mark, 0, length) for mark in "_-. ")
    return shortest[: cut + 1]


def _one_band(path: str) -> RasterInfo:
    info = raster_info(path)
    if info.count != 1:
        raise DataError(
            f"{path} has {info.count} bands; --stack takes one-band files",
            hint="leave it out with --band-pattern",
        )
    return info


def _product_of(name: str, first: RasterInfo, metadata: LandsatMetadata | None) -> Product:
    named = product_named(Path(name).name)
    if named is None and metadata is not None:
        return Product(metadata.product_id, metadata.taken_at)
    return named or product_of("", first.tags)


def _clouds(
    classes: tuple[BandSource, ...], metadata: LandsatMetadata | None
) -> dict[str, CloudMaker]:
    """Return the cloud sources; Landsat's own metadata say what the bits of BQA mean."""
    found = named_clouds(classes)
    quality = [band for band in classes if band.name.upper() == "BQA"]
    if quality and metadata is not None:
        band = replace(quality[0], name="BQA")
        found["bqa"] = constant(CloudBand(band.path, band.number, metadata.quality_tests))
    return found
