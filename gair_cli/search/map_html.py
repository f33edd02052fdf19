"""A map of a search as one self-contained HTML page: no network, no tiles from elsewhere.

Places are drawn as SVG in Web Mercator; a script of a few lines pans and zooms. Photos are
embedded as small JPEGs.
"""

from __future__ import annotations

import base64
import io
import json
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from gair_cli.errors import GairError
from gair_cli.geo.photos import read_jpeg

if TYPE_CHECKING:
    from pathlib import Path

    from gair_cli.search.places import SearchResult

THUMBNAIL_PX: Final = 160
MAX_OTHERS: Final = 20_000
_DEFAULT_LAT: Final = 85.0


def html_map(result: SearchResult, folder: Path) -> str:
    """Return the page.

    Args:
        result: Of a search.
        folder: The table's folder, from which relative photo paths start.

    Returns:
        HTML text that needs nothing else. The same result gives the same text.
    """
    from jinja2 import Environment  # noqa: PLC0415 - only maps need it

    source = resources.files("gair_cli.search").joinpath("map.html.j2").read_text("utf-8")
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        source
    )
    content = {"hits": hits_of(result, folder), "query": query_of(result)}
    return template.render(
        title=f"gair search: {result.query.label}",
        query=content["query"],
        hits=content["hits"],
        meta=_meta_line(result),
        data=script_json({**content, "others": others_of(result)}),
    )


def script_json(content: dict[str, Any]) -> str:
    """Return JSON that can stand inside a script element."""
    return json.dumps(content).replace("<", "\\u003c").replace(">", "\\u003e")


def hits_of(result: SearchResult, folder: Path) -> list[dict[str, Any]]:
    """Return rank, id, score, place, distance and thumbnail of each row found."""
    paths = result.frame["path"].to_list() if "path" in result.frame.columns else None
    hits = []
    for at, row in enumerate(result.frame.iter_rows(named=True)):
        picture = thumbnail(folder / paths[at]) if paths and paths[at] else None
        hits.append({
            "rank": row["rank"],
            "id": str(row["id"]),
            "score": round(row["score"], 4),
            "modality": row["modality"],
            "at": mercator(row["lon"], row["lat"]),
            "place": _place(row["lon"], row["lat"]),
            "distance": distance_text(row.get("distance_m")),
            "picture": picture,
        })  # fmt: skip
    return hits


def query_of(result: SearchResult) -> dict[str, Any]:
    """Return label, place and thumbnail of the query."""
    lon, lat = result.lonlat if result.lonlat is not None else (None, None)
    photo = result.query.photo
    return {
        "label": result.query.label,
        "at": mercator(lon, lat),
        "place": _place(lon, lat),
        "picture": None if photo is None else thumbnail(photo),
    }


def others_of(result: SearchResult) -> list[list[float]]:
    """Return a regular sample of the table's places, as x and y in Web Mercator."""
    finite = np.flatnonzero(np.isfinite(result.others).all(axis=1))
    chosen = finite[:: max(1, -(-len(finite) // MAX_OTHERS))]
    points = [mercator(*map(float, result.others[row])) for row in chosen]
    return [point for point in points if point is not None]


def mercator(lon: float | None, lat: float | None) -> list[float] | None:
    """Return a place as x, y in degrees of Web Mercator, y to the south; None where unknown."""
    if lon is None or lat is None or not np.isfinite([lon, lat]).all():
        return None
    clipped = np.radians(np.clip(lat, -_DEFAULT_LAT, _DEFAULT_LAT))
    return [round(float(lon), 7), round(-float(np.degrees(np.arctanh(np.sin(clipped)))), 7)]


def _place(lon: float | None, lat: float | None) -> str:
    return "" if lon is None or lat is None else f"{lon:.5f}, {lat:.5f}"


def distance_text(metres: float | None) -> str:
    """Return a distance as people read it: `85 m`, `3.2 km`, `1,204 km`."""
    if metres is None:
        return ""
    if metres < 1000:  # noqa: PLR2004 - a kilometre
        return f"{metres:.0f} m"
    kilometres = metres / 1000
    return f"{kilometres:.1f} km" if kilometres < 100 else f"{kilometres:,.0f} km"  # noqa: PLR2004


def thumbnail(path: Path) -> str | None:
    """Return a photo as a small JPEG in a data URI; None when it cannot be read."""
    try:
        pixels = read_jpeg(path, THUMBNAIL_PX)
    except (GairError, OSError, ValueError):
        return None
    image = Image.fromarray(pixels)
    image.thumbnail((2 * THUMBNAIL_PX, THUMBNAIL_PX))
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _meta_line(result: SearchResult) -> str:
    meta = result.meta
    parts = [
        f"{len(result.others)} rows",
        f"model {meta.model}" if meta.model else "model not stated",
        f"space {meta.space}" if meta.space else "space not stated",
    ]
    return ", ".join(parts)
