"""The pairing probe tells right positions from wrong ones."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from made_tiles import PixelTiles, grid
from PIL import Image

from gair_cli.errors import DataError
from gair_cli.geo.check_pairs import judge_probe
from gair_cli.geo.probe import ProbeScores, probe_pairs

TILES = 6
PER_TILE = 40


def smooth(random, size, *, width):
    """A random field of one band with features of about `width` pixels."""
    coarse = random.normal(size=(size // width + 3, size // width + 3))
    image = Image.fromarray(coarse.astype(np.float32))
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Tiles with a random field each, and photos whose lower part has the colour of their pixel."""
    folder = tmp_path_factory.mktemp("probe")
    random = np.random.default_rng(0)
    index = grid(TILES, TILES)
    arrays = []
    for _ in range(index.height):
        field = smooth(random, 96, width=6) * 1000 + 5000
        arrays.append(np.stack([field, smooth(random, 96, width=6)]).clip(1).astype(np.uint16))
    xy = random.uniform(-0.98, 0.98, (index.height * PER_TILE, 2))
    tile = np.repeat(np.arange(index.height), PER_TILE)
    col, row = ((xy + 1) / 2 * 96).astype(int).T
    value = np.array([arrays[t][0, r, c] for t, r, c in zip(tile, row, col, strict=True)])
    grey = ((value - 5000.0) / 40 + 128 + random.normal(0, 15, len(value))).clip(0, 255)
    paths = []
    for number, level in enumerate(grey.astype(np.uint8).tolist()):
        picture = np.full((48, 64, 3), level, np.uint8)
        picture[:16] = random.integers(0, 255)  # the sky says nothing
        paths.append(f"{number:05d}.png")
        Image.fromarray(picture).save(folder / paths[-1], compress_level=1)
    pairs = pl.DataFrame(
        {
            "path": paths,
            "tile_id": index["tile_id"].to_numpy()[tile],
            "x": xy[:, 0],
            "y": xy[:, 1],
            "split": "train",
        }
    )
    return folder, pairs, PixelTiles(index, arrays)


def test_given_positions_score_far_above_wrong_ones(world):
    folder, pairs, tiles = world
    scores = probe_pairs(pairs, tiles, folder=folder)
    assert scores.given > 0.6
    assert max(scores.mirrored_x, scores.mirrored_y, scores.swapped, scores.shifted) < 0.1
    assert (scores.photos, scores.by, scores.unreadable) == (1440, "tile", 0)
    assert judge_probe(scores).level == "ok"


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"x": -pl.col("x")}, "x mirrored"),
        ({"y": -pl.col("y")}, "y mirrored"),
        ({"x": pl.col("y"), "y": pl.col("x")}, "axes swapped"),
    ],
)
def test_a_table_with_wrong_axes_fails_and_the_line_names_them(world, columns, name):
    folder, pairs, tiles = world
    verdict = judge_probe(probe_pairs(pairs.with_columns(**columns), tiles, folder=folder))
    assert verdict.level == "fail"
    assert name in verdict.fix


def test_photos_of_other_places_are_warned_about(world):
    folder, pairs, tiles = world
    mixed = pairs.with_columns(pl.col("path").shuffle(seed=1))
    assert judge_probe(probe_pairs(mixed, tiles, folder=folder)).level == "warn"


def test_unreadable_photos_are_left_out_and_counted(world):
    folder, pairs, tiles = world
    some = pairs.with_columns(
        pl.when(pl.int_range(pl.len()) % 10 == 0)
        .then(pl.lit("none.png"))
        .otherwise("path")
        .alias("path")
    )
    scores = probe_pairs(some, tiles, folder=folder, limit=500, seed=1)
    assert 20 < scores.unreadable < 90
    assert scores.photos == 500 - scores.unreadable


def test_nodata_pixels_do_not_count(world):
    folder, pairs, tiles = world
    torn = [array.copy() for array in tiles.read(range(TILES * TILES))]
    for array in torn:
        array[:, :, 5::7] = 0
    scores = probe_pairs(pairs, PixelTiles(tiles.index, torn), folder=folder)
    assert scores.given > 0.55


def test_too_few_photos_are_refused(world):
    folder, pairs, tiles = world
    with pytest.raises(DataError, match="too few"):
        probe_pairs(pairs.head(49), tiles, folder=folder)


def test_pairs_without_photo_files_are_refused(world):
    folder, pairs, tiles = world
    with pytest.raises(DataError, match="no photo files"):
        probe_pairs(pairs.drop("path"), tiles, folder=folder)


def test_scores_of_wrong_positions_near_the_given_are_warned_about():
    scores = ProbeScores(0.2, 0.1, 0.0, 0.0, 0.05, 1000, "block", 0)
    assert judge_probe(scores).level == "warn"
