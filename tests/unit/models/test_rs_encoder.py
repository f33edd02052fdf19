"""The satellite tower: ALiBi, sizes, and a slow attention as oracle."""

import math
from dataclasses import replace

import pytest
import torch

from gair_cli.data.transforms import RsInput
from gair_cli.errors import ModelError
from gair_cli.models.config import RsConfig
from gair_cli.models.rs_encoder import Attention, RsEncoder, alibi_bias, alibi_slopes
from gair_cli.models.rs_timm import TimmRsEncoder


def config(bands=3, **sizes):
    chosen = {"patch": 4, "width": 16, "depth": 2, "heads": 4, **sizes}
    statistics = ((0.0,) * bands, (1.0,) * bands)
    return RsConfig(RsInput(tuple(f"band{i}" for i in range(bands)), *statistics, 16), **chosen)


def bands_input(count, size):
    return RsInput(tuple(f"band{i}" for i in range(count)), (0.0,) * count, (1.0,) * count, size)


def test_slopes_of_sixteen_heads_are_those_of_the_release():
    assert alibi_slopes(16) == pytest.approx([2 ** (-(h + 1) / 2) for h in range(16)])


def test_slopes_of_six_heads_follow_the_alibi_paper():
    assert alibi_slopes(6) == pytest.approx([0.25, 0.0625, 1 / 64, 1 / 256, 0.5, 0.125])


def test_bias_is_the_slope_times_the_distance_between_patches():
    bias = alibi_bias(3, 4, 4)
    assert bias.shape == (1, 4, 12, 12)
    # patch 1 is row 0, column 1; patch 11 is row 2, column 3; the first slope of four is 1 / 4
    assert bias[0, 0, 1, 11].item() == pytest.approx(-0.25 * math.sqrt(8))
    assert bias[0, :, 5, 5].tolist() == [0, 0, 0, 0]
    assert torch.equal(bias, bias.transpose(2, 3))


def test_attention_equals_a_softmax_written_out():
    torch.manual_seed(0)
    attention, tokens, bias = Attention(8, 2), torch.randn(1, 6, 8), alibi_bias(2, 3, 2)
    normal = attention.norm(tokens)[0]
    query, key, value = (attention.qkv.weight @ normal.T).T.split(8, dim=1)
    read = []
    for head in range(2):
        part = slice(4 * head, 4 * head + 4)
        scores = query[:, part] @ key[:, part].T / math.sqrt(4) + bias[0, head]
        read.append(scores.softmax(dim=1) @ value[:, part])
    wanted = attention.out(torch.cat(read, dim=1))
    torch.testing.assert_close(attention(tokens, bias)[0], wanted, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("bands", [1, 3, 12])
@pytest.mark.parametrize("size", [(16, 16), (8, 24), (4, 4)])
def test_any_number_of_bands_and_any_size_give_one_token_a_patch(bands, size):
    encoder = RsEncoder(config(bands))
    assert encoder(torch.randn(2, bands, *size)).shape == (2, 16, size[0] // 4, size[1] // 4)


def test_first_row_of_tokens_comes_from_the_first_rows_of_pixels():
    encoder = RsEncoder(config(depth=1)).eval()
    tile = torch.zeros(1, 3, 16, 16)
    changed = tile.clone()
    changed[:, :, 0:4, 12:16] = 1
    with torch.no_grad():
        moved = (encoder(changed) - encoder(tile)).abs().sum(dim=1)[0]
    assert divmod(int(moved.argmax()), 4) == (0, 3)


def test_patch_is_flattened_band_by_band():
    encoder = RsEncoder(config(depth=1))
    encoder.blocks = torch.nn.ModuleList()
    tile = torch.randn(1, 3, 4, 4)
    wanted = encoder.embed(tile.flatten())
    torch.testing.assert_close(encoder(tile).flatten(), wanted, atol=1e-6, rtol=1e-5)


def test_size_that_is_no_multiple_of_the_patch_is_refused():
    with pytest.raises(ValueError, match="18x16"):
        RsEncoder(config())(torch.zeros(1, 3, 18, 16))


def test_a_grid_first_seen_without_gradients_can_be_trained_on():
    encoder, tile = RsEncoder(config()), torch.randn(1, 3, 20, 28)
    with torch.inference_mode():
        encoder(tile)
    encoder(tile).sum().backward()
    assert encoder.embed.weight.grad.abs().sum() > 0


def test_tokens_stay_float32_under_autocast():
    encoder, tile = RsEncoder(config()), torch.randn(1, 3, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert encoder(tile).dtype == torch.float32


@pytest.mark.parametrize("shape", [(44, 28), (4, 20), (60, 60)])
def test_any_grid_will_do_odd_and_oblong_ones_too(shape):
    torch.manual_seed(0)
    encoder = RsEncoder(config()).eval()
    tokens = encoder(torch.randn(2, 3, *shape))
    assert tokens.shape == (2, 16, shape[0] // 4, shape[1] // 4)


def test_sizes_without_whole_patches_are_refused():
    with pytest.raises(ValueError, match="no whole 4 px patches"):
        RsEncoder(config())(torch.zeros(1, 3, 18, 16))


@pytest.mark.parametrize("name", ["test_vit", "test_resnet", "test_efficientnet"])
def test_a_timm_model_is_a_satellite_tower(name):
    torch.manual_seed(0)
    tower = TimmRsEncoder(replace(config(bands=5), name=name, input=bands_input(5, 64)))
    features = tower.eval()(torch.randn(2, 5, 64, 64))
    assert features.ndim == 4
    assert features.shape[:2] == (2, tower.width)
    earlier = TimmRsEncoder(replace(config(), name=name, stage=-1, input=bands_input(3, 64)))
    assert earlier.width == tower.width


def test_an_earlier_feature_map_is_finer():
    sizes = [
        TimmRsEncoder(replace(config(), name="test_resnet", stage=stage, input=bands_input(3, 64)))
        .eval()(torch.randn(1, 3, 64, 64))
        .shape[-1]
        for stage in (-1, -2)
    ]
    assert sizes[1] == 2 * sizes[0]


def test_a_model_that_timm_does_not_know_is_told_with_names_near_it():
    with pytest.raises(ModelError, match=r"test_vitt.*model\.rs\.name") as caught:
        TimmRsEncoder(replace(config(), name="test_vitt"))
    assert "test_vit" in caught.value.hint
