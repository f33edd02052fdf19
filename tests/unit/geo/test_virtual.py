"""A virtual raster is identified by the files that it reads, not by its text alone."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from gair_cli.geo.rasters import write_geotiff
from gair_cli.geo.tile_plan import TilingOptions, plan_tiles
from gair_cli.geo.virtual import raster_files, raster_fingerprints

UTM = {"crs": "EPSG:32633", "transform": (10.0, 0.0, 5e5, 0.0, -10.0, 5e6)}

VRT = """<VRTDataset rasterXSize="16" rasterYSize="16">
  <SRS>EPSG:32633</SRS>
  <GeoTransform>500000, 10, 0, 5000000, 0, -10</GeoTransform>
  <VRTRasterBand dataType="Byte" band="1">
    <SimpleSource>
      <SourceFilename relativeToVRT="{relative}">{name}</SourceFilename>
      <SourceBand>1</SourceBand>
    </SimpleSource>
  </VRTRasterBand>
</VRTDataset>
"""


def write_pixels(path, value):
    write_geotiff(path, np.full((1, 16, 16), value, np.uint8), **UTM)


def write_vrt(path, name, *, relative=1):
    path.write_text(VRT.format(relative=relative, name=name), encoding="utf-8")
    return path


@pytest.mark.parametrize("relative", [0, 1])
def test_changed_pixels_behind_a_vrt_change_the_plan(tmp_path, relative):
    (tmp_path / "below").mkdir()
    source = tmp_path / "below" / "a&b.tif"
    name = "below/a&amp;b.tif" if relative else str(source).replace("&", "&amp;")
    vrt = write_vrt(tmp_path / "scene.vrt", name, relative=relative)
    plans = []
    for value in (7, 9, 7):
        write_pixels(source, value)
        plans.append(plan_tiles([vrt], TilingOptions(size=8)).digests)
    assert plans[0] == plans[2] != plans[1]


def test_vrt_of_a_vrt_counts_every_file_once_and_missing_ones_not(tmp_path):
    write_pixels(tmp_path / "a.tif", 1)
    inner = write_vrt(tmp_path / "inner.vrt", "a.tif")
    outer = write_vrt(tmp_path / "outer.vrt", "inner.vrt")
    text = outer.read_text(encoding="utf-8")
    source = text[text.index("    <SimpleSource>") : text.index("  </VRTRasterBand>")]
    more = source + source.replace("inner.vrt", "outer.vrt") + source.replace("inner", "none")
    outer.write_text(text.replace(source, more), encoding="utf-8")
    assert raster_files(outer) == [outer, inner, tmp_path / "a.tif"]
    assert raster_files(tmp_path / "a.tif") == [tmp_path / "a.tif"]
    assert len(raster_fingerprints(outer)) == 3


@pytest.mark.skipif(shutil.which("gdalbuildvrt") is None, reason="needs gdalbuildvrt")
def test_files_that_gdalbuildvrt_names_are_found(tmp_path):
    paths = [tmp_path / name for name in ("a.tif", "b.tif")]
    for path in paths:
        write_pixels(path, 1)
    subprocess.run(["gdalbuildvrt", "-q", "-separate", tmp_path / "s.vrt", *paths], check=True)
    assert raster_files(tmp_path / "s.vrt")[1:] == paths
