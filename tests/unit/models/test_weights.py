"""Model folders: what is saved is what is loaded, and nothing is skipped."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from gair_cli.data.transforms import SvInput
from gair_cli.errors import InputError, ModelError
from gair_cli.models.config import SvConfig
from gair_cli.models.gair import keep_towers, new_model
from gair_cli.models.weights import load_model, model_hash, read_config, save_model


@pytest.fixture
def folder(tmp_path, small_config):
    save_model(new_model(small_config(), seed=0), tmp_path / "model", extra={"data": "abc"})
    return tmp_path / "model"


def change(folder, edit):
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors")


def test_loaded_model_has_the_same_config_and_tensors(folder, small_config):
    model, loaded = new_model(small_config(), seed=0), load_model(folder)
    assert loaded.config == model.config
    assert not loaded.training
    for (name, wanted), (key, found) in zip(
        model.state_dict().items(), loaded.state_dict().items(), strict=True
    ):
        assert (name, wanted.dtype) == (key, found.dtype)
        assert torch.equal(wanted, found)


def test_folder_holds_weights_config_and_card(folder):
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["README.md", "config.json", "model.safetensors"]
    config = read_config(folder)
    assert config["heads"] == ["location", "rs", "sv"]
    assert config["coordinate_order"] == "longitude, latitude; degrees, EPSG:4326"
    assert config["training"] == {"data": "abc"}
    assert config["model"]["rs"]["input"]["bands"] == ["B2", "B3"]
    assert "bands B2, B3" in (folder / "README.md").read_text()


def test_same_model_gives_the_same_bytes(folder, tmp_path, small_config):
    save_model(new_model(small_config(), seed=0), tmp_path / "again", extra={"data": "abc"})
    for name in ("model.safetensors", "config.json", "README.md"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_hash_is_that_of_the_weights_file(folder):
    wanted = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert model_hash(folder) == wanted


def test_all_faults_are_listed_at_once(folder):
    def edit(tensors):
        del tensors["head.rs.weight"]
        tensors["head.sv.bias"] = torch.zeros(6)
        tensors["nerf"] = torch.zeros(1)

    change(folder, edit)
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    assert "missing head.rs.weight; extra nerf; head.sv.bias is [6], wanted [5]" in str(
        caught.value
    )
    assert caught.value.exit_code == 6


def test_half_precision_is_half_the_size_and_keeps_the_frequencies(tmp_path, small_config):
    model = keep_towers(new_model(small_config(), seed=0), ["location"])
    with torch.no_grad():
        model.location.scales[1].frequencies[0, 0] = 70000.25  # no float16
    save_model(model, tmp_path / "half", dtype="float16")
    stored = load_file(tmp_path / "half" / "model.safetensors")
    assert stored["location.scales.0.out.weight"].dtype == torch.float16
    assert stored["location.scales.1.frequencies"].dtype == torch.float32
    loaded = load_model(tmp_path / "half")
    assert torch.equal(loaded.location.scales[1].frequencies, model.location.scales[1].frequencies)
    assert {value.dtype for value in loaded.state_dict().values()} == {torch.float32}
    assert loaded.config.towers == ("location",)


def test_weights_that_are_not_saved_are_rebuilt(tmp_path, small_config):
    # swin keeps its index of relative positions in buffers that no file holds
    photo = SvConfig(SvInput(64, 64), "swin_tiny_patch4_window7_224")
    model = new_model(small_config(sv=photo).only(["sv"]), seed=0).eval()
    save_model(model, tmp_path)
    photos = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(load_model(tmp_path).encode_sv(photos), model.encode_sv(photos))


def test_carried_tensors_lie_beside_the_weights(tmp_path, small_config):
    save_model(new_model(small_config(), seed=0), tmp_path, carried={"queue": torch.ones(2, 3)})
    assert load_file(tmp_path / "carried.safetensors")["queue"].shape == (2, 3)
    load_model(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "has no table `model`"),
        ('{"schema": 99, "model": {}}', "has schema 99"),
        ('{"schema": 1, "model": {"dims": 3}}', "unknown setting model.dims"),
    ],
)
def test_config_that_makes_no_sense_is_a_model_error(folder, text, message):
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    assert message in str(caught.value)


def test_broken_weights_are_an_input_error(folder):
    (folder / "model.safetensors").write_bytes(b"no tensors here")
    with pytest.raises(InputError, match="cannot read the weights"):
        load_model(folder)


def test_failed_save_leaves_the_old_model(folder, small_config, monkeypatch):
    before = model_hash(folder)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gair_cli.models.weights.tensors_to_bytes", full)
    with pytest.raises(OSError, match="No space"):
        save_model(new_model(small_config(), seed=1), folder)
    assert model_hash(folder) == before
    assert not list(folder.glob("*.tmp"))
    load_model(folder)


def test_config_file_is_plain_json(folder):
    json.loads((folder / "config.json").read_text())
