"""Pixels before the towers: scaling, nodata, bands by name, sizes."""

import numpy as np
import pytest
import torch

from gair_cli.data.transforms import RsInput, SvInput, band_positions
from gair_cli.errors import DataError, UsageError


def rs(**changes):
    options = {"bands": ("B2", "B8"), "mean": (1000.0, 10.0), "std": (500.0, 2.0), "size": 2}
    return RsInput(**{**options, **changes})


def test_standard_scaling_counts_standard_deviations():
    tile = np.array([[[1000, 1500], [500, 2000]], [[10, 12], [8, 6]]], dtype=np.uint16)
    assert rs().prepare(tile).tolist() == [[[0, 1], [-1, 2]], [[0, 1], [-1, -2]]]


def test_standard_scaling_clips():
    tile = np.full((2, 2, 2), 65535, dtype=np.uint16)
    assert rs(clip=3.0).prepare(tile).unique().tolist() == [3.0]
    assert rs(clip=0.0).prepare(tile).max().item() > 1000


def test_uint8_scaling_truncates_as_the_release_does():
    # mean -/+ 2 sd is 0..2000: 1000 is 127.5 -> 127, 1999 is 254.87 -> 254
    tile = np.array([[[1000, 1999], [0, 5000]], [[10, 14], [6, 2]]], dtype=np.float64)
    found = rs(scaling="uint8", clip=2.0).prepare(tile) * 255
    wanted = [[[127, 254], [0, 255]], [[127, 255], [0, 0]]]
    torch.testing.assert_close(found, torch.tensor(wanted).float())


@pytest.mark.parametrize("scaling", ["standard", "uint8"])
def test_nodata_and_nan_count_as_the_mean(scaling):
    tile = np.array([[[0, 1000], [np.nan, 1000]], [[0, 10], [10, 10]]])
    found = rs(nodata=0.0, scaling=scaling).prepare(tile)
    assert (found == found[0, 0, 1]).all()
    assert torch.isfinite(found).all()


def test_constant_band_gives_no_infinity():
    found = rs(std=(500.0, 0.0)).prepare(np.full((2, 2, 2), 10))
    assert found[1].tolist() == [[0, 0], [0, 0]]


def test_bands_are_found_by_name_in_any_order_and_spelling():
    assert rs().select(["B12", "b08", "B02", "B8A"]) == [2, 1]
    assert band_positions(["red"], ["red", "red"]) == [0]


def test_missing_band_lists_what_is_there():
    with pytest.raises(DataError, match="needs band B8; there are B2, B3"):
        rs().select(["B2", "B3"])


def test_number_of_bands_is_checked():
    with pytest.raises(DataError, match="wanted \\(T, 2, H, W\\)"):
        rs().prepare(np.zeros((3, 2, 2)))


def test_statistics_of_another_length_are_refused():
    with pytest.raises(UsageError, match="2 bands, 1 means"):
        rs(mean=(1.0,))


def test_tiles_of_different_sizes_are_stacked_at_the_models_size():
    arrays = [np.ones((2, 199, 245)), np.ones((2, 96, 96)), np.ones((2, 1, 1))]
    found = rs(size=96).prepare_many(arrays)
    assert found.shape == (3, 2, 96, 96)
    assert rs(size=96).prepare_many([]).shape == (0, 2, 96, 96)


def test_one_batch_and_one_by_one_are_equal():
    arrays = [np.random.default_rng(i).uniform(0, 3000, (2, 20, 30)) for i in range(3)]
    together = rs(size=8).prepare_many(arrays)
    torch.testing.assert_close(together, torch.stack([rs(size=8).prepare(a) for a in arrays]))


@pytest.mark.parametrize("antialias", [True, False])
def test_positions_stay_valid_when_a_tile_is_resized(antialias):
    # a ramp along x and along y keeps its value at each (x, y)
    x = (np.arange(60) * 2 + 1) / 60 - 1
    y = (np.arange(40) * 2 + 1) / 40 - 1
    tile = np.stack([np.broadcast_to(x, (40, 60)), np.broadcast_to(y[:, None], (40, 60))])
    ramp = rs(mean=(0.0, 0.0), std=(1.0, 1.0), size=20, antialias=antialias)
    found = ramp.prepare(tile)[:, 3:-3, 3:-3]
    centre = ((torch.arange(20) * 2 + 1) / 20 - 1)[3:-3]
    torch.testing.assert_close(found[0, 5], centre, atol=1e-3, rtol=0)
    torch.testing.assert_close(found[1, :, 5], centre, atol=1e-3, rtol=0)


def test_photo_becomes_channels_first_and_normalised():
    photo = np.zeros((1, 2, 3), np.uint8)
    photo[0, 1] = [255, 0, 51]
    form = SvInput(1, 2, mean=(51.0, 51.0, 51.0), std=(51.0, 51.0, 51.0))
    assert form.prepare(photo).tolist() == [[[-1, 4]], [[-1, -1]], [[-1, 0]]]


def test_photos_of_any_size_are_stacked_without_keeping_the_aspect_ratio():
    photos = [np.zeros((48, 96, 3), np.uint8), np.zeros((100, 60, 3), np.uint8)]
    assert SvInput(64, 96).prepare_many(photos).shape == (2, 3, 64, 96)
    assert SvInput(64, 96).prepare_many([]).shape == (0, 3, 64, 96)


def test_the_callers_array_is_left_alone():
    photo = np.full((4, 4, 3), 7, np.uint8)
    photo.flags.writeable = False
    SvInput(4, 4).prepare(photo)
    tile = np.full((2, 2, 2), np.nan, np.float32)
    rs().prepare(tile)
    assert np.isnan(tile).all()


def test_photo_input_of_no_size_is_refused():
    with pytest.raises(UsageError, match="photo size 0x4"):
        SvInput(0, 4)
