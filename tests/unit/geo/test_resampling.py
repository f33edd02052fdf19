"""Tiles on other grids, held against gdalwarp (rasterio's GDAL) with the same kernel."""

import numpy as np
import pytest

from gair_cli import _rust
from gair_cli.geo.layouts import Layout
from gair_cli.geo.scene import Band, Grid, Scene
from gair_cli.geo.tile_stream import iter_tiles

rasterio = pytest.importorskip("rasterio")
warp = pytest.importorskip("rasterio.warp")

KERNELS = ["nearest", "bilinear", "cubic", "average"]


def grid_of(dataset):
    crs = f"EPSG:{dataset.crs.to_epsg()}"
    return Grid(crs, tuple(dataset.transform)[:6], dataset.width, dataset.height)


def scene_of(path, kernel, nodata, *, number=1):
    with rasterio.open(path) as dataset:
        grid, dtype = grid_of(dataset), dataset.dtypes[0]
    band = Band("b", str(path), number, nodata, kernel)
    return Scene("s", path.name, (str(path),), (band,), dtype, grid, nodata, None, None)


def layout_on(grid, tops, lefts, size):
    number = np.arange(len(tops))
    places = (np.asarray(tops, np.int64), np.asarray(lefts, np.int64))
    return Layout("other", grid, size, size, number, number, *places)


def ours(path, target, kernel, nodata, *, number=1):
    """Cut the whole target as one tile."""
    layout = layout_on(target, [0], [0], (target.height, target.width))
    scene = scene_of(path, kernel, nodata, number=number)
    (batch,) = iter_tiles(scene, layout, jobs=1)
    return batch.pixels[0][0]


def theirs(path, target, kernel, nodata, *, number=1, **options):
    """Let gdalwarp make the whole target."""
    with rasterio.open(path) as dataset:
        out = np.full((target.height, target.width), nodata, dataset.dtypes[0])
        warp.reproject(
            rasterio.band(dataset, number), out, dst_crs=target.crs,
            dst_transform=rasterio.Affine(*target.transform), src_nodata=nodata,
            dst_nodata=nodata, resampling=warp.Resampling[kernel], **options,
        )  # fmt: skip
    return out


def suggested(path, crs, resolution=None):
    with rasterio.open(path) as dataset:
        transform, width, height = _rust.suggest_grid(grid_of(dataset), crs, resolution)
    return Grid(crs, transform, width, height)


def finer(grid, ratio):
    """Return a grid of the same corner whose pixels are `ratio` as large."""
    a, b, west, d, e, north = grid.transform
    transform = (a * ratio, b * ratio, west, d * ratio, e * ratio, north)
    return Grid(grid.crs, transform, int(grid.width / ratio), int(grid.height / ratio))


def agree(mine, peer, nodata):
    """Assert one grey level of median difference, and that both are valid in the same places."""
    both = (mine != nodata) & (peer != nodata)
    either = (mine != nodata) | (peer != nodata)
    assert both.sum() > 0.97 * either.sum()
    assert both.sum() > 500
    apart = np.abs(mine[both].astype(float) - peer[both].astype(float))
    assert np.median(apart) <= 1.0
    spread = peer[both].astype(float).std()
    assert np.mean(apart) < 0.05 * spread + 0.5


def real(shared_data):
    """Return real rasters by name: path, band, nodata."""
    chips = sorted((shared_data / "s2-chips").glob("*.tif"))
    return {
        "chip": (chips[0], 4, 0),
        "southern chip": (chips[-1], 8, 0),
        "landsat": (shared_data / "landsat8" / "l8_B4.tif", 1, 0),
        "photo of a scene": (shared_data / "s2-scene" / "bands" / "B04.tif", 1, 255),
    }


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("system", ["EPSG:4326", "EPSG:3857", "neighbour"])
@pytest.mark.parametrize("name", ["chip", "southern chip"])
def test_reprojected_scenes_agree_with_gdalwarp(shared_data, name, system, kernel):
    path, number, nodata = real(shared_data)[name]
    with rasterio.open(path) as dataset:
        own = dataset.crs.to_epsg()
    target = suggested(path, f"EPSG:{own + 1}" if system == "neighbour" else system)
    mine = ours(path, target, kernel, nodata, number=number)
    agree(mine, theirs(path, target, kernel, nodata, number=number), nodata)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("system", ["EPSG:3857", "EPSG:32617"])
