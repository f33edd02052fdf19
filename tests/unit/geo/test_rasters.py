"""Rasters are written whole or not at all, and read as rasterio reads them."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from gair_cli.errors import DataError, GairError, InputError
from gair_cli.geo.coordinates import from_lonlat
from gair_cli.geo.rasters import RasterWriter, raster_info, read_window, write_geotiff

UTM = {"crs": "EPSG:32633", "transform": (10.0, 0.0, 5e5, 0.0, -10.0, 5e6)}


def test_every_real_raster_is_described_as_rasterio_does(shared_data):
    for path in sorted(shared_data.rglob("*.tif")):
        info = raster_info(path)
        with rasterio.open(path) as raster:
            assert (info.width, info.height, info.count) == (
                raster.width,
                raster.height,
                raster.count,
            )
            assert info.transform == tuple(raster.transform)[:6]
            assert info.crs == raster.crs.to_string()
            assert info.dtypes == raster.dtypes
            assert info.nodata_values == raster.nodatavals


def test_window_and_bands_are_those_asked_for(tmp_path):
    pixels = np.arange(3 * 40 * 50, dtype=np.int32).reshape(3, 40, 50)
    write_geotiff(tmp_path / "a.tif", pixels, **UTM)
    found = read_window(tmp_path / "a.tif", (7, 5, 20, 10), bands=[3, 1])
    assert (found == pixels[[2, 0], 5:15, 7:27]).all()
    with pytest.raises(InputError):
        read_window(tmp_path / "a.tif", (45, 0, 10, 10))
    with pytest.raises(DataError):
        read_window(tmp_path / "a.tif", bands=[4])


def test_written_raster_says_what_it_was_told(tmp_path):
    pixels = np.ones((2, 30, 40), np.float32)
    write_geotiff(
        tmp_path / "a.tif",
        pixels,
        **UTM,
        nodata=-1,
        band_names=["x", "y"],
        tags={"note": "made data"},
        description="made",
    )
    info = raster_info(tmp_path / "a.tif")
    assert (info.bands, info.nodata, info.crs) == (("x", "y"), -1, "EPSG:32633")
    assert info.tags["note"] == "made data"
    assert info.tags["TIFFTAG_IMAGEDESCRIPTION"] == "made"


def test_windows_in_any_order_make_one_cloud_optimised_raster(tmp_path):
    pixels = np.random.default_rng(0).random((2, 700, 900)).astype(np.float32)
    for name, corners in (("a", [(0, 0), (0, 512)]), ("b", [(0, 512), (0, 0)])):
        shape = {"width": 900, "height": 700, "count": 2, "dtype": "float32"}
        with RasterWriter(tmp_path / f"{name}.tif", **shape, **UTM, nodata=np.nan) as writer:
            for row, col in corners:
                writer.write(pixels[:, :, col : col + 512], col, row)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    with rasterio.open(tmp_path / "a.tif") as raster:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert raster.overviews(1) == [2]
        assert (raster.read() == pixels).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "b.tif"]


def test_error_while_writing_leaves_nothing(tmp_path):
    shape = {"width": 9, "height": 7, "count": 1, "dtype": "uint8"}
    with pytest.raises(RuntimeError), RasterWriter(tmp_path / "a.tif", **shape, **UTM):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_pixels_that_do_not_fit_are_refused(tmp_path):
    shape = {"width": 9, "height": 7, "count": 1, "dtype": "uint8"}
    with (
        pytest.raises(DataError, match="do not fit"),
        RasterWriter(tmp_path / "a.tif", **shape, **UTM) as writer,
    ):
        writer.write(np.zeros((1, 7, 9), np.uint8), col=1)
    with pytest.raises(DataError, match="not a known CRS"):
        RasterWriter(tmp_path / "a.tif", **shape, crs="EPSG:0", transform=UTM["transform"])


def test_missing_empty_and_unreadable_rasters_are_named(tmp_path):
    (tmp_path / "empty.tif").touch()
    (tmp_path / "text.tif").write_text("hello")
    for name, word in (("none", "exist"), ("empty", "zero bytes"), ("text", "not a raster")):
        with pytest.raises(InputError, match=word):
            raster_info(tmp_path / f"{name}.tif")


def test_gdal_prints_nothing(tmp_path, capfd):
    (tmp_path / "text.tif").write_text("II*\0 and then nonsense")
    with pytest.raises(GairError):
        raster_info(tmp_path / "text.tif")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("crs", ["EPSG:3035", "EPSG:2056", "EPSG:31985", "EPSG:5070"])
def test_other_systems_are_projected_as_pyproj_does(crs):
    lonlat = {"EPSG:31985": (-35.1, -8.2), "EPSG:5070": (-96.0, 40.0)}.get(crs, (8.5, 47.2))
    expected = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(*lonlat)
    assert from_lonlat([lonlat], crs)[0] == pytest.approx(expected, abs=2.0)
