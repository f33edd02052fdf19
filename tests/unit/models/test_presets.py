"""Every preset: built, run forward and backward, saved, loaded, exported."""

import pytest
import torch

from gair_cli.data.batch import Batch
from gair_cli.data.transforms import BandStatistics
from gair_cli.errors import UsageError
from gair_cli.models.config import preset_config
from gair_cli.models.convert import check_export
from gair_cli.models.export import export_programs
from gair_cli.models.gair import new_model
from gair_cli.models.weights import load_model, save_model
from gair_cli.presets import preset_names

BANDS = ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12")
STATISTICS = BandStatistics(BANDS, (0.0,) * 10, (1.0,) * 10)
SHALLOW = {"rs": {"depth": 1}, "sv": {"name": "test_vit", "pooler": False, "norm_eps": "none"}}


def pairs_of(config):
    generator = torch.Generator().manual_seed(0)
    size, photo = config.rs.input.size, config.sv.input
    return Batch(
        torch.tensor([[13.4, 52.5], [2.35, 48.86]], dtype=torch.float64),
        ["a", "b"],
        rs=torch.randn(2, 10, size, size, generator=generator),
        sv=torch.randn(2, 3, photo.height, photo.width, generator=generator),
        xy=torch.tensor([[0.2, -0.3], [0.9, 0.1]]),
        radius_m=torch.tensor([0.0, 20.0]),
        tile_of=torch.tensor([0, 1]),
        size_m=torch.full((2, 2), 960.0),
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", preset_names())
def test_it_learns_is_saved_and_loads_the_same(name, tmp_path):
    config = preset_config(name, bands=STATISTICS)
    model = new_model(config, seed=0)
    batch = pairs_of(config)
    found = model(batch)
    (found.sv @ found.rs_at.T + found.location @ found.sv.T).diagonal().sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None and n != "logit_scale"] == []
    save_model(model, tmp_path / name)
    del found
    model.zero_grad(set_to_none=True)
    again = load_model(tmp_path / name)
    with torch.no_grad():
        wanted, loaded = model.eval()(batch), again(batch)
    for part in ("sv", "rs_at", "location"):
        assert torch.equal(getattr(loaded, part), getattr(wanted, part))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "form"),
    [("base", "onnx"), ("paper", "torch"), ("small", "torch"), ("tiny", "onnx")],
)
def test_it_is_exported(name, form, tmp_path):
    """With few blocks: what is exported is the same, and files stay small."""
    if form == "onnx":
        pytest.importorskip("onnxruntime")
    shallow = {} if name == "tiny" else SHALLOW
    config = preset_config(name, bands=STATISTICS, overrides=shallow)
    model = new_model(config, seed=0).eval()
    export_programs(model, tmp_path, form)
    lines = check_export(model, tmp_path, form)
    assert {line.output for line in lines} == {
        "encode_rs", "encode_sv", "encode_location", "localize",
    }  # fmt: skip
    assert all(line.holds for line in lines), lines


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ({"rs": {"dept": 2}}, "model.rs.depth"),
        ({"qery": "nili"}, "model.query"),
        ({"location": {"sigma": [1]}}, "model.location.sigmas"),
        ({"fine": {"chanels": [4]}}, "model.fine.channels"),
    ],
)
def test_a_key_that_does_not_exist_is_refused_with_the_nearest(key, near):
    with pytest.raises(UsageError, match="unknown setting model") as caught:
        preset_config("base", bands=STATISTICS, overrides=key)
    assert f"did you mean {near}?" in caught.value.hint