def test_landsats_contrasts_agree_with_gdalwarp(shared_data, system, kernel):
    # gdalwarp takes positions along a line to be straight within an eighth of a pixel: that is
    # more than a grey level here, unless lines are short; then it must be told the scale
    path, number, nodata = real(shared_data)["landsat"]
    whole = suggested(path, system)
    a, b, west, d, e, north = whole.transform
    target = Grid(system, (a, b, west + 250 * a, d, e, north + 150 * e), 48, 256)
    mine = ours(path, target, kernel, nodata, number=number)
    peer = theirs(path, target, kernel, nodata, number=number, XSCALE=1, YSCALE=1)
    agree(mine, peer, nodata)


@pytest.mark.parametrize("kernel", KERNELS)
def test_degrees_to_metres_agree_with_gdalwarp(shared_data, kernel):
    path, number, nodata = real(shared_data)["photo of a scene"]
    whole = suggested(path, "EPSG:32618", 20.0)
    a, b, west, d, e, north = whole.transform
    target = Grid(whole.crs, (a, b, west + 6000, d, e, north - 6000), 500, 400)
    mine = ours(path, target, kernel, nodata, number=number)
    agree(mine, theirs(path, target, kernel, nodata, number=number), nodata)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("ratio", [0.5, 1 / 6, 2.5, 2.0])
def test_other_resolutions_agree_with_gdalwarp(shared_data, ratio, kernel):
    path, number, nodata = real(shared_data)["chip"]
    with rasterio.open(path) as dataset:
        target = finer(grid_of(dataset), ratio)
    mine = ours(path, target, kernel, nodata, number=number)
    agree(mine, theirs(path, target, kernel, nodata, number=number), nodata)


def write(path, values, transform, *, crs="EPSG:32633", nodata=None):
    height, width = values.shape
    profile = {"driver": "GTiff", "width": width, "height": height, "count": 1, "crs": crs}
    with rasterio.open(
        path, "w", **profile, dtype=values.dtype, transform=rasterio.Affine(*transform),
        nodata=nodata, tiled=True, blockxsize=64, blockysize=64,
    ) as dataset:  # fmt: skip
        dataset.write(values, 1)
    return path


@pytest.fixture(scope="module")
def holed(tmp_path_factory):
    """A smooth scene with noise, a wedge and dots of nodata."""
    rng = np.random.default_rng(7)
    rows, cols = np.mgrid[:300, :320]
    values = 2000 + 900 * np.sin(rows / 30) * np.cos(cols / 40) + rng.normal(0, 20, rows.shape)
    values[rows + cols < 150] = 0
    values[rng.random(rows.shape) < 0.01] = 0
    path = tmp_path_factory.mktemp("made") / "holed.tif"
    transform = (20.0, 0.0, 600_000.0, 0.0, -20.0, 5_300_000.0)
    return write(path, values.astype(np.uint16), transform, nodata=0)


def slow_bilinear(values, ratio):
    """Resample to pixels `ratio` as large, by the written rule, one pixel at a time."""
    height, width = (int(side / ratio) for side in values.shape)
    out = np.zeros((height, width))
    for row in range(height):
        for col in range(width):
            y, x = (row + 0.5) * ratio - 0.5, (col + 0.5) * ratio - 0.5
            near = [
                (i, j) for i in (int(np.floor(y)), int(np.floor(y)) + 1)
                for j in (int(np.floor(x)), int(np.floor(x)) + 1)
                if 0 <= i < values.shape[0] and 0 <= j < values.shape[1] and values[i, j] != 0
            ]  # fmt: skip
            weights = np.array([(1 - abs(y - i)) * (1 - abs(x - j)) for i, j in near])
            if weights.sum() > 0:
                mean = (weights * [values[place] for place in near]).sum() / weights.sum()
                out[row, col] = np.floor(mean + 0.5)
    return out


def test_next_to_nodata_valid_neighbours_are_renormalised(holed):
    with rasterio.open(holed) as dataset:
        values, target = dataset.read(1)[60:100, 60:100], grid_of(dataset)
    a, b, west, d, e, north = target.transform
    corner = (a / 2, b, west + 60 * a, d, e / 2, north + 60 * e)
    whole = ours(holed, Grid(target.crs, corner, 80, 80), "bilinear", 0)
    expected = slow_bilinear(values.astype(float), 0.5)
    inner = np.s_[1:-1, 1:-1]  # the reference ends where its part of the scene does
    np.testing.assert_array_equal(whole[inner], expected[inner])
    assert (expected == 0).any()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32632", "EPSG:32633"])
