"""What a person may choose about a made city."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from gair_cli.demo.surface import PIXEL_M
from gair_cli.errors import UsageError

LAYOUT_VERSION: Final = 1
"""Part of every plan: raised when the same options begin to give other bytes."""
_SMALLEST_KM: Final = 0.5
_LARGEST_KM: Final = 200.0
_SMALLEST_PHOTO: Final = 16
_LARGEST_PHOTO: Final = 4096


@dataclass(frozen=True, slots=True)
class CityOptions:
    """Choices that decide the bytes of a made city.

    Attributes:
        seed: Another seed is another city, at another place.
        extent_km: Edge of the square; the city grows with it.
        scenes: How many passes of the satellite, in different seasons.
        photos: How many street photos.
        photo_width: Columns of a photo.
        photo_height: Rows of a photo.
        panorama: Equirectangular panoramas instead of perspective photos.
        points: How many labelled points.

    Raises:
        UsageError: If a number is out of range.
    """

    seed: int = 0
    extent_km: float = 8.64
    scenes: int = 1
    photos: int = 300
    photo_width: int = 256
    photo_height: int = 192
    panorama: bool = False
    points: int = 1000

    def __post_init__(self) -> None:
        _require("--seed", self.seed, 0, 2**63)
        _require("--extent", self.extent_km, _SMALLEST_KM, _LARGEST_KM)
        _require("--scenes", self.scenes, 1, 1000)
        _require("--photos", self.photos, 0, 10_000_000)
        _require("--points", self.points, 0, 10_000_000)
        _require("--photo-size, width", self.photo_width, _SMALLEST_PHOTO, _LARGEST_PHOTO)
        _require("--photo-size, height", self.photo_height, _SMALLEST_PHOTO, _LARGEST_PHOTO)

    @property
    def pixels(self) -> int:
        """Columns, and rows, of a scene."""
        return round(self.extent_km * 1000 / PIXEL_M)

    @property
    def extent_m(self) -> float:
        """Edge of the square in metres, whole pixels."""
        return self.pixels * PIXEL_M

    def plan(self) -> dict[str, Any]:
        """Return everything that decides the bytes."""
        return {"command": "demo", "layout": LAYOUT_VERSION, **asdict(self)}


def _require(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(
            f"{name} {value:g} is not between {low:g} and {high:g}", hint="see gair demo --help"
        )
