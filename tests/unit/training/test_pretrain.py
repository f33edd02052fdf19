"""Whole runs: what they write, and that a kill changes nothing."""

import json
import shutil
import signal
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from gair_cli.errors import DataError, GairError, InputError, OutputExistsError
from gair_cli.models.weights import load_model
from gair_cli.training.config import Recipe
from gair_cli.training.journal import Journal
from gair_cli.training.objectives import contrastive as loss_module
from gair_cli.training.pretrain import pretrain

RECIPE = {
    "steps": 9,
    "batch_size": 12,
    "checkpoint_steps": 2,
    "log_steps": 1,
    "augment": {"mirror_photos": True, "colour": 0.2},
    "bank": {"kind": "queue", "size": 20},
}


def recipe(**changes):
    return Recipe.from_table({**RECIPE, **changes})


def curve(run):
    records = Journal(run / "log.jsonl").read("train")
    return [(record["step"], record["losses"]) for record in records]


def weights(run, step=9):
    return load_file(run / "checkpoints" / f"step-{step:06d}" / "model.safetensors")


def equal_weights(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.fixture(scope="module")
def whole_run(photo_shards, small_model, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "whole"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    report = pretrain(photo_shards, run, model=small_model, recipe=recipe())
    torch.set_num_threads(threads)
    return run, report


def test_a_run_writes_log_checkpoints_picture_and_report(whole_run):
    run, report = whole_run
    assert (report.status, report.start, report.steps) == ("new", 0, 9)
    assert [step for step, _ in curve(run)] == list(range(1, 10))
    assert set(curve(run)[0][1]) == {"secl_sv", "total"}
    assert (run / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert set(report.figures) == {"sv->location", "location->sv"}
    kept = {path.name for path in (run / "checkpoints").iterdir()}
    assert {"step-000008", "step-000009", "best"} <= kept
    assert len(kept) <= 4
    model = load_model(run)
    assert model.config.towers == ("sv", "location")
    training = json.loads((run / "checkpoints/step-000009/config.json").read_text())["training"]
    assert training["step"] == 9
    assert training["recipe"]["batch_size"] == 12


def test_loss_falls(photo_shards, small_model, tmp_path):
    pretrain(
        photo_shards,
        tmp_path / "run",
        model=small_model,
        recipe=Recipe(steps=60, batch_size=24, lr=3e-3, checkpoint_steps=60),
    )
    first, *_, last = [losses["total"] for _, losses in curve(tmp_path / "run")]
    assert last < 0.6 * first


KILLED = """
import os, signal, sys, json
from pathlib import Path
import torch
from gair_cli.training.config import Recipe
from gair_cli.training.pretrain import pretrain

torch.set_num_threads(1)
shards, run, model, recipe, number = sys.argv[1:]
steps = 0

def progress(count):
    global steps
    steps += count
    if steps == 5:
        os.kill(os.getpid(), int(number))

pretrain(Path(shards), Path(run), model=json.loads(model),
         recipe=Recipe.from_table(json.loads(recipe)), progress=progress)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "left_at"), [(signal.SIGKILL, 4), (signal.SIGTERM, 5)], ids=["kill -9", "SIGTERM"]
)
def test_killed_run_ends_in_the_same_curve_and_the_same_weights(
    whole_run, photo_shards, small_model, tmp_path, number, left_at
):
    run = tmp_path / "run"
    texts = [json.dumps(small_model), json.dumps(RECIPE)]
    command = [sys.executable, "-c", KILLED, str(photo_shards), str(run), *texts, str(int(number))]
    assert subprocess.run(command, check=False).returncode == -number
    torch.set_num_threads(1)
    done = []
    report = pretrain(photo_shards, run, model=small_model, recipe=recipe(), progress=done.append)
    assert (report.status, report.start) == ("resumed", left_at)
    assert sum(done) == 9
    assert curve(run) == curve(whole_run[0])
    assert equal_weights(weights(run), weights(whole_run[0]))
    assert report.figures == whole_run[1].figures


def test_finished_run_has_nothing_to_do_and_another_plan_is_refused(
    whole_run, photo_shards, small_model
):
    run = whole_run[0]
    before = (run / "log.jsonl").read_bytes()
    again = pretrain(photo_shards, run, model=small_model, recipe=recipe(loader_threads=3))
    assert again.status == "finished"
    assert again.losses == whole_run[1].losses
    with pytest.raises(OutputExistsError):
        pretrain(photo_shards, run, model=small_model, recipe=recipe(lr=0.5))
    assert (run / "log.jsonl").read_bytes() == before


def test_cache_and_loader_threads_do_not_change_the_result(
    whole_run, photo_shards, small_model, tmp_path
):
    torch.set_num_threads(1)
    quiet = recipe(cache_mb=0, loader_threads=0)
    pretrain(photo_shards, tmp_path / "run", model=small_model, recipe=quiet)
    assert equal_weights(weights(tmp_path / "run"), weights(whole_run[0]))


def test_another_seed_gives_other_weights(whole_run, photo_shards, small_model, tmp_path):
    pretrain(photo_shards, tmp_path / "run", model=small_model, recipe=recipe(seed=1))
    assert not equal_weights(weights(tmp_path / "run"), weights(whole_run[0]))


def broken_loss(bad_steps):
    """Return `gair_loss` that gives NaN in some calls."""
    calls = iter(range(10**6))

    def loss(*arguments, **named):
        found = whole_loss(*arguments, **named)
        if next(calls) in bad_steps:
            found = {**found, "total": found["total"] * torch.nan}
        return found

    whole_loss = loss_module.gair_loss
    return loss


def test_a_step_that_is_not_finite_is_skipped_and_its_samples_are_named(
    photo_shards, small_model, tmp_path, monkeypatch
):
    monkeypatch.setattr(loss_module, "gair_loss", broken_loss({3}))
    report = pretrain(photo_shards, tmp_path / "run", model=small_model, recipe=recipe())
    assert report.steps == 9
    (skipped,) = Journal(tmp_path / "run" / "log.jsonl").read("skipped")
    assert skipped["step"] == 4
    assert len(skipped["sample_ids"]) == 12
    assert all(torch.isfinite(value).all() for value in weights(tmp_path / "run").values())


def test_three_bad_steps_in_a_row_go_back_once_and_then_stop(
    photo_shards, small_model, tmp_path, monkeypatch
):
    monkeypatch.setattr(loss_module, "gair_loss", broken_loss({2, 3, 4}))
    pretrain(photo_shards, tmp_path / "once", model=small_model, recipe=recipe())
    monkeypatch.setattr(loss_module, "gair_loss", broken_loss({2, 3, 4, 5, 6, 7}))
    with pytest.raises(GairError, match="not finite in steps 6 to 8"):
        pretrain(photo_shards, tmp_path / "twice", model=small_model, recipe=recipe())


def test_no_training_rows_are_an_error(photo_shards, small_model, tmp_path, monkeypatch):
    monkeypatch.setattr("gair_cli.training.inputs.TRAIN", "nowhere")
    with pytest.raises(DataError, match="no row of split nowhere"):
        pretrain(photo_shards, tmp_path / "run", model=small_model, recipe=recipe())
    assert not (tmp_path / "run").exists()


def test_a_run_that_goes_on_needs_its_starting_weights_no_more(
    photo_shards, small_model, whole_run, tmp_path
):
    source = tmp_path / "source"
    shutil.copytree(whole_run[0] / "checkpoints" / "best", source)
    started = recipe(start={"location": str(source)})
    run = tmp_path / "run"
    report = pretrain(photo_shards, run, model=small_model, recipe=started)
    shutil.rmtree(source)
    again = pretrain(photo_shards, run, model=small_model, recipe=started)
    assert (again.status, again.losses) == ("finished", report.losses)
    with pytest.raises(InputError, match="there is no model"):
        pretrain(photo_shards, tmp_path / "other", model=small_model, recipe=started)
    assert not (tmp_path / "other").exists()


def test_a_run_that_goes_on_with_other_threads_says_so(photo_shards, small_model, tmp_path):
    run, threads = tmp_path / "run", torch.get_num_threads()
    torch.set_num_threads(1)
    pretrain(photo_shards, run, model=small_model, recipe=recipe())
    (run / "report.json").unlink()
    shutil.rmtree(run / "checkpoints" / "step-000009")
    torch.set_num_threads(2)
    report = pretrain(photo_shards, run, model=small_model, recipe=recipe())
    torch.set_num_threads(threads)
    assert report.start == 8
    assert "with 1 threads until step 8, then with 2" in report.note
