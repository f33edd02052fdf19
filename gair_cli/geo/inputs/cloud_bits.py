"""What the values of the common quality bands mean: which of them are clouds.

Shadows are not counted: a shaded pixel still shows the ground.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gair_cli.geo.scene import CloudBand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gair_cli.geo.inputs.draft import BandSource, CloudMaker
    from gair_cli.geo.scene import Grid

    Tests = tuple[tuple[int, int], ...]

SCL: Final = ((0xFF, 8), (0xFF, 9), (0xFF, 10))
"""Sentinel-2 L2A scene classes: clouds of medium and high probability, thin cirrus."""

QA60: Final = ((1 << 10, 1 << 10), (1 << 11, 1 << 11))
"""Sentinel-2 QA60: opaque clouds, cirrus."""

FLAG: Final = ((1, 1),)
"""One band a class, 1 where the class is: Sentinel-2's MSK_CLASSI."""

QA_PIXEL: Final = ((1 << 1, 1 << 1), (1 << 2, 1 << 2), (1 << 3, 1 << 3))
"""Landsat Collection 2: dilated cloud, cirrus, cloud."""

BQA_COLLECTION_1: Final = ((1 << 4, 1 << 4),)
"""Landsat Collection 1: cloud."""

BQA_BEFORE: Final = ((0b11 << 14, 0b11 << 14),)
"""Landsat before the collections: cloud confidence 67-100 %."""

BY_BAND: Final[Mapping[str, tuple[str, Tests]]] = {
    "SCL": ("scl", SCL),
    "QA60": ("qa60", QA60),
    "QA_PIXEL": ("bqa", QA_PIXEL),
    "BQA": ("bqa", BQA_COLLECTION_1),
}
"""Source and tests of a band, by its name."""


def is_class_band(name: str) -> bool:
    """Return whether a band's name says that it holds classes or bits."""
    return name.upper() in BY_BAND


def constant(*bands: CloudBand) -> CloudMaker:
    """Return a maker of cloud bands that do not hang on the grid."""

    def make(_: Grid) -> tuple[CloudBand, ...]:
        return bands

    return make


def named_clouds(bands: tuple[BandSource, ...]) -> dict[str, CloudMaker]:
    """Return the cloud sources among some bands, known by their names."""
    found: dict[str, CloudMaker] = {}
    by_name = {band.name.upper(): band for band in bands}
    for name, (source, tests) in BY_BAND.items():
        if name in by_name:
            band = by_name[name]
            found.setdefault(source, constant(CloudBand(band.path, band.number, tests)))
    return found
