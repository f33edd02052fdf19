"""Presets, overrides, and configs that fit the data."""

import pytest

from gair_cli.data.transforms import BandStatistics
from gair_cli.errors import DataError, ModelError, UsageError
from gair_cli.models.config import ModelConfig, model_config, preset_config
from gair_cli.presets import preset_names
from gair_cli.presets.typed import parse_settings

BLUE_MARBLE = BandStatistics(("red", "green", "blue"), (50.0, 60.0, 70.0), (5.0, 6.0, 7.0))
SENTINEL = BandStatistics(
    ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12"), (1.0,) * 10, (2.0,) * 10, 0.0
)


def tiny(*settings, bands=BLUE_MARBLE, **options):
    overrides = parse_settings(settings).get("model", {})
    return preset_config("tiny", bands=bands, overrides=overrides, **options)


@pytest.mark.parametrize("name", ["tiny", "small", "base", "paper"])
def test_every_preset_makes_a_config_that_survives_its_own_table(name):
    assert name in preset_names()
    config = preset_config(name, bands=SENTINEL)
    assert config.towers == ("rs", "sv", "location")
    assert ModelConfig.from_dict(config.to_dict()) == config


def test_a_preset_without_bands_takes_those_of_the_tile_set():
    form = tiny().rs.input
    assert form.bands == ("red", "green", "blue")
    assert (form.mean, form.std, form.nodata) == ((50, 60, 70), (5, 6, 7), None)
    assert preset_config("tiny", bands=SENTINEL).rs.input.nodata == 0


def test_named_bands_take_their_own_statistics():
    form = tiny('model.rs.input.bands=["blue", "red"]').rs.input
    assert (form.bands, form.mean, form.std) == (("blue", "red"), (70, 50), (7, 5))


def test_a_band_that_the_tile_set_lacks_is_named():
    with pytest.raises(DataError, match="needs band B8; there are red, green, blue"):
        tiny('model.rs.input.bands=["B8"]')


def test_paper_keeps_its_own_bands_and_statistics():
    form = preset_config("paper", bands=SENTINEL).rs.input
    assert form.bands == SENTINEL.names
    assert (form.mean[0], form.std[-1]) == (1172.9397, 669.9036)
    assert (form.scaling, form.clip, form.antialias) == ("uint8", 2.0, False)


def test_a_preset_without_tile_set_says_what_it_needs():
    with pytest.raises(UsageError, match="has no bands"):
        preset_config("tiny")


def test_towers_without_data_are_left_out():
    assert tiny(towers=("sv", "location"), bands=None).towers == ("sv", "location")
    assert tiny("model.sv=none").towers == ("rs", "location")
    assert tiny().only(["location"]).towers == ("location",)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model.rs.dept=2", "unknown setting model.rs.dept"),
        ("model.rs.depth=two", "model.rs.depth is 'two'"),
        ("model.rs.depth=0", "model.rs.depth is 0, wanted at least 1"),
        ("model.rs.width=130", "no multiple of 4 heads"),
        ("model.rs.input.size=100", "no multiple of patch 8"),
        ("model.query=nearest", "model.query is 'nearest'"),
        ("model.location.sigmas=[]", "wanted positive ones"),
        ("model.temperature=0", "wanted above 0"),
        ("model.dim=0", "model.dim is 0"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(setting, message):
    with pytest.raises(UsageError) as caught:
        tiny(setting)
    assert message in str(caught.value)


def test_unknown_preset_lists_the_known_ones():
    with pytest.raises(ModelError) as caught:
        preset_config("huge")
    assert "tiny" in caught.value.hint


def test_a_model_of_nothing_is_refused():
    with pytest.raises(UsageError, match="needs a tower"):
        model_config({"dim": 4})
