"""Cloud and nodata shares of tiles equal those counted pixel by pixel in plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from made_rasters import TRANSFORM, write_plain
from oracle.comparing import RELATIVE, by_place
from oracle.reference import cut

from gair_cli.geo.tileset import TileSet


def scl_clouds(classes):
    return np.isin(classes, [8, 9, 10])


def qa60_clouds(bits):
    return (bits & (1 << 10) != 0) | (bits & (1 << 11) != 0)


def pixel_qa_clouds(bits):
    return bits & 0b1110 != 0


SOURCES = {
    "scl": ("SCL", 20, "uint8", 12, scl_clouds),
    "qa60": ("QA60", 60, "uint16", 1 << 12, qa60_clouds),
    "bqa": ("QA_PIXEL", 30, "uint16", 1 << 9, pixel_qa_clouds),
}


def write_scene(folder, source, *, shape=(187, 242)):
    """Write two bands at 10 m and a coarser class band that reaches beyond them.

    Returns the bands (2, H, W) and where clouds are at 10 m.
    """
    name, metres, dtype, limit, clouds = SOURCES[source]
    random = np.random.default_rng(metres)
    pixels = random.integers(1, 4000, (2, *shape)).astype(np.uint16)
    pixels[:, 60:150, :100] = 0
    pixels[random.random(pixels.shape) < 0.1] = 0
    factor = metres // 10
    coarse = random.integers(0, limit, [-(-length // factor) for length in shape]).astype(dtype)
    for number, band in enumerate(pixels, 2):
        write_plain(folder / f"T33UUP_B{number:02}_10m.tif", band[None], nodata=0)
    place = rasterio.Affine(metres, 0, TRANSFORM.c, 0, -metres, TRANSFORM.f)
    write_plain(folder / f"T33UUP_{name}_{metres}m.tif", coarse[None], transform=place)
    cloudy = clouds(coarse).repeat(factor, 0).repeat(factor, 1)[: shape[0], : shape[1]]
    return pixels, cloudy


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("partial", ["shift", "pad"])
def test_cloud_shares_of_coarser_quality_bands_are_counted_among_all_pixels(
    gair, tmp_path, source, partial
):
    (tmp_path / "bands").mkdir()
    pixels, cloudy = write_scene(tmp_path / "bands", source)
    words = ("--stack", "--size", 32, "--stride", 27, "--partial", partial, "-q")
    result = gair("tile", tmp_path / "bands", "-o", tmp_path / "tiles", *words)
    assert result.exit_code == 0, result.stderr
    tiles = TileSet.open(tmp_path / "tiles")
    assert tiles.info.bands == ("B2", "B3")
    cuts = {"size": 32, "stride": 27, "partial": partial, "nodata": 0}
    expected = {(tile.row, tile.col): tile for tile in cut(pixels, **cuts)}
    clouds = {place: share(tile, cloudy) for place, tile in expected.items()}
    found = by_place(tiles)
    assert sorted(found) == sorted(expected)
    for place, (row, array) in found.items():
        assert (array == expected[place].pixels).all()
        assert row["nodata_fraction"] == pytest.approx(expected[place].nodata_fraction, abs=1e-6)
        assert row["cloud_fraction"] == pytest.approx(clouds[place], rel=RELATIVE, abs=1e-7)
    limit = float(np.median([*clouds.values()]))
    assert 0 < min(clouds.values()) < limit < max(clouds.values())
    few = gair("tile", tmp_path / "bands", "-o", tmp_path / "few", *words, "--max-cloud", limit)
    assert few.exit_code == 0, few.stderr
    kept = sorted(by_place(TileSet.open(tmp_path / "few")))
    assert kept == sorted(place for place, one in clouds.items() if one <= limit)


def share(tile, cloudy):
    """Cloudy pixels that are valid in any band, among all pixels of the tile."""
    whole = np.zeros(tile.pixels.shape[1:], bool)
    part = cloudy[tile.top : tile.top + whole.shape[0], tile.left : tile.left + whole.shape[1]]
    whole[: part.shape[0], : part.shape[1]] = part
    return float((whole & tile.valid.any(axis=0)).mean())


def test_without_a_cloud_source_there_is_no_cloud_share(gair, tmp_path):
    (tmp_path / "bands").mkdir()
    write_scene(tmp_path / "bands", "scl")
    words = ("--stack", "--cloud-source", "none", "-o", tmp_path / "tiles")
    assert gair("tile", tmp_path / "bands", *words).exit_code == 0
    index = TileSet.open(tmp_path / "tiles").index
    assert index["cloud_fraction"].null_count() == index.height > 0
