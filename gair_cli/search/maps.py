"""Write the map of a search: HTML or PNG by the name's ending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gair_cli.errors import UsageError
from gair_cli.geo.outputs import atomic_file
from gair_cli.search.map_html import html_map
from gair_cli.search.map_png import png_map

if TYPE_CHECKING:
    from pathlib import Path

    from gair_cli.search.places import SearchResult


def write_map(result: SearchResult, folder: Path, output: Path) -> None:
    """Write a map, whole or not at all.

    Args:
        result: Of a search.
        folder: The table's folder, from which relative photo paths start.
        output: Ends in `.html` or `.png`.

    Raises:
        UsageError: When the name ends in anything else.
    """
    suffix = output.suffix.lower()
    if suffix not in {".html", ".htm", ".png"}:
        raise UsageError(f"--map {output.name}: a map is .html or .png")
    with atomic_file(output) as temporary:
        if suffix == ".png":
            png_map(result, folder, temporary)
        else:
            temporary.write_text(html_map(result, folder), encoding="utf-8")
