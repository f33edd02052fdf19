"""What is around the loop: averages, signals, trackers, profiles, batch sizes, reports."""

import json
import os
import signal
import sys
import types

import pytest
import torch
from safetensors.torch import load_file

from gair_cli.errors import GairError, MissingPackageError
from gair_cli.models.weights import load_model
from gair_cli.training.config import Recipe
from gair_cli.training.ema import Ema
from gair_cli.training.find_batch import Trial, best, try_sizes
from gair_cli.training.flops import StepFlops, count_flops
from gair_cli.training.journal import Journal
from gair_cli.training.meter import Meter
from gair_cli.training.pretrain import pretrain
from gair_cli.training.processes import Processes, started_processes
from gair_cli.training.trackers import flat_numbers

RECIPE = {"steps": 6, "batch_size": 12, "checkpoint_steps": 3, "log_steps": 1}


def trained(shards, model, run, progress=None, trackers=(), profile_steps=0, **changes):
    return pretrain(
        shards, run, model=model, recipe=Recipe.from_table({**RECIPE, **changes}),
        progress=progress, trackers=trackers, profile_steps=profile_steps,
    )  # fmt: skip


def test_an_average_follows_the_weights_slowly():
    layer = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(0.0)
    ema = Ema(layer, decay=0.9)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    ema.update(layer, step=1000)
    assert ema.state()["weight"].item() == pytest.approx(0.1)
    with ema.in_place(layer):
        assert layer.weight.item() == pytest.approx(0.1)
    assert layer.weight.item() == 1.0
    ema.update(layer, step=0)  # early on it follows fast: 1 - 1/10 of the way
    assert ema.state()["weight"].item() == pytest.approx(0.1 + 0.9 * 0.9)


def test_a_checkpoint_is_used_by_its_average_and_goes_on_from_its_weights(
    photo_shards, small_model, tmp_path
):
    run = tmp_path / "run"
    trained(photo_shards, small_model, run, ema=0.9)
    folder = run / "checkpoints/step-000006"
    used, raw = (load_file(folder / f"{name}.safetensors") for name in ("model", "training"))
    assert not torch.equal(used["head.sv.weight"], raw["head.sv.weight"])
    state = load_model(run / "checkpoints/step-000006").state_dict()
    assert torch.equal(state["head.sv.weight"], used["head.sv.weight"])


def test_sigusr1_writes_a_checkpoint_and_the_run_goes_on(photo_shards, small_model, tmp_path):
    run, done = tmp_path / "run", []

    def progress(count):
        done.append(count)
        if len(done) == 1:
            os.kill(os.getpid(), signal.SIGUSR1)

    trained(photo_shards, small_model, run, progress, keep_checkpoints=9)
    kept = sorted(path.name for path in (run / "checkpoints").glob("step-*"))
    assert kept == ["step-000001", "step-000003", "step-000006"]
    assert len(done) == 6


def test_the_clock_writes_checkpoints_and_some_are_kept_for_good(
    photo_shards, small_model, tmp_path
):
    run = tmp_path / "run"
    trained(photo_shards, small_model, run, checkpoint_minutes=1e-9, keep_checkpoints=1,
            keep_every=2, validation_rows=0)  # fmt: skip
    kept = sorted(path.name for path in (run / "checkpoints").glob("step-*"))
    assert kept == ["step-000002", "step-000004", "step-000006"]


def test_clocks_and_parallelism_are_no_other_plan(photo_shards, small_model, tmp_path):
    trained(photo_shards, small_model, tmp_path / "run")
    again = trained(photo_shards, small_model, tmp_path / "run", checkpoint_minutes=3,
                    keep_every=5, parallel="fsdp", timeout_s=5)  # fmt: skip
    assert again.status == "finished"


