"""Labels agree with the maps that the scene and the photos are drawn from."""

import numpy as np
import pytest

from gair_cli.demo.city import City
from gair_cli.demo.labels import income_at, label_points
from gair_cli.demo.materials import Material
from gair_cli.demo.place import place_of
from gair_cli.demo.plan import LandUse


@pytest.fixture(scope="module")
def city():
    return City(0, 8640.0)


@pytest.fixture(scope="module")
def points(city):
    return label_points(city, place_of(0), range(300))


def is_water(city, x, y):
    there = city.sample(x.astype(np.float32), y.astype(np.float32))
    return np.isin(there.ground, (Material.LAKE, Material.RIVER))


def test_a_point_depends_on_its_number_alone(city, points):
    some = label_points(city, place_of(0), range(120, 125))
    np.testing.assert_array_equal(some.lonlat, points.lonlat[120:125])
    np.testing.assert_array_equal(some.water_distance, points.water_distance[120:125])
    np.testing.assert_array_equal(some.building_density, points.building_density[120:125])


def test_points_labelled_water_lie_in_water_and_have_no_distance(city, points):
    wet = points.land_use == LandUse.WATER
    assert wet.sum() >= 3
    assert is_water(city, points.x[wet], points.y[wet]).all()
    assert (points.water_distance[wet] < 10).all()
    assert not is_water(city, points.x[~wet], points.y[~wet]).any()


def test_water_distance_agrees_with_a_search_on_a_finer_grid(city, points):
    for row in range(12):
        reach = points.water_distance[row]
        steps = np.arange(-reach, reach + 1, 7.0)
        x, y = np.meshgrid(points.x[row] + steps, points.y[row] + steps)
        inside = (x > 0) & (x < 8640) & (y > 0) & (y < 8640)
        inside &= np.hypot(x - points.x[row], y - points.y[row]) < reach - 12
        missed = is_water(city, x[inside], y[inside]).sum()
        assert missed <= 5  # slivers of a pond, narrower than the grid


def test_density_and_height_are_those_of_the_buildings_around(city, points):
    row = int(np.argmax(points.building_density))
    generator = np.random.default_rng(0)
    radius, angle = 100 * np.sqrt(generator.random(4000)), generator.uniform(0, 2 * np.pi, 4000)
    x = (points.x[row] + radius * np.cos(angle)).astype(np.float32)
    y = (points.y[row] + radius * np.sin(angle)).astype(np.float32)
    there = city.sample(x, y)
    built = (there.height > 0) & ~there.box
    assert points.building_density[row] == pytest.approx(built.mean(), abs=0.06)
    assert points.mean_height[row] == pytest.approx(there.height[built].mean(), rel=0.15)


def test_labels_are_spread_sensibly(points):
    shares = np.bincount(points.land_use, minlength=len(LandUse)) / len(points.land_use)
    assert (shares < 0.45).all()
    assert (shares > 0).sum() >= 8
    assert points.building_density.min() >= 0
    assert points.building_density.max() < 0.9
    assert (points.mean_height[points.building_density == 0] == 0).all()
    assert points.water_distance.max() <= 1000


def test_income_is_smooth(city, points):
    step = income_at(city, points.x + 10, points.y) - income_at(city, points.x, points.y)
    assert np.abs(step).max() < 1.5
    assert points.income.std() > 5
