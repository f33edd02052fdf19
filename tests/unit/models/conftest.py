"""Fixtures of the model tests: one small model, one batch, torch on one thread."""

import pytest
import torch

from gair_cli.data.batch import Batch
from gair_cli.data.transforms import RsInput, SvInput
from gair_cli.models.config import LocationConfig, ModelConfig, RsConfig, SvConfig


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def small_config():
    """Make a config small enough for every test; keywords replace its parts."""

    def make(**changes):
        parts = {
            "rs": RsConfig(RsInput(("B2", "B3"), (0.0, 1.0), (1.0, 2.0), 16), 4, 8, 1, 2),
            "sv": SvConfig(SvInput(32, 32), "test_vit"),
            "location": LocationConfig((1.0, 16.0), 4, 8, 1, 6),
        }
        return ModelConfig(**{"dim": 5, **parts, **changes})

    return make


@pytest.fixture
def small_batch():
    """Four pairs on three tiles that fit the small config."""
    generator = torch.Generator().manual_seed(0)
    return Batch(
        lonlat=torch.rand(4, 2, generator=generator, dtype=torch.float64) * 80,
        sample_ids=list("abcd"),
        rs=torch.randn(3, 2, 16, 16, generator=generator),
        sv=torch.randn(4, 3, 32, 32, generator=generator),
        xy=torch.rand(4, 2, generator=generator) * 2 - 1,
        radius_m=torch.zeros(4),
        tile_of=torch.tensor([0, 1, 2, 0]),
    )
