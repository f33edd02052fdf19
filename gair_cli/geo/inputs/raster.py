"""One raster file as a scene: GeoTIFF, COG, VRT, JP2, or anything else that GDAL opens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gair_cli.errors import InputError
from gair_cli.geo.inputs.cloud_bits import is_class_band, named_clouds
from gair_cli.geo.inputs.draft import BandSource, Draft
from gair_cli.geo.inputs.remote import file_name
from gair_cli.geo.products import product_of
from gair_cli.geo.rasters import raster_info

if TYPE_CHECKING:
    from gair_cli.geo.inputs.options import SceneOptions
    from gair_cli.geo.rasters import RasterInfo

_ARCHIVES: Final = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar", ".gz")


def raster_draft(name: str, path: str, options: SceneOptions) -> Draft:
    """Describe a raster; bands of classes (`SCL`, `QA60`, `QA_PIXEL`) are no data bands.

    Raises:
        InputError: If it is missing, empty or unreadable.
        DataError: If its values are complex numbers.
    """
    file = file_name(path)
    if file.lower().endswith(_ARCHIVES):
        raise InputError(f"{path} is an archive", hint="unpack it and give what is in it")
    info = raster_info(path)
    bands = _bands_of(path, info)
    data, classes = split_classes(bands, options)
    product = product_of(file, info.tags)
    return Draft(
        name=name,
        stem=product.origin or file.rpartition(".")[0] or file or "scene",
        files=(path,),
        bands=data,
        extras=classes,
        clouds={} if options.band_names else named_clouds(classes),
        infos={path: info},
        product_id=product.product_id,
        taken_at=product.taken_at,
        product=product.record(),
    )


def _bands_of(path: str, info: RasterInfo) -> tuple[BandSource, ...]:
    """Return all bands; an alpha band is a mask, not a band."""
    numbers = [number for number in range(1, info.count + 1) if number != info.alpha]
    names = [info.bands[number - 1] for number in numbers]
    return tuple(
        BandSource(name, path, number, classes=is_class_band(name))
        for name, number in zip(names, numbers, strict=True)
    )


def split_classes(
    bands: tuple[BandSource, ...], options: SceneOptions
) -> tuple[tuple[BandSource, ...], tuple[BandSource, ...]]:
    """Return data bands and class bands; all count as data if there is nothing but classes.

    Landsat's `BQA` is data unless it is asked for as the cloud source: without its metadata file
    nobody can say what its bits mean. Where `--band-names` names all bands, all are data.
    """
    if options.band_names:
        return bands, ()

    def aside(band: BandSource) -> bool:
        return band.classes and (band.name.upper() != "BQA" or options.cloud_source == "bqa")

    data = tuple(band for band in bands if not aside(band))
    return (data, tuple(band for band in bands if aside(band))) if data else (bands, ())
