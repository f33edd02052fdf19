"""What `gair tile` is given: files, or folders of one-band files, described as scenes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gair_cli.errors import DataError, InputError, UsageError
from gair_cli.geo import ids
from gair_cli.geo.products import product_of
from gair_cli.geo.rasters import RasterInfo, raster_info
from gair_cli.records import canonical_band

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gair_cli.records import Transform

RASTER_SUFFIXES: Final = frozenset({".tif", ".tiff", ".vrt", ".jp2", ".img"})
_BAND_TOKEN: Final = re.compile(r"(?:^|[_.\- ])(B\d{1,2}A?)(?:[_.\- ]|$)", re.IGNORECASE)
_NUMBERS: Final = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class SceneOptions:
    """How scenes are read.

    Attributes:
        band_names: Names for the bands, in file order.
        bands: Names of the bands to keep, in this order.
        nodata: The value of a pixel that is none; None asks the file.
        assume_crs: For scenes without a CRS.
        stack: Whether inputs are one-band files that belong together.
    """

    band_names: tuple[str, ...] | None = None
    bands: tuple[str, ...] | None = None
    nodata: float | None = None
    assume_crs: str | None = None
    stack: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene, ready to be cut.

    Attributes:
        scene_id: As in the tile index.
        name: What messages call it.
        files: Its files.
        sources: File and band number (from 1) of each band.
        bands: Names.
        dtype: numpy's name of the pixel type.
        width: Columns.
        height: Rows.
        crs: `EPSG:n` or WKT2.
        transform: As in rasterio.
        nodata: The value of a pixel that is none, or None.
        mask: File with a mask or alpha band, or None.
        taken_at: When it was taken, if it says so.
    """

    scene_id: str
    name: str
    files: tuple[Path, ...]
    sources: tuple[tuple[str, int], ...]
    bands: tuple[str, ...]
    dtype: str
    width: int
    height: int
    crs: str
    transform: Transform
    nodata: float | None
    mask: str | None
    taken_at: datetime | None


def inputs_of(paths: Sequence[Path], *, stack: bool) -> list[tuple[str, tuple[Path, ...]]]:
    """Return name and files of each scene asked for.

    With `stack`, a folder is one scene, and loose files together are another.

    Raises:
        InputError: If something is missing.
        UsageError: If a folder is given without `stack`, or nothing at all.
    """
    if not paths:
        raise UsageError("no scene was given", hint="gair tile SCENE... -o tiles")
    for path in paths:
        if not str(path).startswith("/vsi") and "://" not in str(path) and not path.exists():
            raise InputError(f"{path} does not exist", hint="check the path")
    folders = [path for path in paths if path.is_dir()]
    if folders and not stack:
        raise UsageError(
            f"{folders[0]} is a folder", hint="pass --stack if it holds one-band files of one scene"
        )
    if not stack:
        return [(str(path), (path,)) for path in paths]
    found = [(str(folder), _rasters_in(folder)) for folder in folders]
    loose = tuple(path for path in paths if not path.is_dir())
    return [*found, *([(str(loose[0].parent), loose)] if loose else [])]


def _rasters_in(folder: Path) -> tuple[Path, ...]:
    files = [path for path in folder.iterdir() if path.suffix.lower() in RASTER_SUFFIXES]
    if not files:
        raise InputError(
            f"{folder} holds no rasters",
            hint=f"one-band files end in {', '.join(sorted(RASTER_SUFFIXES))}",
        )
    return tuple(sorted(files, key=lambda path: _natural(_file_band(path.stem, "") or path.stem)))


def _natural(text: str) -> list[tuple[int, str]]:
    """Return a key that puts B9 before B10 and B8 before B8A."""
    parts = _NUMBERS.split(text)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _file_band(stem: str, prefix: str) -> str:
    """Return the band that a file's name ends in, or what follows the files' common prefix."""
    token = _BAND_TOKEN.search(stem)
    return canonical_band(token[1]) if token else stem[len(prefix) :]


def open_scene(name: str, files: Sequence[Path], *, options: SceneOptions) -> Scene:
    """Describe one scene.

    Raises:
        InputError: If a file is empty or unreadable.
        DataError: If there is no CRS or transform, bands do not fit their names, an asked band is
            not there, or the files of a stack differ in grid or type.
    """
    infos = [raster_info(path) for path in files]
    first = infos[0]
    for other in infos[1:]:
        _check_same_grid(first, other)
    names, sources = _bands_of(infos, stack=options.stack)
    names = _renamed(names, options.band_names, name)
    if options.bands is not None:
        chosen = _chosen(names, options.bands, name)
        names, sources = [names[i] for i in chosen], [sources[i] for i in chosen]
    product = product_of(name, first, files)
    scene = Scene(
        scene_id="",
        name=name,
        files=tuple(files),
        sources=tuple(sources),
        bands=tuple(names),
        dtype=_one_dtype(names, sources, infos),
        width=first.width,
        height=first.height,
        crs=_crs_of(first, options.assume_crs, name),
        transform=first.transform,
        nodata=_nodata_of(sources, infos, options.nodata, name),
        mask=str(first.path) if first.masked or first.alpha else None,
        taken_at=product.taken_at,
    )
    return replace(scene, scene_id=product.product_id or _scene_id(scene, name))


