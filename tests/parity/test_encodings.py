"""The fixed encodings of the Rust core and the learned tower's are the same functions."""

import numpy as np
import pytest
import torch

from gair_cli.geo import coordinates
from gair_cli.losses.geo_targets import haversine_m
from gair_cli.models.config import LocationConfig
from gair_cli.models.location_encoder import FourierScale, equal_earth

EDGES = [[180, 0], [-180, 0], [0, 90], [0, -90], [13.404954, 52.520008], [179.9999, -89.9999]]


@pytest.fixture(scope="module")
def lonlat():
    random = np.random.default_rng(0)
    inside = np.stack([random.uniform(-180, 180, 500), random.uniform(-90, 90, 500)], axis=1)
    return np.concatenate([np.array(EDGES, dtype=np.float64), inside])


def test_equal_earth_of_core_and_tower_agree(lonlat):
    ours = equal_earth(torch.from_numpy(lonlat)).numpy()
    np.testing.assert_allclose(
        ours, coordinates.equal_earth(lonlat) * 66.50336 / 180, atol=1e-13, rtol=0
    )


@pytest.mark.parametrize("sigma", [1.0, 256.0, 32768.0])
def test_fourier_features_of_core_and_tower_agree(lonlat, sigma):
    torch.manual_seed(0)
    one = LocationConfig(sigmas=(sigma,), frequencies=32, hidden=1, depth=1, width=1)
    scale = FourierScale(one, sigma)
    tower = scale.features(equal_earth(torch.from_numpy(lonlat))).numpy()
    core = coordinates.random_fourier_features(lonlat, scale.frequencies.double().numpy())
    np.testing.assert_allclose(tower, core, atol=3e-6, rtol=0)


def test_distances_of_core_and_loss_agree(lonlat):
    table = haversine_m(torch.from_numpy(lonlat), torch.from_numpy(lonlat[::-1].copy()))
    wanted = coordinates.great_circle_m(lonlat, lonlat[::-1])
    np.testing.assert_allclose(table.diagonal().numpy(), wanted, atol=1e-6, rtol=0)
