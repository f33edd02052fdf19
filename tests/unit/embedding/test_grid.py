import numpy as np
import pytest

from gair_cli.embedding.grid import pixel_height_m, scene_grid
from gair_cli.geo.coordinates import from_lonlat, great_circle_m, to_lonlat

NEW_YORK = (-74.0, 40.7)


def scene_at(crs, lonlat, *, pixel, size=200):
    """Return a grid of 20 m pixels over a scene of `size` pixels whose centre is at `lonlat`."""
    x, y = from_lonlat([lonlat], crs)[0]
    half = pixel * size / 2
    transform = (pixel, 0.0, x - half, 0.0, -pixel, y + half)
    return scene_grid(crs, transform, width=size, height=size, res_m=20)


@pytest.mark.parametrize(
    ("crs", "pixel", "lonlat"),
    [("EPSG:3857", 10.0, (10.0, 60.0)), ("EPSG:2263", 30.0, NEW_YORK), ("EPSG:4326", 1e-4, (9, 50)),
     ("EPSG:32633", 10.0, (15.5, 52.0))],
)  # fmt: skip
def test_a_pixel_size_is_metres_on_the_ground_whatever_the_unit(crs, pixel, lonlat):
    grid = scene_at(crs, lonlat, pixel=pixel)
    row = grid.width * (grid.height // 2) + grid.width // 2
    here, east, south = to_lonlat(grid.centres()[[row, row + 1, row + grid.width]], crs)
    assert great_circle_m([here], [east])[0] == pytest.approx(20, rel=0.01)
    assert great_circle_m([here], [south])[0] == pytest.approx(20, rel=0.01)
    assert pixel_height_m(grid) == pytest.approx(20, rel=1e-3)


def test_a_projection_in_true_metres_keeps_round_pixel_sizes():
    grid = scene_at("EPSG:32633", (15.5, 52.0), pixel=10.0)
    assert np.abs([grid.transform[0], grid.transform[4]]).tolist() == [20.0, 20.0]
