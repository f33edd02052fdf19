"""What an input says of itself, before any option: the common form of every kind of input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from gair_cli.geo.rasters import RasterInfo
    from gair_cli.geo.scene import CloudBand, Grid

    CloudMaker = Callable[[Grid], tuple[CloudBand, ...]]


@dataclass(frozen=True, slots=True)
class BandSource:
    """Where one band lies.

    Attributes:
        name: Its name.
        path: What GDAL opens.
        number: Its number in the file, from 1.
        nodata: The product's value of a pixel that is none; None asks the file.
        offset: Radiometric offset that the product states.
        scale: Recorded only; None asks the file.
        unit_offset: Recorded only; None asks the file.
        classes: Whether its values are classes or bits, which no kernel may mix.
    """

    name: str
    path: str
    number: int = 1
    nodata: float | None = None
    offset: float = 0.0
    scale: float | None = None
    unit_offset: float | None = None
    classes: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A scene before options.

    Attributes:
        name: What messages call it.
        stem: Text that its id begins with, where it has no product id.
        files: Files whose content decides the plan besides those of the bands in use.
        bands: What is tiled unless `--bands` says otherwise.
        extras: Bands that `--bands` may name besides.
        clouds: By source, in order of preference: what makes the cloud bands for a grid.
        infos: Descriptions of files that were opened already, by path.
        unpacked: Bytes of packed files once unpacked, by path, to be held against their pixels.
        product_id: Its id, if it is a whole product.
        taken_at: When it was taken, UTC.
        product: What is recorded of it.
    """

    name: str
    stem: str
    files: tuple[str, ...]
    bands: tuple[BandSource, ...]
    extras: tuple[BandSource, ...] = ()
    clouds: Mapping[str, CloudMaker] = field(default_factory=dict)
    infos: Mapping[str, RasterInfo] = field(default_factory=dict)
    unpacked: Mapping[str, int] = field(default_factory=dict)
    product_id: str | None = None
    taken_at: datetime | None = None
    product: Mapping[str, object] = field(default_factory=dict)
