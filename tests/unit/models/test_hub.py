"""Saving for a hub and uploading, against a stand-in that keeps what it is given."""

import sys
import types
from pathlib import Path

import pytest
import torch

import gair_cli
from gair_cli.errors import InputError, MissingPackageError
from gair_cli.models.gair import new_model
from gair_cli.models.hub import push_to_hub, save_pretrained
from gair_cli.models.weights import load_model, save_model


@pytest.fixture
def hub(monkeypatch):
    """A hub that keeps the files of each upload."""
    kept = {}

    class HfApi:
        def __init__(self, token=None):
            kept["token"] = token

        def create_repo(self, repo_id, *, private, exist_ok):
            if repo_id == "no/where":
                raise OSError("401 Unauthorized\nmore")
            kept["repo"] = (repo_id, private, exist_ok)

        def upload_folder(self, *, folder_path, allow_patterns, **facts):
            kept["files"] = {p.name: p.read_bytes() for p in Path(folder_path).iterdir()}
            kept["allowed"] = allow_patterns
            return types.SimpleNamespace(commit_url=f"https://hub/{facts['repo_id']}/commit/1")

    monkeypatch.setitem(sys.modules, "huggingface_hub", types.SimpleNamespace(HfApi=HfApi))
    return kept


def test_a_saved_model_loads_again_and_keeps_what_it_says_of_itself(small_config, tmp_path):
    model = new_model(small_config(), seed=0).eval()
    save_model(model, tmp_path / "run", extra={"licence": "CC BY-NC 4.0", "steps": 3})
    loaded = gair_cli.load(tmp_path / "run", device="cpu")
    loaded.save_pretrained(tmp_path / "out")
    again = gair_cli.Model.from_pretrained(tmp_path / "out", device="cpu")
    assert again.facts.licence == "CC BY-NC 4.0"
    assert again.facts.sha256 == loaded.facts.sha256
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: gair")
    assert "license: cc-by-nc-4.0" in card
    assert card.count("---\n") >= 2


def test_an_upload_is_the_folder(small_config, tmp_path, hub):
    model = new_model(small_config(), seed=0).eval()
    address = push_to_hub(model, "me/places", private=True)
    assert address == "https://hub/me/places/commit/1"
    assert hub["repo"] == ("me/places", True, True)
    assert hub["token"] is None
    assert set(hub["allowed"]) <= set(hub["files"])
    for name, content in hub["files"].items():
        (tmp_path / name).write_bytes(content)
    again = load_model(tmp_path)
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in model.state_dict().items())


def test_a_hub_that_refuses_is_told_in_a_line(small_config, hub):
    del hub
    with pytest.raises(InputError, match=r"cannot upload to no/where: 401 Unauthorized$"):
        push_to_hub(new_model(small_config(), seed=0), "no/where")


def test_without_the_package_it_says_how_to_get_it(small_config, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingPackageError, match="hub"):
        push_to_hub(new_model(small_config(), seed=0), "me/places")


def test_a_card_has_one_front_matter(small_config, tmp_path):
    model = new_model(small_config(), seed=0)
    save_pretrained(model, tmp_path / "a")
    save_pretrained(model, tmp_path / "b", source=tmp_path / "a")
    assert (tmp_path / "b" / "README.md").read_text().count("library_name: gair") == 1
