"""Compare a tile set with the slow reference: pixels, shares and statistics."""

from __future__ import annotations

import numpy as np
import pytest
from oracle.reference import statistics

from gair_cli.geo.scenes import SceneOptions
from gair_cli.geo.tile_plan import TilingOptions
from gair_cli.geo.tileset import TileSet
from gair_cli.geo.tiling import tile_scenes

RELATIVE = 1e-6


def tiled(path, output, *, nodata=None, jobs=2, **options):
    """Cut one scene and open its tile set."""
    scenes = SceneOptions(nodata=nodata)
    given = TilingOptions(scenes=scenes, jobs=jobs, **options)
    tile_scenes([path], output, options=given)
    return TileSet.open(output)


def by_place(tiles):
    """Return (index row, pixels) of each tile by its lattice place."""
    arrays = tiles.read(range(len(tiles)))
    rows = tiles.index.iter_rows(named=True)
    return {(row["row"], row["col"]): (row, array) for row, array in zip(rows, arrays, strict=True)}


def assert_equals_reference(tiles, expected):
    """Fail unless the tile set holds the expected tiles, byte by byte, and their statistics."""
    found = by_place(tiles)
    assert sorted(found) == sorted((tile.row, tile.col) for tile in expected)
    for tile in expected:
        row, array = found[tile.row, tile.col]
        assert array.dtype == tile.pixels.dtype
        assert array.tobytes() == tile.pixels.tobytes(), f"tile {tile.row}, {tile.col} differs"
        assert row["nodata_fraction"] == pytest.approx(tile.nodata_fraction, abs=1e-6)
        for band in range(len(array)):
            close_to(statistics(tile.pixels[band][tile.valid[band]]), *_columns(row, band))
    for band, one in enumerate(tiles.info.statistics):
        every = [tile.pixels[band][tile.valid[band]] for tile in expected]
        close_to(statistics(np.concatenate(every)), one.minimum, one.maximum, one.mean, one.std)


def _columns(row, band):
    return [row[f"band_{name}"][band] for name in ("min", "max", "mean", "std")]


def close_to(expected, minimum, maximum, mean, std):
    """Fail unless statistics agree to 1e-6; those of no pixel are null or NaN."""
    if expected is None:
        assert all(one is None or np.isnan(one) for one in (minimum, maximum, mean, std))
        return
    assert (minimum, maximum) == expected[:2]
    scale = max(abs(expected[0]), abs(expected[1]))
    assert mean == pytest.approx(expected[2], rel=RELATIVE, abs=scale * 1e-12)
    assert std == pytest.approx(expected[3], rel=RELATIVE, abs=scale * 1e-12)