def test_trackers_get_every_number_of_the_log(photo_shards, small_model, tmp_path, monkeypatch):
    told, module = [], types.ModuleType("trackio")
    module.init = lambda **settings: told.append(("init", settings["name"]))
    module.log = lambda values, step: told.append((step, values))
    module.finish = lambda: told.append(("finish", None))
    monkeypatch.setitem(sys.modules, "trackio", module)
    trained(photo_shards, small_model, tmp_path / "run", trackers=["trackio"])
    assert told[0] == ("init", "run")
    assert told[-1] == ("finish", None)
    steps = [step for step, values in told[1:-1] if "train/losses/total" in values]
    assert steps == [1, 2, 3, 4, 5, 6]
    assert any("validation/figures/sv->location/R@10" in values for _, values in told[1:-1])


def test_a_tracker_that_is_not_installed_has_its_pip_line(photo_shards, small_model, tmp_path,
                                                          monkeypatch):  # fmt: skip
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingPackageError) as caught:
        trained(photo_shards, small_model, tmp_path / "run", trackers=["wandb"])
    assert caught.value.hint == "pip install wandb"


def test_numbers_of_nested_tables_get_paths():
    values = {"losses": {"total": 1, "incl": 0.5}, "note": "x", "lr": 0.1, "flag": True, "no": None}
    assert flat_numbers(values) == {"losses/total": 1.0, "losses/incl": 0.5, "lr": 0.1}


def test_a_profile_says_where_the_time_goes(photo_shards, small_model, tmp_path):
    trained(photo_shards, small_model, tmp_path / "run", profile_steps=2)
    folder = tmp_path / "run" / "profile"
    table = json.loads((folder / "table.json").read_text())
    names = {part["name"] for part in table["parts"]}
    assert names == {"wait for data", "prepare pixels", "encode", "loss", "backward", "update"}
    assert all(part["cpu_ms"] > 0 for part in table["parts"])
    assert len(table["operations"]) == 15
    assert "backward" in (folder / "table.txt").read_text()
    assert json.loads((folder / "trace.json").read_text())["traceEvents"]


def test_a_run_has_a_page_with_curves_and_settings(photo_shards, small_model, tmp_path):
    trained(photo_shards, small_model, tmp_path / "a <run>")
    page = (tmp_path / "a <run>" / "report.html").read_text()
    assert "<title>gair run a &lt;run&gt;</title>" in page
    assert "data:image/png;base64," in page
    assert "batch_size = 12" in page
    assert "sv-&gt;location" in page
    assert "http" not in page.replace("data:image", "")
    config = json.loads(
        (tmp_path / "a <run>/checkpoints/step-000006/config.json").read_text()
    )  # fmt: skip
    assert config["training"]["validation"]["sv->location"]["R@10"] >= 0


def test_lines_of_the_log_have_speed_memory_and_norms(photo_shards, small_model, tmp_path):
    trained(photo_shards, small_model, tmp_path / "run")
    last = Journal(tmp_path / "run" / "log.jsonl").read("train")[-1]
    assert last["samples_per_s"] > 0
    assert last["tflops"] > 0
    assert 0 <= last["waiting_share"] <= 1
    assert 50 < last["memory_mb"] <= last["peak_memory_mb"]
    assert {"sv", "location", "head", "logit_scale"} <= set(last["gradient_norms"])
    squares = sum(norm**2 for norm in last["gradient_norms"].values())
    assert last["gradient_norm"] == pytest.approx(squares**0.5, rel=1e-5)


def test_flops_are_those_of_the_towers():
    from gair_cli.models.config import ModelConfig
    from gair_cli.models.gair import new_model

    table = {"dim": 8, "rs": {"patch": 4, "width": 24, "depth": 1, "heads": 2, "input": {
        "size": 16, "bands": ["a"], "mean": [0.0], "std": [1.0]}}}  # fmt: skip
    model = new_model(ModelConfig.from_dict(table), seed=0)
    tokens, width = 16, 24
    linear = 2 * tokens * (16 * width + 3 * width**2 + width**2 + 8 * width**2)
    attention = 2 * 2 * tokens * tokens * width
    assert count_flops(model) == StepFlops(tile=3.0 * (linear + attention), photo=0.0)
    meter = Meter("cpu", StepFlops(tile=1e12, photo=2e12), processes=2)
    meter.count(rows=8, tiles=1, photos=2)
    assert meter.read()["tflops"] > 0


