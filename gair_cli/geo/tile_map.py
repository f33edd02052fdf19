"""A map of tiles: their outlines in longitude and latitude."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gair_cli.geo.wkb import polygons_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

    from gair_cli.geo.tileset import TileSet

    Ints = NDArray[np.int64]

_MOST_OUTLINES: Final = 20_000
_FEW_SCENES: Final = 20
_LEAST_SHARE: Final = 0.006
_PLAIN: Final = "#a5c8e1"
_SHARES: Final = "YlGnBu"
_MARGIN: Final = 0.06
_CHOSEN: Final = "#d9480f"


def sample(count: int, wanted: int, *, seed: int) -> list[int]:
    """Return some numbers below `count`, in order, the same for the same seed."""
    found = np.random.default_rng(seed).permutation(count)[:wanted]
    return sorted(int(number) for number in found)


def draw_map(figure: Any, tiles: TileSet, chosen: Sequence[int]) -> None:
    """Draw the outlines of tiles: by scene where these are few, else by their share of nodata.

    Args:
        figure: A matplotlib figure, or part of one.
        tiles: A tile set; of a very large one a sample is drawn.
        chosen: Rows of the index whose outlines are marked and numbered.
    """
    from matplotlib.collections import PolyCollection  # noqa: PLC0415

    axes = figure.subplots()
    shown = tiles.index[sample(len(tiles), _MOST_OUTLINES, seed=0)]
    rings, owners = _rings(shown)
    shift = _shift(rings)
    rings = [ring + shift(ring) for ring in rings]
    marks = PolyCollection(rings, linewidths=0.4)
    _colour(figure, axes, marks, shown, owners)
    axes.add_collection(marks)
    _frame(axes, rings)
    picked, numbers = _rings(tiles.index[list(chosen)])
    picked = [ring + shift(ring) for ring in picked]
    axes.add_collection(
        PolyCollection(picked, facecolors="none", edgecolors=_CHOSEN, linewidths=1.1)
    )
    title = "Where the tiles are; those beside in red"
    if _are_dots(rings):
        title = "Where the tiles are, too small to be drawn to scale"
        _dot(axes, rings, marks)
    else:
        _number(axes, picked, numbers)
    axes.set_title(title, loc="left", fontsize=10)


def _number(axes: Any, rings: Sequence[NDArray[np.float64]], numbers: Ints) -> None:
    """Write the numbers of the tiles shown, readable on any colour."""
    from matplotlib.patheffects import withStroke  # noqa: PLC0415

    halo = [withStroke(linewidth=2, foreground="white", alpha=0.8)]
    for ring, number in zip(rings, numbers, strict=True):
        axes.annotate(
            str(number + 1), ring[:-1].mean(axis=0), color=_CHOSEN, fontsize=7, ha="center",
            va="center", path_effects=halo,
        )  # fmt: skip


def _are_dots(rings: Sequence[NDArray[np.float64]]) -> bool:
    """Tell whether tiles are too small on the map to be seen."""
    points = np.concatenate(rings)
    whole = (points.max(axis=0) - points.min(axis=0)).max()
    sides = [(ring.max(axis=0) - ring.min(axis=0)).max() for ring in rings]
    return bool(np.median(sides) < _LEAST_SHARE * whole)


def _dot(axes: Any, rings: Sequence[NDArray[np.float64]], marks: Any) -> None:
    """Draw each tile as a dot of its colour."""
    middles = np.array([ring[:-1].mean(axis=0) for ring in rings])
    axes.scatter(*middles.T, s=26, c=marks.get_facecolor(), edgecolors="white", linewidths=0.4,
                 zorder=3)  # fmt: skip


def _rings(index: pl.DataFrame) -> tuple[list[NDArray[np.float64]], NDArray[np.int64]]:
    """Return the outer rings of footprints, and the row that each belongs to."""
    rings, owners = [], []
    for row, geometry in enumerate(index["geometry"]):
        for polygon in polygons_of(geometry):
            rings.append(polygon[0])
            owners.append(row)
    return rings, np.array(owners, np.int64)


def _shift(rings: Sequence[NDArray[np.float64]]) -> Any:
    """Return what to add to a ring: tiles on both sides of the antimeridian are drawn together."""
    middles = np.sort([ring[:, 0].mean() for ring in rings])
    gaps = np.append(np.diff(middles), middles[0] + 360.0 - middles[-1])
    split = 180.0 if gaps.argmax() == len(gaps) - 1 else middles[gaps.argmax()] + 1e-9
    crosses = split < 180.0 and middles[-1] - middles[0] > 180.0  # noqa: PLR2004 - half a turn
    return lambda ring: np.array([360.0 * (crosses and ring[:, 0].mean() <= split), 0.0])


def _colour(figure: Any, axes: Any, marks: Any, index: pl.DataFrame, owners: Any) -> None:
    """Colour outlines by scene if there are a few, by nodata if there is some, else alike."""
    scenes = index["scene_id"].unique().sort().to_list()
    nodata = index["nodata_fraction"].to_numpy()[owners]
    marks.set_edgecolor("white")
    if 1 < len(scenes) <= _FEW_SCENES:
        _colour_by_scene(axes, marks, index["scene_id"].to_numpy()[owners], scenes)
    elif nodata.max() > 0:
        _colour_by_nodata(figure, axes, marks, nodata)
    else:
        marks.set_facecolor(_PLAIN)


def _colour_by_scene(axes: Any, marks: Any, owners: Any, scenes: Sequence[str]) -> None:
    from matplotlib import colormaps  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    table = colormaps["tab20"]
    colours = {scene: table(number) for number, scene in enumerate(scenes)}
    marks.set_facecolor([colours[scene] for scene in owners])
    handles = [Patch(color=colours[scene], label=short_name(scene)) for scene in scenes]
    axes.legend(
        handles=handles, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2,
        frameon=False,
    )  # fmt: skip


def _colour_by_nodata(figure: Any, axes: Any, marks: Any, shares: Any) -> None:
    from matplotlib import colormaps  # noqa: PLC0415
    from matplotlib.cm import ScalarMappable  # noqa: PLC0415
    from matplotlib.colors import Normalize  # noqa: PLC0415

    scale = ScalarMappable(Normalize(0, 1), colormaps[_SHARES])
    marks.set_facecolor(scale.to_rgba(shares))
    bar = figure.colorbar(scale, ax=axes, shrink=0.6, pad=0.02)
    bar.set_label("share of nodata", fontsize=8)
    bar.ax.tick_params(labelsize=8)


def _frame(axes: Any, rings: Sequence[NDArray[np.float64]]) -> None:
    """Show all outlines with a margin, at the aspect of their latitude."""
    low = np.min([ring.min(axis=0) for ring in rings], axis=0)
    high = np.max([ring.max(axis=0) for ring in rings], axis=0)
    room = np.maximum((high - low) * _MARGIN, 1e-4)
    axes.set_xlim(low[0] - room[0], high[0] + room[0])
    axes.set_ylim(low[1] - room[1], high[1] + room[1])
    middle = math.radians(min(abs(float(low[1] + high[1]) / 2), 80.0))
    axes.set_aspect(1 / math.cos(middle))
    axes.set_xlabel("longitude", fontsize=9)
    axes.set_ylabel("latitude", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.ticklabel_format(useOffset=False, style="plain")
    axes.grid(alpha=0.25, linewidth=0.5)


def short_name(text: str, length: int = 40) -> str:
    """Return a text with its middle left out where it is long."""
    return text if len(text) <= length else f"{text[: length - 12]}...{text[-9:]}"
