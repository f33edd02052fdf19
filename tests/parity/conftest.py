"""The released model with made weights, and what it gave, once for all parity tests."""

import csv
import importlib.util
import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from gair_cli.models.released import from_released


@dataclass(frozen=True)
class Released:
    """The made checkpoint, our model of it, and the recorded outputs."""

    checkpoint: dict
    model: torch.nn.Module
    carried: dict
    golden: dict


@dataclass(frozen=True)
class Triple:
    name: str
    tile: np.ndarray
    bands: list
    photo: np.ndarray
    lonlat: tuple
    xy: torch.Tensor


def _made_checkpoint(folder):
    spec = importlib.util.spec_from_file_location("made", folder / "released_layout.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    shapes = json.loads((folder / "released_keys.json").read_text())
    drawn = made.build(shapes, salt="public")
    # numpy 2 draws in float64 what the recorded run had in float32
    return {key: drawn[key].to(getattr(torch, dtype)) for key, (_, dtype) in shapes.items()}


@pytest.fixture(scope="session")
def released(parity_data) -> Released:
    checkpoint = _made_checkpoint(parity_data)
    model, carried = from_released(checkpoint)
    with np.load(parity_data / "golden.npz") as golden:
        return Released(checkpoint, model, carried, dict(golden))


@pytest.fixture(scope="session", params=["tokyo", "sacramento", "detroit"])
def triple(request, shared_data) -> Triple:
    rasterio = pytest.importorskip("rasterio")
    image = pytest.importorskip("PIL.Image")
    folder = shared_data / "triples"
    with (folder / "triples.csv").open() as file:
        row = next(row for row in csv.DictReader(file) if row["id"] == request.param)
    with rasterio.open(folder / row["rs_image"]) as raster:
        tile, bands, bounds = raster.read(), list(raster.descriptions), raster.bounds
    photo = np.asarray(image.open(folder / row["photo"]).convert("RGB"))
    lonlat = float(row["lon"]), float(row["lat"])
    return Triple(request.param, tile, bands, photo, lonlat, _recorded_xy(lonlat, bounds))


def _recorded_xy(lonlat, bounds):
    """Position in the raster as the recorded run had it: in float32, up to 17 m off."""
    west, south, east, north = (np.float32(edge) for edge in bounds)
    lon, lat = np.float32(lonlat[0]), np.float32(lonlat[1])
    x, y = (lon - west) / (east - west) * 2 - 1, (north - lat) / (north - south) * 2 - 1
    return torch.tensor([[x, y]], dtype=torch.float32)