def test_sizes_are_doubled_until_the_rows_end(photo_shards, small_model):
    told = []
    recipe = Recipe.from_table({**RECIPE, "batch_size": 8})
    trials = try_sizes(photo_shards, model=small_model, recipe=recipe, steps=1, told=told.append)
    assert [trial.batch_size for trial in trials] == [8, 16, 32, 64]
    assert all(trial.samples_per_s > 0 for trial in trials)
    assert told == trials


def test_the_best_size_is_the_largest_that_costs_nothing():
    trials = [Trial(32, 100.0, 1), Trial(64, 200.0, 2), Trial(128, 197.0, 3), Trial(256, None, 4)]
    assert best(trials).batch_size == 128
    assert best([Trial(8, None, 1)]) is None


def test_bfloat16_is_for_the_towers_alone(photo_shards, small_model, tmp_path):
    report = trained(photo_shards, small_model, tmp_path / "run", precision="bf16")
    plain = trained(photo_shards, small_model, tmp_path / "plain")
    assert report.losses["total"] == pytest.approx(plain.losses["total"], rel=0.1)
    assert report.losses != plain.losses
    state = load_file(tmp_path / "run/checkpoints/step-000006/model.safetensors")
    assert {value.dtype for value in state.values()} <= {torch.float32, torch.float64, torch.int64}


@pytest.mark.parametrize("schedule", ["linear", "constant", "wsd"])
def test_schedules_train(photo_shards, small_model, tmp_path, schedule):
    trained(photo_shards, small_model, tmp_path / "run", schedule=schedule, warmup_steps=0)
    rates = [record["lr"] for record in Journal(tmp_path / "run/log.jsonl").read("train")]
    assert rates[0] == pytest.approx(1e-3)
    assert (rates[-1] < rates[0]) == (schedule != "constant")


def test_activation_checkpointing_changes_nothing():
    from gair_cli.models.config import ModelConfig
    from gair_cli.models.gair import new_model

    table = {"dim": 8, "rs": {"patch": 4, "width": 24, "depth": 2, "heads": 2, "input": {
        "size": 16, "bands": ["a"], "mean": [0.0], "std": [1.0]}},
        "sv": {"name": "test_vit", "input": {"height": 160, "width": 160}}}  # fmt: skip
    found = []
    for enable in (False, True):
        model = new_model(ModelConfig.from_dict(table), seed=0)
        model.rs.set_grad_checkpointing(enable=enable)
        model.sv.set_grad_checkpointing(enable=enable)
        tiles = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
        photos = torch.rand(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
        (model.encode_rs(tiles).square().sum() + model.encode_sv(photos).square().sum()).backward()
        found.append([one.grad for one in model.parameters() if one.grad is not None])
    assert len(found[0]) == len(found[1]) > 20
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_one_process_needs_no_others():
    alone = Processes()
    value = torch.ones(3)
    assert alone.gather(value, [3]) is value
    assert alone.any(True, False) == [True, False]
    assert alone.every("x") == ["x"]
    assert alone.from_first(lambda: 7) == 7
    assert started_processes() == (0, 1)


def test_a_run_that_nobody_joins_says_so(monkeypatch):
    def fails(*_args, **_more):
        raise RuntimeError("Connection closed by peer\nmore")

    monkeypatch.setattr("torch.distributed.all_gather", fails)
    with pytest.raises(GairError, match=r"process 1 of 2 waited in vain .* Connection closed"):
        Processes(rank=1, count=2).gather(torch.ones(2), [2, 2])
    with pytest.raises(GairError, match=r"waited in vain in step 7 for"):
        Processes(rank=1, count=2, step=7).gather(torch.ones(2), [2, 2])


def test_an_error_of_ones_own_is_not_blamed_on_others():
    with pytest.raises(RuntimeError, match="shapes differ"), Processes().waiting_for("others"):
        raise RuntimeError("shapes differ")
