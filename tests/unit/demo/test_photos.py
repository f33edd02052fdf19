"""Photos: they depend on where exactly and in which direction they are taken."""

import numpy as np
import pytest
from PIL import Image

from gair_cli.demo.acquisition import plan_acquisition
from gair_cli.demo.camera import EYE_M, Camera, project, rays
from gair_cli.demo.city import City
from gair_cli.demo.exif import save_photo
from gair_cli.demo.picture import draw_photo
from gair_cli.demo.place import place_of
from gair_cli.demo.scene import render_block
from gair_cli.demo.shots import PhotoPlan, plan_shots
from gair_cli.demo.sky import Weather, paint_sky, sun_position
from gair_cli.geo.coordinates import from_lonlat

PLAN = PhotoPlan(seed=2, width=96, height=72, panorama=False)
SUNNY = Weather(sun_azimuth=-1.2, sun_elevation=0.8, clouds=0.2, drift=3.0)


@pytest.fixture(scope="module")
def city():
    return City(2, 3000.0)


@pytest.fixture(scope="module")
def shots(city):
    return plan_shots(city, place_of(2), PLAN, range(40))


def draw(city, x, y, heading, seed=0):
    camera = Camera(x, y, heading, 96, 72)
    return draw_photo(city, camera, SUNNY, np.random.default_rng(seed)).astype(float)


def test_a_shot_depends_on_its_number_alone(city, shots):
    assert plan_shots(city, place_of(2), PLAN, range(17, 20)) == shots[17:20]


def test_shots_stand_on_open_ground_inside_the_city(city, shots):
    x, y = (np.array([getattr(shot, axis) for shot in shots], np.float32) for axis in "xy")
    there = city.sample(x, y)
    assert (there.height == 0).all()
    assert (there.road_half > 0).mean() > 0.6
    assert ((x > 0) & (x < 3000) & (y > 0) & (y < 3000)).all()


def test_the_table_names_the_very_place_where_the_photo_was_drawn(shots):
    place = place_of(2)
    xy = from_lonlat(np.array([[shot.lon, shot.lat] for shot in shots]), place.crs)
    drawn = np.array([[shot.x + place.east_m, shot.y + place.north_m] for shot in shots])
    assert np.abs(xy - drawn).max() < 0.02


def test_moving_30_metres_or_turning_changes_a_photo_more_than_noise(city, shots):
    noise, moved, turned = [], [], []
    for shot in shots[:8]:
        first = draw(city, shot.x, shot.y, shot.heading_deg)
        noise.append(np.abs(draw(city, shot.x, shot.y, shot.heading_deg, 1) - first).mean())
        moved.append(np.abs(draw(city, shot.x + 30, shot.y, shot.heading_deg) - first).mean())
        turned.append(np.abs(draw(city, shot.x, shot.y, shot.heading_deg + 90) - first).mean())
    assert min(moved) > 1.5 * max(noise)
    assert np.mean(moved) > 4 * np.mean(noise)
    assert np.mean(turned) > 4 * np.mean(noise)


