"""A contact sheet of a tile set: its tiles on a map, and some of them in colour."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gair_cli.geo.outputs import atomic_file
from gair_cli.geo.tile_map import draw_map, sample, short_name
from gair_cli.records import canonical_band

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from gair_cli.geo.tileset import TileSet

COLUMNS: Final = 5
ROWS: Final = 4
_PERCENTILES: Final = (2.0, 98.0)
_COLOURS: Final = (
    ("B4", "B3", "B2"), ("red", "green", "blue"), ("R", "G", "B"), ("SR_B4", "SR_B3", "SR_B2"),
)  # fmt: skip
_NODATA_GREY: Final = 0.93


def preview_path(output: Path) -> Path:
    """Return where the contact sheet of a tile set lies: `<output>.preview.png`."""
    return output.with_name(output.name + ".preview.png")


def draw_sheet(tiles: TileSet, path: Path, *, seed: int = 0) -> None:
    """Draw the map and a random sample of tiles, whole or not at all.

    Args:
        tiles: A tile set with at least one tile.
        path: The PNG to write.
        seed: Chooses the sample.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to load, and for pictures only

    chosen = _in_reading_order(tiles, sample(len(tiles), ROWS * COLUMNS, seed=seed))
    figure = Figure(figsize=(15, 7.6), dpi=120, layout="constrained")
    parts: Any = figure.subfigures(1, 2, width_ratios=(1, 1.12), wspace=0.02)
    figure.suptitle(_title(tiles), x=0.012, ha="left", fontsize=12)
    draw_map(parts[0], tiles, chosen)
    _draw_tiles(parts[1], tiles, chosen)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def _in_reading_order(tiles: TileSet, chosen: Sequence[int]) -> list[int]:
    """Return tiles by scene, row and column."""
    keys = tiles.index[list(chosen)].select("scene_id", "crs", "row", "col").rows()
    return [number for _, number in sorted(zip(keys, chosen, strict=True))]


def colour_bands(names: Sequence[str]) -> list[str]:
    """Return red, green and blue if the bands have them, else the first band, or first three."""
    known = {canonical_band(name): name for name in names}
    lowered = {name.lower(): name for name in names}
    for triple in _COLOURS:
        found = [known.get(band, lowered.get(band.lower())) for band in triple]
        if all(found):
            return [band for band in found if band is not None]
    return list(names[:3]) if len(names) > 2 else list(names[:1])  # noqa: PLR2004 - a triple


def stretched(
    pixels: NDArray[np.float64], limits: NDArray[np.float64], valid: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return an image (H, W, 3) of pixels (1 or 3, H, W) between limits (1 or 3, 2).

    Pixels that are none are light grey.
    """
    low, high = limits[:, :1, None], limits[:, 1:, None]
    shares = np.clip((pixels - low) / np.maximum(high - low, 1e-12), 0, 1)
    image = np.moveaxis(np.broadcast_to(shares, (3, *pixels.shape[1:])), 0, -1).copy()
    image[~valid] = _NODATA_GREY
    return image


def _title(tiles: TileSet) -> str:
    info = tiles.info
    size = "whole rasters" if info.size is None else f"{info.size} px"
    return (
        f"{tiles.path.name}: {len(tiles):,} tiles ({size}) of {info.counts['scenes']} "
        f"scene{'s' * (info.counts['scenes'] != 1)}, grid: {info.grid}, "
        f"{len(info.bands)} bands of {info.dtype}"
    )


def _draw_tiles(figure: Any, tiles: TileSet, chosen: Sequence[int]) -> None:
    """Draw the chosen tiles, those of a scene with one stretch."""
    bands = colour_bands(tiles.info.bands)
    arrays = [array.astype(np.float64) for array in tiles.read(chosen, bands=bands)]
    valid = [_valid(array, tiles.info.nodata) for array in arrays]
    rows = tiles.index[list(chosen)].to_dicts()
    limits = {
        scene: _limits([(a, m) for a, m, row in zip(arrays, valid, rows, strict=True)
                        if row["scene_id"] == scene], len(bands))
        for scene in {row["scene_id"] for row in rows}
    }  # fmt: skip
    columns = min(COLUMNS, max(1, math.ceil(math.sqrt(len(chosen)))))
    grid = figure.subplots(math.ceil(len(chosen) / columns), columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    several = tiles.info.counts["scenes"] > 1
    for number, (axes, row) in enumerate(zip(grid.flat, rows, strict=False)):
        image = stretched(arrays[number], limits[row["scene_id"]], valid[number])
        axes.imshow(image, interpolation="nearest")
        caption = _caption(number + 1, row, named=several)
        axes.set_title(caption, fontsize=7, loc="left", pad=2)
    figure.suptitle(
        f"{', '.join(bands)}: percentiles {_PERCENTILES[0]:g} to {_PERCENTILES[1]:g}"
        + (" of each scene" if several else ""),
        fontsize=10, x=0.02, ha="left",
    )  # fmt: skip


def _valid(array: NDArray[np.float64], nodata: float | None) -> NDArray[np.bool_]:
    """Tell which pixels (H, W) of an array (C, H, W) hold in some band."""
    held = np.isfinite(array)
    if nodata is not None and math.isfinite(nodata):
        held &= array != nodata
    return np.asarray(held.any(axis=0))


def _limits(
    parts: Sequence[tuple[NDArray[np.float64], NDArray[np.bool_]]], bands: int
) -> NDArray[np.float64]:
    """Return low and high percentile of each band over the valid pixels of some tiles, (C, 2)."""
    found = np.tile([0.0, 1.0], (bands, 1))
    for band in range(bands):
        values = np.concatenate([array[band][valid] for array, valid in parts])
        values = values[np.isfinite(values)]
        if len(values):
            found[band] = np.percentile(values, _PERCENTILES)
    return found


def _caption(number: int, row: dict[str, Any], *, named: bool) -> str:
    clouds = row.get("cloud_fraction")
    shares = [f"{row['nodata_fraction']:.0%} nodata"] if row["nodata_fraction"] else []
    shares += [] if clouds is None else [f"{clouds:.0%} cloud"]
    lines = [f"{number}: row {row['row']}, col {row['col']}"]
    lines += [short_name(row["scene_id"], 24)] if named else []
    return "\n".join([*lines, *([", ".join(shares)] if shares else [])])
