"""Identifiers that any run, machine or order makes the same: BLAKE3 hashes, never counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gair_cli import _rust

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gair_cli.records import Transform

_SCENE_HASH_DIGITS = 8


def hash_text(*parts: object) -> str:
    """Return the 16-digit hash of some values, each as its text."""
    return _rust.hash16([str(part) for part in parts])


def tile_ids(
    scene_id: str,
    grid: str,
    size: tuple[int, int],
    stride: tuple[int, int],
    cells: Sequence[tuple[int, int]],
) -> list[str]:
    """Return one id a tile.

    Args:
        scene_id: The scene that the tiles were cut from.
        grid: Name of the grid, `scene` for the scene's own pixels.
        size: Rows and columns of a tile, in pixels.
        stride: Rows and columns between tiles, in pixels.
        cells: Row and column of each tile on the lattice.

    Returns:
        16 hexadecimal digits for each cell, in order.
    """
    return [hash_text(scene_id, grid, *size, *stride, row, col) for row, col in cells]


def sample_ids(photo_ids: Sequence[str | None], tile_ids_: Sequence[str | None]) -> list[str]:
    """Return one id for each (photo, tile); a missing half counts as the empty text."""
    return _rust.hash16_pairs(
        [photo or "" for photo in photo_ids], [tile or "" for tile in tile_ids_]
    )


def scene_id(
    stem: str,
    *,
    crs: str,
    transform: Transform,
    size: tuple[int, int],
    bands: Sequence[str],
    file_bytes: int,
) -> str:
    """Return the id of a scene whose product has none: its stem and a short hash.

    Args:
        stem: File name without folder and suffix.
        crs: The CRS as text.
        transform: Pixels to CRS, in rasterio's order.
        size: Columns and rows.
        bands: Band names in file order.
        file_bytes: Size of the file, or of all its parts.

    Returns:
        `stem-` and 8 hexadecimal digits.
    """
    numbers = [float(value).hex() for value in transform]
    digest = hash_text(crs, *numbers, *size, len(bands), *bands, file_bytes)
    return f"{stem}-{digest[:_SCENE_HASH_DIGITS]}"
