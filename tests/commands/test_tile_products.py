"""`gair tile` on whole products: what the makers ship goes in, right pixels come out."""

from __future__ import annotations

import zipfile

import numpy as np
import polars as pl
import pytest
import rasterio

from gair_cli.geo.scenes import SceneOptions
from gair_cli.geo.tile_plan import TilingOptions
from gair_cli.geo.tileset import TileSet
from gair_cli.geo.tiling import tile_scenes
from tests.made_products import METRES, make_l1c, make_l2a, make_landsat, zipped
from tests.processes import digests

SIZE = 40


def shifted(stored, offset):
    """Apply an offset as promised: valid pixels stay at least 1, 0 stays nodata."""
    return np.where(stored == 0, 0, np.maximum(stored.astype(int) + offset, 1))


def mosaic(tiles, band, side):
    """Put the tiles of one band back together."""
    out = np.zeros((side, side), int)
    for place, row in enumerate(tiles.index.iter_rows(named=True)):
        top, left = row["row"] * SIZE, row["col"] * SIZE
        out[top : top + SIZE, left : left + SIZE] = tiles.read([place])[0][band]
    return out


@pytest.mark.parametrize("maker", [make_l2a, make_l1c])
def test_safe_products_are_tiled_with_offset_on_the_grid_of_10_m(gair, tmp_path, maker):
    safe = maker(tmp_path)
    done = gair("tile", safe.path, "-o", tmp_path / "tiles", "--size", SIZE)
    assert done.exit_code == 0, done.stderr
    tiles = TileSet.open(tmp_path / "tiles")
    assert set(tiles.index["scene_id"]) == {safe.product_id}
    assert str(tiles.index["datetime"][0]) == "2024-06-15 10:15:59.024000+00:00"
    for place, band in enumerate(tiles.info.bands):
        if METRES[band] == 10:
            expected = shifted(safe.pixels[band, 10], -1000)
            assert (mosaic(tiles, place, 120) == expected).all()


