"""Towers that start from weights: CROMA by band, another model, timm; strict all the while."""

from dataclasses import replace

import pytest
import torch

from gair_cli.data.transforms import RsInput
from gair_cli.errors import InputError, ModelError, UsageError
from gair_cli.models.config import RsConfig
from gair_cli.models.gair import new_model
from gair_cli.models.starts import StartConfig, apply_start, croma_tower
from gair_cli.models.weights import save_model
from gair_cli.records import SENTINEL2_L2A_BANDS


def croma(width=8, depth=2, patch=4):
    """A made checkpoint of CROMA's layout: radar and optical encoder, joint encoder."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    tensors = {}
    for encoder, bands in (("s1_encoder", 2), ("s2_encoder", 12)):
        tensors[f"{encoder}.linear_input.weight"] = draw(width, bands * patch * patch)
        tensors[f"{encoder}.linear_input.bias"] = draw(width)
        for block in range(depth):
            old = f"{encoder}.transformer.layers.{block}"
            tensors[f"{old}.0.to_qkv.weight"] = draw(3 * width, width)
            tensors[f"{old}.0.to_out.weight"] = draw(width, width)
            tensors[f"{old}.0.to_out.bias"] = draw(width)
            tensors[f"{old}.1.net.0.weight"] = draw(4 * width, width)
            tensors[f"{old}.1.net.0.bias"] = draw(4 * width)
            tensors[f"{old}.1.net.3.weight"] = draw(width, 4 * width)
            tensors[f"{old}.1.net.3.bias"] = draw(width)
            for part in ("0", "1"):
                tensors[f"{old}.{part}.input_norm.weight"] = draw(width)
                tensors[f"{old}.{part}.input_norm.bias"] = draw(width)
        tensors[f"{encoder}.transformer.norm_out.weight"] = draw(width)
        tensors[f"{encoder}.transformer.norm_out.bias"] = draw(width)
    tensors["s2_GAP_FFN.0.weight"] = draw(width)
    return tensors


def of_bands(small_config, *bands, depth=1):
    rs = RsConfig(RsInput(bands, (0.0,) * len(bands), (1.0,) * len(bands), 16), 4, 8, depth, 2)
    return small_config(rs=rs)


@torch.no_grad()
def test_all_twelve_bands_give_cromas_own_tokens(small_config, tmp_path):
    """Against CROMA's encoder written out, without its final norm."""
    tensors = croma()
    torch.save(tensors, tmp_path / "croma.pt")
    model = new_model(of_bands(small_config, *SENTINEL2_L2A_BANDS, depth=2), seed=0).eval()
    apply_start(model, StartConfig(rs=str(tmp_path / "croma.pt")))
    rs = torch.randn(1, 12, 16, 16)
    found = model.encode_rs(rs).flatten(2).transpose(1, 2)[0]

    patches = rs.unfold(2, 4, 4).unfold(3, 4, 4)[0]  # (12, 4, 4, 4, 4)
    rows = patches.permute(1, 2, 0, 3, 4).reshape(16, -1)
    part = "s2_encoder."
    tokens = rows @ tensors[f"{part}linear_input.weight"].T + tensors[f"{part}linear_input.bias"]
    places = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0))
    distance = torch.cdist(places, places)
    for block in range(2):
        old = f"{part}transformer.layers.{block}"

        def norm(x, which, old=old):
            weight, bias = (tensors[f"{old}.{which}.input_norm.{k}"] for k in ("weight", "bias"))
            return torch.nn.functional.layer_norm(x, (8,), weight, bias)

        q, k, v = (norm(tokens, 0) @ tensors[f"{old}.0.to_qkv.weight"].T).chunk(3, dim=1)
        heads = []
        for head in range(2):
            at = slice(4 * head, 4 * head + 4)
            slope = 2 ** (-4 * (head + 1))
            scores = q[:, at] @ k[:, at].T / 2 - slope * distance
            heads.append(scores.softmax(dim=1) @ v[:, at])
        merged = torch.cat(heads, dim=1) @ tensors[f"{old}.0.to_out.weight"].T
        tokens = tokens + merged + tensors[f"{old}.0.to_out.bias"]
        hidden = norm(tokens, 1) @ tensors[f"{old}.1.net.0.weight"].T
        hidden = torch.nn.functional.gelu(hidden + tensors[f"{old}.1.net.0.bias"])
        tokens = tokens + hidden @ tensors[f"{old}.1.net.3.weight"].T
        tokens = tokens + tensors[f"{old}.1.net.3.bias"]
    torch.testing.assert_close(found, tokens, atol=1e-4, rtol=1e-4)


