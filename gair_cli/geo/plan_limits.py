"""What no tile set can hold, refused before memory is taken for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.errors import DataError

if TYPE_CHECKING:
    from gair_cli.geo.scene import Scene

MOST_TILES: Final = 5_000_000
"""Tiles of one scene: some gigabytes of index. A Sentinel-2 scene has so many every 5 pixels."""

MOST_TILE_BYTES: Final = 2**32 - 2**20
"""Pixels of one tile: a classic TIFF counts to 4 GiB, and its directory needs room too."""


def check_tile_bytes(scene: Scene, size: tuple[int, int]) -> None:
    """Refuse tiles that no classic TIFF can hold.

    Args:
        scene: Whose bands and type count.
        size: Rows and columns of a tile.

    Raises:
        DataError: If so.
    """
    rows, cols = size
    found = rows * cols * len(scene.bands) * np.dtype(scene.dtype).itemsize
    if found > MOST_TILE_BYTES:
        raise DataError(
            f"{scene.name}: a tile of {cols} x {rows} pixels and {len(scene.bands)} bands "
            f"has {found / 1e9:.1f} GB, more than the 4.2 GB that a tile can hold",
            hint="choose a smaller --size, or some of the bands with --bands",
        )


def check_tile_count(scene: Scene, shape: tuple[int, int], stride: tuple[int, int]) -> None:
    """Refuse more tiles than an index of one scene is made for.

    Args:
        scene: Named in the error.
        shape: Rows and columns of pixels that tiles begin in.
        stride: Rows and columns between tiles.

    Raises:
        DataError: If so.
    """
    rows, cols = (-(-length // step) for length, step in zip(shape, stride, strict=True))
    if rows * cols > MOST_TILES:
        raise DataError(
            f"{scene.name}: {shape[1]} x {shape[0]} pixels make {rows * cols} tiles, more than "
            f"the {MOST_TILES} that one scene may have",
            hint="choose a larger --stride or --size",
        )
