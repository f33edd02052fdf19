"""`gair pretrain` under torchrun, and its options that do not train."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch_processes
from safetensors.torch import load_file
from small_world import make_world

from gair_cli.commands.main import main
from gair_cli.training.journal import Journal

SMALL = {
    "model.dim": 16, "model.rs.width": 24, "model.rs.depth": 1, "model.rs.heads": 2,
    "model.rs.input.size": 16, "model.sv.name": "test_resnet", "model.sv.input.height": 24,
    "model.sv.input.width": 32, "model.location.hidden": 16, "recipe.steps": 6,
    "recipe.batch_size": 16, "recipe.checkpoint_steps": 3, "recipe.log_steps": 1,
    "recipe.chunks": 2,
}  # fmt: skip


def words(**changes):
    given = {**SMALL, **{key.replace("__", "."): value for key, value in changes.items()}}
    return [word for key, value in given.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"), main)


def torchrun(count, *arguments, timeout=200):
    port = torch_processes.free_port()
    starter = ("-m", "torch.distributed.run", "--nproc-per-node", count, "--master-port", port)
    command = [sys.executable, *starter, "-m", "gair_cli", *arguments]
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=timeout,
        check=False, env=torch_processes.environment(0, 1, 0),
    )  # fmt: skip


def weights(run, name="model"):
    return load_file(run / f"checkpoints/step-000006/{name}.safetensors")


@pytest.mark.slow
def test_two_processes_write_the_run_of_one_and_one_of_them_speaks(gair, world, tmp_path):
    options = (world / "train", "-o", tmp_path / "two", "-j", 1, *words())
    done = torchrun(2, "pretrain", *options)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("6 steps in") == 1
    assert done.stderr.count("wrote ") == 1
    alone = gair("pretrain", world / "train", "-o", tmp_path / "one", "-j", 1, *words())
    assert alone.exit_code == 0, alone.stderr
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert [key for key in one if not one[key].equal(two[key])] == []
    again = torchrun(2, "pretrain", *options)
    assert again.stderr.count("nothing to do") == 1


def assert_same_course(run, other):
    """Losses and gradients are near; AdamW divides noise by noise where a gradient is near 0."""
    courses = [Journal(one / "log.jsonl").read("train") for one in (run, other)]
    assert [record["step"] for record in courses[0]] == [1, 2, 3, 4, 5, 6]
    for mine, theirs in zip(*courses, strict=True):
        assert mine["losses"] == pytest.approx(theirs["losses"], rel=0.02)
        assert mine["gradient_norms"] == pytest.approx(theirs["gradient_norms"], rel=0.2)


@pytest.mark.slow
def test_sharded_towers_train_and_go_on_without_shards(gair, world, tmp_path):
    run = tmp_path / "run"
    small = words(recipe__ema=0.9)
    done = torchrun(2, "pretrain", world / "train", "-o", run, "-j", 1, *small,
                    "--set", "recipe.parallel=fsdp")  # fmt: skip
    assert done.returncode == 0, done.stderr
    alone = gair("pretrain", world / "train", "-o", tmp_path / "one", "-j", 1, *small)
    assert alone.exit_code == 0, alone.stderr
    assert_same_course(run, tmp_path / "one")
    for name in ("model", "training"):
        kept = [weights(one, name) for one in (run, tmp_path / "one")]
        assert [list(one) for one in kept] == [list(kept[1])] * 2
        assert all(one.shape == kept[1][key].shape for key, one in kept[0].items())
    (run / "report.json").unlink()  # as if killed before its end
    for path in (run / "checkpoints").glob("step-000006*"):
        path.rename(tmp_path / path.name)
    on = gair("pretrain", world / "train", "-o", run, "-j", 1, *small)
    assert "went on from step 3" in on.stderr
    assert_same_course(run, tmp_path / "one")


@pytest.mark.slow
def test_a_signal_to_one_process_stops_both_with_a_checkpoint(world, tmp_path):
    run = tmp_path / "run"
    options = ["-m", "gair_cli", "pretrain", world / "train", "-o", run, "-j", 1,
               *words(recipe__steps=5000, recipe__checkpoint_steps=5000)]  # fmt: skip
    children = torch_processes.start(options, 2)
    log, end = run / "log.jsonl", time.monotonic() + 100
    while time.monotonic() < end and not (log.exists() and log.read_text().count("\n") > 3):
        time.sleep(0.1)
    os.kill(children[1].pid, signal.SIGTERM)
    told = [child.communicate(timeout=60)[1] for child in children]
    assert [child.returncode for child in children] == [1, 143], told
    assert "another process was told to stop after step" in told[0]
    assert len(list((run / "checkpoints").glob("step-*"))) == 1


def test_an_error_is_the_same_in_every_process(world, tmp_path):
    done = torchrun(2, "pretrain", world / "nowhere", "-o", tmp_path / "run")
    assert done.returncode != 0
    assert "nowhere does not exist" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_batch_sizes_are_timed_and_the_best_is_named(gair, world, tmp_path):
    assert gair("pretrain", world / "train", *words()).exit_code == 2
    done = gair("pretrain", world / "train", *words(), "--find-batch")
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["batch_size", "samples/s", "memory", "MiB"]
    assert [line.split()[0] for line in lines[1:]] == ["16", "32", "64"]
    assert "--set recipe.batch_size=" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_profile_is_shown_and_kept(gair, world, tmp_path):
    done = gair("pretrain", world / "train", "-o", tmp_path / "run", *words(), "--profile", 2)
    assert done.exit_code == 0, done.stderr
    assert "wait for data" in done.stderr
    assert json.loads((tmp_path / "run/profile/table.json").read_text())["steps"] == 2


def test_tensorboard_that_is_missing_is_named(gair, world, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    done = gair("pretrain", world / "train", "-o", tmp_path / "run", *words(),
                "--log-to", "tensorboard")  # fmt: skip
    assert done.exit_code == 7
    assert "pip install tensorboard" in done.stderr


def test_a_dry_run_reads_the_starting_weights(gair, world, tmp_path):
    small = words(recipe__start__location="gone")
    done = gair("pretrain", world / "train", "-o", tmp_path / "run", *small, "-n")
    assert done.exit_code == 3
    assert "gone" in done.stderr
    told = gair("pretrain", world / "train", "-o", tmp_path / "run",
                *words(recipe__shuffle="block"), "-n").stderr  # fmt: skip
    assert "shuffle block, mixed" in told
