"""Two runs on one output: the second stops, whatever the first is doing."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import subprocess
import sys

import pytest

from gair_cli.errors import OutputExistsError
from gair_cli.geo import locks, outputs
from gair_cli.geo.outputs import open_workspace, partial_path

PLAN = {"inputs": ["abc"], "size": 96}
OTHER = {"inputs": ["abc"], "size": 64}


def second_run(output, plan="PLAN"):
    """Open the workspace in a process of its own; return its exit code and complaint."""
    code = (
        "import sys, pathlib\n"
        "from gair_cli.errors import GairError\n"
        "from gair_cli.geo.outputs import open_workspace\n"
        f"PLAN, OTHER = {PLAN!r}, {OTHER!r}\n"
        "try:\n"
        f"    print(open_workspace(pathlib.Path({str(output)!r}), {plan}).status)\n"
        "except GairError as error:\n"
        "    print(error); sys.exit(error.exit_code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip()


@pytest.mark.parametrize("plan", ["PLAN", "OTHER"])
def test_second_run_stops_while_the_first_works_and_its_folder_stays(tmp_path, plan):
    output = tmp_path / "tiles"
    space = open_workspace(output, PLAN)
    code, text = second_run(output, plan)
    assert code == 2
    assert "tiles.partial is in use" in text
    assert space.folder.is_dir()
    with space.part("a") as path:
        path.write_text("1")
    space.finish_folder({})
    assert second_run(output) == (0, "finished")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiles", "tiles.gair.json"]


def test_second_run_stops_while_the_first_is_publishing(tmp_path, monkeypatch):
    output = tmp_path / "tiles"
    first = open_workspace(output, PLAN)
    first.finish_folder({})
    space = open_workspace(output, OTHER, overwrite=True)
    seen = []
    write = outputs._write_manifest

    def watched(*arguments):
        assert not output.exists()  # the old one is set aside, the new one not yet in place
        seen.append(second_run(output)[0])
        write(*arguments)

    monkeypatch.setattr(outputs, "_write_manifest", watched)
    space.finish_folder({})
    assert seen == [2]
    assert second_run(output, "OTHER") == (0, "finished")


def test_lock_ends_with_its_process_and_leaves_no_file(tmp_path):
    output = tmp_path / "out.parquet"
    assert second_run(output) == (0, "new")  # ends without finishing, as a kill would
    space = open_workspace(output, PLAN)
    with space.part("data") as path:
        path.write_text("1")
    space.finish_file("data", {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "out.parquet",
        "out.parquet.gair.json",
    ]


def test_run_that_is_refused_or_has_nothing_to_do_leaves_no_folder(tmp_path):
    output = tmp_path / "out"
    open_workspace(output, PLAN).finish_folder({})
    with pytest.raises(OutputExistsError):
        open_workspace(output, OTHER)
    assert open_workspace(output, PLAN).status == "finished"
    assert not partial_path(output).exists()
    assert partial_path(output).absolute() not in locks._held


def test_file_system_without_locks_goes_without(tmp_path, monkeypatch):
    def unknown(*_arguments):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unknown)
    space = open_workspace(tmp_path / "out", PLAN)
    space.finish_folder({})
    assert (tmp_path / "out").is_dir()


def test_forked_child_that_lives_on_does_not_keep_the_lock(tmp_path):
    output = tmp_path / "out"
    space = open_workspace(output, PLAN)
    context = multiprocessing.get_context("fork")
    ready, go = context.Event(), context.Event()

    def linger():
        ready.set()
        go.wait(30)

    child = context.Process(target=linger)
    child.start()
    ready.wait(30)
    os.close(locks._held.pop(space.folder.absolute()))  # the parent is gone
    try:
        assert second_run(output) == (0, "new")
    finally:
        go.set()
        child.join()


def test_folder_that_vanished_is_made_and_locked_anew(tmp_path):
    folder = tmp_path / "out.partial"
    locks.hold(folder)
    folder.rmdir()
    locks.hold(folder)
    assert second_run(tmp_path / "out")[0] == 2
    locks.release(folder)
    assert second_run(tmp_path / "out") == (0, "new")