def test_photos_are_greener_where_the_satellite_sees_green_and_not_where_mirrored():
    city, plan = City(2, 2560.0), PhotoPlan(2, 32, 24, panorama=True)
    taken = plan_shots(city, place_of(2), plan, range(160))
    acquisition = plan_acquisition(2, 0, lon=13.0, lat=50.0)
    pixels, _ = render_block(city, acquisition, column=0, row=0, width=256, height=256)
    near, red = pixels[7].astype(float), pixels[3].astype(float)
    index = (near - red) / (near + red + 1)
    column, row = (
        (np.array([shot.x for shot in taken]) // 10).astype(int),
        255 - (np.array([shot.y for shot in taken]) // 10).astype(int),
    )
    colours = np.array(
        [
            draw_photo(city, shot.camera(plan), SUNNY, np.random.default_rng(0)).mean(axis=(0, 1))
            for shot in taken
        ]
    )
    greenness = colours[:, 1] - colours[:, [0, 2]].mean(axis=1)
    assert np.corrcoef(index[row, column], greenness)[0, 1] > 0.4
    assert abs(np.corrcoef(index[row, 255 - column], greenness)[0, 1]) < 0.25


def test_looking_up_is_sky_and_down_is_ground():
    beams = rays(Camera(0, 0, 0, 64, 48))
    assert (np.diff(beams.slope, axis=0) < 0).all()
    assert beams.slope[0].min() > 0.3
    assert beams.slope[-1].max() < -0.2


@pytest.mark.parametrize(("heading", "east", "north"), [(0, 0, 1), (90, 1, 0), (225, -1, -1)])
@pytest.mark.parametrize("fov", [78.0, 360.0])
def test_the_heading_is_in_the_middle_of_the_picture(heading, east, north, fov):
    camera = Camera(10, 20, heading, 64, 32, fov_deg=fov)
    column, _, depth = project(camera, np.array([10 + 50.0 * east]), np.array([20 + 50.0 * north]))
    assert column[0] == pytest.approx(32, abs=0.01)
    assert depth[0] > 0
    middle = rays(camera).azimuth[31:33].mean()
    assert np.cos(middle) == pytest.approx(east / np.hypot(east, north), abs=1e-3)
    assert np.sin(middle) == pytest.approx(north / np.hypot(east, north), abs=1e-3)


def test_a_panorama_goes_all_around_and_from_zenith_to_nadir():
    beams = rays(Camera(0, 0, 0, 360, 180, fov_deg=360.0))
    assert np.ptp(beams.azimuth) == pytest.approx(2 * np.pi * 359 / 360, abs=1e-4)
    assert beams.slope[89, 0] == pytest.approx(np.tan(np.radians(0.5)), rel=1e-3)
    assert EYE_M > 1


def test_a_panorama_turned_by_its_heading_shows_the_same_shifted(city, shots):
    still = Weather(1.0, 0.9, 0.0, 0.0)
    first, second = (
        draw_photo(
            city, Camera(shots[0].x, shots[0].y, heading, 128, 64, fov_deg=360.0), still,
            np.random.default_rng(0),
        ).astype(float)
        for heading in (0.0, 90.0)
    )  # fmt: skip
    shifted = np.roll(first, -32, axis=1)
    assert np.abs(shifted - second).mean() < 6
    assert np.abs(first - second).mean() > 2 * np.abs(shifted - second).mean()


def test_more_clouds_make_a_paler_sky():
    beams = rays(Camera(0, 0, 0, 64, 48))
    where = beams.slope > 0.05
    clear, grey = (paint_sky(beams, where, Weather(1.0, 0.7, share, 0.0)) for share in (0.05, 1.0))
    assert (clear[:, 2] - clear[:, 0]).mean() > (grey[:, 2] - grey[:, 0]).mean() + 0.1


def test_the_sun_stands_in_the_south_at_noon(shots):
    noon = shots[0].moment.replace(month=6, day=21, hour=12, minute=0)
    azimuth, elevation = sun_position(noon, 0.0, 50.0)
    assert np.degrees(elevation) == pytest.approx(63.4, abs=0.5)
    assert np.cos(azimuth) == pytest.approx(0, abs=0.02)
    assert np.sin(azimuth) == pytest.approx(-1, abs=0.01)


def test_the_header_says_what_the_shot_says(tmp_path, shots):
    shot = shots[5]
    save_photo(np.zeros((72, 96, 3), np.uint8), tmp_path / "a.jpg", shot, PLAN)
    with Image.open(tmp_path / "a.jpg") as image:
        header = image.getexif()
    gps = header.get_ifd(0x8825)
    lat, lon = (
        float(part[0]) + float(part[1]) / 60 + float(part[2]) / 3600 for part in (gps[2], gps[4])
    )
    assert (lon, lat) == (pytest.approx(shot.lon, abs=1e-8), pytest.approx(shot.lat, abs=1e-8))
    assert (gps[1], gps[3], gps[16]) == ("N", "E", "T")
    assert float(gps[17]) == pytest.approx(shot.heading_deg, abs=0.01)
    assert header.get_ifd(0x8769)[0x9003] == shot.moment.strftime("%Y:%m:%d %H:%M:%S")
    assert header[0x010E].startswith("made data")
