"""What each objective takes, and that its losses fall."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file
from small_world import make_world

from gair_cli.commands.main import main
from gair_cli.errors import DataError, UsageError
from gair_cli.losses.mae import mae_loss
from gair_cli.models.config import ModelConfig
from gair_cli.models.gair import new_model
from gair_cli.models.weights import load_model
from gair_cli.training.config import Recipe
from gair_cli.training.journal import Journal
from gair_cli.training.objectives.config import MaeConfig, MocoConfig
from gair_cli.training.objectives.mae import Mae
from gair_cli.training.objectives.make import make_objective, towers_for
from gair_cli.training.objectives.mocov3 import MocoV3
from gair_cli.training.pretrain import pretrain

RECIPE = {"steps": 30, "batch_size": 24, "lr": 3e-3, "warmup_steps": 3, "checkpoint_steps": 30,
          "log_steps": 1, "mocov3": {"hidden": 32, "dim": 16},
          "mae": {"width": 32, "depth": 1, "heads": 2}}  # fmt: skip


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"), main) / "train"


def model_of(towers=("rs", "sv", "location")):
    table = {
        "dim": 16,
        "rs": {"patch": 4, "width": 24, "depth": 1, "heads": 2,
               "input": {"size": 16, "bands": ["a"], "mean": [0.0], "std": [1.0]}},
        "sv": {"name": "test_resnet", "input": {"height": 24, "width": 32}},
        "location": {"sigmas": [16], "frequencies": 8, "hidden": 16, "depth": 1, "width": 24},
    }  # fmt: skip
    config = ModelConfig.from_dict({k: v for k, v in table.items() if k == "dim" or k in towers})
    return new_model(config, seed=0)


def losses(run):
    return [record["losses"] for record in Journal(run / "log.jsonl").read("train")]


def trained(shards, small_model, run, **changes):
    report = pretrain(
        shards, run, model=small_model, recipe=Recipe.from_table({**RECIPE, **changes})
    )
    return report, losses(run)


@pytest.mark.parametrize(
    ("objective", "pair", "towers"),
    [("rs-location", "secl_rs", ("rs", "location")),
     ("sv-location", "secl_sv", ("sv", "location"))],
)  # fmt: skip
def test_one_pair_trains_its_two_towers(shards, small_model, tmp_path, objective, pair, towers):
    report, found = trained(shards, small_model, tmp_path / "run", objective=objective)
    assert set(found[0]) == {pair, "total"}
    assert found[-1]["total"] < 0.8 * found[0]["total"]
    assert load_model(tmp_path / "run").config.towers == towers
    assert len([name for name in report.figures if "->" in name]) == 2


@pytest.mark.parametrize("form", ["sigmoid", "global"])
def test_other_forms_learn_and_are_kept_in_checkpoints(shards, small_model, tmp_path, form):
    _, found = trained(shards, small_model, tmp_path / "run", loss={"form": form})
    assert found[-1]["total"] < found[0]["total"] - 0.1 * abs(found[0]["total"])
    kept = torch.load(tmp_path / "run/checkpoints/step-000030/optimizer.pt", weights_only=True)
    if form == "sigmoid":
        assert set(kept["objective"]) == {"bias.incl", "bias.secl_sv", "bias.secl_rs"}
        assert kept["objective"]["bias.incl"].item() != -10.0
        assert "objective.bias.incl" in kept["optimizer"]
    else:
        assert kept["objective"]["memory_incl"].shape == (2, 71)
        assert (kept["objective"]["memory_incl"] > 0).any()


@pytest.mark.parametrize("tower", ["rs", "sv"])
def test_mocov3_trains_one_tower_and_leaves_its_momentum_encoder_behind(
    shards, small_model, tmp_path, tower
):
    moco = {"hidden": 32, "dim": 16, "tower": tower, "momentum": 0.9}
    augment = {"colour": 0.3, "mirror_photos": True, "turn_tiles": True, "bands": 0.2,
               "crop": 0.7, "crop_tiles": 0.7}  # fmt: skip
    report, found = trained(
        shards, small_model, tmp_path / "run", objective="mocov3", mocov3=moco, augment=augment
    )
    assert set(found[0]) == {"mocov3", "total"}
    assert found[-1]["total"] < found[0]["total"]
    assert set(report.figures) == {"held out"}
    state = load_file(tmp_path / "run/checkpoints/step-000030/model.safetensors")
    assert not any("slow" in name or "predictor" in name for name in state)
    assert load_model(tmp_path / "run").config.towers == (tower,)


def test_tiles_with_many_photos_are_one_sample_of_mocov3_and_mae(shards, small_model, tmp_path):
    for objective in ("mocov3", "mae"):
        run = tmp_path / objective
        trained(shards, small_model, run, objective=objective, steps=2, batch_size=64)
        page = (run / "report.html").read_text()
        rows = page.split("rows to train on</td><td>")[1].split("<")[0]
        assert int(rows) == 9  # tiles; 56 photos lie in them


def test_mae_rebuilds_hidden_patches(shards, small_model, tmp_path):
    model = json.loads(json.dumps(small_model))
    model["rs"] |= {"patch": 4}
    _, found = trained(shards, model, tmp_path / "run", objective="mae", steps=120)
    assert found[0]["total"] == pytest.approx(1.0, abs=0.3)  # knows nothing: the variance
    assert found[-1]["total"] < 0.5  # the world's tiles are ramps
    assert load_model(tmp_path / "run").config.towers == ("rs",)


def test_mae_sees_the_patches_that_are_shown_and_no_others(monkeypatch):
    model = model_of(("rs",))
    objective = Mae(model, MaeConfig(mask=0.5, width=16, depth=1, heads=2), seed=0)
    found = {}

    def kept(predicted, patches, hidden):
        found.update(predicted=predicted, patches=patches, hidden=hidden)
        return mae_loss(predicted, patches, hidden)

    monkeypatch.setattr("gair_cli.training.objectives.mae.mae_loss", kept)
    from gair_cli.data.batch import Batch

    rs = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    batch = Batch(torch.zeros(3, 2, dtype=torch.float64), ["a", "b", "c"], rs=rs,
                  tile_of=torch.tensor([0, 1, 1]))  # fmt: skip
    features = objective.encode(model, (batch,), bank=None, step=0)
    assert features["mae"].shape == (3,)
    assert features["mae"][1] == features["mae"][2]
    assert found["hidden"].sum(dim=1).tolist() == [8, 8]
    first = found["predicted"].detach().clone()
    spoiled = rs.clone()
    hidden = found["hidden"].view(2, 4, 4).repeat_interleave(4, 1).repeat_interleave(4, 2)
    spoiled[hidden[:, None]] = 9.0
    objective.encode(model, (Batch(batch.lonlat, batch.sample_ids, rs=spoiled,
                                   tile_of=batch.tile_of),), bank=None, step=0)  # fmt: skip
    torch.testing.assert_close(found["predicted"], first)
    objective.encode(model, (batch,), bank=None, step=1)
    assert not torch.equal(found["hidden"].view(-1), hidden[:, ::4, ::4].reshape(-1))


def test_momentum_encoder_moves_by_its_share():
    model = model_of(("sv",))
    objective = MocoV3(model, MocoConfig(tower="sv", momentum=0.9, hidden=8, dim=4))
    slow = next(objective.slow_tower.parameters())
    before = slow.detach().clone()
    with torch.no_grad():
        next(model.sv.parameters()).add_(1.0)
    objective.after_update(model, step=0, steps=100)
    torch.testing.assert_close(slow, before + 0.1)
    objective.after_update(model, step=100, steps=100)
    torch.testing.assert_close(slow, before + 0.1)  # the momentum is 1 at the end


def test_objectives_name_what_they_lack(photo_shards, small_model, tmp_path):
    for objective in ("rs-location", "mae", "mocov3"):
        recipe = Recipe.from_table({**RECIPE, "objective": objective})
        with pytest.raises(DataError, match="needs tiles"):
            pretrain(photo_shards, tmp_path / "run", model=small_model, recipe=recipe)
    assert not (tmp_path / "run").exists()
    assert towers_for(Recipe()) is None


def test_mae_refuses_a_tower_of_timm():
    table = model_of(("rs",)).config.to_dict()
    inputs = {**table["rs"]["input"], "size": 64}
    table["rs"] |= {"name": "test_efficientnet", "stage": 2, "input": inputs}
    other = new_model(ModelConfig.from_dict(table), seed=0)
    recipe = Recipe.from_table({"objective": "mae"})
    with pytest.raises(UsageError, match="timm's"):
        make_objective(other, recipe, n_rows=4)


@pytest.mark.parametrize(
    "wrong",
    [{"mae": {"mask": 1.0}}, {"mae": {"width": 30}}, {"mocov3": {"momentum": 1.5}},
     {"mocov3": {"dim": 0}}, {"augment": {"crop_tiles": 0.5}}, {"objective": "clip"},
     {"source_weights": ["a"]}, {"source_weights": ["a=-1"]}, {"ema": 1.0}, {"chunks": 200},
     {"curriculum": {"share": 1.0}}, {"curriculum": {"cell_deg": 0.0}}],
)  # fmt: skip
def test_recipes_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UsageError):
        Recipe.from_table(wrong)


def test_objective_weights_depend_on_the_seed_alone():
    model = model_of(("rs",))
    recipe = Recipe.from_table({"objective": "mae", "mae": {"width": 16, "heads": 2}})
    torch.manual_seed(1)
    first = make_objective(model, recipe, n_rows=4).state_dict()
    torch.manual_seed(2)
    again = make_objective(model, recipe, n_rows=4).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert math.isclose(float(first["norm.weight"].sum()), 16.0)
