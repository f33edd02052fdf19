"""The coordinate tower: projection, frequencies, precision."""

import math

import numpy as np
import pytest
import torch

from gair_cli.models.config import LocationConfig
from gair_cli.models.location_encoder import FourierEncoder, FourierScale, equal_earth

SMALL = LocationConfig(sigmas=(1.0, 256.0), frequencies=8, hidden=16, depth=2, width=6)


def points(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_equal_earth_has_the_known_corners():
    # Savric et al. 2018: half width 2.7066299836960748, half height 1.317362759157413
    scale = 66.50336 / 180
    found = equal_earth(points((0, 0), (180, 0), (0, 90), (-180, 0), (0, -90)))
    wanted = points((0, 0), (2.70662998, 0), (0, 1.31736276), (-2.70662998, 0), (0, -1.31736276))
    torch.testing.assert_close(found, wanted * scale, atol=1e-7, rtol=0)


def test_float32_coordinates_are_refused():
    with pytest.raises(ValueError, match="wanted \\(N, 2\\) float64"):
        equal_earth(torch.zeros(3, 2))


def test_features_are_cosines_then_sines_of_two_pi_frequency_times_position():
    torch.manual_seed(0)
    scale = FourierScale(SMALL, 32768.0)
    plane = equal_earth(points((13.404954, 52.520008), (-179.99, -89.9)))
    angle = 2 * np.pi * plane.numpy() @ scale.frequencies.double().numpy().T
    wanted = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    assert scale.features(plane).dtype == torch.float32
    assert np.abs(scale.features(plane).numpy() - wanted).max() < 1e-6


def test_output_is_the_sum_of_the_scales():
    encoder = FourierEncoder(SMALL)
    lonlat = points((1, 2), (3, 4))
    plane = equal_earth(lonlat)
    wanted = encoder.scales[0](plane) + encoder.scales[1](plane)
    torch.testing.assert_close(encoder(lonlat), wanted)


def test_autocast_changes_nothing():
    encoder, lonlat = FourierEncoder(SMALL), points((116.397, 39.908))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = encoder(lonlat)
    assert found.dtype == torch.float32
    assert torch.equal(found, encoder(lonlat))


def test_frequencies_are_saved_but_not_learnt():
    encoder = FourierEncoder(SMALL)
    assert "scales.0.frequencies" in encoder.state_dict()
    assert "scales.0.frequencies" not in dict(encoder.named_parameters())


def test_frequencies_have_the_spread_of_their_sigma():
    torch.manual_seed(1)
    many = LocationConfig(sigmas=(1.0,), frequencies=20000, hidden=1, depth=1, width=1)
    assert FourierScale(many, 256.0).frequencies.std().item() == pytest.approx(256, rel=0.02)


def test_two_photos_five_metres_apart_differ_at_a_high_frequency():
    torch.manual_seed(0)
    fine = FourierScale(SMALL, 32768.0)
    step = 5 / (math.pi / 2 * 6_371_008.8) * 90
    plane = equal_earth(points((13.4, 52.5), (13.4, 52.5 + step)))
    features = fine.features(plane)
    assert 0.01 < (features[0] - features[1]).abs().mean() < 0.2
