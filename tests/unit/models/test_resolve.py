"""What `--model` may name."""

import pytest

from gair_cli.errors import InputError, MissingPackageError
from gair_cli.models import resolve
from gair_cli.models.resolve import resolve_model


def make(folder):
    folder.mkdir(parents=True)
    for name in ("model.safetensors", "config.json"):
        (folder / name).write_text("{}")
    return folder


def test_a_model_folder_is_itself(tmp_path):
    folder = make(tmp_path / "model")
    ref = resolve_model(folder)
    assert (ref.path, ref.name, ref.is_default) == (folder, str(folder), False)


def test_a_run_means_its_best_checkpoint(tmp_path):
    make(tmp_path / "checkpoints" / "step-000200")
    wanted = make(tmp_path / "checkpoints" / "step-000100")
    (tmp_path / "best").symlink_to(wanted.relative_to(tmp_path))
    assert resolve_model(tmp_path).path.resolve() == wanted


def test_a_run_without_best_means_its_last_checkpoint(tmp_path):
    make(tmp_path / "checkpoints" / "step-900000")
    wanted = make(tmp_path / "checkpoints" / "step-1000000")
    (tmp_path / "checkpoints" / "step-2000000").mkdir()  # unfinished
    assert resolve_model(str(tmp_path)).path == wanted


def test_a_folder_that_is_no_model_says_what_one_holds(tmp_path):
    with pytest.raises(InputError) as caught:
        resolve_model(tmp_path)
    assert "is no model and no run" in str(caught.value)
    assert "model.safetensors" in caught.value.hint
    assert caught.value.exit_code == 3


def test_a_path_that_is_not_there_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="there is no model"):
        resolve_model(tmp_path / "nowhere")


def test_a_packaged_name_is_found_and_none_means_the_default(tmp_path, monkeypatch):
    wanted = make(tmp_path / "pretrained" / "earth-tiny")
    monkeypatch.setattr(resolve.resources, "files", lambda _: tmp_path)
    assert resolve_model("earth-tiny").path == wanted
    assert resolve_model(None).is_default
    assert resolve_model(None).name == "earth-tiny"
    assert not resolve_model("earth-tiny").is_default


def test_a_folder_goes_before_a_packaged_name(tmp_path, monkeypatch):
    make(tmp_path / "pretrained" / "earth-tiny")
    make(tmp_path / "here" / "earth-tiny")
    monkeypatch.setattr(resolve.resources, "files", lambda _: tmp_path)
    monkeypatch.chdir(tmp_path / "here")
    assert resolve_model("earth-tiny").path.resolve() == tmp_path / "here" / "earth-tiny"


def test_an_installation_without_the_default_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(resolve.resources, "files", lambda _: tmp_path)
    with pytest.raises(InputError, match="carries no model earth-tiny"):
        resolve_model(None)


def test_hub_without_its_package_names_the_pip_line(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(MissingPackageError) as caught:
        resolve_model("hf:org/repo")
    assert caught.value.hint == "pip install 'gair[hub]'"


def test_hub_offline_says_why(tmp_path, monkeypatch):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("GAIR_OFFLINE", "1")
    with pytest.raises(InputError) as caught:
        resolve_model("hf:org/repo@v1")
    assert "hf:org/repo" in str(caught.value)
    assert caught.value.hint == "GAIR_OFFLINE or HF_HUB_OFFLINE is set"
