"""Cut the tiles of a scene into memory: what `gair tile` writes, without writing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gair_cli.geo.cutting import pixel_errors_named, scene_cutter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from gair_cli._rust import SceneCutter, _Tiles
    from gair_cli.geo.layouts import Layout
    from gair_cli.geo.scene import Scene


@dataclass(frozen=True, slots=True)
class TileBatch:
    """Some tiles of a layout, cut together.

    Attributes:
        number: Which tiles of the layout these are, (T,).
        pixels: Of each tile, (C, H, W); pixels that are none hold the scene's nodata value.
        nodata_fraction: Share of each tile's pixels that are valid in no band, (T,).
        cloud_fraction: Share that is valid and cloudy, NaN without a cloud source, (T,).
        count: Valid pixels of each band, (T, C).
        minimum: Least valid value, NaN where there is none, (T, C).
        maximum: Greatest valid value, (T, C).
        mean: Mean of the valid values, (T, C).
        std: Their standard deviation (of the population), (T, C).
    """

    number: NDArray[np.int64]
    pixels: tuple[NDArray[np.generic], ...]
    nodata_fraction: NDArray[np.float64]
    cloud_fraction: NDArray[np.float64]
    count: NDArray[np.float64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]


def iter_tiles(
    scene: Scene,
    layout: Layout,
    *,
    max_nodata: float = 1.0,
    max_cloud: float = 1.0,
    jobs: int | None = None,
    memory: int | None = None,
) -> Iterator[TileBatch]:
    """Cut tiles, each compressed block decoded once as far as memory allows.

    Args:
        scene: What to cut.
        layout: The tiles; any windows in any order.
        max_nodata: Greatest share of pixels that are valid in no band.
        max_cloud: Greatest share of cloudy pixels.
        jobs: Threads; None is all cores. They work ahead of who asks by two batches at most.
        memory: Most bytes of decoded blocks; None takes what decoding each block once needs,
            within reason.

    Yields:
        Batches in the cutter's own order. Tiles without a valid pixel, or above a limit, are
        left out.

    Raises:
        InputError: If a file cannot be opened or decoded.
        DataError: If bands do not fit together, one tile needs more than `memory`, or a pixel is
            invalid and there is no value for it.
    """
    cutter = scene_cutter(
        scene, layout, tile_ids=[""] * len(layout), max_nodata=max_nodata, max_cloud=max_cloud,
        level=None, jobs=jobs, memory=memory,
    )  # fmt: skip
    shape = (len(scene.bands), *layout.size)
    while True:
        tiles, files, done = _take(cutter, scene)
        if done:
            return
        yield _batch(tiles, files, np.dtype(scene.dtype), shape)


def _take(cutter: SceneCutter, scene: Scene) -> tuple[_Tiles, list[NDArray[np.uint8]], bool]:
    with pixel_errors_named(scene):
        return cutter.take()


def _batch(
    tiles: _Tiles,
    files: list[NDArray[np.uint8]],
    dtype: np.dtype[np.generic],
    shape: tuple[int, int, int],
) -> TileBatch:
    """Return views of the pixels inside uncompressed tiles: bands lie behind each other."""
    starts = tiles["band_offsets"][:, 0].tolist()
    count = tiles["band_count"]
    return TileBatch(
        number=tiles["number"].astype(np.int64),
        pixels=tuple(
            file[start:].view(dtype).reshape(shape)
            for file, start in zip(files, starts, strict=True)
        ),
        nodata_fraction=tiles["nodata_fraction"],
        cloud_fraction=tiles["cloud_fraction"],
        count=count,
        minimum=tiles["band_min"],
        maximum=tiles["band_max"],
        mean=tiles["band_mean"],
        std=np.where(count > 0, np.sqrt(tiles["band_m2"] / np.maximum(count, 1)), np.nan),
    )
