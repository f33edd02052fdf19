"""Reflectance of the city's surface as it looks from above, before any sensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.demo.materials import SPECTRA, VEGETATION, Material
from gair_cli.demo.noise import Codes, Floats, mix, unit
from gair_cli.demo.shadow import shadow_height

if TYPE_CHECKING:
    from gair_cli.demo.acquisition import Acquisition
    from gair_cli.demo.city import City

OVERSAMPLING: Final = 3
PIXEL_M: Final = 10.0
CELL_M: Final = PIXEL_M / OVERSAMPLING
_SLAB_CELLS: Final = 1 << 15
_LINES_AT_ONCE: Final = 16
_SKY_LIGHT: Final = np.linspace(0.48, 0.16, 12, dtype=np.float32)
"""Share of the light that is left in a shadow, by band: the sky is blue."""


def surface_reflectance(
    city: City, acquisition: Acquisition, *, column: int, row: int, width: int, height: int
) -> Floats:
    """Return mean reflectance times 10,000 of each pixel of a window.

    Args:
        city: The city.
        acquisition: Sun and season.
        column: First column of the window on the 10 m grid; may be negative.
        row: First row, counted from the north; may be negative.
        width: Columns.
        height: Rows.

    Returns:
        (12, height, width) float32. Shadows of what stands outside the window are missing, so
        ask for some pixels more than needed.
    """
    cells = (height * OVERSAMPLING, width * OVERSAMPLING)
    x = ((column * OVERSAMPLING + np.arange(cells[1])) + 0.5) * CELL_M
    north = city.plan.extent_m - row * PIXEL_M
    y = north - (np.arange(cells[0]) + 0.5) * CELL_M
    top, tall, bright = _tops(city, x.astype(np.float32), y.astype(np.float32))
    dark = shadow_height(
        tall,
        resolution_m=CELL_M,
        azimuth=acquisition.sun_azimuth,
        elevation=acquisition.sun_elevation,
    )
    shadow = np.clip((dark - tall) / 2, 0, 1)
    return _mean_reflectance(_seasonal(acquisition.dryness), top, bright, shadow)


def _tops(city: City, x: Floats, y: Floats) -> tuple[Codes, Floats, Floats]:
    """Return material, height and brightness of all cells, (rows, columns)."""
    shape = (len(y), len(x))
    top = np.empty(shape, dtype=np.uint8)
    tall = np.empty(shape, dtype=np.float32)
    bright = np.empty(shape, dtype=np.float32)
    rows = max(1, _SLAB_CELLS // len(x))
    for start in range(0, len(y), rows):
        part = slice(start, start + rows)
        grid_x, grid_y = (axis.ravel() for axis in np.meshgrid(x, y[part]))
        ground = city.sample(grid_x, grid_y)
        covered, canopy = city.cover(ground, grid_x, grid_y)
        code = city.top_material(ground, covered)
        tint = 0.85 + 0.3 * np.where(ground.height > 0, unit(ground.building, 2), 0.5)
        top[part] = code.reshape(-1, len(x))
        tall[part] = np.maximum(ground.height, canopy).reshape(-1, len(x))
        bright[part] = (tint * _texture(code, grid_x, grid_y)).reshape(-1, len(x))
    return top, tall, bright


def _texture(code: Codes, x: Floats, y: Floats) -> Floats:
    """Vary each cell a little, water hardly."""
    cell = mix((x / CELL_M).astype(np.int32), (y / CELL_M).astype(np.int32))
    strength = np.where((code == Material.LAKE) | (code == Material.RIVER), 0.03, 0.16)
    return np.asarray(1 + strength * (unit(cell) - 0.5), dtype=np.float32)


def _seasonal(dryness: float) -> Floats:
    """Let green materials turn towards dry grass."""
    spectra = SPECTRA.copy()
    dry = SPECTRA[Material.DRY_GRASS]
    spectra[VEGETATION] += np.float32(dryness) * (dry - spectra[VEGETATION])
    return spectra


def _mean_reflectance(spectra: Floats, top: Codes, bright: Floats, shadow: Floats) -> Floats:
    bands = spectra.shape[1]
    columns = np.ascontiguousarray(spectra.T)
    shape = (top.shape[0] // OVERSAMPLING, top.shape[1] // OVERSAMPLING)
    result = np.empty((bands, *shape), dtype=np.float32)
    for start in range(0, shape[0], _LINES_AT_ONCE):
        lines = slice(start, min(start + _LINES_AT_ONCE, shape[0]))
        cells = slice(lines.start * OVERSAMPLING, lines.stop * OVERSAMPLING)
        code, dark = top[cells].astype(np.intp), shadow[cells]
        lit, dim = bright[cells] * (1 - dark), bright[cells] * dark
        for band in range(bands):
            fine = columns[band].take(code)
            fine *= lit + dim * _SKY_LIGHT[band]
            rows = fine.reshape(lines.stop - lines.start, OVERSAMPLING, -1).sum(axis=1)
            result[band, lines] = sum(rows[:, k::OVERSAMPLING] for k in range(OVERSAMPLING))
    return result * np.float32(1 / OVERSAMPLING**2)