def _scene_id(scene: Scene, name: str) -> str:
    sizes = [path.stat().st_size for path in scene.files if path.exists()]
    return ids.scene_id(
        Path(name).stem or "scene",
        crs=scene.crs,
        transform=scene.transform,
        size=(scene.width, scene.height),
        bands=scene.bands,
        file_bytes=sum(sizes),
    )


def _check_same_grid(first: RasterInfo, other: RasterInfo) -> None:
    for what in ("width", "height", "crs", "transform"):
        mine, theirs = getattr(first, what), getattr(other, what)
        if mine != theirs:
            raise DataError(
                f"{other.path} has {what} {theirs}, but {first.path} has {mine}",
                hint="files of one scene must lie on one grid; resample them with gdalwarp",
            )


def _bands_of(
    infos: Sequence[RasterInfo], *, stack: bool
) -> tuple[list[str], list[tuple[str, int]]]:
    """Return names and sources of all bands; an alpha band is a mask, not a band."""
    if not stack:
        info = infos[0]
        numbers = [n for n in range(1, info.count + 1) if n != info.alpha]
        return [info.bands[n - 1] for n in numbers], [(str(info.path), n) for n in numbers]
    for info in infos:
        if info.count != 1:
            raise DataError(f"{info.path} has {info.count} bands; --stack takes one-band files")
    stems = [info.path.stem for info in infos]
    prefix = _common_prefix(stems)
    return [_file_band(stem, prefix) for stem in stems], [(str(i.path), 1) for i in infos]


def _common_prefix(stems: Sequence[str]) -> str:
    """Return what all names begin with, up to and with the last separator."""
    shortest = min(stems, key=len)
    length = next(
        (i for i, letter in enumerate(shortest) if any(stem[i] != letter for stem in stems)),
        len(shortest),
    )
    cut = max(shortest.rfind(mark, 0, length) for mark in "_-. ")
    return shortest[: cut + 1]


def _renamed(names: list[str], given: tuple[str, ...] | None, scene: str) -> list[str]:
    if given is None:
        found = names
    elif len(given) != len(names):
        raise DataError(
            f"{scene} has {len(names)} bands, but {len(given)} names were given",
            hint="--band-names takes one name a band, in file order",
        )
    else:
        found = list(given)
    twice = sorted({band for band in found if found.count(band) > 1})
    if twice:
        raise DataError(f"{scene}: two bands are named {twice[0]}", hint="pass --band-names")
    return found


def _chosen(names: Sequence[str], wanted: Sequence[str], scene: str) -> list[int]:
    places = {canonical_band(band): place for place, band in enumerate(names)}
    missing = [band for band in wanted if canonical_band(band) not in places]
    if missing:
        raise DataError(
            f"{scene} has no band {', '.join(missing)}; it has {', '.join(names)}",
            hint="choose among these with --bands, or name them with --band-names",
        )
    return [places[canonical_band(band)] for band in wanted]


def _one_dtype(
    names: Sequence[str], sources: Sequence[tuple[str, int]], infos: Sequence[RasterInfo]
) -> str:
    by_path = {str(info.path): info for info in infos}
    dtypes = [by_path[path].dtypes[number - 1] for path, number in sources]
    if len(set(dtypes)) > 1:
        listed = ", ".join(f"{name} {dtype}" for name, dtype in zip(names, dtypes, strict=True))
        raise DataError(f"bands have different types: {listed}", hint="choose some with --bands")
    return dtypes[0]


def _crs_of(info: RasterInfo, assumed: str | None, scene: str) -> str:
    crs = info.crs
    if crs is None:
        if assumed is None:
            raise DataError(f"{scene} has no CRS", hint="pass --assume-crs EPSG:n")
        crs = _named(assumed)
    if not info.has_transform:
        raise DataError(
            f"{scene} has no transform: its pixels have no place",
            hint="georeference it with gdal_translate -a_ullr",
        )
    return crs


def _named(crs: str) -> str:
    from gair_cli import _rust  # noqa: PLC0415 - only in builds with GDAL

    try:
        return _rust.crs_name(crs)
    except ValueError as error:
        raise DataError(str(error), hint="give a code such as EPSG:32633, or WKT") from error


def _nodata_of(
    sources: Sequence[tuple[str, int]],
    infos: Sequence[RasterInfo],
    given: float | None,
    scene: str,
) -> float | None:
    if given is not None:
        return given
    by_path = {str(info.path): info for info in infos}
    values = [by_path[path].nodata_values[number - 1] for path, number in sources]
    stated = {str(value): value for value in values if value is not None}
    if len(stated) > 1:
        raise DataError(
            f"{scene}: bands have different nodata values: {', '.join(stated)}",
            hint="pass --nodata VALUE",
        )
    return next(iter(stated.values()), None)
