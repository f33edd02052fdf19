"""The whole model: every combination of towers, every query, every gradient."""

from dataclasses import replace

import pytest
import torch

from gair_cli.errors import ModelError
from gair_cli.models.gair import GairModel, keep_towers, new_model
from gair_cli.models.sampling import read_bicubic, read_bilinear


def joined(found):
    there = [part for part in (found.sv, found.rs_at, found.location) if part is not None]
    return sum((part * torch.arange(1, 1 + part.shape[1])).sum() for part in there) * (
        found.logit_scale
    )


@pytest.mark.parametrize(
    "towers", [("rs", "sv", "location"), ("rs", "location"), ("sv", "location"), ("rs", "sv")]
)
@pytest.mark.parametrize("query", ["nili", "bilinear", "bicubic", "mean"])
def test_every_parameter_gets_a_gradient(small_config, small_batch, towers, query):
    model = new_model(small_config(query=query).only(towers), seed=0)
    joined(model(small_batch)).backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    assert without == []


def test_joint_vectors_have_length_one_and_one_width(small_config, small_batch):
    found = new_model(small_config(), seed=0)(small_batch)
    for part in (found.sv, found.rs_at, found.location):
        assert part.shape == (4, 5)
        torch.testing.assert_close(part.norm(dim=1), torch.ones(4))


def test_a_batch_may_lack_photos_or_tiles(small_config, small_batch):
    model = new_model(small_config(), seed=0)
    without_photos = model(replace(small_batch, sv=None))
    assert without_photos.sv is None
    assert without_photos.rs_at is not None
    without_tiles = model(replace(small_batch, rs=None, xy=None, tile_of=None, radius_m=None))
    assert without_tiles.rs_at is None
    assert without_tiles.location is not None


def test_missing_tower_is_named(small_config):
    model = new_model(small_config().only(["location"]), seed=0)
    with pytest.raises(ModelError, match="no sv tower"):
        model.encode_sv(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ModelError, match="no rs tower"):
        model.width("rs")
    assert (model.has_rs, model.has_sv, model.has_location) == (False, False, True)


def test_each_query_reads_as_its_name_says(small_config):
    tokens, xy = torch.randn(3, 8, 4, 4), torch.rand(5, 2) * 2 - 1
    tile_of = torch.tensor([2, 0, 1, 1, 2])

    def read(query):
        model = new_model(small_config(query=query), seed=0)
        return model.localize(tokens, xy, tile_of=tile_of)

    assert torch.equal(read("mean"), tokens.mean(dim=(2, 3))[tile_of])
    assert torch.equal(read("bilinear"), read_bilinear(tokens, xy, tile_of))
    assert torch.equal(read("bicubic"), read_bicubic(tokens, xy, tile_of))
    bordered = read_bilinear(tokens, xy, tile_of, border=True)
    torch.testing.assert_close(read("nili"), bordered, atol=1e-6, rtol=0)


def test_positions_without_tile_numbers_go_one_to_a_tile_or_all_to_the_only_one(small_config):
    model = new_model(small_config(nili_start="random"), seed=0)
    tokens, xy = torch.randn(3, 8, 4, 4), torch.rand(3, 2) * 2 - 1
    each = model.localize(tokens, xy)
    torch.testing.assert_close(each, model.localize(tokens, xy, tile_of=torch.arange(3)))
    only = model.localize(tokens[:1], xy)
    torch.testing.assert_close(only, model.localize(tokens, xy, tile_of=torch.zeros(3).long()))
    with pytest.raises(ValueError, match="2 positions in 3 tiles"):
        model.localize(tokens, xy[:2])


def test_few_and_many_positions_in_a_tile_give_the_same_field(small_config):
    model = new_model(small_config(nili_start="random"), seed=0)
    tokens, xy = torch.randn(1, 8, 4, 4), torch.rand(500, 2) * 2 - 1
    many = model.localize(tokens, xy)
    few = torch.cat([model.localize(tokens, part) for part in xy.split(10)])
    torch.testing.assert_close(many, few, atol=1e-5, rtol=0)


def test_single_and_batched_inputs_give_the_same_vectors(small_config, small_batch):
    model = new_model(small_config(), seed=0).eval()
    tokens = model.encode_rs(small_batch.rs)
    for i in range(3):
        alone = model.encode_rs(small_batch.rs[i : i + 1])[0]
        torch.testing.assert_close(alone, tokens[i], atol=1e-5, rtol=1e-5)


def test_rs_and_rs_at_share_a_head(small_config):
    model, vectors = new_model(small_config(), seed=0), torch.randn(2, 8)
    assert torch.equal(model.project(vectors, "rs"), model.project(vectors, "rs_at"))
    assert sorted(model.head) == ["location", "rs", "sv"]


def test_a_tower_without_head_enters_as_it_is(small_config):
    model = new_model(small_config(dim=8, heads=("sv", "location")), seed=0)
    vectors = torch.randn(2, 8)
    wanted = torch.nn.functional.normalize(vectors, dim=1)
    assert torch.equal(model.project(vectors, "rs"), wanted)


def test_a_tower_without_head_must_fit_the_joint_space(small_config):
    with pytest.raises(ModelError, match="rs gives 8 numbers and has no head into 5"):
        GairModel(small_config(heads=("sv", "location")))


def test_logit_scale_is_the_inverse_temperature_and_at_most_100(small_config, small_batch):
    model = new_model(small_config(temperature=0.07), seed=0)
    assert model(small_batch).logit_scale.item() == pytest.approx(1 / 0.07)
    with torch.no_grad():
        model.logit_scale.fill_(9.0)
    assert model(small_batch).logit_scale.item() == 100


def test_fixed_temperature_is_saved_but_not_learnt(small_config):
    model = new_model(small_config(learn_temperature=False), seed=0)
    assert "logit_scale" in model.state_dict()
    assert "logit_scale" not in dict(model.named_parameters())


def test_weights_depend_on_the_seed_alone(small_config):
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = new_model(small_config(), seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    second, other = new_model(small_config(), seed=3), new_model(small_config(), seed=4)
    assert all(map(torch.equal, first.state_dict().values(), second.state_dict().values()))
    assert not torch.equal(first.head["rs"].weight, other.head["rs"].weight)


def test_kept_tower_gives_the_same_joint_vectors(small_config):
    model = new_model(small_config(), seed=0).eval()
    alone = keep_towers(model, ["location"])
    lonlat = torch.tensor([[13.4, 52.5]], dtype=torch.float64)
    wanted = model.project(model.encode_location(lonlat), "location")
    assert torch.equal(alone.project(alone.encode_location(lonlat), "location"), wanted)
    assert (alone.has_rs, alone.has_sv, alone.training) == (False, False, False)
