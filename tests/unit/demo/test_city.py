"""The city as a function of position: pure, coherent, and larger when asked."""

import numpy as np
import pytest

from gair_cli.demo.city import City
from gair_cli.demo.materials import SPECTRA, Material
from gair_cli.demo.plan import LandUse
from gair_cli.demo.trees import TreeLattice

EXTENT_M = 2000.0


@pytest.fixture(scope="module")
def city():
    return City(3, EXTENT_M)


@pytest.fixture(scope="module")
def places():
    generator = np.random.default_rng(0)
    return generator.uniform(0, EXTENT_M, (2, 6000)).astype(np.float32)


def test_what_is_at_a_place_does_not_depend_on_what_else_is_asked(city, places):
    x, y = places
    whole, part = city.sample(x, y), city.sample(x[1000:1010], y[1000:1010])
    for name in whole.__slots__:
        np.testing.assert_array_equal(getattr(whole, name)[1000:1010], getattr(part, name), name)


def test_same_seed_is_the_same_city_and_another_seed_another(city, places):
    first = city.sample(*places)
    np.testing.assert_array_equal(first.ground, City(3, EXTENT_M).sample(*places).ground)
    assert (first.ground != City(4, EXTENT_M).sample(*places).ground).mean() > 0.3


def test_roads_water_and_rails_carry_no_buildings(city, places):
    there = city.sample(*places)
    wet = np.isin(there.ground, (Material.LAKE, Material.RIVER, Material.BALLAST))
    assert wet.any()
    assert (there.height[wet] == 0).all()
    driven = (there.road_half > 0) & (there.height > 0)
    assert there.box[driven].all()  # parked cars only


def test_trees_never_cover_buildings(city, places):
    there = city.sample(*places)
    covered, height = city.cover(there, *places)
    assert 0.02 < covered.mean() < 0.6
    assert not (covered & (there.height > 0)).any()
    assert (height[covered] > 1).all()
    assert (height[~covered] == 0).all()


def test_roofs_are_never_below_eaves(city, places):
    there = city.sample(*places)
    assert (there.height >= there.eave).all()
    assert there.height.max() < 250


def test_a_large_city_has_every_land_use():
    districts = City(0, 8640.0).plan.districts
    assert set(districts.land_use.tolist()) == {int(use) for use in LandUse}


def test_a_larger_extent_is_a_larger_town():
    def built_km2(extent_m):
        steps = np.arange(50, extent_m, 100, dtype=np.float32)
        x, y = (axis.ravel() for axis in np.meshgrid(steps, steps))
        use = City(0, extent_m).sample(x, y).land_use
        return (use < LandUse.PARK).mean() * (extent_m / 1000) ** 2

    assert built_km2(10_000.0) > 2 * built_km2(4000.0)


def test_a_tree_is_found_from_its_trunk():
    lattice = TreeLattice(1)
    trees = lattice.near(100.0, 200.0, radius_m=40.0)
    covered, height = lattice.cover(
        trees.x.astype(np.float32), trees.y.astype(np.float32), np.ones_like(trees.x)
    )
    assert covered.all()
    assert (height >= trees.height * 0.999).all()


def test_spectra_look_like_what_they_name():
    near, red, short, green = SPECTRA[:, 7], SPECTRA[:, 3], SPECTRA[:, 10], SPECTRA[:, 2]
    index = (near - red) / (near + red)
    assert index[Material.GRASS] > 0.7
    assert index[Material.BROADLEAF] > 0.7
    assert abs(index[Material.ASPHALT]) < 0.15
    assert near[Material.LAKE] < green[Material.LAKE]
    assert short[Material.SOIL] > near[Material.SOIL]
    assert SPECTRA.min() > 0
    assert SPECTRA.max() < 5000
