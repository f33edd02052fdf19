"""Rays of a camera: which direction each column looks to, and how steep each pixel is.

A ray is a column's direction and a slope: height gained per metre of horizontal distance. With
that a perspective picture and an equirectangular panorama are drawn by the same code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from gair_cli.demo.noise import Floats

EYE_M: Final = 2.4
FULL_TURN_DEG: Final = 360.0
_HORIZON_SHARE: Final = 0.60
_STEEPEST: Final = 25.0


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera at a place.

    Attributes:
        x: Metres east.
        y: Metres north.
        heading_deg: Direction of the middle of the picture, clockwise from north.
        width: Columns.
        height: Rows.
        fov_deg: Horizontal field of view; 360 makes an equirectangular panorama.
    """

    x: float
    y: float
    heading_deg: float
    width: int
    height: int
    fov_deg: float = 78.0

    @property
    def panorama(self) -> bool:
        """Whether the picture goes all around."""
        return self.fov_deg >= FULL_TURN_DEG

    @property
    def focal(self) -> float:
        """Focal length in pixels (of a panorama: pixels per radian)."""
        if self.panorama:
            return self.width / (2 * np.pi)
        return float(self.width / 2 / np.tan(np.radians(self.fov_deg / 2)))

    @property
    def horizon_row(self) -> float:
        """Row of the horizon; the lens of a perspective camera is shifted up a little."""
        return self.height * (0.5 if self.panorama else _HORIZON_SHARE)


@dataclass(frozen=True, slots=True)
class Rays:
    """Directions of all pixels.

    Attributes:
        azimuth: Of each column, radians from east, counter-clockwise, (W,).
        slope: Of each pixel, (H, W); falls with the row.
    """

    azimuth: Floats
    slope: Floats


def rays(camera: Camera) -> Rays:
    """Return the rays through the centres of a camera's pixels."""
    columns = np.arange(camera.width) + 0.5 - camera.width / 2
    rows = camera.horizon_row - (np.arange(camera.height) + 0.5)
    if camera.panorama:
        turn = columns / camera.focal
        rise = np.tan(np.clip(rows * np.pi / camera.height, -1.54, 1.54))
        slope = np.repeat(rise[:, None], camera.width, axis=1)
    else:
        turn = np.arctan(columns / camera.focal)
        slope = rows[:, None] / camera.focal * np.cos(turn)
    azimuth = np.pi / 2 - np.radians(camera.heading_deg) - turn
    slope = np.clip(slope, -_STEEPEST, _STEEPEST)
    return Rays(azimuth.astype(np.float32), slope.astype(np.float32))


def project(camera: Camera, x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Project positions on the ground into the picture.

    Args:
        camera: The camera.
        x: Metres east, (N,).
        y: Metres north, (N,).

    Returns:
        Column (may lie outside the picture), distance in metres, and the depth that divides
        heights: `row = horizon_row - focal * (z - EYE_M) / depth`; negative behind the camera.
    """
    dx, dy = x - np.float32(camera.x), y - np.float32(camera.y)
    distance = np.hypot(dx, dy) + np.float32(1e-3)
    turn = np.pi / 2 - np.radians(camera.heading_deg) - np.arctan2(dy, dx)
    turn = (turn + np.pi) % (2 * np.pi) - np.pi
    if camera.panorama:
        return _panorama_columns(camera, turn), distance, distance
    depth = distance * np.cos(turn)
    column = camera.width / 2 + camera.focal * np.tan(turn)
    return column.astype(np.float32), distance, depth.astype(np.float32)


def _panorama_columns(camera: Camera, turn: Floats) -> Floats:
    return (camera.width / 2 + camera.focal * turn).astype(np.float32)
