"""Our model against the recorded outputs of the released one, on made weights."""

import json
from math import prod

import numpy as np
import pytest
import torch

from gair_cli.errors import ModelError
from gair_cli.models.config import preset_config
from gair_cli.models.gair import GairModel
from gair_cli.models.released import (
    from_released,
    released_config,
    released_layout,
    to_released,
)
from gair_cli.models.sampling import read_bicubic, read_bilinear

pytestmark = pytest.mark.slow

READERS = {"bilinear": read_bilinear, "bicubic": read_bicubic}


def assert_agrees(found, golden, name):
    found, wanted = found.detach().double().numpy(), golden[name].astype(np.float64)
    assert found.shape == wanted.shape, name
    worst = np.abs(found - wanted).max()
    assert worst <= 2e-4, f"{name}: {worst:.1e} off"
    lengths = np.linalg.norm(found, axis=-1) * np.linalg.norm(wanted, axis=-1)
    cosine = ((found * wanted).sum(-1) / lengths).min()
    assert cosine >= 0.999999, f"{name}: cosine {cosine:.8f}"


def one_by_one(function, inputs):
    return torch.cat([function(row[None]) for row in inputs])


@pytest.fixture(scope="module")
def made_inputs():
    random = np.random.RandomState(7)
    rs = random.rand(4, 10, 96, 96).astype(np.float32)
    sv = random.standard_normal((2, 3, 224, 224)).astype(np.float32)
    return torch.from_numpy(rs), torch.from_numpy(sv)


@pytest.fixture(scope="module")
def tokens(released, made_inputs):
    with torch.inference_mode():
        return released.model.encode_rs(made_inputs[0])


@pytest.fixture(scope="module")
def queries(released):
    west, north, east, south = released.golden["synthetic/bbox"].astype(np.float64).T
    lon, lat = released.golden["synthetic/queries"].astype(np.float64).T
    x, y = (lon - west) / (east - west) * 2 - 1, (north - lat) / (north - south) * 2 - 1
    return torch.from_numpy(np.stack([x, y], axis=1)).float()


@torch.inference_mode()
def test_tile_embedding_batched_and_single(released, made_inputs, tokens):
    model = released.model
    assert_agrees(model.pool_rs(tokens), released.golden, "synthetic/rs")
    single = one_by_one(lambda row: model.pool_rs(model.encode_rs(row)), made_inputs[0])
    assert_agrees(single, released.golden, "synthetic/rs")


@torch.inference_mode()
def test_photo_embedding_batched_and_single(released, made_inputs):
    model, photos = released.model, made_inputs[1]
    assert_agrees(model.encode_sv(photos), released.golden, "synthetic/sv")
    assert_agrees(one_by_one(model.encode_sv, photos), released.golden, "synthetic/sv")


@torch.inference_mode()
def test_location_embedding_at_poles_antimeridian_and_cities(released):
    points = torch.from_numpy(released.golden["synthetic/loc_points"].astype(np.float64))
    assert_agrees(released.model.encode_location(points), released.golden, "synthetic/loc")
    single = one_by_one(released.model.encode_location, points)
    assert_agrees(single, released.golden, "synthetic/loc")


@pytest.mark.parametrize("form", ["corners", "gather", "convolve", "forward"])
@torch.inference_mode()
def test_nili_in_every_form(released, tokens, queries, form):
    read = getattr(released.model.nili, form)(tokens, queries, torch.arange(4))
    assert_agrees(read, released.golden, "synthetic/localized_nili")


@torch.inference_mode()
def test_nili_one_position_at_a_time(released, tokens, queries):
    single = [released.model.localize(tokens[i : i + 1], queries[i : i + 1]) for i in range(4)]
    assert_agrees(torch.cat(single), released.golden, "synthetic/localized_nili")


@pytest.mark.parametrize("query", ["bilinear", "bicubic"])
@torch.inference_mode()
def test_baseline_queries(released, tokens, queries, query):
    read = READERS[query](tokens, queries, torch.arange(4))
    assert_agrees(read, released.golden, f"synthetic/localized_{query}")


def test_tile_preprocessing_of_a_real_tile(released, triple):
    form = released.model.config.rs.input
    prepared = form.prepare(triple.tile[form.select(triple.bands)])[None]
    wanted = released.golden[f"{triple.name}/rs_input"]
    np.testing.assert_allclose(prepared[:, :, ::16, ::16].numpy(), wanted, atol=1e-6)


