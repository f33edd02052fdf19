"""From a draft and the options to a scene: bands chosen, one grid, one type, one nodata value."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gair_cli.errors import DataError, InputError
from gair_cli.geo import ids
from gair_cli.geo.inputs.finest import finest_grid, pixel_size
from gair_cli.geo.inputs.notes import with_masks_noted
from gair_cli.geo.inputs.options import NO_CLOUDS, SceneOptions
from gair_cli.geo.rasters import RasterInfo, raster_info
from gair_cli.geo.scene import DEFAULT_RESAMPLING, Band, CloudBand, Grid, Scene
from gair_cli.records import canonical_band

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gair_cli.geo.inputs.draft import BandSource, Draft

_NEAREST: Final = "nearest"
_PRODUCT_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")
_NO_NAME: Final = re.compile(r"[/\\\x00-\x1f]+")
_BYTES_A_PIXEL: Final = 8
_SPARE_BYTES: Final = 2**20


def describe(draft: Draft, options: SceneOptions) -> Scene:
    """Apply the options to a draft and look at the bands that remain.

    Raises:
        InputError: If a band's file is missing or unreadable.
        DataError: If there is no CRS or transform, bands do not fit their names or each other, or
            an asked band or cloud source is not there.
    """
    sources = _wanted(draft, options)
    options.check_bands(tuple(source.name for source in sources), draft.name)
    infos = {path: _info(draft, path) for path in dict.fromkeys(s.path for s in sources)}
    nodata = _nodata_of(sources, infos, options.nodata, draft.name)
    grid = _grid_of(sources, infos, options, draft.name, padded=nodata is not None)
    bands = tuple(_band(source, infos[source.path], options, nodata) for source in sources)
    source, clouds = _clouds_of(draft, options, grid)
    masks = [path for path, info in infos.items() if info.masked or info.alpha]
    scene = Scene(
        scene_id="",
        name=draft.name,
        files=tuple(dict.fromkeys((*draft.files, *infos))),
        bands=bands,
        dtype=_one_dtype(sources, infos, draft.name),
        grid=grid,
        nodata=nodata,
        mask=masks[0] if masks else None,
        taken_at=draft.taken_at,
        clouds=clouds,
        cloud_source=source,
        product={**with_masks_noted(draft.product, masks), **_offsets(bands)},
    )
    product = draft.product_id or ""
    whole = _PRODUCT_ID.fullmatch(product) is not None
    return replace(scene, scene_id=product if whole else _scene_id(scene, draft.stem))


def _wanted(draft: Draft, options: SceneOptions) -> list[BandSource]:
    found = _renamed(draft.bands, options.band_names, draft.name)
    if options.bands is None:
        return found
    return _chosen([*found, *draft.extras], options.bands, draft.name)


def _renamed(
    bands: Sequence[BandSource], given: tuple[str, ...] | None, scene: str
) -> list[BandSource]:
    if given is not None and len(given) != len(bands):
        raise DataError(
            f"{scene} has {len(bands)} bands, but {len(given)} names were given",
            hint="--band-names takes one name a band, in file order",
        )
    names = given or [band.name for band in bands]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise DataError(f"{scene}: two bands are named {twice[0]}", hint="pass --band-names")
    return [replace(band, name=name) for band, name in zip(bands, names, strict=True)]


def _chosen(bands: Sequence[BandSource], wanted: Sequence[str], scene: str) -> list[BandSource]:
    places = {canonical_band(band.name): band for band in reversed(bands)}
    missing = [band for band in wanted if canonical_band(band) not in places]
    if missing:
        names = ", ".join(band.name for band in bands)
        raise DataError(
            f"{scene} has no band {', '.join(missing)}; it has {names}",
            hint="choose among these with --bands, or name them with --band-names",
        )
    found = [places[canonical_band(band)] for band in wanted]
    twice = next((band.name for band in found if found.count(band) > 1), None)
    if twice:
        raise DataError(f"band {twice} is asked for twice", hint="name each band once")
    return found


def _info(draft: Draft, path: str) -> RasterInfo:
    info = draft.infos.get(path) or raster_info(path)
    pixels = info.width * info.height * info.count
    if draft.unpacked.get(path, 0) > pixels * _BYTES_A_PIXEL + _SPARE_BYTES:
        raise InputError(
            f"{path} unpacks to {draft.unpacked[path]} bytes for {pixels} pixels",
            hint="no real image is so large; fetch the product again from its source",
        )
    return info


def _nodata_of(
    sources: Sequence[BandSource],
    infos: Mapping[str, RasterInfo],
    given: float | None,
    scene: str,
) -> float | None:
    if given is not None:
        return given
    values = [
        infos[source.path].nodata_values[source.number - 1]
        if source.nodata is None
        else source.nodata
        for source in sources
    ]
    stated = {str(value): value for value in values if value is not None}
    if len(stated) > 1:
        raise DataError(
            f"{scene}: bands have different nodata values: {', '.join(stated)}",
            hint="pass --nodata VALUE",
        )
    return next(iter(stated.values()), None)


def _grid_of(
    sources: Sequence[BandSource],
    infos: Mapping[str, RasterInfo],
    options: SceneOptions,
    scene: str,
    *,
    padded: bool,
) -> Grid:
    grids = {}
    for source in sources:
        info = infos[source.path]
        crs = _crs_of(info, options.assume_crs, scene)
        grids[source.name] = Grid(crs, info.transform, info.width, info.height)
    return finest_grid(grids, scene, padded=padded)


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


def _band(
    source: BandSource, info: RasterInfo, options: SceneOptions, nodata: float | None
) -> Band:
    place = source.number - 1
    scale = info.scales[place] if source.scale is None else source.scale
    unit_offset = info.unit_offsets[place] if source.unit_offset is None else source.unit_offset
    kernel = _NEAREST if source.classes else DEFAULT_RESAMPLING
    return Band(
        name=source.name,
        path=source.path,
        number=source.number,
        nodata=nodata,
        resampling=options.resampling_of(source.name, kernel),
        offset=options.offset_of(source.name, source.offset),
        scale=scale,
        unit_offset=unit_offset,
        resolution=pixel_size(info.transform),
    )


def _offsets(bands: Sequence[Band]) -> dict[str, object]:
    """Return the radiometric offsets that are applied, for the record."""
    applied = {band.name: band.offset for band in bands if band.offset}
    return {"offsets": applied} if applied else {}


def _one_dtype(sources: Sequence[BandSource], infos: Mapping[str, RasterInfo], scene: str) -> str:
    dtypes = [infos[source.path].dtypes[source.number - 1] for source in sources]
    if len(set(dtypes)) > 1:
        listed = ", ".join(f"{s.name} {dtype}" for s, dtype in zip(sources, dtypes, strict=True))
        raise DataError(
            f"{scene}: bands have different types: {listed}", hint="choose some with --bands"
        )
    return dtypes[0]


def _clouds_of(
    draft: Draft, options: SceneOptions, grid: Grid
) -> tuple[str | None, tuple[CloudBand, ...]]:
    wanted = options.cloud_source
    if wanted == NO_CLOUDS or (wanted is None and not draft.clouds):
        return None, ()
    source = wanted or next(iter(draft.clouds))
    if source not in draft.clouds:
        has = f"it has {', '.join(draft.clouds)}" if draft.clouds else "it has none"
        raise DataError(
            f"{draft.name} has no cloud source {source}; {has}",
            hint="leave --cloud-source out, or pass --cloud-source none",
        )
    clouds = draft.clouds[source](grid)
    for band in clouds:
        _check_classes(band, draft)
    return source, clouds


def _check_classes(band: CloudBand, draft: Draft) -> None:
    info = _info(draft, band.path)
    dtype = info.dtypes[band.number - 1] if band.number <= info.count else "missing"
    if not dtype.startswith(("uint", "int")):
        raise DataError(
            f"{draft.name}: the cloud band {band.path} ({band.number}) holds {dtype}, no bits",
            hint="pass --cloud-source none",
        )


def _scene_id(scene: Scene, stem: str) -> str:
    paths = [Path(name) for name in scene.files]
    sizes = [path.stat().st_size for path in paths if path.is_file()]
    return ids.scene_id(
        _NO_NAME.sub("_", stem),
        crs=scene.crs,
        transform=scene.transform,
        size=(scene.width, scene.height),
        bands=scene.band_names,
        file_bytes=sum(sizes),
    )
