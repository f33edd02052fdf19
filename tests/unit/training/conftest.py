"""Small shards to train on."""

import numpy as np
import polars as pl
import pytest
from PIL import Image

from gair_cli.geo.packing import PackJob, pack


@pytest.fixture(scope="session")
def photo_shards(tmp_path_factory):
    """48 photos whose colours depend on where they are; a fifth of them held out."""
    folder = tmp_path_factory.mktemp("shards")
    rng = np.random.default_rng(1)
    rows = []
    for number in range(48):
        lon, lat = 9 + 0.02 * (number % 8), 48 + 0.02 * (number // 8)
        colour = np.array([20 * (number % 8), 25 * (number // 8), 60])
        pixels = rng.integers(0, 60, (24, 32, 3)) + colour
        path = folder / f"{number:02d}.jpg"
        Image.fromarray(pixels.astype(np.uint8)).save(path, quality=90)
        rows.append((f"{number:02d}", str(path), lon, lat, "val" if number % 5 == 0 else "train"))
    frame = pl.DataFrame(rows, schema=["id", "path", "lon", "lat", "split"], orient="row")
    frame.write_csv(folder / "photos.csv")
    from gair_cli.geo.columns import ColumnNames

    pack(PackJob(folder / "photos.csv", names=ColumnNames(split="split")), folder / "train")
    return folder / "train"


@pytest.fixture(scope="session")
def small_model():
    """A `[model]` table that trains in seconds."""
    return {
        "dim": 16,
        "rs": {"patch": 8, "width": 24, "depth": 1, "heads": 2, "input": {"size": 16}},
        "sv": {"name": "test_resnet", "input": {"height": 24, "width": 32}},
        "location": {"sigmas": [256, 4096], "frequencies": 16, "hidden": 32, "depth": 1,
                     "width": 24},
    }  # fmt: skip
