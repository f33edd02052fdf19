"""Exported programs say what the model says, for other batch sizes than those of the export."""

import pytest
import torch

from gair_cli.models.config import FineConfig, LocationConfig
from gair_cli.models.convert import check_export
from gair_cli.models.export import export_programs, export_timm
from gair_cli.models.gair import keep_towers, new_model

onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.slow

QUERIES = {
    "nili": {},
    "nili-hidden": {"nili_hidden": 6, "nili_frequencies": 2},
    "nili-fine": {"fine": FineConfig((3, 4), 5)},
    "bilinear": {},
    "bicubic": {},
    "mean": {},
}
KINDS = ["rff", "rff-transformer", "sh-siren", "sphere2vec", "xyz", "grid"]


def model_of(small_config, **changes):
    model = new_model(small_config(**changes), seed=0).eval()
    if model.fine is not None:
        torch.nn.init.normal_(model.fine.down.weight)
    return model


def feed(session, values):
    names = [one.name for one in session.get_inputs()]
    return session.run(None, {k: v.numpy() for k, v in zip(names, values, strict=True)})


def close(found, wanted):
    torch.testing.assert_close(torch.from_numpy(found), wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", QUERIES)
@torch.no_grad()
def test_onnx_programs_equal_the_model_for_any_batch(small_config, tmp_path, name):
    query = "nili" if name == "nili-hidden" else name
    model = model_of(small_config, query=query, **QUERIES[name])
    model = keep_towers(model, ["rs"])
    export_programs(model, tmp_path, "onnx")
    sessions = {p.stem: onnxruntime.InferenceSession(str(p)) for p in tmp_path.glob("*.onnx")}
    assert set(sessions) == {"encode_rs", "localize"}
    for tiles, count in ((1, 3), (5, 2)):
        rs, xy = torch.randn(tiles, 2, 16, 16), torch.rand(count, 2) * 2 - 1
        field = model.encode_tiles(rs)
        parts = feed(sessions["encode_rs"], [rs])
        close(parts[0], field.tokens)
        tile_of = torch.arange(count) % tiles
        given = [torch.from_numpy(part) for part in parts] + [xy, tile_of]
        radius = None
        if query == "nili-fine":
            radius = torch.linspace(0, 70, count)
            given += [radius, field.size_m]
        found = feed(sessions["localize"], given)[0]
        close(found, model.localize(field, xy, tile_of=tile_of, radius_m=radius))


@torch.no_grad()
def test_onnx_photo_towers(small_config, tmp_path):
    model = keep_towers(model_of(small_config), ["sv"])
    export_programs(model, tmp_path, "onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "encode_sv.onnx"))
    for count in (1, 5):
        photos = torch.randn(count, 3, 32, 32)
        close(feed(session, [photos])[0], model.encode_sv(photos))


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_onnx_location_towers(small_config, tmp_path, kind):
    location = LocationConfig(
        (1.0, 256.0), 4, 8, 1, 6, kind=kind, degree=5, scales=3, heads=2, min_radius=0.0013
    )
    model = model_of(small_config, location=location)
    model = new_model(model.config.only(["location"]), seed=0).eval()
    export_programs(model, tmp_path, "onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "encode_location.onnx"))
    for count in (1, 11):
        lonlat = (torch.rand(count, 2, dtype=torch.float64) * 2 - 1) * torch.tensor([180.0, 90.0])
        close(feed(session, [lonlat.double()])[0], model.encode_location(lonlat.double()))


@torch.no_grad()
def test_torch_programs_equal_the_model(small_config, tmp_path):
    model = model_of(small_config, query="nili-fine", fine=FineConfig((3, 4), 5))
    export_programs(model, tmp_path, "torch")
    assert all(line.holds for line in check_export(model, tmp_path, "torch"))
    program = torch.export.load(str(tmp_path / "encode_rs.pt2")).module()
    rs = torch.randn(7, 2, 16, 16)
    torch.testing.assert_close(program(rs)[0], model.encode_rs(rs), atol=1e-5, rtol=1e-5)


def test_timm_reads_the_photo_tower(small_config, tmp_path):
    model = model_of(small_config)
    export_timm(model, tmp_path)
    lines = check_export(model, tmp_path, "timm")
    assert [line.output for line in lines] == ["sv"]
    assert lines[0].holds
