"""`gair convert`, and the released model through the commands that people use."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
import torch

from gair_cli.embedding.table import read_embeddings

pytestmark = pytest.mark.slow

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def checkpoint(released, tmp_path_factory):
    path = tmp_path_factory.mktemp("released") / "checkpoint.pth"
    torch.save({"model": released.checkpoint}, path)
    return path


@pytest.fixture(scope="module")
def folder(checkpoint, tmp_path_factory):
    from gair_cli.models.convert import import_checkpoint

    path = tmp_path_factory.mktemp("model") / "model"
    import_checkpoint(checkpoint, path)
    return path


def test_a_checkpoint_becomes_a_model_that_agrees_with_the_record(
    gair, checkpoint, parity_data, tmp_path
):
    golden = parity_data / "golden.npz"
    done = gair("convert", checkpoint, tmp_path / "model", "--check", "--golden", golden)
    assert done.exit_code == 0, done.stderr
    assert "CC BY-NC 4.0: not for commercial use" in done.stderr
    assert "equal both ways" in done.stdout
    assert "DIFFERS" not in done.stdout
    for output in ("rs", "sv", "loc", "localized_nili", "localized_bicubic"):
        assert done.stdout.count(f"  {output} ") == 2  # against the checkpoint, and the record
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["training"]["licence"] == "CC BY-NC 4.0"
    assert config["heads"] == ["sv"]


def test_a_model_becomes_the_checkpoint_it_came_from(gair, released, folder, tmp_path):
    done = gair("convert", folder, tmp_path / "back.pth", "--check")
    assert done.exit_code == 0, done.stderr
    back = torch.load(tmp_path / "back.pth", weights_only=True)["model"]
    assert list(back) == list(released.checkpoint)
    for key, wanted in released.checkpoint.items():
        assert back[key].dtype == wanted.dtype, key
        assert torch.equal(back[key], wanted), key


@pytest.mark.parametrize("wrap", [dict, lambda d: {"state_dict": d}, lambda d: {"model": d}])
def test_prefixes_and_wrappers_are_taken_off(released, tmp_path, wrap):
    from gair_cli.models.checkpoint_file import read_checkpoint

    prefixed = {f"module.{key}": value for key, value in released.checkpoint.items()}
    torch.save(wrap(prefixed), tmp_path / "x.pth")
    assert list(read_checkpoint(tmp_path / "x.pth")) == list(released.checkpoint)


def test_every_fault_is_listed_and_nothing_is_written(gair, released, tmp_path):
    damaged = dict(released.checkpoint)
    del damaged["imnet.bias"], damaged["radar_proj.weight"]
    damaged |= {"more": torch.zeros(1), "optical_proj.bias": torch.zeros(3)}
    torch.save({"model": damaged}, tmp_path / "x.pth")
    done = gair("convert", tmp_path / "x.pth", tmp_path / "model")
    assert done.exit_code == 6
    for fault in (
        "missing radar_proj.weight",
        "missing imnet.bias",
        "extra more",
        "optical_proj.bias is [3], wanted [768]",
    ):
        assert fault in done.stderr
    assert not (tmp_path / "model").exists()


def test_check_fails_where_a_number_differs(gair, folder, tmp_path):
    other = tmp_path / "model"
    shutil.copytree(folder, other)
    from safetensors.torch import load_file, save_file

    state = load_file(other / "model.safetensors")
    state["nili.linear.bias"][0] += 1
    state["head.sv.bias"][0] += 1
    save_file(state, other / "model.safetensors")
    made = gair("convert", folder, tmp_path / "right.pth")
    assert made.exit_code == 0
    from gair_cli.models.convert import compare_outputs, differing_tensors
    from gair_cli.models.resolve import resolve_model

    ref = resolve_model(other)
    assert differing_tensors(tmp_path / "right.pth", ref) == ["imnet.bias", "optical_proj.bias"]
    held = {line.output: line.holds for line in compare_outputs(tmp_path / "right.pth", ref)}
    assert not held["localized_nili"]
    assert not held["sv_proj"]
    assert held["rs"]
    assert held["loc"]


@pytest.fixture(scope="module")
def triples(shared_data):
    """Photo table of the three triples, each with its raster, and the bounds of the rasters."""
    rasterio = pytest.importorskip("rasterio")
    source = shared_data / "triples"
    table = pl.read_csv(source / "triples.csv")
    boxes = {}
    for row in table.iter_rows(named=True):
        with rasterio.open(source / row["rs_image"]) as raster:
            boxes[row["id"]] = tuple(raster.bounds)
    return source, table, boxes


def assert_agrees(found, golden, name):
    wanted = golden[name].astype(np.float64)[0]
    assert np.abs(found - wanted).max() <= 2e-4, name
    cosine = found @ wanted / (np.linalg.norm(found) * np.linalg.norm(wanted))
    assert cosine >= 0.999999, name


def recorded_place(lonlat, box):
    """Where the recorded run read, which had its coordinates in float32."""
    west, south, east, north = (np.float32(edge) for edge in box)
    lon, lat = np.float32(lonlat[0]), np.float32(lonlat[1])
    across, down = (lon - west) / (east - west), (north - lat) / (north - south)
    west, south, east, north = box
    return west + float(across) * (east - west), north - float(down) * (north - south)


def test_the_real_triples_through_the_real_commands(gair, released, folder, triples, tmp_path):
    source, table, boxes = triples
    golden = released.golden
    rows = table.select("id", "lon", "lat", (pl.lit(f"{source}/") + pl.col("photo")).alias("path"))
    rows.write_csv(tmp_path / "photos.csv")
    moved = [recorded_place((r["lon"], r["lat"]), boxes[r["id"]]) for r in rows.to_dicts()]
    pl.DataFrame({
        "id": rows["id"], "lon": [p[0] for p in moved], "lat": [p[1] for p in moved],
    }).write_csv(tmp_path / "places.csv")  # fmt: skip
    rasters = [source / name for name in table["rs_image"]]
    tiled = gair("tile", *rasters, "-o", tmp_path / "tiles", "--size", "full")
    assert tiled.exit_code == 0, tiled.stderr

    def embedded(name, *arguments):
        output = tmp_path / f"{name}.parquet"
        done = gair("embed", *arguments, "--model", folder, "--space", "encoder", "-o", output)
        assert done.exit_code == 0, done.stderr
        found = read_embeddings(output)
        return dict(zip(found.ids, found.vectors.astype(np.float64), strict=True))

    locations = embedded("loc", "--points", tmp_path / "photos.csv")
    photos = embedded("sv", "--photos", tmp_path / "photos.csv")
    at = embedded("at", "--tiles", tmp_path / "tiles", "--points", tmp_path / "places.csv")
    whole = embedded("rs", "--tiles", tmp_path / "tiles")
    index = pl.read_parquet(tmp_path / "tiles" / "index.parquet")
    for name, box in boxes.items():
        assert_agrees(locations[name], golden, f"{name}/loc")
        assert_agrees(photos[name], golden, f"{name}/sv")
        assert_agrees(at[name], golden, f"{name}/localized_nili")
        gap = (index["centre_lon"] - (box[0] + box[2]) / 2).abs()
        assert_agrees(whole[index["tile_id"][gap.arg_min()]], golden, f"{name}/rs")


def test_a_hubs_checkpoint_is_converted_once(gair, checkpoint, tmp_path, monkeypatch):
    pytest.importorskip("huggingface_hub")
    hub = tmp_path / "hub" / "models--PingL--GAIR"
    (hub / "refs").mkdir(parents=True)
    (hub / "refs" / "main").write_text(COMMIT)
    (hub / "snapshots" / COMMIT).mkdir(parents=True)
    (hub / "snapshots" / COMMIT / "checkpoint.pth").symlink_to(checkpoint)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("GAIR_OFFLINE", "1")
    monkeypatch.setenv("GAIR_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "p.csv").write_text("id,lon,lat\na,13.4,52.5\n")
    said = []
    for number, name in enumerate(["hf:PingL/GAIR", f"hf:PingL/GAIR@{COMMIT}"]):
        output = tmp_path / f"{number}.parquet"
        done = gair("embed", "--points", tmp_path / "p.csv", "--model", name, "-o", output)
        assert done.exit_code == 0, done.stderr
        said.append(done.stderr)
        assert read_embeddings(output).meta.licence == "CC BY-NC 4.0"
    assert "not for commercial use" in said[0]
    assert "converting" not in said[1]
