"""A scene's outline seen from another grid: how far it reaches, and which tiles lie in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from gair_cli.errors import DataError
from gair_cli.geo.coordinates import from_lonlat, is_geographic, normalise_crs, to_lonlat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gair_cli.geo.layouts import Layout
    from gair_cli.geo.scene import Grid

    Points = NDArray[np.float64]

_PIECES: Final = 32
_TILE_PIECES: Final = 8
_TURN: Final = 360.0
_ON_EDGE: Final = 1e-3
"""What counts as inside, in the scene's pixels: coordinates are written with so many digits."""

_ROOM: Final = 2.0
"""How much wider, in pixels, a scene is taken where tiles may reach over it: too many tiles are
found out when they are cut, too few never."""

_CURVATURE: Final = 0.5
"""How far, in sides of a tile, its edges may bend away from its corners' box in another CRS."""

_CHUNK: Final = 65_536


def outline_lonlat(grid: Grid) -> Points:
    """Return points along the edge of a scene in degrees; longitudes do not jump.

    Raises:
        DataError: If the scene reaches beyond where its CRS is defined.
    """
    points = _to_crs(grid, _edges(grid.width, grid.height, _PIECES))
    lonlat = to_lonlat(points, grid.crs)
    if not np.isfinite(lonlat).all():
        raise DataError(f"the scene reaches beyond where {grid.crs[:60]} is defined")
    if not is_geographic(grid.crs):
        lonlat[:, 0] = np.unwrap(lonlat[:, 0], period=_TURN)
    return lonlat


def box_degrees(grid: Grid) -> tuple[float, float, float, float]:
    """Return the box around a scene in degrees; east may be beyond 180, and west before -180.

    Returns:
        west, south, east, north; all longitudes for a scene with a pole in it.

    Raises:
        DataError: If the scene reaches beyond where its CRS is defined.
    """
    outline = outline_lonlat(grid)
    west, south, east, north = (float(edge) for edge in _extent(outline))
    if is_geographic(grid.crs):
        return west, south, east, north
    for pole in (-90.0, 90.0):
        pixel = _to_pixels(grid, from_lonlat([[0.0, pole]], grid.crs))[0]
        if (pixel >= 0).all() and (pixel <= [grid.width, grid.height]).all():
            west, east = -_TURN / 2, _TURN / 2
            south, north = min(south, pole), max(north, pole)
    return west, south, east, north


def _extent(points: Points) -> Points:
    """Return least x, least y, greatest x, greatest y of points (N, 2)."""
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def outline_bounds(grid: Grid, crs: str) -> tuple[float, float, float, float]:
    """Return the least and greatest x and y of a scene's edge in another CRS.

    Returns:
        west, south, east, north in units of `crs`.

    Raises:
        DataError: If the scene reaches beyond where either CRS is defined.
    """
    if same_crs(grid.crs, crs):
        points = _to_crs(grid, _edges(grid.width, grid.height, 1))
    else:
        points = from_lonlat(outline_lonlat(grid), crs)
    if not np.isfinite(points).all():
        raise DataError(f"the scene reaches beyond where {crs[:60]} is defined")
    west, south, east, north = (float(edge) for edge in _extent(points))
    return west, south, east, north


def same_crs(first: str, second: str) -> bool:
    """Tell whether two CRS texts say the same."""
    return normalise_crs(first) == normalise_crs(second)


