"""`gair convert` without the released checkpoint: programs, repeats, and what it refuses."""

import pickle

import pytest
import torch

from gair_cli.models.gair import new_model
from gair_cli.models.weights import save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small model of all three towers, as a folder."""
    from gair_cli.data.transforms import BandStatistics
    from gair_cli.models.config import preset_config

    bands = BandStatistics(("B2", "B3"), (0.0, 0.0), (1.0, 1.0))
    config = preset_config("tiny", bands=bands, overrides={"rs": {"depth": 1}})
    folder = tmp_path_factory.mktemp("model") / "tiny"
    save_model(new_model(config, seed=0), folder)
    return folder


@pytest.mark.parametrize("form", ["onnx", "torch"])
def test_programs_are_written_checked_and_not_written_twice(gair, model, tmp_path, form):
    if form == "onnx":
        pytest.importorskip("onnxruntime")
    done = gair("convert", model, tmp_path / "out", "--to", form, "--check")
    assert done.exit_code == 0, done.stderr
    for part in ("encode_rs", "encode_sv", "encode_location", "localize"):
        assert f"  {part} " in done.stdout
    suffix = {"onnx": ".onnx", "torch": ".pt2"}[form]
    assert len(list((tmp_path / "out").glob(f"*{suffix}"))) == 4
    assert (tmp_path / "out.gair.json").is_file()
    again = gair("convert", model, tmp_path / "out", "--to", form)
    assert again.exit_code == 0
    assert "nothing to do" in again.stderr
    other = gair("convert", "earth-tiny", tmp_path / "out", "--to", form)
    assert other.exit_code == 2
    assert "--overwrite" in other.stderr
    forced = gair("convert", "earth-tiny", tmp_path / "out", "--to", form, "--overwrite")
    assert forced.exit_code == 0, forced.stderr


def test_a_damaged_program_is_found(gair, model, tmp_path):
    gair("convert", model, tmp_path / "out", "--to", "torch")
    other = gair("convert", "earth-tiny", tmp_path / "other", "--to", "torch")
    assert other.exit_code == 0
    (tmp_path / "out" / "localize.pt2").unlink()
    done = gair("convert", model, tmp_path / "out", "--to", "torch", "--check")
    assert done.exit_code == 6
    assert "no program localize" in done.stderr


def test_the_photo_tower_goes_to_timm(gair, model, tmp_path):
    done = gair("convert", model, tmp_path / "tower", "--to", "timm", "--check")
    assert done.exit_code == 0, done.stderr
    assert "DIFFERS" not in done.stdout
    none = gair("convert", "earth-tiny", tmp_path / "none", "--to", "timm")
    assert none.exit_code == 6
    assert "no photo tower" in none.stderr


def test_what_makes_no_sense_is_one_line(gair, model, tmp_path):
    checkpoint, text, evil = (tmp_path / name for name in ("a.pth", "b.pth", "c.pth"))
    torch.save({"model": {"x": torch.zeros(1)}}, checkpoint)
    text.write_text("hello")
    evil.write_bytes(pickle.dumps({"model": print}))
    cases = [
        ((model, tmp_path / "same"), 2, "would be the same"),
        ((checkpoint, tmp_path / "b.pt"), 2, "becomes a model folder first"),
        ((checkpoint, tmp_path / "m", "--golden", "x.npz"), 2, "--golden is for --check"),
        ((model, tmp_path / "m.pth"), 6, "not converted from a released checkpoint"),
        ((checkpoint, tmp_path / "m"), 6, "not the released layout"),
        ((text, tmp_path / "m"), 3, "no whole checkpoint"),
        ((evil, tmp_path / "m"), 6, "was not run"),
        ((tmp_path / "none.pth", tmp_path / "m"), 3, "does not exist"),
        ((tmp_path / "nowhere", tmp_path / "m.pth"), 3, "there is no model"),
    ]
    for arguments, code, words in cases:
        done = gair("convert", *arguments)
        assert done.exit_code == code, (arguments, done.stderr)
        assert words in done.stderr
        assert done.stderr.startswith("gair: error: ")
        assert len(done.stderr.strip().splitlines()) <= 2
    assert not (tmp_path / "m").exists()
