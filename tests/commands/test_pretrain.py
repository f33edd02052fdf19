"""`gair pretrain`: what people and scripts see, with all kinds of shards."""

import json

import pytest
from small_world import make_world

from gair_cli.errors import GairError
from gair_cli.models.weights import load_model
from gair_cli.training.loop import Loop

SMALL = {
    "model.dim": 16,
    "model.rs.width": 24,
    "model.rs.depth": 1,
    "model.rs.heads": 2,
    "model.rs.input.size": 16,
    "model.sv.name": "test_resnet",
    "model.sv.input.height": 24,
    "model.sv.input.width": 32,
    "model.location.hidden": 16,
    "recipe.steps": 4,
    "recipe.batch_size": 16,
    "recipe.checkpoint_steps": 2,
    "recipe.log_steps": 1,
}


def settings(**changes):
    given = {**SMALL, **{key.replace("__", "."): value for key, value in changes.items()}}
    return [word for key, value in given.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    from gair_cli.commands.main import main

    return make_world(tmp_path_factory.mktemp("world"), main)


def losses(run):
    lines = (run / "log.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return set([record for record in records if record["kind"] == "train"][-1]["losses"])


def test_pairs_train_all_three_towers_and_are_validated_in_six_directions(gair, world, tmp_path):
    run = tmp_path / "run"
    done = gair("pretrain", world / "train", "-o", run, *settings())
    assert done.exit_code == 0, done.stderr
    assert losses(run) == {"incl", "secl_sv", "secl_rs", "total"}
    assert done.stderr.count("validation ") == 6
    assert "4 steps in" in done.stderr
    assert f"wrote {run}" in done.stderr
    manifest = json.loads((tmp_path / "run.gair.json").read_text())
    assert (manifest["steps"], manifest["device"]) == (4, "cpu")
    model = load_model(run)
    assert model.config.towers == ("rs", "sv", "location")
    assert model.config.rs.input.bands == ("B2", "B8")
    assert model.config.rs.input.mean == pytest.approx((123.5, 123.5))
    again = gair("pretrain", world / "train", "-o", run, *settings())
    assert again.exit_code == 0
    assert "nothing to do" in again.stderr
    other = gair("pretrain", world / "train", "-o", run, *settings(recipe__lr=0.1))
    assert other.exit_code == 2
    assert "--overwrite" in other.stderr
    replaced = gair(
        "pretrain", world / "train", "-o", run, *settings(recipe__lr=0.1), "--overwrite"
    )
    assert replaced.exit_code == 0
    bad = ("--overwrite", "--config", tmp_path / "gone.toml")
    assert gair("pretrain", world / "train", "-o", run, *settings(), *bad).exit_code == 3
    assert load_model(run).config.towers == ("rs", "sv", "location")
    assert not (tmp_path / ".run.old.tmp").exists()


def test_replaced_run_is_named_when_the_new_one_fails(gair, world, tmp_path, monkeypatch):
    run = tmp_path / "run"
    assert gair("pretrain", world / "train", "-o", run, *settings()).exit_code == 0
    words = (*settings(recipe__lr=0.1), "--overwrite")

    def failing(*_args, **_more):
        raise GairError("the loss stays not finite")

    monkeypatch.setattr(Loop, "run", failing)
    failed = gair("pretrain", world / "train", "-o", run, *words)
    assert failed.exit_code != 0
    assert f"replaced run is at {tmp_path / '.run.old.tmp'}" in failed.stderr
    assert load_model(tmp_path / ".run.old.tmp").config.towers == ("rs", "sv", "location")


def test_tiles_alone_make_a_model_of_satellite_and_location(gair, world, tmp_path):
    done = gair("pretrain", world / "alone", "-o", tmp_path / "run", *settings(), "-q")
    assert (done.exit_code, done.stderr) == (0, "")
    assert losses(tmp_path / "run") == {"secl_rs", "total"}
    assert load_model(tmp_path / "run").config.towers == ("rs", "location")


def test_photos_alone_make_a_model_of_street_view_and_location(gair, world, tmp_path):
    photos = ("pack", world / "photos.csv", "-o", tmp_path / "photos", "-q")
    assert gair(*photos, "--split-column", "fold").exit_code == 0
    done = gair("pretrain", tmp_path / "photos", "-o", tmp_path / "run", *settings())
    assert done.exit_code == 0, done.stderr
    assert losses(tmp_path / "run") == {"secl_sv", "total"}
    assert load_model(tmp_path / "run").config.towers == ("sv", "location")


def test_a_tower_can_be_left_out(gair, world, tmp_path):
    words = settings(model__location="none")
    words = [word for word in words if "location.hidden" not in word]
    words = [word for word, after in zip(words, [*words[1:], ""], strict=True)
             if not (word == "--set" and after == "--set")]  # fmt: skip
    done = gair("pretrain", world / "train", "-o", tmp_path / "run", *words)
    assert done.exit_code == 0, done.stderr
    assert losses(tmp_path / "run") == {"incl", "total"}


@pytest.mark.parametrize("preset", ["base", "paper"])
def test_recipes_of_the_big_presets_run_on_a_small_model(gair, world, tmp_path, preset):
    words = settings(
        recipe__bank__size=32, model__sv__pooler="false", model__sv__norm_eps="none",
        model__location__width=24, model__location__frequencies=8, recipe__cache_mb=64,
        model__rs__input__bands='["B2","B8"]', model__rs__input__mean="[120.0,120.0]",
        model__rs__input__std="[14.0,14.0]",
    )  # fmt: skip
    done = gair("pretrain", world / "train", "-o", tmp_path / "run", "--preset", preset, *words)
    assert done.exit_code == 0, done.stderr
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    temperatures = {round(one["temperature"], 4) for one in records if one["kind"] == "train"}
    assert (temperatures == {0.07}) == (preset == "paper")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--preset", "huge"), 6, "huge"),
        (("--set", "recipe.step=3"), 2, "recipe.step"),
        (("--set", "recipe.steps=many"), 2, "recipe.steps"),
        (("--set", "model=3"), 2, "model is 3"),
        (("--set", "recipe=3"), 2, "recipe is 3"),
        (("--set", "model.rs.input.bands=3"), 2, "model.rs.input.bands is 3"),
        (("--set", "model.rs.input.bands=[]"), 2, "model.rs.input.bands is []"),
        (("--set", "model.sv.name=no_such"), 6, "no_such"),
        (("--set", "model.location.sigmas=[nan]"), 2, "model.location.sigmas"),
        (("--set", "model.temperature=nan"), 2, "model.temperature"),
        (("--set", "recipe.seed=-1"), 2, "recipe.seed"),
        (("--set", "recipe.seed=9223372036854775808"), 2, "recipe.seed"),
        (("--set", "recipe.loss.pairs=[]"), 2, "recipe.loss.pairs"),
        (("--set", "recipe.weight_decay=nan"), 2, "recipe.weight_decay"),
        (("--set", "recipe.lr=inf"), 2, "recipe.lr"),
        (("--set", "recipe.batch_size=1"), 2, "recipe.batch_size"),
        (("--config", "gone.toml"), 3, "gone.toml"),
        (("--set", 'model.rs.input.bands=["B4"]'), 4, "there are B2, B8"),
        (("--device", "cuda:7"), 2, "cuda:7"),
    ],
)
def test_bad_settings_are_named_and_nothing_is_written(gair, world, tmp_path, words, code, says):
    done = gair("pretrain", world / "train", "-o", tmp_path / "run", *words)
    assert done.exit_code == code
    assert says in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_no_shards_is_refused(gair, world, tmp_path):
    for folder in (world / "tiles", world / "photos", world / "nowhere"):
        done = gair("pretrain", folder, "-o", tmp_path / "run")
        assert done.exit_code == 3
        assert "gair pack" in done.stderr


def test_dry_run_says_what_would_be_done(gair, world, tmp_path):
    done = gair("pretrain", world / "train", "-o", tmp_path / "run", *settings(), "-n")
    assert done.exit_code == 0
    assert "56 training rows, 15 to validate on" in done.stderr
    assert "towers rs, sv, location" in done.stderr
    assert list(tmp_path.iterdir()) == []