def test_patches_go_by_the_names_of_the_bands():
    tensors = croma()
    whole = tensors["s2_encoder.linear_input.weight"].reshape(8, 12, 16)
    found = croma_tower(tensors, ["B08", "B2", "thermal"], depth=1)["embed.weight"]
    found = found.reshape(8, 3, 16)
    assert torch.equal(found[:, 0], whole[:, SENTINEL2_L2A_BANDS.index("B8")])
    assert torch.equal(found[:, 1], whole[:, SENTINEL2_L2A_BANDS.index("B2")])
    torch.testing.assert_close(found[:, 2], whole.mean(dim=1))
    with pytest.raises(ModelError, match="none of the bands"):
        croma_tower(tensors, ["red", "green"], depth=1)


def test_nested_dictionaries_and_only_the_first_blocks(small_config, tmp_path):
    nested = {}
    for key, value in croma(depth=3).items():
        part, _, rest = key.partition(".")
        nested.setdefault(part, {})[rest] = value
    torch.save(nested, tmp_path / "croma.pt")
    model = new_model(of_bands(small_config, "B2", "B3"), seed=0)
    apply_start(model, StartConfig(rs=str(tmp_path / "croma.pt")))
    wanted = croma(depth=3)["s2_encoder.transformer.layers.0.0.to_qkv.weight"]
    assert torch.equal(model.rs.blocks[0].attention.qkv.weight, wanted)


def test_a_croma_of_another_size_lists_every_fault(small_config, tmp_path):
    tensors = croma(width=16, depth=1)
    torch.save(tensors, tmp_path / "croma.pt")
    model = new_model(of_bands(small_config, "B2", depth=2), seed=0)
    with pytest.raises(ModelError, match=r"do not fit model\.rs") as caught:
        apply_start(model, StartConfig(rs=str(tmp_path / "croma.pt")))
    text = str(caught.value)
    assert "missing blocks.1.up.weight" in text
    assert "embed.bias is [16], wanted [8]" in text


@pytest.mark.parametrize("tower", ["rs", "sv", "location"])
def test_a_tower_starts_from_another_gair_model(small_config, tmp_path, tower):
    other, model = (new_model(small_config(), seed=seed) for seed in (1, 2))
    save_model(other, tmp_path / "other")
    apply_start(model, StartConfig(**{tower: str(tmp_path / "other")}))
    for name in ("rs", "sv", "location"):
        same = all(
            torch.equal(a, b)
            for a, b in zip(
                getattr(model, name).state_dict().values(),
                getattr(other, name).state_dict().values(),
                strict=True,
            )
        )
        assert same == (name == tower)


def test_what_cannot_be_a_start_is_told(small_config, tmp_path):
    model = new_model(small_config().only(["rs", "location"]), seed=0)
    with pytest.raises(UsageError, match="no such tower"):
        apply_start(model, StartConfig(sv="timm"))
    with pytest.raises(UsageError, match="needs a timm model"):
        apply_start(model, StartConfig(rs="timm"))
    with pytest.raises(InputError, match="there is no model"):
        apply_start(model, StartConfig(rs=str(tmp_path / "nothing")))
    torch.save({"a": torch.zeros(1)}, tmp_path / "x.pth")
    with pytest.raises(InputError, match="neither the layout"):
        apply_start(model, StartConfig(location=str(tmp_path / "x.pth")))
    save_model(new_model(small_config().only(["location"]), seed=0), tmp_path / "places")
    with pytest.raises(ModelError, match="no rs tower to start from"):
        apply_start(model, StartConfig(rs=str(tmp_path / "places")))


def test_timms_weights_are_taken_from_timm(small_config, monkeypatch):
    """Without a network: what timm would download is stood in for by a made model."""
    import timm

    asked = []
    create = timm.create_model

    def made(name, *, pretrained=False, **options):
        asked.append((name, pretrained))
        torch.manual_seed(5)
        return create(name, pretrained=False, **options)

    config = small_config()
    config = replace(config, rs=replace(config.rs, name="test_resnet"))
    model = new_model(config, seed=0)
    monkeypatch.setattr(timm, "create_model", made)
    apply_start(model, StartConfig(rs="timm", sv="timm"))
    assert asked == [("test_resnet", True), ("test_vit", True)]
    torch.manual_seed(5)
    wanted = create("test_vit", num_classes=0, img_size=[32, 32]).state_dict()
    assert all(torch.equal(model.sv.body.state_dict()[k], v) for k, v in wanted.items())
