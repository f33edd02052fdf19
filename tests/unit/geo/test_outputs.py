import json

import pytest

from gair_cli.errors import InputError, OutputExistsError
from gair_cli.geo import outputs
from gair_cli.geo.outputs import (
    atomic_file,
    fingerprint,
    manifest_path,
    open_workspace,
    partial_path,
    plan_hash,
)

PLAN = {"inputs": ["abc"], "size": 96}


def finish(output, content="whole"):
    workspace = open_workspace(output, PLAN)
    with workspace.part("data") as path:
        path.write_text(content)
    workspace.finish_file("data", {"version": "0"})


def test_error_inside_atomic_file_leaves_the_old_content_and_no_temporary_file(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail_half_way():
        with atomic_file(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_missing_output_folder_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        open_workspace(tmp_path / "no" / "out", PLAN)


def test_same_plan_keeps_the_finished_parts_and_sweeps_the_half_written(tmp_path):
    output = tmp_path / "tiles"
    first = open_workspace(output, PLAN)
    assert first.status == "new"
    with first.part("shards/0.tar") as path:
        path.write_text("done")
    (first.folder / "shards" / ".1.tar.x.tmp").write_text("half")
    again = open_workspace(output, PLAN)
    assert again.status == "resumed"
    assert again.kept == ["shards/0.tar"]
    assert not list(again.folder.rglob("*.tmp"))
    again.finish_folder({})
    assert (output / "shards" / "0.tar").read_text() == "done"
    assert sorted(path.name for path in output.iterdir()) == ["shards"]


def test_finished_plan_has_nothing_to_do(tmp_path):
    output = tmp_path / "out.parquet"
    finish(output)
    assert open_workspace(output, PLAN).status == "finished"
    assert not partial_path(output).exists()
    assert json.loads(manifest_path(output).read_text())["plan_hash"] == plan_hash(PLAN)


def test_other_plan_is_refused_and_overwrite_keeps_the_old_until_the_new_is_whole(tmp_path):
    output = tmp_path / "out.parquet"
    finish(output)
    other = {**PLAN, "size": 64}
    with pytest.raises(OutputExistsError, match="exists already"):
        open_workspace(output, other)
    workspace = open_workspace(output, other, overwrite=True)
    assert output.read_text() == "whole"
    with workspace.part("data") as path:
        path.write_text("new")
    workspace.finish_file("data", {})
    assert output.read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "out.parquet",
        "out.parquet.gair.json",
    ]


def test_foreign_file_is_refused(tmp_path):
    output = tmp_path / "out.parquet"
    output.write_text("mine")
    with pytest.raises(OutputExistsError):
        open_workspace(output, PLAN)
    assert output.read_text() == "mine"


def test_unfinished_work_of_another_plan_is_refused_and_discarded_with_overwrite(tmp_path):
    output = tmp_path / "out"
    with open_workspace(output, PLAN).part("a") as path:
        path.write_text("1")
    other = {**PLAN, "size": 64}
    with pytest.raises(OutputExistsError, match="unfinished work"):
        open_workspace(output, other)
    assert open_workspace(output, other, overwrite=True).status == "new"


def test_kill_between_the_manifest_and_the_rename_resumes(tmp_path):
    output = tmp_path / "out"
    workspace = open_workspace(output, PLAN)
    with workspace.part("a") as path:
        path.write_text("1")
    manifest_path(output).write_text(json.dumps({"plan_hash": workspace.plan_hash}))
    again = open_workspace(output, PLAN)
    assert again.kept == ["a"]
    again.finish_folder({})
    assert (output / "a").read_text() == "1"


def test_fingerprint_follows_content_and_not_dates_or_places(tmp_path):
    (tmp_path / "a").write_bytes(b"1" * 100)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a").write_bytes(b"1" * 100)
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b" / "a")
    before = fingerprint(tmp_path / "b")
    (tmp_path / "b" / "a").write_bytes(b"2" * 100)
    assert fingerprint(tmp_path / "b") != before


def killed(*_arguments, **_options):
    raise KeyboardInterrupt


@pytest.mark.parametrize("moment", ["before the manifest", "after the manifest"])
def test_kill_while_an_output_is_replaced_loses_neither_the_old_nor_the_new(
    tmp_path, monkeypatch, moment
):
    output = tmp_path / "tiles"
    first = open_workspace(output, PLAN)
    with first.part("a") as path:
        path.write_text("old")
    first.finish_folder({})
    more = {**PLAN, "appends_to": "a"}
    second = open_workspace(output, more, extends=True)
    with second.part("a") as path:
        path.write_text("new")
    with monkeypatch.context() as patch:
        if moment == "before the manifest":
            patch.setattr(outputs, "_write_manifest", killed)
        else:
            patch.setattr(outputs, "sync", lambda _path: None)
            rename = type(output).rename
            patch.setattr(
                type(output),
                "rename",
                lambda self, to: killed() if self == second.folder else rename(self, to),
            )
        with pytest.raises(KeyboardInterrupt):
            second.finish_folder({})
    assert not output.exists()
    again = open_workspace(output, more, extends=True)
    assert (output / "a").read_text() == "old"
    assert (again.status, again.kept) == ("resumed", ["a"])
    again.finish_folder({})
    assert (output / "a").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiles", "tiles.gair.json"]
    assert open_workspace(output, more, extends=True).status == "finished"


def test_extending_an_output_refuses_unfinished_work_of_another_plan(tmp_path):
    output = tmp_path / "tiles"
    with open_workspace(output, PLAN).part("a") as path:
        path.write_text("1")
    with pytest.raises(OutputExistsError, match="unfinished work"):
        open_workspace(output, {**PLAN, "size": 64}, extends=True)


def test_work_without_any_finished_part_is_no_obstacle_to_another_plan(tmp_path):
    output = tmp_path / "tiles"
    open_workspace(output, PLAN)
    assert open_workspace(output, {**PLAN, "size": 64}).status == "new"