def test_coarser_bands_by_nearest_neighbour_repeat_their_pixels(tmp_path):
    safe = make_l1c(tmp_path)
    options = TilingOptions(size=SIZE, scenes=SceneOptions(resampling="nearest"))
    tile_scenes([safe.path], tmp_path / "tiles", options=options)
    tiles = TileSet.open(tmp_path / "tiles")
    for place, band in enumerate(tiles.info.bands):
        repeats = np.ones((METRES[band] // 10,) * 2, int)
        expected = np.kron(shifted(safe.pixels[band, METRES[band]], -1000), repeats)
        assert (mosaic(tiles, place, 120) == expected).all()


def test_folder_zip_and_stored_zip_give_the_same_bytes(gair, tmp_path):
    safe = make_l2a(tmp_path)
    stored = zipped(safe, tmp_path / "stored.zip", method=zipfile.ZIP_STORED)
    found = []
    for number, path in enumerate((safe.path, zipped(safe), stored)):
        output = tmp_path / f"tiles{number}"
        assert gair("tile", path, "-o", output, "--size", SIZE, "-q").exit_code == 0
        found.append(digests(output / "shards"))
    assert found[0] == found[1] == found[2]


def clouds_of(safe, mask):
    """Return which pixels of 10 m are cloudy by the made masks."""
    if mask == "scl":
        return np.kron(np.isin(safe.pixels["SCL", 20], (8, 9, 10)), np.ones((2, 2), bool))
    if mask == "classes":
        return np.kron(safe.pixels["CLASSI", 60][:2].any(axis=0), np.ones((6, 6), bool))
    if mask == "qa60":
        return np.kron((safe.pixels["QA60", 60] & 0b11 << 10) > 0, np.ones((6, 6), bool))
    outlines = np.zeros((20, 20), bool)
    outlines[:10, :10] = True
    outlines[2:6, 2:6] = False
    outlines[15:, 15:] = True
    return np.kron(outlines, np.ones((6, 6), bool))


@pytest.mark.parametrize("mask", ["scl", "classes", "qa60", "polygons"])
def test_cloud_shares_are_those_of_a_slow_count(gair, tmp_path, mask):
    safe = make_l2a(tmp_path) if mask == "scl" else make_l1c(tmp_path, mask=mask)
    output = tmp_path / "tiles"
    assert gair("tile", safe.path, "-o", output, "--size", SIZE, "-q").exit_code == 0
    tiles = TileSet.open(output)
    valid = mosaic(tiles, tiles.info.bands.index("B2"), 120) > 0
    valid |= mosaic(tiles, tiles.info.bands.index("B1"), 120) > 0
    valid |= mosaic(tiles, tiles.info.bands.index("B5"), 120) > 0
    cloudy = clouds_of(safe, mask) & valid
    for row in tiles.index.iter_rows(named=True):
        top, left = row["row"] * SIZE, row["col"] * SIZE
        expected = cloudy[top : top + SIZE, left : left + SIZE].mean()
        assert row["cloud_fraction"] == pytest.approx(expected, abs=1e-6)


def test_real_landsat_folder_needs_no_option_and_counts_its_clouds(gair, shared_data, tmp_path):
    folder, output = shared_data / "landsat8", tmp_path / "tiles"
    done = gair("tile", folder, "-o", output, "--size", 64)
    assert done.exit_code == 0, done.stderr
    assert "note: band files that the metadata name are not there: B8" in done.stderr
    tiles = TileSet.open(output)
    assert tiles.info.bands == ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B9", "B10", "B11")
    assert set(tiles.index["scene_id"]) == {"LC80200392015216LGN00"}
    with rasterio.open(folder / "l8_BQA.tif") as file:
        cloudy = file.read(1) >> 14 == 3
    with rasterio.open(folder / "l8_B4.tif") as file:
        red = file.read(1)
    for place, row in enumerate(tiles.index.iter_rows(named=True)):
        window = tuple(slice(row[key] * 64, row[key] * 64 + 64) for key in ("row", "col"))
        assert row["cloud_fraction"] == pytest.approx(cloudy[window].mean(), abs=1e-6)
        assert (tiles.read([place])[0][3] == red[window]).all()


def test_lists_patterns_and_standard_input_name_the_same_scenes(gair, tmp_path):
    for name in ("one", "two"):
        make_landsat(tmp_path / name, collection=2 if name == "one" else 1)
    (tmp_path / "scenes.txt").write_text("# two\none/LC*\ntwo/LC*\n", encoding="utf-8")
    words = {
        "list": ([tmp_path / "scenes.txt"], None),
        "pattern": ([f"{tmp_path}/*/LC*"], None),
        "stdin": (["-"], f"{tmp_path}/*/LC*\n".encode()),
    }
    found = []
    for name, (scenes, stdin) in words.items():
        output = tmp_path / name
        done = gair("tile", *scenes, "-o", output, "--size", 20, "--bands", "B2,B3", stdin=stdin)
        assert done.exit_code == 0, done.stderr
        found.append(digests(output / "shards"))
        assert TileSet.open(output).index["scene_id"].n_unique() == 2
    assert found[0] == found[1] == found[2]


def test_hostile_zip_among_good_scenes_is_listed_and_the_others_are_tiled(gair, tmp_path):
    good, bad = make_l2a(tmp_path / "good"), make_l2a(tmp_path / "bad")
    path = zipped(bad, tmp_path / "bad.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../evil", "x")
    done = gair("tile", path, good.path, "-o", tmp_path / "tiles", "--size", SIZE)
    assert done.exit_code == 5, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("gair: error:")]
    assert len(errors) == 1
    assert "'../../evil' leads outside the product" in errors[0]
    reasons = pl.read_parquet(tmp_path / "tiles.rejected.parquet")
    assert reasons["scene"].to_list() == [str(path)]
    assert len(TileSet.open(tmp_path / "tiles")) == 9


def test_output_may_have_a_name_that_looks_like_a_pattern(gair, tmp_path):
    safe, output = make_l2a(tmp_path), tmp_path / "tiles [1]*"
    done = gair("tile", safe.path, "-o", output, "--size", SIZE)
    assert done.exit_code == 0, done.stderr
    assert len(TileSet.open(output)) == 9
