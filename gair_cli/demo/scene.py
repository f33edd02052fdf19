# ruff: noqa: PLR2004 - the numbers are the drawing: metres and shares, read where they are used
"""Make a satellite scene of the city: surface, clouds, point spread, noise, nodata, classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.demo.noise import Codes, Flags, Floats, SmoothNoise, SmoothShift
from gair_cli.demo.surface import PIXEL_M, surface_reflectance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gair_cli.demo.acquisition import Acquisition
    from gair_cli.demo.city import City

BLOCK_PIXELS: Final = 256
_MARGIN_PIXELS: Final = 14
_SPREAD_PIXELS: Final = (3.0, 0.55, 0.55, 0.55, 0.9, 0.9, 0.9, 0.55, 0.9, 3.0, 0.9, 0.9)
"""Sigma of the point spread by band: native pixels of 10, 20 and 60 m, on the 10 m grid."""
_CLOUD: Final = np.array(
    [5200, 5300, 5400, 5500, 5600, 5700, 5800, 5900, 5950, 5600, 4300, 3300], dtype=np.float32
)[:, None, None]
_HAZE: Final = np.array([70, 50, 30, 18, 14, 12, 10, 8, 7, 6, 2, 1], dtype=np.float32)
_CLOUD_SHARES: Final = (0.56, 0.25, 0.12, 0.07)
_SHADOW_SHIFT_M: Final = (-420.0, 640.0)
_SHADE_LEFT: Final = 0.42
_NOISE_SHARE: Final = 0.008
_NOISE_DN: Final = 9.0
_BRIGHTEST: Final = 10_000


class SceneClass:
    """Codes of the scene classification layer (SCL) of Sentinel-2 that are used here."""

    NODATA = 0
    CLOUD_SHADOW = 3
    VEGETATION = 4
    NOT_VEGETATED = 5
    WATER = 6
    CLOUD_MEDIUM = 8
    CLOUD_HIGH = 9


def render_block(
    city: City, acquisition: Acquisition, *, column: int, row: int, width: int, height: int
) -> tuple[NDArray[np.uint16], Codes]:
    """Make a block of a scene; blocks can be made in any order.

    Args:
        city: The city.
        acquisition: When.
        column: First column, a multiple of `BLOCK_PIXELS`.
        row: First row, from the north, a multiple of `BLOCK_PIXELS`.
        width: Columns, at most `BLOCK_PIXELS`.
        height: Rows, at most `BLOCK_PIXELS`.

    Returns:
        Digital numbers (12, height, width), 0 is nodata, and the SCL (height, width).
    """
    margin = _MARGIN_PIXELS
    wide = surface_reflectance(
        city, acquisition, column=column - margin, row=row - margin,
        width=width + 2 * margin, height=height + 2 * margin,
    )  # fmt: skip
    inner = slice(margin, -margin)
    sharp = np.stack([_spread(wide[band], _SPREAD_PIXELS[band]) for band in range(len(wide))])
    clear = sharp[:, inner, inner]
    x = ((column + np.arange(width) + 0.5) * PIXEL_M).astype(np.float32)
    y = (city.plan.extent_m - (row + np.arange(height) + 0.5) * PIXEL_M).astype(np.float32)
    grid_x, grid_y = np.meshgrid(x, y)
    cloud, shade = _clouds(city, acquisition, grid_x, grid_y)
    outside = _outside(city, acquisition, grid_x, grid_y)
    classes = _classify(clear, cloud, shade, outside)
    light = 1 - (1 - _SHADE_LEFT) * shade
    seen = clear * light + _HAZE[:, None, None]
    seen += (_CLOUD - seen) * cloud
    generator = np.random.default_rng([city.plan.seed, 7, acquisition.number, row, column])
    noise = generator.standard_normal(seen.shape, dtype=np.float32)
    noisy = seen + noise * (_NOISE_SHARE * seen + _NOISE_DN)
    numbers = np.clip(np.rint(noisy), 1, _BRIGHTEST).astype(np.uint16)
    numbers[:, outside] = 0
    return numbers, classes


def _spread(band: Floats, sigma: float) -> Floats:
    """Blur by a Gaussian along both axes; the edge is mirrored, inside the margin."""
    reach = int(np.ceil(3 * sigma))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    for axis in (0, 1):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (reach, reach)
        padded = np.pad(band, pad, mode="reflect")
        blurred = np.zeros_like(band)
        for number, tap in enumerate(taps):
            kept = slice(number, number + band.shape[axis])
            blurred += tap * (padded[kept] if axis == 0 else padded[:, kept])
        band = blurred
    return band


def _clouds(city: City, acquisition: Acquisition, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return how much clouds cover each pixel, and how deep their shadow is there."""
    seed = [city.plan.seed, 8, acquisition.number]
    bend = SmoothShift([*seed, 0], wavelength_m=700, reach_m=260)
    waves = (1900, 610, 230, 90)
    layers = [SmoothNoise([*seed, k + 1], wavelength_m=wave) for k, wave in enumerate(waves)]

    def cover(east: Floats, north: Floats) -> Floats:
        east, north = bend(east, north)
        field = np.zeros_like(east)
        for number, (layer, share) in enumerate(zip(layers, _CLOUD_SHARES, strict=True)):
            cosine, sine = np.float32(np.cos(0.6 + number)), np.float32(np.sin(0.6 + number))
            field += share * layer(cosine * east + sine * north, cosine * north - sine * east)
        thick = np.clip((field - acquisition.cloud_level * 0.56) * 6, 0, 1)
        return np.asarray(0.96 * thick, dtype=np.float32)

    cloud = cover(x, y)
    shadow = cover(x - np.float32(_SHADOW_SHIFT_M[0]), y - np.float32(_SHADOW_SHIFT_M[1]))
    return cloud, shadow


def _outside(city: City, acquisition: Acquisition, x: Floats, y: Floats) -> Flags:
    """Return what lies west of the swath, a wedge that ends towards the south."""
    extent = city.plan.extent_m
    at_north, shrink = acquisition.edge
    return np.asarray(x < at_north * extent - shrink * (extent - y))


def _classify(clear: Floats, cloud: Floats, shade: Floats, outside: Flags) -> Codes:
    """Classify by vegetation and water index; clouds by how thick they are."""
    green, red, near, short = clear[2], clear[3], clear[7], clear[10]
    vegetated = (near - red) / (near + red + 1) > 0.42
    water = ((green - near) / (green + near + 1) > 0.1) & (short < 450)
    classes = np.full(red.shape, SceneClass.NOT_VEGETATED, dtype=np.uint8)
    classes[vegetated] = SceneClass.VEGETATION
    classes[water] = SceneClass.WATER
    classes[shade > 0.5] = SceneClass.CLOUD_SHADOW
    classes[cloud > 0.15] = SceneClass.CLOUD_MEDIUM
    classes[cloud > 0.6] = SceneClass.CLOUD_HIGH
    classes[outside] = SceneClass.NODATA
    return classes
