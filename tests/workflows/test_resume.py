"""Runs that are killed at random moments end where an undisturbed one does, bit for bit."""

import json
import subprocess
import sys

import pytest
import torch_processes
from safetensors.torch import load_file
from small_world import make_world

from gair_cli.commands.main import main

STEPS = 40
MODEL = {
    "dim": 16,
    "rs": {"patch": 8, "width": 24, "depth": 1, "heads": 2, "input": {"size": 16}},
    "sv": {"name": "test_resnet", "input": {"height": 24, "width": 32}},
    "location": {"sigmas": [256, 4096], "frequencies": 16, "hidden": 32, "depth": 1, "width": 24},
    "query": "nili-fine",
}
RECIPE = {
    "steps": STEPS, "batch_size": 16, "chunks": 4, "checkpoint_steps": 3, "log_steps": 1,
    "photos_per_tile": 2, "ema": 0.9,
    "augment": {"mirror_photos": True, "colour": 0.2, "turn_tiles": True, "bands": 0.1,
                "radii_m": [0, 20]},
    "bank": {"kind": "sampled", "size": 20},
    "curriculum": {"share": 0.3, "cell_deg": 0.001},
    "loss": {"form": "global"},
}  # fmt: skip


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"), main) / "train"


def trained(shards, run, *, processes="1", threads="1", kills=0, seed=0):
    """Train to the end through some kills; return what happened."""
    words = (shards, run, json.dumps(MODEL), json.dumps(RECIPE), processes, threads, kills, seed)
    command = [sys.executable, "-m", "killed_runs", *map(str, words)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=400, check=False,
        env=torch_processes.environment(0, 1, 0),
    )  # fmt: skip
    told = [path.read_text() for path in run.parent.glob(f"{run.name}.*.stderr")]
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found["codes"]) == {0}, told
    return found


def seen(run):
    """Return the rows of each step as they were last seen, and all numbers of processes."""
    lines = (run.parent / f"{run.name}.seen").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    by_step = {step: rows for step, rows, _ in records}
    for step, rows, _ in records:
        assert by_step[step] == rows  # a step that is done again sees the same rows
    return by_step, {count for *_, count in records}


@pytest.fixture(scope="module")
def undisturbed(shards, tmp_path_factory):
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    trained(shards, run)
    return run


def assert_equal_runs(run, other):
    assert seen(run)[0] == seen(other)[0]
    assert sorted(seen(run)[0]) == list(range(STEPS))
    name = f"checkpoints/step-{STEPS:06d}"
    for file in ("model.safetensors", "training.safetensors"):
        mine, theirs = load_file(run / name / file), load_file(other / name / file)
        assert mine.keys() == theirs.keys()
        assert [key for key in mine if not mine[key].equal(theirs[key])] == []
    journals = [
        [(record["step"], record["losses"]) for record in map(json.loads, lines)
         if record["kind"] == "train"]
        for lines in ((one / "log.jsonl").read_text().splitlines() for one in (run, other))
    ]  # fmt: skip
    assert journals[0] == journals[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("processes", "threads", "kills"),
    [("1", "1", 8), ("2", "1", 5), ("1,2,4", "0,1,3", 6)],
    ids=["one process", "two processes", "changing numbers"],
)
def test_killed_runs_end_in_the_same_weights(
    shards, undisturbed, tmp_path, processes, threads, kills
):
    found = trained(
        shards, tmp_path / "run", processes=processes, threads=threads, kills=kills, seed=kills
    )
    assert len(found["reached"]) == kills
    counts = {int(one) for one in processes.split(",")}
    assert seen(tmp_path / "run")[1] == counts
    assert_equal_runs(tmp_path / "run", undisturbed)
