"""The log, the checkpoints' bookkeeping, and the run's folder."""

import json
import math

import pytest
import torch

from gair_cli.errors import InputError, OutputExistsError, UsageError
from gair_cli.models.weights import load_model, resolve_model
from gair_cli.training.checkpoint import Checkpoints, LoopState, Snapshot
from gair_cli.training.config import Recipe
from gair_cli.training.journal import Journal
from gair_cli.training.optim import make_optimizer, optimizer_state
from gair_cli.training.run_folder import open_run, write_config
from gair_cli.training.settings import read_settings


def test_log_is_cut_back_to_a_step_and_forgets_a_half_line(tmp_path):
    journal = Journal(tmp_path / "log.jsonl")
    for step in (1, 2, 3):
        journal.write("train", step, {"losses": {"total": float("nan") if step == 2 else 0.5}})
    with journal.path.open("a") as file:
        file.write('{"kind": "tr')
    assert [record["step"] for record in journal.read("train")] == [1, 2, 3]
    assert journal.read()[1]["losses"] == {"total": None}
    journal.cut(2)
    assert [record["step"] for record in journal.read()] == [1, 2]
    assert journal.read("validation") == []


@pytest.fixture
def trained(tiny_model):
    model = load_model(tiny_model).train()
    optimizer = make_optimizer(model, recipe=Recipe())
    state = optimizer_state(optimizer, model.named_parameters())
    return model, Snapshot(None, None, state, {"memory": torch.arange(3.0)})


def test_checkpoint_comes_back_as_it_was_and_the_best_is_linked(tmp_path, trained):
    checkpoints = Checkpoints(tmp_path / "run" / "checkpoints")
    for step in (2, 4, 6, 8):
        state = LoopState(step=step, best_score=7.0, best_step=2)
        checkpoints.save(*trained, state, extra={"why": "test"})
        checkpoints.keep(2, best=2)
    assert checkpoints.steps() == [2, 6, 8]
    model, _, state = checkpoints.load(8)
    assert state == LoopState(step=8, best_score=7.0, best_step=2)
    assert model.training
    best = resolve_model(tmp_path / "run").path
    assert best.resolve().name == "step-000002"


def test_changed_checkpoint_is_refused(tmp_path, trained):
    checkpoints = Checkpoints(tmp_path)
    path = checkpoints.save(*trained, LoopState(step=1), extra={})
    with (path / "optimizer.pt").open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match=r"optimizer.pt is not as it was written"):
        checkpoints.load(1)


def test_half_written_checkpoint_does_not_count(tmp_path, trained):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(*trained, LoopState(step=1), extra={})
    (tmp_path / ".step-000002.tmp").mkdir()
    assert checkpoints.steps() == [1]
    checkpoints.save(*trained, LoopState(step=2), extra={})
    assert checkpoints.steps() == [1, 2]


def test_run_folder_of_another_plan_or_a_foreign_one_is_refused(tmp_path):
    assert open_run(tmp_path / "run", {"a": 1}).status == "new"
    assert open_run(tmp_path / "run", {"a": 1}).status == "new"
    with pytest.raises(OutputExistsError):
        open_run(tmp_path / "run", {"a": 2})
    assert open_run(tmp_path / "run", {"a": 2}, overwrite=True).status == "new"
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputExistsError):
        open_run(tmp_path / "foreign", {"a": 1})
    assert (tmp_path / "foreign" / "thesis.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert open_run(tmp_path / "empty", {"a": 1}).status == "new"
    with pytest.raises(InputError, match="does not exist"):
        open_run(tmp_path / "no" / "run", {"a": 1})


def test_overwritten_run_stays_aside_until_the_new_one_is_finished(tmp_path):
    path, aside = tmp_path / "run", tmp_path / ".run.old.tmp"
    first = open_run(path, {"a": 1})
    (path / "weights").write_text("first")
    first.finish({"steps": 1})
    for plan in ({"a": 2}, {"a": 3}):  # the first of them does not get far
        run = open_run(path, plan, overwrite=True)
        assert not (path / "weights").exists()
        (path / "weights").write_text("later")
        assert (aside / "weights").read_text() == "first"
    open_run(path, {"a": 3}, overwrite=True)
    assert (path / "weights").read_text() == "later"
    run.finish({"steps": 1})
    assert [child.name for child in tmp_path.iterdir()] == ["run"]


def test_what_is_no_run_is_never_overwritten(tmp_path):
    for name, plan in (("none", None), ("odd", "[1]")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "thesis.txt").write_text("mine")
        if plan is not None:
            (folder / "plan.json").write_text(plan)
        with pytest.raises(OutputExistsError, match="is no run"):
            open_run(folder, {"a": 1}, overwrite=True)
    with pytest.raises(OutputExistsError, match="is no run"):
        open_run(tmp_path / "none" / "thesis.txt", {"a": 1}, overwrite=True)
    assert (tmp_path / "none" / "thesis.txt").read_text() == "mine"


def test_written_config_gives_the_same_settings_again(tmp_path):
    model, recipe = read_settings("tiny", None, ["recipe.steps=12", "model.query=mean"])
    write_config(tmp_path / "config.toml", {"model": model, "recipe": recipe.to_table()})
    again = read_settings(None, tmp_path / "config.toml", [])
    assert json.dumps(again[0]) == json.dumps(model)
    assert again[1] == recipe
    assert recipe.steps == 12


def test_written_config_keeps_a_nodata_of_nan(tmp_path):
    rs = {"nodata": math.nan, "limits": [math.inf, -math.inf, 0.5]}
    write_config(tmp_path / "config.toml", {"model": {"rs": {"input": rs}}})
    again, _ = read_settings(None, tmp_path / "config.toml", [])
    assert math.isnan(again["rs"]["input"]["nodata"])
    assert again["rs"]["input"]["limits"] == rs["limits"]


def test_unknown_table_and_broken_toml_are_named(tmp_path):
    with pytest.raises(UsageError, match="unknown table modle"):
        read_settings("tiny", None, ["modle.query=mean"])
    (tmp_path / "flat.toml").write_text("model = 3")
    with pytest.raises(UsageError, match="model is 3, wanted a table"):
        read_settings(None, tmp_path / "flat.toml", [])
    (tmp_path / "bad.toml").write_text("steps = = 3")
    with pytest.raises(InputError, match=r"bad.toml is not TOML"):
        read_settings(None, tmp_path / "bad.toml", [])
