"""The photo tower: any timm model, its size, its pooler."""

import pytest
import torch

from gair_cli.data.transforms import SvInput
from gair_cli.errors import ModelError
from gair_cli.models.config import SvConfig
from gair_cli.models.sv_encoder import SvEncoder


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "test_vit", "test_convnext"])
def test_width_is_that_of_the_output(name):
    encoder = SvEncoder(SvConfig(SvInput(32, 48), name)).eval()
    assert encoder(torch.zeros(2, 3, 32, 48)).shape == (2, encoder.width)


def test_pooler_ends_in_tanh_of_a_linear_layer():
    encoder = SvEncoder(SvConfig(SvInput(32, 32), "test_vit", pooler=True)).eval()
    photo = torch.randn(1, 3, 32, 32)
    wanted = torch.tanh(encoder.pooler(encoder.body(photo)))
    assert torch.equal(encoder(photo), wanted)


def test_epsilon_reaches_every_norm_of_a_vit():
    encoder = SvEncoder(SvConfig(SvInput(32, 32), "test_vit", norm_eps=1e-12))
    norms = [m.eps for m in encoder.modules() if isinstance(m, torch.nn.LayerNorm)]
    assert norms
    assert set(norms) == {1e-12}


def test_no_dropout_anywhere():
    encoder = SvEncoder(SvConfig(SvInput(32, 32), "test_vit", pooler=True))
    assert all(m.p == 0 for m in encoder.modules() if isinstance(m, torch.nn.Dropout))


def test_unknown_timm_name_lists_near_ones():
    with pytest.raises(ModelError, match="no model 'resnet99'"):
        SvEncoder(SvConfig(SvInput(32, 32), "resnet99"))
