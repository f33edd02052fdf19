"""Killed with -9 and started again, a command keeps finished parts and ends in equal bytes."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time

import numpy as np
import polars as pl
import pytest
from made_rasters import translate, write_plain
from processes import digests, kill_when, run, start

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


KILLS = 20


def three_scenes(folder):
    """Write three scenes in two layouts, one with a hole of nodata."""
    random = np.random.default_rng(0)
    pixels = random.integers(1, 4000, (3, 2, 400, 400)).astype(np.uint16)
    pixels[1, :, 100:220, 80:300] = 0
    tiled = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}
    for name, scene, more in zip("abc", pixels, (tiled, {"blockysize": 7}, tiled), strict=True):
        write_plain(folder / f"{name}.tif", scene, nodata=0, **more)
    return [folder / f"{name}.tif" for name in "abc"]


def wait_for_work(partial, process):
    """Wait until something is written into a folder of unfinished work, or the process ends."""
    began = time.time_ns()
    while process.poll() is None:
        with contextlib.suppress(FileNotFoundError):
            if any(path.stat().st_mtime_ns > began for path in [partial, *partial.rglob("*")]):
                return
        time.sleep(0.002)


def killed_after(seconds, partial, *words):
    """Start a command and kill it so long after its work began; return its exit code."""
    process = start(*words)
    wait_for_work(partial, process)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
    process.kill()
    process.communicate()
    return process.returncode


def test_tile_killed_at_any_moment_twenty_times_ends_in_the_same_bytes(tmp_path):
    scenes = three_scenes(tmp_path)
    words = ("tile", *scenes, "--size", 48, "--stride", 12, "--shard-size", "600kB", "-q")
    began = time.monotonic()
    assert run(*words, "-j", 1, "-o", tmp_path / "calm").exit_code == 0
    lasts = time.monotonic() - began
    calm = digests(tmp_path / "calm")
    random = np.random.default_rng(4)
    kills = finished = 0
    while kills < KILLS:
        output = tmp_path / f"killed{finished}"
        again = (*words, "-j", 1 + kills % 2, "-o", output)
        partial = output.with_name(output.name + ".partial")
        code = killed_after(random.uniform(0, lasts / 3), partial, *again)
        assert code in {0, -signal.SIGKILL}
        if code == 0:
            assert digests(output) == calm
            finished += 1
        kills += code != 0
    print(f"{kills} kills, {finished} runs that ended between")  # noqa: T201
    last = run(*words, "-o", output)
    assert last.exit_code == 0, last.stderr
    assert digests(output) == calm
    assert not partial.exists()


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """Folder of one scene of many small blocks, and one whose only block takes seconds."""
    folder = tmp_path_factory.mktemp("busy")
    pixels = np.random.default_rng(0).integers(0, 4000, (1, 2600, 2600)).astype(np.uint16)
    plain = write_plain(folder / "plain.tif", pixels)
    options = ("QUALITY=100", "REVERSIBLE=YES", "BLOCKXSIZE=2600", "BLOCKYSIZE=2600")
    words = [word for option in options for word in ("-co", option)]
    translate(plain, folder / "scene.jp2", "-of", "JP2OpenJPEG", *words)
    translate(plain, folder / "scene.tif", "-co", "TILED=YES", "-co", "COMPRESS=DEFLATE")
    return folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("suffix", "stride"), [("tif", 8), ("jp2", 96)])
def test_tile_told_to_stop_stops_within_moments_and_says_how_to_go_on(
    busy, tmp_path, number, suffix, stride
):
    output = tmp_path / "tiles"
    scene = busy / f"scene.{suffix}"
    process = start("tile", scene, "--stride", stride, "-j", 2, "-o", output)
    partial = output.with_name("tiles.partial")
    wait_for_work(partial, process)
    time.sleep(0.4)
    assert process.poll() is None, "it ended before it could be stopped"
    told = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    took = time.monotonic() - told
    print(f"{number.name} to exit on {suffix}: {1000 * took:.0f} ms")  # noqa: T201
    assert process.returncode == 128 + number, errors
    assert took < 1.5  # 0.1 s on a machine of its own
    lines = errors.decode().splitlines()
    assert any(f"gair tile {scene}" in line and str(output) in line for line in lines), lines
    assert not output.exists()
    assert not list(partial.rglob("*.tmp"))


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
