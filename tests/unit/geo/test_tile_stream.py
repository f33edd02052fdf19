"""Tiles cut into memory are those that `gair tile` writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gair_cli.errors import DataError, InputError
from gair_cli.geo.cutting import scene_cutter
from gair_cli.geo.rasters import write_geotiff
from gair_cli.geo.scenes import SceneOptions, inputs_of, open_scene
from gair_cli.geo.tile_plan import TilingOptions, scene_layout
from gair_cli.geo.tile_stream import iter_tiles

UTM = {"crs": "EPSG:32633", "transform": (10.0, 0.0, 5e5, 0.0, -10.0, 5e6)}


@pytest.fixture
def made(tmp_path):
    """Pixels (2, 40, 50) whose first tile is nodata only, and the scene that holds them."""
    pixels = np.random.default_rng(0).integers(1, 60_000, (2, 40, 50)).astype(np.uint16)
    pixels[:, :20, :25] = 0
    pixels[0, 20:30, :25] = 0
    write_geotiff(tmp_path / "a.tif", pixels, nodata=0, **UTM)
    [(name, files)] = inputs_of([tmp_path / "a.tif"], stack=False)
    return pixels, open_scene(name, files, options=SceneOptions())


def layout_of(scene, **options):
    return scene_layout(scene, TilingOptions(size=10, **options))


def collected(scene, layout, **options):
    """Return number -> pixels, and number -> (nodata share, count, min, max, mean, std)."""
    pixels, facts = {}, {}
    for batch in iter_tiles(scene, layout, **options):
        for place, number in enumerate(batch.number.tolist()):
            pixels[number] = batch.pixels[place]
            names = ("nodata_fraction", "count", "minimum", "maximum", "mean", "std")
            facts[number] = tuple(getattr(batch, name)[place] for name in names)
    return pixels, facts


def test_tiles_are_windows_of_the_scene_but_those_without_a_valid_pixel(made):
    pixels, scene = made
    layout = layout_of(scene)
    found, _ = collected(scene, layout)
    empty = {0, 1, 5, 6}
    assert set(found) == set(range(20)) - empty
    for number, tile in found.items():
        top, left = layout.tops[number], layout.lefts[number]
        assert tile.dtype == np.uint16
        assert np.array_equal(tile, pixels[:, top : top + 10, left : left + 10])


def test_windows_in_any_order_and_overlapping_are_the_same_windows(made):
    pixels, scene = made
    layout = layout_of(scene, stride=3)
    order = np.random.default_rng(1).permutation(len(layout))
    mixed = replace(layout, tops=layout.tops[order], lefts=layout.lefts[order])
    found, _ = collected(scene, mixed, jobs=2)
    assert len(found) > 100
    for number, tile in found.items():
        top, left = mixed.tops[number], mixed.lefts[number]
        assert np.array_equal(tile, pixels[:, top : top + 10, left : left + 10])


def test_statistics_are_those_of_the_valid_pixels(made):
    pixels, scene = made
    _, facts = collected(scene, layout_of(scene))
    nodata, count, low, high, mean, std = facts[10]  # half of its columns' rows lack band 1
    inside = pixels[1, 20:30, :10].astype(float)
    assert nodata == 0.0
    assert count.tolist() == [0, 100]
    assert np.isnan([low[0], high[0], mean[0], std[0]]).all()
    assert (low[1], high[1]) == (inside.min(), inside.max())
    assert mean[1] == pytest.approx(inside.mean(), rel=1e-12)
    assert std[1] == pytest.approx(inside.std(), rel=1e-12)


def test_tiles_above_the_limit_of_nodata_are_left_out(made):
    _, scene = made
    within, _ = collected(scene, layout_of(scene), max_nodata=0.4)
    some, facts = collected(scene, layout_of(scene))
    left_out = {number for number in some if facts[number][0] > 0.4}
    assert left_out == {2, 7}
    assert set(within) == set(some) - left_out


def test_number_of_jobs_changes_neither_tiles_nor_their_order(made):
    _, scene = made
    one, two = (
        [
            number
            for batch in iter_tiles(scene, layout_of(scene), jobs=jobs)
            for number in batch.number
        ]
        for jobs in (1, 2)
    )
    assert one == two


def test_scene_that_cannot_be_read_is_named(made, tmp_path):
    _, scene = made
    (tmp_path / "a.tif").write_bytes(b"II*\0 no raster any more")
    with pytest.raises(InputError, match=r"a\.tif"):
        list(iter_tiles(scene, layout_of(scene)))


def test_padding_without_a_nodata_value_names_the_scene(made):
    _, scene = made
    bare = replace(scene, nodata=None, bands=tuple(replace(b, nodata=None) for b in scene.bands))
    with pytest.raises(DataError, match=r"a\.tif: padding needs a nodata value"):
        list(iter_tiles(bare, layout_of(bare, stride=9, partial="pad")))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files by Linux's list")
def test_a_scene_of_many_files_keeps_few_of_them_open(tmp_path):
    write_geotiff(tmp_path / "b000.tif", np.ones((1, 20, 20), np.uint8), **UTM)
    for number in range(1, 300):
        (tmp_path / f"b{number:03}.tif").write_bytes((tmp_path / "b000.tif").read_bytes())
    [(name, files)] = inputs_of([tmp_path], stack=True)
    scene = open_scene(name, files, options=SceneOptions(stack=True))
    layout = layout_of(scene)
    cutter = scene_cutter(scene, layout, tile_ids=["a"] * len(layout))
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    there = [link for link in links if link.exists() and link.resolve().parent == tmp_path]
    assert 0 < len(there) <= 256
    assert cutter.plan["tiles"] == 4
