"""A scene of nine small tiles with photos in them, made for tests: made data."""

from __future__ import annotations

import numpy as np
import polars as pl
from PIL import Image

SIZE = 16
TILES = 3
ORIGIN = (384_470.0, 5_820_450.0)
CRS = "EPSG:32633"


def write_scene(path):
    """Two bands of 48 x 48 px at 10 m; band 1 counts columns, band 2 rows (plus 100)."""
    from gair_cli.geo.rasters import write_geotiff

    rows, columns = np.mgrid[0 : SIZE * TILES, 0 : SIZE * TILES]
    array = np.stack([columns + 100, rows + 100]).astype(np.uint16)
    transform = (10.0, 0.0, ORIGIN[0], 0.0, -10.0, ORIGIN[1])
    write_geotiff(path, array, crs=CRS, transform=transform, band_names=["B2", "B8"])


def write_photos(folder, n=72):
    """Photos all over the scene: red counts columns, green rows; the last is outside."""
    from gair_cli.geo.coordinates import to_lonlat

    rng = np.random.default_rng(0)
    places = rng.uniform(2, 10 * SIZE * TILES - 2, (n, 2))
    places[-1] = -500
    lonlat = to_lonlat(np.stack([ORIGIN[0] + places[:, 0], ORIGIN[1] - places[:, 1]], 1), CRS)
    (folder / "photos").mkdir()
    rows = []
    for number, ((east, south), (lon, lat)) in enumerate(zip(places, lonlat, strict=True)):
        colour = (max(0, int(east / 2)), max(0, int(south / 2)), 90)
        path = f"photos/{number:03d}.jpg"
        Image.new("RGB", (32, 24), colour).save(folder / path)
        rows.append((f"{number:03d}", path, float(lon), float(lat), number % 5 == 0))
    frame = pl.DataFrame(rows, schema=["id", "path", "lon", "lat", "held"], orient="row")
    split = pl.when("held").then(pl.lit("val")).otherwise(pl.lit("train")).alias("fold")
    frame.with_columns(split).drop("held").write_csv(folder / "photos.csv")


def make_world(folder, gair):
    """Write scene, photos, tiles, pairs and shards by gair's commands; return the folder."""
    write_scene(folder / "scene.tif")
    write_photos(folder)
    for words in (
        ("tile", folder / "scene.tif", "-o", folder / "tiles", "--size", SIZE),
        ("pair", folder / "photos.csv", "--tiles", folder / "tiles", "-o",
         folder / "pairs.parquet", "--split-column", "fold"),
        ("pack", folder / "pairs.parquet", "--tiles", folder / "tiles", "-o", folder / "train"),
        ("pack", "--tiles", folder / "tiles", "-o", folder / "alone", "--block", "160m"),
    ):  # fmt: skip
        assert gair([str(word) for word in words]) == 0, words
    return folder
