"""Files with changed bytes are read or refused: never a crash, a hang or a flood of memory."""

from __future__ import annotations

import hostile_rasters
import numpy as np
import pytest
from batches import Case, run_batch
from made_rasters import Kind, make, write_plain

from gair_cli.geo.tile_plan import TilingOptions
from gair_cli.geo.tileset import TileSet
from gair_cli.geo.tiling import tile_scenes

SHAPE = (2, 40, 50)
TILED = ("TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16")
KINDS = (
    Kind("deflate", shape=SHAPE, options=("COMPRESS=DEFLATE", "PREDICTOR=2", *TILED)),
    Kind("zstd", shape=SHAPE, options=("COMPRESS=ZSTD", "INTERLEAVE=BAND", *TILED)),
    Kind("plain", "uint8", SHAPE, options=("BLOCKYSIZE=7",)),
    Kind("floats", "float32", SHAPE, options=("COMPRESS=DEFLATE", "PREDICTOR=3", "BIGTIFF=YES")),
    Kind("lzw", "int16", SHAPE, options=("COMPRESS=LZW", "INTERLEAVE=BAND", "BLOCKYSIZE=9")),
    Kind("lerc", "float32", SHAPE, options=("COMPRESS=LERC_ZSTD", *TILED)),
    Kind("cog", shape=(2, 140, 150), driver="COG", options=("COMPRESS=DEFLATE", "BLOCKSIZE=128")),
    Kind("jp2", shape=SHAPE, driver="JP2OpenJPEG", options=("QUALITY=100", "REVERSIBLE=YES")),
)
COUNT = 40
LIMIT_S = 40.0
MOST_MB = 1000.0


def assert_survived(cases, folder):
    outcomes = run_batch(cases, limit_s=LIMIT_S)
    for name, outcome in outcomes.items():
        left = [path.name for path in folder.rglob("mutated-*")]
        assert isinstance(outcome.result, dict), f"{name}: {left}: {outcome}"
        assert outcome.result["bad"] == [], f"{name}: {outcome.result['bad']}"
        assert outcome.peak_mb < MOST_MB, f"{name}: {outcome.peak_mb:.0f} MB"
        assert name == "index.parquet" or "panicked" not in outcome.stderr, outcome.stderr
    return outcomes


def test_rasters_with_changed_bytes_are_tiled_or_refused(tmp_path):
    cases = []
    for number, kind in enumerate(KINDS):
        folder = tmp_path / kind.name
        folder.mkdir()
        path = make(kind, folder).path
        words = (path, 600, 1000 * number, COUNT)
        cases.append(Case(kind.name, "mutations:cut_mutated", words))
    # boxes in a circle: GDAL 3.6 never ends when it is asked for the structure of the image
    cases.append(Case("circle", "mutations:cut_mutated", (path, 600, 700_793, 1)))
    outcomes = assert_survived(cases, tmp_path)
    counts = {kind.name: outcomes[kind.name].result for kind in KINDS}
    assert all(found["refused"] > COUNT // 10 for found in counts.values()), counts
    assert sum(found["read"] for found in counts.values()) > COUNT, counts


def test_virtual_rasters_with_changed_letters_are_tiled_or_refused(tmp_path):
    pixels = np.random.default_rng(0).integers(1, 4000, (1, 70, 90)).astype(np.uint16)
    write_plain(tmp_path / "below.tif", pixels)
    (tmp_path / "scene.vrt").write_text(hostile_rasters.vrt("below.tif"))
    words = (tmp_path / "scene.vrt", 10_000, 50_000, 4 * COUNT)
    assert_survived([Case("vrt", "mutations:cut_mutated", words)], tmp_path)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    pixels = np.random.default_rng(0).integers(1, 4000, (3, 40, 50)).astype(np.uint16)
    path = write_plain(folder / "scene.tif", pixels, nodata=0)
    tile_scenes([path], folder / "tiles", options=TilingOptions(size=16))
    return TileSet.open(folder / "tiles")


def test_tiles_with_changed_bytes_are_decoded_or_refused(tiles, tmp_path):
    (tmp_path / "tile.tif").write_bytes(tiles.member_bytes(0))
    words = (tmp_path / "tile.tif", 400, 0, 1500)
    assert_survived([Case("tile", "mutations:decode_mutated", words)], tmp_path)


def test_tile_sets_with_changed_bytes_are_read_or_refused(tiles, tmp_path):
    names = {"shards/tiles-000000.tar": 3000, "index.parquet": 10**6, "dataset.json": 10**6}
    cases = [
        Case(name, "mutations:read_mutated", (tiles.path, name, header, 1000 * place, 150))
        for place, (name, header) in enumerate(names.items())
    ]
    assert_survived(cases, tmp_path)
