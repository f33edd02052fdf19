"""Killed with -9 and started again, a command keeps finished parts and ends in equal bytes."""

from __future__ import annotations

import json
import signal

import polars as pl
import pytest
from processes import digests, kill_when, run

pytestmark = pytest.mark.slow


def has_parts(output, pattern, count):
    """Return a condition: so many finished parts lie in the folder of unfinished work."""
    folder = output.with_name(output.name + ".partial")

    def condition():
        found = [path for path in folder.rglob(pattern) if not path.name.endswith(".tmp")]
        return len(found) >= count

    return condition


def assert_same_after_kill(tmp_path, words, *, name, pattern, leave_out=()):
    undisturbed, killed = tmp_path / "a" / name, tmp_path / "b" / name
    for output in (undisturbed, killed):
        output.parent.mkdir()
    assert run(*words, "-o", undisturbed).exit_code == 0
    code = kill_when(has_parts(killed, pattern, 2), *words, "-o", killed)
    assert code == -signal.SIGKILL, "the command ended before it could be killed"
    assert not killed.exists()
    again = run(*words, "-o", killed)
    assert again.exit_code == 0, again.stderr
    assert "kept" in again.stderr
    assert digests(killed, leave_out=leave_out) == digests(undisturbed, leave_out=leave_out)
    done = run(*words, "-o", killed)
    assert done.exit_code == 0
    assert "nothing to do" in done.stderr


def test_tile_killed_and_resumed_gives_the_same_bytes(tmp_path, city):
    words = ("tile", city / "scene.tif", "--size", "48", "--stride", "24", "--shard-size", "2MB")
    assert_same_after_kill(tmp_path, words, name="tiles", pattern="*.tar")


def test_pack_killed_and_resumed_gives_the_same_bytes(tmp_path, pairs, tiles):
    words = ("pack", pairs, "--tiles", tiles, "--shard-size", "1MB")
    assert_same_after_kill(tmp_path, words, name="train", pattern="*.tar")


def test_embed_killed_and_resumed_gives_the_same_bytes(tmp_path, city):
    points = pl.read_csv(city / "points.csv", infer_schema=False)
    pl.concat([points] * 400).write_csv(tmp_path / "many.csv")
    words = ("embed", "--points", tmp_path / "many.csv", "--row-group", "4000")
    assert_same_after_kill(tmp_path, words, name="e.parquet", pattern="*.arrow")


def losses(run_folder):
    lines = (run_folder / "log.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    curve = [(record["step"], record["losses"]) for record in records if record["kind"] == "train"]
    assert curve
    return curve


def test_pretrain_killed_and_resumed_has_the_same_curve_and_weights(tmp_path, train):
    settings = ("recipe.steps=24", "recipe.batch_size=16", "recipe.checkpoint_steps=4")
    options = [word for setting in settings for word in ("--set", setting)]
    words = ("pretrain", train, "--preset", "tiny", *options)
    undisturbed, killed = tmp_path / "a", tmp_path / "b"
    assert run(*words, "-o", undisturbed).exit_code == 0

    def two_checkpoints():
        return len(list((killed / "checkpoints").glob("step-*/state.json"))) >= 2

    assert kill_when(two_checkpoints, *words, "-o", killed) == -signal.SIGKILL
    again = run(*words, "-o", killed)
    assert again.exit_code == 0, again.stderr
    assert losses(killed) == losses(undisturbed)
    for name in ("model.safetensors",):
        ours = sorted(killed.rglob(name))
        theirs = sorted(undisturbed.rglob(name))
        assert [path.relative_to(killed) for path in ours] == [
            path.relative_to(undisturbed) for path in theirs
        ]
        assert [path.read_bytes() for path in ours] == [path.read_bytes() for path in theirs]


def test_pretrain_stopped_by_sigterm_exits_143_and_goes_on(tmp_path, train):
    settings = ("recipe.steps=60", "recipe.batch_size=16", "recipe.checkpoint_steps=50")
    options = [word for setting in settings for word in ("--set", setting)]
    words = ("pretrain", train, "--preset", "tiny", *options, "-o", tmp_path / "run")

    def some_steps():
        log = tmp_path / "run" / "log.jsonl"
        return log.exists() and log.read_text().count("\n") >= 3

    assert kill_when(some_steps, *words, number=signal.SIGTERM) == 143
    assert list((tmp_path / "run" / "checkpoints").glob("step-*"))
    again = run(*words)
    assert again.exit_code == 0, again.stderr
    assert losses(tmp_path / "run")[-1][0] == 60
