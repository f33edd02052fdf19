import numpy as np
import polars as pl
import pytest
import torch

from gair_cli.data.transforms import RsInput
from gair_cli.evaluation import bootstrap, city
from gair_cli.evaluation.encoded_tiles import EncodedTiles
from gair_cli.evaluation.place_reader import (
    PlaceReader,
    displaced,
    grid_positions,
    tile_sizes_m,
)
from gair_cli.evaluation.report import ScoreSource
from gair_cli.evaluation.retrieval import Gallery
from gair_cli.models.config import ModelConfig, RsConfig
from gair_cli.models.field import TileField
from gair_cli.models.gair import new_model


@pytest.fixture
def reader():
    """A bilinear reader over two tiles whose tokens are smooth functions of position."""
    rs = RsConfig(RsInput(("r",), (0.0,), (1.0,), size=32), patch=4, width=4, depth=1, heads=1)
    model = new_model(ModelConfig(dim=4, rs=rs, query="bilinear", heads=()), seed=0).eval()
    axis = torch.linspace(-7 / 8, 7 / 8, 8)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    field = torch.stack([torch.cos(x), torch.sin(x), torch.cos(y), torch.sin(y)])
    tokens = torch.stack([field, field.flip(0)])
    tiles = EncodedTiles.of(TileField(tokens))
    return PlaceReader(model, tiles, np.array([[960.0, 960.0]] * 2))


def test_a_vector_read_at_a_grid_point_is_located_there(reader):
    grid = grid_positions(np.array([960.0, 960.0]), 120.0)
    queries = reader.read(grid, np.zeros(64, dtype=np.int64), radius_m=np.zeros(64))
    found = reader.locate(queries, 0, step_m=120.0, radius_m=0.0)
    np.testing.assert_allclose(found, grid, atol=1e-12)


def test_city_scores_are_perfect_for_the_places_own_vectors_and_fall_with_the_shift(reader):
    generator = np.random.default_rng(3)
    xy = generator.uniform(-0.8, 0.8, size=(60, 2))
    tile_of = np.arange(60) % 2
    sv = reader.read(xy, tile_of, radius_m=np.zeros(60))
    photos = city.CityPhotos(sv, xy, tile_of, np.zeros(60))
    draws = bootstrap.block_draws(tile_of, seed=0, draws=20)
    lonlat = np.stack([13 + 0.007 * xy[:, 0], 52 - 0.004 * xy[:, 1]], axis=1)
    gallery = Gallery(lonlat, tile_of, draws, ScoreSource("made", 0), "test")
    scores = city.city_scores(reader, photos, gallery)
    found = {(s.task, s.method, s.metric): s.value for s in scores}
    assert found["SV->RS", "at the photo", "R@1"] == 100.0
    assert found["RS->SV", "at the photo", "R@1"] == 100.0
    shifted = [found["SV->RS", f"moved {m} m", "R@1"] for m in (20, 50, 100)]
    assert shifted[2] < shifted[0] < 100.0
    assert found["SV->RS", "tile mean", "R@10"] < 40.0
    located = found["SV->place in own tile", "at the photo", "within 50 m on a 20 m grid"]
    assert located == 100.0
    chance = found["SV->place in own tile", "chance", "within 50 m on a 20 m grid"]
    assert chance == pytest.approx(100 * np.pi * 50**2 / 960**2, rel=0.1)


def test_displaced_positions_lie_at_the_distance_and_inside_the_tile():
    generator = np.random.default_rng(0)
    xy = generator.uniform(-1, 1, size=(500, 2))
    size = np.tile([960.0, 480.0], (500, 1))
    moved = displaced(xy, size, shift_m=100.0, seed=1)
    metres = np.hypot(*((moved - xy) / 2 * size).T)
    np.testing.assert_allclose(metres, 100.0, rtol=1e-9)
    assert np.abs(moved).max() <= 1.0
    assert (displaced(xy, size, shift_m=100.0, seed=2) != moved).any()


def test_a_tile_smaller_than_the_shift_clips():
    moved = displaced(np.zeros((3, 2)), np.full((3, 2), 50.0), shift_m=100.0, seed=0)
    assert np.abs(moved).max() == 1.0


def test_grid_covers_the_tile_evenly():
    grid = grid_positions(np.array([60.0, 40.0]), 20.0)
    assert grid.tolist() == [
        [pytest.approx(x), pytest.approx(y)] for y in (-0.5, 0.5) for x in (-2 / 3, 0, 2 / 3)
    ]


def test_tiles_are_measured_in_metres_in_any_crs():
    index = pl.DataFrame(
        {
            "crs": ["EPSG:32633", "EPSG:4326"],
            "transform": [
                [10.0, 0.0, 500000.0, 0.0, -10.0, 5800000.0],
                [0.01, 0.0, 10.0, 0.0, -0.01, 60.5],
            ],
            "width": [96, 100],
            "height": [48, 100],
        }
    )
    sizes = tile_sizes_m(index)
    np.testing.assert_allclose(sizes[0], [960.0, 480.0], rtol=5e-3)
    np.testing.assert_allclose(sizes[1], [111195 * 0.5, 111195], rtol=5e-3)


def test_tiles_beyond_the_memory_are_encoded_anew_and_read_the_same():
    tokens = torch.randn(7, 3, 2, 2)
    made = []

    def encode(part):
        made.append(part)
        return TileField(tokens[part])

    one_group = 2 * 3 * 4 * 4  # bytes of two tiles
    tiles = EncodedTiles(encode, 7, 2, most_bytes=2 * one_group)
    tile_of = np.array([6, 0, 3, 1, 6, 2])
    for _ in range(2):
        seen = np.zeros(6, bool)
        for rows, field, slot in tiles.parts(tile_of):
            assert torch.equal(field.tokens[torch.from_numpy(slot)], tokens[tile_of[rows]])
            seen[rows] = True
        assert seen.all()
    assert made == [slice(0, 2), slice(2, 4), slice(6, 7)] * 2  # three groups never fit at once
    roomy = EncodedTiles(encode, 7, 2)
    made.clear()
    for _ in range(3):
        assert len(list(roomy.parts(tile_of))) == 3
    assert len(made) == 3