def test_scenes_with_holes_agree_with_gdalwarp(holed, crs, kernel):
    target = suggested(holed, crs, 50.0 if crs == "EPSG:32633" else None)
    mine, peer = (cut(holed, target, kernel, 0) for cut in (ours, theirs))
    both = (mine != 0) & (peer != 0)
    assert both.sum() > 0.9 * (mine != 0).sum()
    assert np.median(np.abs(mine[both].astype(int) - peer[both])) <= 1


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:32634", "EPSG:3035"])
def test_every_pixel_is_within_half_a_pixel_of_gdalwarps(tmp_path, crs, kernel):
    rows, cols = np.mgrid[1:201, 1:241].astype(np.float64)
    transform = (20.0, 0.0, 700_000.0, 0.0, -20.0, 5_300_000.0)
    apart = []
    for name, ramp in (("rows", rows), ("cols", cols)):
        path = write(tmp_path / f"{name}.tif", ramp, transform, nodata=-9.0)
        target = suggested(path, crs)
        mine, peer = (cut(path, target, kernel, -9.0) for cut in (ours, theirs))
        valid = (peer > 0) & (mine > 0)
        assert valid.mean() > 0.6
        apart.append(np.where(valid, mine - peer, 0.0))
    distance = np.hypot(*apart)
    if kernel == "nearest":  # where two are equally far either will do
        assert distance.max() < 1.5
        assert np.mean(distance > 0.5) < 0.03
    else:
        assert distance.max() < 0.5


def test_positions_are_those_of_proj_itself(tmp_path):
    _, cols = np.mgrid[:200, :240].astype(np.float64)
    transform = (20.0, 0.0, 700_000.0, 0.0, -20.0, 5_300_000.0)
    path = write(tmp_path / "cols.tif", cols + 1000, transform, nodata=-9.0)
    target = suggested(path, "EPSG:4326")
    mine = ours(path, target, "bilinear", -9.0)
    y, x = np.mgrid[: target.height, : target.width] + 0.5
    a, _, west, _, e, north = target.transform
    lon, lat = west + a * x.ravel(), north + e * y.ravel()
    east, _ = warp.transform("EPSG:4326", "EPSG:32633", lon, lat)
    wanted = ((np.array(east) - 700_000) / 20 - 0.5).reshape(mine.shape) + 1000
    inner = (mine > 1001) & (mine < 1238)
    assert inner.mean() > 0.6
    assert np.abs(mine - wanted)[inner].max() < 0.01


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32633"])
def test_tiles_cut_separately_equal_the_scene_resampled_at_once(holed, crs, kernel):
    target = suggested(holed, crs, None if crs == "EPSG:4326" else 13.0)
    whole = ours(holed, target, kernel, 0)
    tops, lefts = (
        places.ravel()
        for places in np.meshgrid(
            np.arange(0, target.height - 64, 41), np.arange(0, target.width - 64, 53)
        )
    )
    layout = layout_on(target, tops, lefts, (64, 64))
    seen = 0
    for batch in iter_tiles(scene_of(holed, kernel, 0), layout, jobs=2):
        for number, (tile,) in zip(batch.number, batch.pixels, strict=True):
            top, left = tops[number], lefts[number]
            np.testing.assert_array_equal(tile, whole[top : top + 64, left : left + 64])
            seen += 1
    assert seen > 0.7 * len(tops)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "int64", "uint64", "float32"])
def test_nearest_copies_values_of_every_type(tmp_path, dtype):
    kind = np.dtype(dtype)
    top = 200 if kind.kind == "f" else np.iinfo(kind).max
    values = kind.type(top) - (np.arange(60 * 50).reshape(60, 50) % 50).astype(kind)
    transform = (20.0, 0.0, 700_000.0, 0.0, -20.0, 5_300_000.0)
    path = write(tmp_path / "values.tif", values, transform)
    same = Grid("EPSG:32633", (10.0, 0.0, 700_000.0, 0.0, -10.0, 5_300_000.0), 100, 120)
    mine = ours(path, same, "nearest", 0)
    np.testing.assert_array_equal(mine, values.repeat(2, 0).repeat(2, 1))
    turned = suggested(path, "EPSG:4326")
    mine = ours(path, turned, "nearest", 0)
    assert np.isin(mine[mine != 0], values).all()


def test_bounds_in_degrees_are_those_of_rasterio(holed):
    with rasterio.open(holed) as dataset:
        grid, bounds = grid_of(dataset), dataset.bounds
    expected = warp.transform_bounds(grid.crs, "EPSG:4326", *bounds, densify_pts=127)
    np.testing.assert_allclose(_rust.grid_bounds(grid, "EPSG:4326"), expected, atol=1e-8)
    with pytest.raises(ValueError, match="EPSG:999999 is not a known CRS"):
        _rust.grid_bounds(grid, "EPSG:999999")
