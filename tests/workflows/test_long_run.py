"""A day's run in small: two processes, a thousand steps, three interruptions."""

import json
import signal
import time

import pytest
import torch_processes
from small_world import make_world

from gair_cli.commands.main import main
from gair_cli.training.journal import Journal

STEPS = 1000
SETTINGS = {
    "model.dim": 16, "model.rs.width": 24, "model.rs.depth": 1, "model.rs.heads": 2,
    "model.rs.input.size": 16, "model.sv.name": "test_resnet", "model.sv.input.height": 24,
    "model.sv.input.width": 32, "model.location.hidden": 16, "recipe.steps": STEPS,
    "recipe.batch_size": 16, "recipe.checkpoint_steps": 50, "recipe.keep_checkpoints": 2,
    "recipe.keep_every": 400, "recipe.chunks": 2,
}  # fmt: skip


def start(world, run):
    words = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    command = ["-m", "gair_cli", "pretrain", world / "train", "-o", run, "-j", 1, *words]
    return torch_processes.start(command, 2)


def last_step(run):
    records = Journal(run / "log.jsonl").read("train")
    return records[-1]["step"] if records else 0


@pytest.mark.slow
def test_a_long_run_survives_interruptions_and_does_not_grow(tmp_path):
    world, run = make_world(tmp_path, main), tmp_path / "run"
    for stop_at in (250, 500, 750):
        children = start(world, run)
        end = time.monotonic() + 120
        while last_step(run) < stop_at and time.monotonic() < end:
            time.sleep(0.05)
        for child in children:
            child.send_signal(signal.SIGTERM)
        told = [child.communicate(timeout=60)[1] for child in children]
        assert {child.returncode for child in children} <= {143, 1}, told
        assert last_step(run) >= stop_at
    codes, told = [], []
    for child in start(world, run):
        told.append(child.communicate(timeout=200)[1])
        codes.append(child.returncode)
    assert codes == [0, 0], told
    assert "1000 steps in" in told[0]
    assert "went on from step" in told[0]

    train = Journal(run / "log.jsonl").read("train")
    assert [record["step"] for record in train] == [1, *range(10, STEPS + 1, 10)]
    assert train[-1]["losses"]["total"] < 0.8 * train[0]["losses"]["total"]
    kept = sorted(path.name for path in (run / "checkpoints").glob("step-*"))
    best = json.loads((run / "report.json").read_text())["best_step"]
    wanted = {"step-000400", "step-000800", "step-000950", "step-001000", f"step-{best:06d}"}
    assert set(kept) == wanted
    assert (run / "curve.png").stat().st_size > 10_000
    assert (run / "report.html").stat().st_size > 10_000

    final = [record["memory_mb"] for record in train if record["step"] > 850]
    early, late = final[: len(final) // 3], final[-len(final) // 3 :]
    assert abs(sum(late) / len(late) / (sum(early) / len(early)) - 1) < 0.02, final
