"""Views cut from equirectangular panoramas: flat pictures in some directions.

The middle column of a panorama looks along its heading, as in Google's photo sphere metadata; rows
go from straight up to straight down.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from gair_cli.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TURN: Final = 360.0
_QUALITY: Final = 92
_WIDEST: Final = 150.0
_RATIO: Final = 2.0
_RATIO_SLACK: Final = 0.01


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """How panoramas are cut.

    Attributes:
        count: Views of each, evenly all around; the first looks along the panorama's heading.
        fov: Horizontal field of view in degrees; None is a full turn divided by the number, at
            least 60 and at most 120.
        size: Pixels a side; None keeps the panorama's detail.
    """

    count: int
    fov: float | None = None
    size: int | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"--views {self.count}: at least 1 is wanted")
        if self.fov is not None and not 1 <= self.fov <= _WIDEST:
            raise UsageError(
                f"--fov {self.fov:g}: 1 to {_WIDEST:g} degrees are wanted",
                hint="wider flat pictures are stretched beyond use",
            )

    @property
    def degrees(self) -> float:
        """The horizontal field of view."""
        return self.fov if self.fov is not None else min(max(_TURN / self.count, 60.0), 120.0)

    @property
    def turns(self) -> list[float]:
        """Degrees clockwise from the panorama's heading of each view."""
        return [_TURN * number / self.count for number in range(self.count)]


def is_panorama(width: int | None, height: int | None) -> bool:
    """Tell whether a picture has the sides of a whole equirectangular panorama, 2 to 1."""
    return bool(width and height and abs(width / height - _RATIO) <= _RATIO * _RATIO_SLACK)


def cut_view(
    panorama: NDArray[np.uint8], *, turn: float, fov: float, size: int
) -> NDArray[np.uint8]:
    """Cut one flat square view, sampled bilinearly.

    Args:
        panorama: (H, W, 3) equirectangular, all around and from pole to pole.
        turn: Direction of the view, degrees clockwise from the middle column.
        fov: Field of view across, degrees.
        size: Pixels a side.

    Returns:
        (size, size, 3) uint8, upright.
    """
    from scipy.ndimage import map_coordinates  # noqa: PLC0415 - slow to load, and for few

    height, width = panorama.shape[:2]
    half = np.tan(np.radians(fov / 2))
    steps = (np.arange(size) + 0.5) / size * 2 - 1
    across, down = np.meshgrid(steps * half, steps * half)
    lon = np.degrees(np.arctan(across)) + turn  # across: to the right of the view's middle
    lat = np.degrees(np.arctan2(-down, np.hypot(1.0, across)))
    cols = (lon / _TURN + 0.5) * width - 0.5
    rows = np.clip((0.5 - lat / 180.0) * height - 0.5, 0, height - 1)
    view = np.empty((size, size, panorama.shape[2]), np.uint8)
    for band in range(panorama.shape[2]):
        # one column more on both sides, so that the seam is sampled as any other place
        ring = np.concatenate([panorama[:, -1:, band], panorama[:, :, band],
                               panorama[:, :1, band]], axis=1).astype(np.float32)  # fmt: skip
        found = map_coordinates(ring, [rows, cols % width + 1], order=1, mode="nearest")
        view[:, :, band] = np.rint(found)
    return view


def detail_of(width: int, fov: float) -> int:
    """Return the side of a view that has the panorama's detail in its middle, pixels."""
    return max(8, round(math.tan(math.radians(fov / 2)) * width / math.pi))


def view_jpeg(view: NDArray[np.uint8]) -> bytes:
    """Return a view as JPEG."""
    stream = io.BytesIO()
    Image.fromarray(view).save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()
