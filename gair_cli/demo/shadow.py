"""Cast shadows: how high the shadow of buildings and trees reaches at every place of a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gair_cli.demo.noise import Floats


def shadow_height(
    height: Floats, *, resolution_m: float, azimuth: float, elevation: float
) -> Floats:
    """Return the height up to which each cell of a north-up grid lies in shadow.

    Args:
        height: Heights in metres, (H, W), the first row in the north.
        resolution_m: Size of a cell.
        azimuth: Of the sun, radians from east, counter-clockwise.
        elevation: Of the sun above the horizon, radians.

    Returns:
        Heights, (H, W); 0 or less where the sun reaches the ground. Shadows are followed as far
        as the highest cell casts them, and do not enter from outside the grid.
    """
    drop = resolution_m * np.tan(max(elevation, 0.12))
    count = int(min(np.ceil(float(height.max()) / drop), max(height.shape) - 1))
    result = np.full_like(height, -1)
    for step in range(1, count + 1):
        right = round(step * np.cos(azimuth))
        up = round(step * np.sin(azimuth))
        _lower(result, height - np.float32(step * drop), right, up)
    return result


def _lower(result: Floats, source: Floats, right: int, up: int) -> None:
    """Raise `result` to `source` as seen `right` columns and `up` rows towards the sun."""
    rows, columns = result.shape
    if abs(right) >= columns or abs(up) >= rows:
        return
    target = result[max(up, 0) : rows + min(up, 0), max(-right, 0) : columns + min(-right, 0)]
    origin = source[max(-up, 0) : rows + min(-up, 0), max(right, 0) : columns + min(right, 0)]
    np.maximum(target, origin, out=target)
