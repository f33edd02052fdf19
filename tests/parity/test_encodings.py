"""The fixed encodings of the Rust core and the learned tower's are the same functions."""

import numpy as np
import pytest
import torch

from gair_cli.geo import coordinates, encodings
from gair_cli.losses.geo_targets import haversine_m
from gair_cli.models.config import LocationConfig
from gair_cli.models.location_encoder import FourierEncoder, FourierScale, equal_earth

EDGES = [[180, 0], [-180, 0], [0, 90], [0, -90], [13.404954, 52.520008], [179.9999, -89.9999]]


@pytest.fixture(scope="module")
def lonlat():
    random = np.random.default_rng(0)
    inside = np.stack([random.uniform(-180, 180, 500), random.uniform(-90, 90, 500)], axis=1)
    return np.concatenate([np.array(EDGES, dtype=np.float64), inside])


def test_equal_earth_of_core_and_tower_agree(lonlat):
    ours = equal_earth(torch.from_numpy(lonlat)).numpy()
    np.testing.assert_allclose(
        ours, encodings.equal_earth(lonlat) * 66.50336 / 180, atol=1e-13, rtol=0
    )


@pytest.mark.parametrize("sigma", [1.0, 256.0, 32768.0])
def test_fourier_features_of_core_and_tower_agree(lonlat, sigma):
    torch.manual_seed(0)
    one = LocationConfig(sigmas=(sigma,), frequencies=32, hidden=1, depth=1, width=1)
    scale = FourierScale(one, sigma)
    tower = scale.features(equal_earth(torch.from_numpy(lonlat))).numpy()
    core = encodings.random_fourier_features(lonlat, scale.frequencies.double().numpy())
    np.testing.assert_allclose(tower, core, atol=3e-6, rtol=0)


@pytest.mark.parametrize("sigmas", [(1.0, 16.0, 256.0), (32768.0,)])
def test_embedding_through_the_core_equals_the_tower(lonlat, sigmas):
    torch.manual_seed(1)
    config = LocationConfig(sigmas=sigmas, frequencies=64, hidden=32, depth=2, width=16)
    tower = FourierEncoder(config).eval()
    features = encodings.random_fourier_features(lonlat, tower.directions().numpy())
    with torch.inference_mode():
        wanted = tower(torch.from_numpy(lonlat))
        found = tower.embed(torch.from_numpy(features))
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), atol=1e-5, rtol=0)


def test_distances_of_core_and_loss_agree(lonlat):
    table = haversine_m(torch.from_numpy(lonlat), torch.from_numpy(lonlat[::-1].copy()))
    wanted = coordinates.great_circle_m(lonlat, lonlat[::-1])
    np.testing.assert_allclose(table.diagonal().numpy(), wanted, atol=1e-6, rtol=0)
