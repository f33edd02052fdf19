"""Tiles decode without GDAL, and hostile bytes end in one clear error."""

from __future__ import annotations

import contextlib
import shutil

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from gair_cli.errors import DataError, InputError
from gair_cli.geo.rasters import write_geotiff
from gair_cli.geo.tile_plan import TilingOptions
from gair_cli.geo.tileset import TileSet, decode_tile
from gair_cli.geo.tiling import tile_scenes

TRANSFORM = (10.0, 0.0, 5e5, 0.0, -10.0, 5e6)


def made_tiles(folder, pixels, **more):
    """Write one scene and cut it whole into one tile."""
    write_geotiff(folder / "scene.tif", pixels, crs="EPSG:32633", transform=TRANSFORM, **more)
    tile_scenes([folder / "scene.tif"], folder / "tiles", options=TilingOptions(size=None))
    return TileSet.open(folder / "tiles")


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    pixels = np.random.default_rng(0).integers(0, 3000, (3, 20, 30)).astype(np.uint16)
    names = ["B2", "B3", "B4"]
    return made_tiles(tmp_path_factory.mktemp("tiles"), pixels, band_names=names)


@pytest.fixture(scope="module")
def member(tiles):
    return tiles.member_bytes(0)


@pytest.mark.parametrize(
    "dtype",
    ["uint8", "uint16", "int16", "uint32", "int32", "int64", "uint64", "float32", "float64"],
)
def test_every_pixel_type_reads_back_here_and_in_gdal(tmp_path, dtype):
    random = np.random.default_rng(1)
    limit = 1 if dtype.startswith("float") else min(np.iinfo(dtype).max, 2**40)
    pixels = (random.random((2, 17, 23)) * limit).astype(dtype)
    tiles = made_tiles(tmp_path, pixels)
    assert tiles.info.dtype == dtype
    decoded = tiles.read([0])[0]
    assert decoded.dtype == dtype
    assert (decoded == pixels).all()
    row = tiles.index.row(0, named=True)
    with rasterio.open(f"/vsitar/{tiles.path}/{row['shard']}/{row['tile_id']}.tif") as tile:
        assert (tile.read() == pixels).all()
    assert row["band_mean"] == pytest.approx(pixels.astype(np.float64).mean((1, 2)), rel=1e-9)
    assert row["band_std"] == pytest.approx(pixels.astype(np.float64).std((1, 2)), rel=1e-9)


def test_nan_is_nodata_and_left_out_of_the_statistics(tmp_path):
    pixels = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    pixels[0, 0] = np.nan
    row = made_tiles(tmp_path, pixels).index.row(0, named=True)
    assert row["nodata_fraction"] == pytest.approx(1 / 3)
    assert (row["band_min"], row["band_max"], row["band_mean"]) == ([4.0], [11.0], [7.5])


@pytest.mark.parametrize(
    "transform",
    [(10.0, 0.0, 5e5, 0.0, 10.0, 5e6), (7.0, 3.0, 5e5, 3.0, -7.0, 5e6)],
    ids=["south-up", "rotated"],
)
@pytest.mark.parametrize(
    "crs", ["EPSG:32633", "+proj=laea +lat_0=52 +lon_0=10 +datum=WGS84", "EPSG:3035"]
)
def test_any_crs_and_transform_come_back_as_they_were(tmp_path, transform, crs):
    pixels = np.ones((1, 12, 16), np.uint8)
    write_geotiff(tmp_path / "scene.tif", pixels, crs=crs, transform=transform)
    options = TilingOptions(size=6, stride=3)
    tile_scenes([tmp_path / "scene.tif"], tmp_path / "tiles", options=options)
    tiles = TileSet.open(tmp_path / "tiles")
    assert len(tiles) == 12
    with rasterio.open(tmp_path / "scene.tif") as scene:
        for row in tiles.index.iter_rows(named=True):
            a, b, c, d, e, f = transform
            x, y = 3 * row["col"], 3 * row["row"]
            expected = [a, b, a * x + b * y + c, d, e, d * x + e * y + f]
            assert row["transform"] == expected
            with rasterio.open(f"/vsitar/{tiles.path}/{row['shard']}/{row['tile_id']}.tif") as tile:
                assert list(tile.transform)[:6] == expected
                assert tile.crs == scene.crs


def test_bands_are_found_by_name_in_any_spelling_and_order(tiles):
    whole = tiles.read([0])[0]
    some = tiles.read([0], bands=["B04", "b2"])[0]
    assert (some == whole[[2, 0]]).all()
    with pytest.raises(DataError, match=r"no band B8; it has B2, B3, B4"):
        tiles.read([0], bands=["B8"])


def test_band_offsets_are_relative_to_the_member(tiles, member):
    row = tiles.index.row(0, named=True)
    assert len(row["band_offsets"]) == 4
    assert row["band_offsets"][-1] == row["length"] == len(member)
    assert member[row["band_offsets"][0] :][:4] == b"\x28\xb5\x2f\xfd"  # a ZSTD frame


def test_decoded_bands_follow_the_order_asked_for(member):
    assert (decode_tile(member, bands=[2, 2]) == decode_tile(member)[[2, 2]]).all()
    with pytest.raises(DataError, match="band index 3"):
        decode_tile(member, bands=[3])


def test_every_cut_off_tile_is_refused(member):
    for length in [*range(0, 600, 7), *range(600, len(member), 97)]:
        with pytest.raises(InputError, match="not a tile"):
            decode_tile(member[:length])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_bytes_decode_to_something_or_are_refused(member, data):
    damaged = bytearray(member)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(member) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InputError):  # any other exception fails
        assert decode_tile(bytes(damaged)).ndim == 3


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_refused(junk):
    with pytest.raises(InputError):
        decode_tile(b"II*\0" + junk)


def test_folder_without_a_dataset_is_no_tile_set(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        TileSet.open(tmp_path / "none")
    with pytest.raises(InputError, match="not a tile set"):
        TileSet.open(tmp_path)
    (tmp_path / "dataset.json").write_text('{"kind": "training"}')
    with pytest.raises(InputError, match="does not describe tiles"):
        TileSet.open(tmp_path)


def test_shard_cut_off_is_an_input_error(tiles, tmp_path):
    shutil.copytree(tiles.path, tmp_path / "copy")
    shard = next((tmp_path / "copy" / "shards").glob("*.tar"))
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(InputError, match="damaged tile set"):
        TileSet.open(tmp_path / "copy").read([0])
