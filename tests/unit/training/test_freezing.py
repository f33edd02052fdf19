"""Which parts are trained."""

from dataclasses import replace

import pytest
import torch

from gair_cli.data.transforms import RsInput, SvInput
from gair_cli.errors import UsageError
from gair_cli.models.config import LocationConfig, ModelConfig, RsConfig, SvConfig
from gair_cli.models.gair import new_model
from gair_cli.training.config import Recipe
from gair_cli.training.freezing import freeze


def model_of(sv="test_vit", rs=None):
    given = RsInput(("B2",), (0.0,), (1.0,), 32)
    return new_model(
        ModelConfig(
            dim=5,
            rs=RsConfig(given, 4, 8, 3, 2, name=rs),
            sv=SvConfig(SvInput(32, 32), sv, pooler=True),
            location=LocationConfig((1.0,), 4, 8, 1, 6),
        ),
        seed=0,
    )


def trained(model, part):
    return {
        name for name, p in model.named_parameters() if name.startswith(part) and p.requires_grad
    }


def test_all_is_trained_unless_told_otherwise():
    model = model_of()
    freeze(model, Recipe())
    assert all(p.requires_grad for p in model.parameters())


def test_a_frozen_tower_leaves_heads_query_and_other_towers():
    model = model_of()
    freeze(model, Recipe(rs_blocks=0, sv_blocks=0))
    assert trained(model, "rs.") == set()
    assert trained(model, "sv.") == set()
    assert trained(model, "head.sv") == {"head.sv.weight", "head.sv.bias"}
    assert trained(model, "nili")
    assert trained(model, "location")


def test_the_last_blocks_and_what_follows_them_are_trained():
    model = model_of()
    freeze(model, Recipe(rs_blocks=1, sv_blocks=2))
    assert {name.split(".")[2] for name in trained(model, "rs.")} == {"2"}
    blocks = len(model.sv.body.blocks)
    numbers = {name.split(".")[3] for name in trained(model, "sv.body.blocks")}
    assert numbers == {str(blocks - 1), str(blocks - 2)}
    assert trained(model, "sv.body.norm") or trained(model, "sv.body.fc_norm")
    assert trained(model, "sv.pooler")
    assert not trained(model, "sv.body.patch_embed")


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet"])
def test_statistics_of_frozen_norms_stand_still(name):
    model = model_of(sv=name, rs=name)
    freeze(model, Recipe(rs_blocks=1, sv_blocks=1))
    before = {k: v.clone() for k, v in model.state_dict().items() if "running_" in k}
    model.train()
    with torch.no_grad():
        model.encode_sv(torch.randn(4, 3, 32, 32))
        model.encode_rs(torch.randn(4, 1, 32, 32))
    moved = {k for k, v in model.state_dict().items() if k in before and not v.equal(before[k])}
    assert moved  # those of the last stage
    frozen = {n for n, p in model.named_parameters() if not p.requires_grad}
    assert not any(k.rsplit(".", 1)[0] + ".weight" in frozen for k in moved)


def test_more_blocks_than_there_are_is_an_error():
    with pytest.raises(UsageError, match="rs_blocks is 4, the tower has 3"):
        freeze(model_of(), Recipe(rs_blocks=4))
    with pytest.raises(UsageError, match="at least -1"):
        replace(Recipe(), sv_blocks=-2)