def tiles_on_scene(layout: Layout, scene: Grid, *, whole: bool) -> Layout:
    """Return the tiles that lie in a scene, or at least touch it.

    Args:
        layout: Tiles of any grid.
        scene: The scene's own grid, of any CRS and orientation.
        whole: True keeps tiles that lie in the scene whole; False also those that reach over its
            edge, and may keep a few beside it.
    """
    numbers = np.arange(len(layout)) // _CHUNK
    kept = [
        _kept(layout.only(numbers == part), scene, whole=whole)
        for part in range(-(-len(layout) // _CHUNK))
    ]
    return layout.only(np.concatenate([np.zeros(0, bool), *kept]))


def _kept(layout: Layout, scene: Grid, *, whole: bool) -> NDArray[np.bool_]:
    """Decide by the corners where that is safe, and along all edges elsewhere."""
    if same_crs(layout.grid.crs, scene.crs):
        return _judged(_in_scene_pixels(layout, scene, 1), scene, whole=whole)
    corners = _in_scene_pixels(layout, scene, 1)  # (T, 4, 2)
    low, high = corners.min(axis=1), corners.max(axis=1)
    room = _CURVATURE * (high - low)
    sides = np.array([scene.width, scene.height])
    kept = np.asarray(((low - room >= 0) & (high + room <= sides)).all(axis=1))
    far = ((high + room < 0) | (low - room > sides)).any(axis=1)
    unsure = ~kept & ~far
    edges = _in_scene_pixels(layout.only(unsure), scene, _TILE_PIECES)
    kept[unsure] = _judged(edges, scene, whole=whole)
    return kept


def _judged(edges: Points, scene: Grid, *, whole: bool) -> NDArray[np.bool_]:
    """Tell which tiles lie in a scene, or touch it, by points along their edges (T, 4 P, 2)."""
    sides = np.array([scene.width, scene.height], np.float64)
    if whole:
        return np.asarray(((edges >= -_ON_EDGE) & (edges <= sides + _ON_EDGE)).all(axis=(1, 2)))
    known = np.isfinite(edges).all(axis=(1, 2))
    return np.asarray(~_apart(edges[:, :: edges.shape[1] // 4], sides) & known)


def _in_scene_pixels(layout: Layout, scene: Grid, pieces: int) -> Points:
    """Return the edges of tiles as columns and rows of the scene, (T, 4 P, 2)."""
    height, width = layout.size
    edge = _edges(width, height, pieces)
    corner = np.stack([layout.lefts, layout.tops], axis=-1)
    xy = _to_crs(layout.grid, (corner[:, None] + edge).reshape(-1, 2))
    if not same_crs(layout.grid.crs, scene.crs):
        xy = from_lonlat(to_lonlat(xy, layout.grid.crs), scene.crs)
        if is_geographic(scene.crs):
            middle = _to_crs(scene, np.array([[scene.width / 2, scene.height / 2]]))[0, 0]
            xy[:, 0] += _TURN * np.round((middle - xy[:, 0]) / _TURN)
    return _to_pixels(scene, xy).reshape(-1, 4 * pieces, 2)  # (T, 4 P, 2)


def _apart(quads: Points, sides: Points) -> NDArray[np.bool_]:
    """Tell which quadrilaterals (T, 4, 2) an axis keeps apart from a rectangle (Gottschalk 1996).

    The rectangle goes from 0 to `sides`, with some room around.
    """
    low, high = -_ROOM, sides + _ROOM
    apart = (quads.max(axis=1) <= low).any(axis=1) | (quads.min(axis=1) >= high).any(axis=1)
    corners = np.array([[low, low], [high[0], low], [high[0], high[1]], [low, high[1]]])
    for at in range(4):
        edge = quads[:, (at + 1) % 4] - quads[:, at]  # (T, 2)
        normal = np.stack([-edge[:, 1], edge[:, 0]], axis=-1)
        mine = np.einsum("tkc,tc->tk", quads, normal)
        theirs = normal @ corners.T  # (T, 4)
        apart |= (mine.max(axis=1) <= theirs.min(axis=1)) | (theirs.max(axis=1) <= mine.min(axis=1))
    return np.asarray(apart)


def _edges(width: int, height: int, pieces: int) -> Points:
    """Return points along the four edges of a rectangle from its first corner on, (4 P, 2)."""
    steps = np.arange(pieces) / pieces
    ahead, back = np.stack([steps, 0 * steps], axis=-1), np.stack([1 - steps, 1 + 0 * steps], -1)
    right, left = np.stack([1 + 0 * steps, steps], -1), np.stack([0 * steps, 1 - steps], -1)
    return np.concatenate([ahead, right, back, left]) * [width, height]


def _to_crs(grid: Grid, pixels: Points) -> Points:
    a, b, c, d, e, f = grid.transform
    col, row = pixels[:, 0], pixels[:, 1]
    return np.stack([a * col + b * row + c, d * col + e * row + f], axis=-1)


def _to_pixels(grid: Grid, xy: Points) -> Points:
    a, b, c, d, e, f = grid.transform
    x, y = xy[:, 0] - c, xy[:, 1] - f
    return np.stack([e * x - b * y, a * y - d * x], axis=-1) / (a * e - b * d)
