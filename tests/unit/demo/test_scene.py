"""Scenes: physically plausible, clouds and their shadows classified, nodata at the swath's edge."""

import numpy as np
import pytest

from gair_cli.demo.acquisition import plan_acquisition
from gair_cli.demo.city import City
from gair_cli.demo.plan import LandUse
from gair_cli.demo.scene import SceneClass, render_block
from gair_cli.demo.shadow import shadow_height

PIXELS = 128


@pytest.fixture(scope="module")
def city():
    return City(0, 8640.0)


@pytest.fixture(scope="module")
def acquisition():
    return plan_acquisition(0, 0, lon=13.3, lat=52.5)


@pytest.fixture(scope="module")
def block(city, acquisition):
    return render_block(city, acquisition, column=256, row=256, width=PIXELS, height=PIXELS)


def test_blocks_are_the_same_each_time(city, acquisition, block):
    again = render_block(city, acquisition, column=256, row=256, width=PIXELS, height=PIXELS)
    np.testing.assert_array_equal(block[0], again[0])
    np.testing.assert_array_equal(block[1], again[1])


def test_numbers_are_reflectance_times_ten_thousand(block):
    pixels, _ = block
    assert pixels.dtype == np.uint16
    assert pixels.shape == (12, PIXELS, PIXELS)
    medians = np.median(pixels, axis=(1, 2))
    assert (medians > 150).all()
    assert (medians < 3500).all()


def test_pixels_show_the_land_use_below(city, acquisition):
    column, row = 0, 512
    pixels, classes = render_block(
        city, acquisition, column=column, row=row, width=PIXELS, height=PIXELS
    )
    steps = (np.arange(PIXELS) + 0.5) * 10
    x, y = np.meshgrid(column * 10 + steps, 8640 - row * 10 - steps)
    there = city.sample(x.ravel().astype(np.float32), y.ravel().astype(np.float32))
    use = there.land_use.reshape(PIXELS, PIXELS)
    clear = np.isin(classes, (SceneClass.VEGETATION, SceneClass.NOT_VEGETATED))
    near, red = pixels[7].astype(float), pixels[3].astype(float)
    index = (near - red) / (near + red + 1)
    green = clear & (use >= LandUse.PARK)
    built = clear & (use == LandUse.INDUSTRY)
    assert green.sum() > 100
    assert built.sum() > 100
    assert index[green].mean() > index[built].mean() + 0.2


def test_swath_ends_in_nodata_that_the_classes_know(city, acquisition):
    pixels, classes = render_block(city, acquisition, column=0, row=0, width=64, height=64)
    outside = classes == SceneClass.NODATA
    assert 0.05 < outside.mean() < 0.95
    assert (pixels[:, outside] == 0).all()
    assert (pixels[:, ~outside] >= 1).all()


def test_clouds_are_bright_and_classified(city, acquisition):
    pixels, classes = render_block(city, acquisition, column=512, row=0, width=256, height=256)
    blue = pixels[1].astype(float)
    bright, shaded, clear = (
        blue[classes == code]
        for code in (SceneClass.CLOUD_HIGH, SceneClass.CLOUD_SHADOW, SceneClass.VEGETATION)
    )
    clear_sky = np.isin(classes, (SceneClass.VEGETATION, SceneClass.NOT_VEGETATED))
    assert len(bright) > 200
    assert bright.mean() > 4 * clear.mean()
    near = pixels[7].astype(float)
    assert len(shaded) > 50
    assert near[classes == SceneClass.CLOUD_SHADOW].mean() < 0.75 * near[clear_sky].mean()


def test_another_season_is_less_green(city, block):
    autumn = plan_acquisition(0, 2, lon=13.3, lat=52.5)
    later, _ = render_block(city, autumn, column=256, row=256, width=PIXELS, height=PIXELS)
    assert np.median(later[7]) < np.median(block[0][7])


def test_shadow_falls_away_from_the_sun_as_far_as_the_height_allows():
    height = np.zeros((21, 21), dtype=np.float32)
    height[10, 10] = 30
    shadow = shadow_height(height, resolution_m=10.0, azimuth=0.0, elevation=np.pi / 4)
    assert (shadow[10] > 0).nonzero()[0].tolist() == [8, 9]  # sun in the east, shadow westwards
    assert (np.delete(shadow, 10, axis=0) <= 0).all()
    np.testing.assert_allclose(shadow[10, [8, 9]], [10, 20], atol=1e-4)
