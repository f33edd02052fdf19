"""A made scene and the tiny model, loaded."""

from __future__ import annotations

import numpy as np
import pytest


def made_pixels(height=150, width=170):
    """Return two smooth, noisy uint16 bands with a nodata corner (made data)."""
    rng = np.random.default_rng(11)
    row, col = np.mgrid[:height, :width]
    smooth = 1500 + 700 * np.sin(row / 17) * np.cos(col / 23)
    bands = np.stack([smooth, 2 * smooth - 800]) + rng.normal(0, 60, (2, height, width))
    pixels = bands.clip(1, 9000).astype(np.uint16)
    pixels[:, :40, :30] = 0
    return pixels


@pytest.fixture(scope="session")
def scene_file(tmp_path_factory):
    from gair_cli.geo.rasters import write_geotiff

    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    write_geotiff(
        path,
        made_pixels(),
        crs="EPSG:32633",
        transform=(10.0, 0.0, 400_000.0, 0.0, -10.0, 5_800_000.0),
        nodata=0,
        band_names=["B2", "B8"],
    )
    return path


@pytest.fixture(scope="session")
def net(tiny_model):
    from gair_cli.models.weights import load_model

    return load_model(tiny_model)
