"""A map of a search as a picture: places, the query, the ranked results, their photos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gair_cli.errors import GairError
from gair_cli.geo.photos import read_jpeg
from gair_cli.search.map_html import distance_text

if TYPE_CHECKING:
    from pathlib import Path

    from gair_cli.search.places import SearchResult

HIT, QUERY, SOFT = "#d9480f", "#1864ab", "#9aa5b1"
MAX_PHOTOS: Final = 8
_MARGIN: Final = 0.15


def png_map(result: SearchResult, folder: Path, output: Path) -> None:
    """Draw the map.

    Args:
        result: Of a search.
        folder: The table's folder, from which relative photo paths start.
        output: The PNG.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - only pictures need it

    photos = photos_of(result, folder)
    figure = Figure(figsize=(11, 7), dpi=120, layout="constrained")
    grid = figure.add_gridspec(4, 4, width_ratios=(3, 3, 1.3, 1.3))
    axes = figure.add_subplot(grid[:, :2] if photos else grid[:, :])
    _draw_places(axes, result)
    for at, (title, pixels) in enumerate(photos):
        picture = figure.add_subplot(grid[at % 4, 2 + at // 4])
        picture.imshow(pixels)
        picture.set_title(title, fontsize=8, loc="left")
        picture.axis("off")
    figure.savefig(output, format="png", metadata={"Software": None})


def photos_of(result: SearchResult, folder: Path) -> list[tuple[str, np.ndarray]]:
    """Return titles and pixels of the query's photo and of the first results' photos."""
    wanted: list[tuple[str, Path]] = []
    if result.query.photo is not None:
        wanted.append(("query", result.query.photo))
    if "path" in result.frame.columns:
        rows = result.frame.select("rank", "score", "path").iter_rows()
        wanted += [(f"{rank}: {score:.3f}", folder / path) for rank, score, path in rows if path]
    found = []
    for title, path in wanted[:MAX_PHOTOS]:
        try:
            found.append((title, read_jpeg(path, 200)))
        except (GairError, OSError, ValueError):
            continue
    return found


def _draw_places(axes: Any, result: SearchResult) -> None:
    hits = result.frame.filter(result.frame["lon"].is_not_null())
    places = hits.select("lon", "lat").to_numpy()
    ranks = hits["rank"].to_list()
    shown = places if result.lonlat is None else np.vstack([places, result.lonlat])
    axes.scatter(*result.others.T, s=6, c=SOFT, alpha=0.5, linewidths=0, label="all rows")
    axes.scatter([], [], s=220, c=HIT, edgecolors="white", label="found, by rank")
    for at, ((lon, lat), rank) in enumerate(list(zip(places, ranks, strict=True))[::-1]):
        layer = 3 + at / 1000  # a better rank lies on top
        axes.scatter(lon, lat, s=220, c=HIT, edgecolors="white", zorder=layer)
        axes.annotate(str(rank), (lon, lat), color="white", ha="center", va="center",
                      fontsize=8, fontweight="bold", zorder=layer)  # fmt: skip
    if result.lonlat is not None:
        axes.scatter(*result.lonlat, s=320, marker="*", c=QUERY, edgecolors="white", zorder=5,
                     label="query")  # fmt: skip
    _frame_places(axes, shown)
    axes.set(xlabel="longitude", ylabel="latitude")
    axes.set_title(_title(result), loc="left", fontsize=11)
    axes.grid(alpha=0.2)
    axes.legend(loc="best", fontsize=8, markerscale=0.6)


def _frame_places(axes: Any, places: np.ndarray) -> None:
    """Show the places with a margin, at the right aspect of their latitude."""
    if not len(places):
        return
    low, high = places.min(axis=0), places.max(axis=0)
    middle = (low + high) / 2
    shrink = max(float(np.cos(np.radians(abs(middle[1])))), 0.2)
    reach = max(float((high - low) @ (shrink, 0)), float(high[1] - low[1]), 1e-3)
    reach *= 0.5 + _MARGIN
    axes.set_xlim(middle[0] - reach / shrink, middle[0] + reach / shrink)
    axes.set_ylim(middle[1] - reach, middle[1] + reach)
    axes.set_aspect(1 / shrink)


def _title(result: SearchResult) -> str:
    best = result.frame.row(0, named=True) if result.frame.height else None
    if best is None:
        return f"{result.query.label}: nothing found"
    away = distance_text(best.get("distance_m"))
    query, found = short(result.query.label), short(str(best["id"]))
    return f"{query}: best {found}, cosine {best['score']:.3f}" + (f", {away} away" if away else "")


def short(text: str, length: int = 36) -> str:
    """Return a text with its middle left out where it is long."""
    return text if len(text) <= length else f"{text[: length - 13]}...{text[-10:]}"
