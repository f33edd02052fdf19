"""Scenes, tiles and memory drawn by seed: the engine always equals the slow reference."""

from __future__ import annotations

import numpy as np
import pytest
from made_rasters import FLOATS, INTEGERS, Kind, pixels_of, write_plain
from oracle.comparing import assert_equals_reference, by_place, tiled
from oracle.reference import cut

from gair_cli.errors import DataError

SEEDS = range(24)


def drawn_scene(random, folder):
    """Write a scene of a drawn layout; return its path, pixels and nodata value."""
    dtype = str(random.choice([*INTEGERS, *FLOATS]))
    shape = (int(random.integers(1, 6)), *(int(n) for n in random.integers(20, 260, 2)))
    pixels = pixels_of(Kind("", dtype, shape), int(random.integers(1000)))
    nodata = int(random.integers(0, 100)) if random.random() < 0.6 else None
    if nodata is not None:
        top, left = (int(random.integers(length)) for length in shape[1:])
        pixels[:, top:, left:] = nodata
        pixels[random.random(shape) < 0.1] = nodata
    profile = {
        "photometric": "minisblack",  # or four bands of bytes would be red, green, blue, alpha
        "compress": str(random.choice(["none", "deflate", "zstd", "lzw"])),
        "interleave": str(random.choice(["pixel", "band"])),
    }
    if random.random() < 0.5:
        width, height = (int(n) * 16 for n in random.integers(1, 9, 2))
        profile |= {"tiled": True, "blockxsize": width, "blockysize": height}
    else:
        profile["blockysize"] = int(random.integers(1, shape[1] + 1))
    return write_plain(folder / "scene.tif", pixels, nodata=nodata, **profile), pixels, nodata


def drawn_cuts(random, pixels, nodata):
    size = int(random.integers(5, 120))
    stride = int(random.integers(max(3, size // 3), 2 * size))
    can_pad = nodata is not None or pixels.dtype.kind == "f"
    partial = str(random.choice(["skip", "shift", "pad"] if can_pad else ["skip", "shift"]))
    return {"size": size, "stride": stride, "partial": partial}


@pytest.mark.parametrize("seed", SEEDS)
def test_drawn_scene_equals_the_reference_with_any_threads_and_memory(tmp_path, seed):
    random = np.random.default_rng(seed)
    path, pixels, nodata = drawn_scene(random, tmp_path)
    cuts = drawn_cuts(random, pixels, nodata)
    expected = cut(pixels, nodata=nodata, **cuts)
    jobs = int(random.integers(1, 4))
    if not expected:
        with pytest.raises(DataError, match="no tile is left"):
            tiled(path, tmp_path / "tiles", jobs=jobs, **cuts)
        return
    tiles = tiled(path, tmp_path / "tiles", jobs=jobs, **cuts)
    assert_equals_reference(tiles, expected)
    for memory in (3_000_000, 200_000):
        try:
            tight = tiled(path, tmp_path / f"tight{memory}", jobs=2, memory=memory, **cuts)
        except DataError as error:
            assert "are allowed" in str(error)  # noqa: PT017 - either may happen
            continue
        assert [row["tile_id"] for row, _ in by_place(tight).values()] == [
            row["tile_id"] for row, _ in by_place(tiles).values()
        ]
        assert_equals_reference(tight, expected)