def test_photo_preprocessing_of_a_real_photo(released, triple):
    prepared = released.model.config.sv.input.prepare(triple.photo)[None]
    wanted = released.golden[f"{triple.name}/sv_input"]
    np.testing.assert_allclose(prepared[:, :, ::32, ::32].numpy(), wanted, atol=1e-5)


@torch.inference_mode()
def test_real_triple_in_every_modality(released, triple):
    model, golden, name = released.model, released.golden, triple.name
    form = model.config.rs.input
    grid = model.encode_rs(form.prepare(triple.tile[form.select(triple.bands)])[None])
    assert_agrees(model.pool_rs(grid), golden, f"{name}/rs")
    assert_agrees(model.localize(grid, triple.xy), golden, f"{name}/localized_nili")
    for query, read in READERS.items():
        found = read(grid, triple.xy, torch.tensor([0]))
        assert_agrees(found, golden, f"{name}/localized_{query}")
    photo = model.encode_sv(model.config.sv.input.prepare(triple.photo)[None])
    assert_agrees(photo, golden, f"{name}/sv")
    assert_agrees(model.head["sv"](photo), golden, f"{name}/sv_proj")
    lonlat = torch.tensor([triple.lonlat], dtype=torch.float64)
    assert_agrees(model.encode_location(lonlat), golden, f"{name}/loc")


def test_converted_checkpoint_converts_back_with_equal_keys_order_and_tensors(released):
    back = to_released(released.model, released.carried)
    assert list(back) == list(released.checkpoint)
    for key, wanted in released.checkpoint.items():
        assert back[key].dtype == wanted.dtype, key
        assert torch.equal(back[key], wanted), key


def test_only_photos_have_a_head_and_the_temperature_stays(released):
    assert list(released.model.head) == ["sv"]
    assert "logit_scale" not in dict(released.model.named_parameters())
    assert released.model.logit_scale.exp().item() == pytest.approx(1 / 0.07)


def test_faults_of_a_checkpoint_are_listed(released):
    damaged = dict(released.checkpoint)
    del damaged["imnet.bias"]
    damaged["more"] = torch.zeros(1)
    with pytest.raises(ModelError) as caught:
        from_released(damaged)
    assert "2 faults: missing imnet.bias; extra more" in str(caught.value)
    query = "sv_encoder.encoder.layer.3.attention.attention.query.bias"
    shapes = {"imnet.bias": 3, "rs_encoder.head.bias": 9, query: 2}
    damaged = {**released.checkpoint, **{key: torch.zeros(n) for key, n in shapes.items()}}
    del damaged["radar_proj.bias"]
    with pytest.raises(ModelError) as caught:
        from_released(damaged)
    for fault in (
        "4 faults: missing radar_proj.bias",
        "imnet.bias is [3], wanted [768]",
        "rs_encoder.head.bias is [9], wanted [10]",
        f"{query} is [2], wanted [768]",
    ):
        assert fault in str(caught.value)


def test_203_5_million_numbers_are_what_learns_and_what_is_carried(parity_data):
    shapes = json.loads((parity_data / "released_keys.json").read_text())
    sizes = {key: prod(shape) for key, (shape, _) in shapes.items()}
    layout = released_layout()
    assert [entry.released for entry in layout] == list(shapes)
    carried = {e.released: sizes[e.released] for e in layout if e.ours is None}
    assert sum(sizes.values()) == 203_528_972
    parts = {
        "nerf_fn": 14_172_672,  # a query by attention
        "radar_proj": 590_592,
        "location_proj": 590_592,
        "rs_patch_pos_encoding": 110_592,
        "rs_encoder": 9_226,  # a norm and a head that no output passes through
        "queue_for_location": 8_192,
        "query_feature": 768,
        "queue_ptr_location": 1,
    }
    for part, size in parts.items():
        assert sum(n for key, n in carried.items() if key.split(".")[0] == part) == size
    assert sum(carried.values()) == sum(parts.values())
    with torch.device("meta"):
        ours = GairModel(released_config())
        trained = GairModel(preset_config("paper"))
    used = sum(value.numel() for value in ours.state_dict().values())
    assert used + sum(carried.values()) == 203_528_972
    # what is trained has two more heads into the joint space
    assert sum(p.numel() for p in trained.parameters()) == 189_225_984
    assert sum(p.numel() for p in ours.parameters()) == 189_225_984 - 2 * 590_592
