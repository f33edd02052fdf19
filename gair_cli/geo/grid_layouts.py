"""Lay out a scene's tiles on the grid that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gair_cli import _rust
from gair_cli.errors import DataError
from gair_cli.geo.grid_majortom import majortom_layouts
from gair_cli.geo.grid_utm import utm_layouts
from gair_cli.geo.grid_xyz import xyz_layouts
from gair_cli.geo.ids import hash_text
from gair_cli.geo.layouts import Layout, check_count, crossed
from gair_cli.geo.plan_limits import check_tile_bytes, check_tile_count
from gair_cli.geo.reproject import reprojected

if TYPE_CHECKING:
    from gair_cli.geo.scene import Grid, Scene
    from gair_cli.geo.tile_options import TilingOptions


def layouts_of(scene: Scene, options: TilingOptions) -> list[Layout]:
    """Return the tiles of a scene, by target grid; their names differ from grid to grid.

    Raises:
        DataError: If the scene cannot be brought to the grid, or would have more tiles, or larger
            ones, than a tile set can hold.
    """
    if options.grid.kind == "scene" and options.reproject is None:
        shape = (scene.height, scene.width)
        stride = options.stride or options.size
        check_tile_count(scene, shape, shape if stride is None else (stride, stride))
    try:
        found = _layouts(scene.grid, options)
    except DataError as error:
        raise DataError(f"{scene.name}: {error}", hint=error.hint) from error
    for layout in found:
        check_tile_bytes(scene, layout.size)
    return found


def _layouts(scene: Grid, options: TilingOptions) -> list[Layout]:
    size, res, whole = options.size, options.res, options.partial == "skip"
    kind, number = options.grid.kind, options.grid.number or 0
    if kind == "utm" and size is not None:
        stride = options.stride or size
        return utm_layouts(scene, size=size, stride=stride, res=res, whole=whole)
    if kind == "xyz" and size is not None:
        return xyz_layouts(scene, zoom=int(number), size=size, whole=whole)
    if kind == "majortom" and size is not None:
        return majortom_layouts(scene, km=number, size=size, res=res, whole=whole)
    if options.reproject is None:
        return [pixel_layout("scene", scene, options)]
    crs = known_crs(options.reproject)
    name = crs_label(crs) + ("" if res is None else f"@{res:g}")
    return [pixel_layout(name, reprojected(scene, crs, res=res), options)]


def known_crs(text: str) -> str:
    """Return a CRS as `EPSG:n`, else WKT2.

    Raises:
        DataError: If PROJ does not know it.
    """
    try:
        return _rust.crs_name(text)
    except ValueError as error:
        raise DataError(str(error), hint="give a code such as EPSG:32633, or WKT") from error


def crs_label(crs: str) -> str:
    """Return a short name for a CRS: `epsg:n`, or a hash of its text."""
    return crs.lower() if crs.startswith("EPSG:") else f"crs:{hash_text(crs)[:8]}"


def scene_layout(scene: Scene, options: TilingOptions) -> Layout:
    """Return the tiles on a scene's own pixels, whatever grid was asked for."""
    return pixel_layout("scene", scene.grid, options)


def pixel_layout(name: str, grid: Grid, options: TilingOptions) -> Layout:
    """Return the tiles on a grid's own pixels, counted from its first pixel on."""
    size = (grid.height, grid.width) if options.size is None else (options.size, options.size)
    stride = size if options.stride is None else (options.stride, options.stride)
    tops, lefts = tile_lattice((grid.height, grid.width), size, stride, options.partial)
    check_count(len(tops), len(lefts))
    return crossed(name, grid, size=size, stride=stride, tops=tops, lefts=lefts)


def tile_lattice(
    shape: tuple[int, int], size: tuple[int, int], stride: tuple[int, int], partial: str
) -> tuple[list[int], list[int]]:
    """Return the first pixel of each row and of each column of tiles.

    Args:
        shape: Rows and columns of the raster.
        size: Rows and columns of a tile.
        stride: Rows and columns between tiles.
        partial: `skip`, `pad` or `shift`.
    """
    return _rust.tile_lattice(shape, size, stride, partial)
