"""How scenes are read: the options that every kind of input shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from gair_cli.errors import DataError, UsageError
from gair_cli.records import canonical_band

KERNELS: Final = ("nearest", "bilinear", "cubic", "average")
CLOUD_SOURCES: Final = ("scl", "qa60", "bqa")
NO_CLOUDS: Final = "none"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SceneOptions:
    """How scenes are read.

    Attributes:
        band_names: Names for the bands, in file order.
        bands: Names of the bands to keep, in this order.
        nodata: The value of a pixel that is none; None asks the file.
        assume_crs: For scenes without a CRS.
        stack: Whether inputs are one-band files that belong together.
        band_pattern: For a stack: a regular expression whose group `band`, or first group, is the
            band's name in a file's name; files without a match are left out.
        offset: Radiometric offset of all bands, or by band; None takes the product's own.
        resampling: Kernel of all bands, or by band, where a band's grid is not the tiles' one.
        cloud_source: `scl`, `qa60`, `bqa` or `none`; None takes what the scene has.

    Raises:
        UsageError: If a kernel or cloud source is unknown.
    """

    band_names: tuple[str, ...] | None = None
    bands: tuple[str, ...] | None = None
    nodata: float | None = None
    assume_crs: str | None = None
    stack: bool = False
    band_pattern: str | None = None
    offset: float | Mapping[str, float] | None = None
    resampling: str | Mapping[str, str] | None = None
    cloud_source: str | None = None

    def __post_init__(self) -> None:
        kernels = self.resampling.values() if isinstance(self.resampling, Mapping) else ()
        for kernel in [self.resampling] if isinstance(self.resampling, str) else kernels:
            _check_among("resampling", kernel, KERNELS)
        if self.cloud_source is not None:
            _check_among("cloud source", self.cloud_source, (*CLOUD_SOURCES, NO_CLOUDS))

    def offset_of(self, band: str, default: float) -> float:
        """Return a band's radiometric offset; `default` is what the product says."""
        if isinstance(self.offset, Mapping):
            return float(_by_band(self.offset).get(canonical_band(band), default))
        return default if self.offset is None else float(self.offset)

    def resampling_of(self, band: str, default: str) -> str:
        """Return a band's kernel; `default` is what fits its values."""
        if isinstance(self.resampling, Mapping):
            return _by_band(self.resampling).get(canonical_band(band), default)
        return default if self.resampling is None else self.resampling

    def check_bands(self, names: tuple[str, ...], scene: str) -> None:
        """Refuse offsets and kernels for bands that a scene does not have.

        Raises:
            DataError: If there are some.
        """
        known = {canonical_band(name) for name in names}
        for flag, given in (("--offset", self.offset), ("--resampling", self.resampling)):
            for band in given if isinstance(given, Mapping) else ():
                if canonical_band(band) not in known:
                    raise DataError(
                        f"{flag} names band {band}, which {scene} does not have",
                        hint=f"its bands are {', '.join(names)}",
                    )


def _by_band(given: Mapping[str, _T]) -> dict[str, _T]:
    return {canonical_band(band): value for band, value in given.items()}


def _check_among(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{what} {value!r} is unknown", hint=f"choose {', '.join(known)}")
