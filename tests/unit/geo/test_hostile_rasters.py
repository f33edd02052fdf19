"""Damaged and dishonest scenes end in one clear line: no crash, no hang, no flood of memory."""

from __future__ import annotations

import os
import shutil
import zlib

import hostile_rasters as made
import numpy as np
import pytest
from batches import Case, run_batch
from made_rasters import Kind, make, write_plain

from gair_cli.geo.tileset import TileSet

MAIN = "gair_cli.commands.main:main"
LIMIT_S = 20.0
MOST_MB = 600.0
PIXELS = np.random.default_rng(0).integers(1, 4000, (2, 70, 90)).astype(np.uint16)
DEFLATE = ("COMPRESS=DEFLATE", "PREDICTOR=2", "TILED=YES", "BLOCKXSIZE=32", "BLOCKYSIZE=16")
LAYOUTS = {
    "tiled": Kind("tiled", "uint16", (2, 70, 90), options=("INTERLEAVE=BAND", *DEFLATE)),
    "pixel": Kind("pixel", "uint16", (2, 70, 90), options=("INTERLEAVE=PIXEL", *DEFLATE)),
    "strips": Kind("strips", "uint16", (2, 70, 90), options=("BLOCKYSIZE=7",)),
    "zstd": Kind("zstd", "uint16", (2, 70, 90), options=("COMPRESS=ZSTD", "INTERLEAVE=BAND")),
    "lzw": Kind("lzw", "uint16", (2, 70, 90), options=("COMPRESS=LZW", "PREDICTOR=2")),
    "cog": Kind("cog", "uint16", (2, 300, 280), (), (), "COG"),
    "jp2": Kind("jp2", "uint16", (2, 70, 90), ("QUALITY=100", "REVERSIBLE=YES"), (), "JP2OpenJPEG"),
}


class Zoo:
    """Hostile files in one folder, and what tiling each must end in."""

    def __init__(self, folder):
        self.folder = folder
        self.cases = {}

    def add(self, name, content, *, codes=(3,), words=(), suffix="tif"):
        """Write a file (or name a path) whose tiling ends in one of some exit codes."""
        path = self.folder / f"{name}.{suffix}"
        if isinstance(content, str | bytes):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        elif content is not None:
            path = content
        self.cases[name] = (path, codes, ("--size", "10", "-j", "2", *words))
        return path

    def output(self, name):
        return self.folder / f"{name}.tiles"

    def run(self):
        return run_batch(
            [
                Case(name, MAIN, ("tile", path, "-o", self.output(name), "-q", *words))
                for name, (path, _, words) in self.cases.items()
            ],
            limit_s=LIMIT_S,
        )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One sound raster of each layout, as bytes."""
    folder = tmp_path_factory.mktemp("sound")
    found = {}
    for name, kind in LAYOUTS.items():
        (folder / name).mkdir()
        found[name] = make(kind, folder / name).path.read_bytes()
    return found


def complaints(zoo, outcomes, name):
    """Yield what is wrong with the end of one case."""
    path, codes, _ = zoo.cases[name]
    outcome = outcomes[name]
    lines = outcome.stderr.splitlines()
    if outcome.result not in codes:
        yield f"ended with {outcome.result}, not {codes}"
    if outcome.peak_mb > MOST_MB:
        yield f"took {outcome.peak_mb:.0f} MB"
    if not all(line.startswith(("gair: ", "hint: ")) for line in lines):
        yield "printed something else"
    if outcome.result == 0:
        return
    if sum(line.startswith("gair: error: ") for line in lines) != 1:
        yield "has not one line of error"
    if path.name not in outcome.stderr:
        yield "does not name the file"
    left = [found.name for found in zoo.folder.glob(f"{name}.tiles*")]
    if left:
        yield f"left {left}"


def assert_all_refused(zoo):
    """Fail with every case that crashed, hung, took much memory, was unclear or left files."""
    outcomes = zoo.run()
    found = [
        f"{name}: {what}: {outcomes[name].stderr[:300]}"
        for name in zoo.cases
        for what in complaints(zoo, outcomes, name)
    ]
    assert not found, "\n".join([f"{len(found)} complaints", *found])


def test_rasters_cut_off_anywhere_are_refused(files, tmp_path):
    zoo = Zoo(tmp_path)
    for layout, data in files.items():
        random = np.random.default_rng(len(data))
        places = {1, 3, 4, 8, 12, 100, len(data) // 2, *random.integers(1, len(data) - 8, 6)}
        for place in sorted(places):
            zoo.add(f"{layout}-{place}", data[:place], suffix="jp2" if layout == "jp2" else "tif")
    assert_all_refused(zoo)


def false_tags(data, tags):
    """Yield names and files in which one number of a directory is a lie."""
    offsets, counts = tags
    size = len(data)
    for name, tag in (("offset", offsets), ("length", counts)):
        for what, value in (("zero", 0), ("end", size), ("beyond", size * 10), ("most", 2**32 - 1)):
            yield f"{name}-{what}", made.with_values(data, tag, at1=value)
            yield f"{name}-every-{what}", made.with_values(data, tag, every=value)
        yield f"{name}-few", made.with_values(data, tag, count=1)
        yield f"{name}-many", made.with_values(data, tag, count=2**31)
        yield f"{name}-gone", made.without_tag(data, tag)
    yield "offset-header", made.with_values(data, offsets, at1=0)
    for name, tag in (("width", made.WIDTH), ("height", made.HEIGHT), ("bits", made.BITS)):
        for value in (0, 1, 17, 65_535, 2**31):
            yield f"{name}-{value}", made.with_values(data, tag, every=value)
    for tag in (made.COMPRESSION, made.PLANAR, made.SAMPLES, made.PREDICTOR, made.FORMAT):
        for value in (0, 3, 5, 99, 65_535):
            yield f"tag{tag}-{value}", made.with_values(data, tag, every=value)
    yield "circle", made.in_a_circle(data)


def test_false_block_offsets_counts_and_sizes_end_in_tiles_or_one_clear_line(files, tmp_path):
    zoo = Zoo(tmp_path)
    tiles, strips = (made.TILE_OFFSETS, made.TILE_COUNTS), (made.STRIP_OFFSETS, made.STRIP_COUNTS)
    for layout, tags in (("tiled", tiles), ("pixel", tiles), ("lzw", strips)):
        for name, data in false_tags(files[layout], tags):
            zoo.add(f"{layout}-{name}", data, codes=(0, 3, 4))
    for value in (0, 1, 15, 48, 65_536, 2**31):
        for tag in (made.TILE_WIDTH, made.TILE_HEIGHT):
            data = made.with_values(files["tiled"], tag, every=value)
            zoo.add(f"tile-{tag}-{value}", data, codes=(0, 3, 4))
    assert_all_refused(zoo)


def test_blocks_that_inflate_to_too_much_or_too_little_are_contained(tmp_path):
    zoo = Zoo(tmp_path)
    bomb = made.deflated(1 << 30)
    zoo.add("bomb-strip", made.one_strip(90, 70, bomb), codes=(0, 3))
    zoo.add("bomb-tiles", made.one_tile(90, 70, 32, bomb), codes=(0, 3))
    zoo.add("short", made.one_strip(90, 70, zlib.compress(bytes(90 * 69))))
    zoo.add("short-tile", made.one_tile(90, 70, 32, zlib.compress(bytes(32 * 31))))
    zoo.add("no-end", made.one_strip(90, 70, zlib.compress(bytes(range(256)) * 25)[:40]))
    zoo.add("not-deflated", made.one_strip(90, 70, b"\xff" * 500))
    zoo.add("raw-short", made.one_strip(90, 70, bytes(90 * 69), compression=1))
    assert_all_refused(zoo)


def test_sizes_that_no_file_of_this_length_can_hold_are_refused_before_memory_is_taken(tmp_path):
    zoo = Zoo(tmp_path)
    most = 2**31 - 1
    small = zlib.compress(bytes(100))
    zoo.add("strip-wide", made.one_strip(most, 1, small), codes=(3, 4))
    zoo.add("strip-both", made.one_strip(most, most, small), codes=(3, 4))
    large = ("--size", "9000")
    zoo.add("strip-square", made.one_strip(60_000, 60_000, small), codes=(3, 4), words=large)
    tile = made.one_tile(60_000, 60_000, 60_000 // 16 * 16, small)
    zoo.add("tile-large", tile, codes=(3, 4), words=large)
    zoo.add("tile-largest", made.one_tile(90, 70, 2**31 - 16, small), codes=(3, 4))
    zoo.add("samples", made.one_strip(90, 70, small, samples=60_000), codes=(3, 4))
    zoo.add("vrt-most", made.vrt("x.tif", width=most, height=most), codes=(3, 4), suffix="vrt")
    empty = made.vrt("x.tif", width=3_000_000, height=3_000_000, body='<VRTRasterBand band="1"/>')
    zoo.add("vrt-sparse", empty, codes=(3, 4), suffix="vrt")
    zoo.add("vrt-full", empty, codes=(3, 4), suffix="vrt", words=("--size", "full"))
    pad = ("--size", "2000000000", "--partial", "pad", "--nodata", "0")
    zoo.add(
        "tile-size", made.one_strip(90, 70, zlib.compress(bytes(6300))), codes=(2, 3, 4), words=pad
    )
    assert_all_refused(zoo)


def test_virtual_rasters_in_circles_without_bands_or_files_are_refused(files, tmp_path):
    zoo = Zoo(tmp_path)
    zoo.add("a", made.vrt("b.vrt"), suffix="vrt")
    zoo.add("b", made.vrt("a.vrt"), suffix="vrt")
    zoo.add("self", made.vrt("self.vrt"), suffix="vrt")
    zoo.add("missing", made.vrt("nowhere.tif"), suffix="vrt")
    zoo.add("no-bands", made.vrt("", body=""), suffix="vrt")
    zoo.add("no-size", made.vrt("x.tif", width=0), suffix="vrt")
    zoo.add("minus", made.vrt("x.tif", width=-5), suffix="vrt")
    zoo.add("cut-off", made.vrt("x.tif")[:150], suffix="vrt")
    zoo.add("open-tags", "<VRTDataset>" * 20_000, suffix="vrt")
    zoo.add("nested-tags", "<VRTDataset " + "<a>" * 200_000, suffix="vrt")
    (tmp_path / "bottom.tif").write_bytes(files["tiled"])
    zoo.add("deep0", made.vrt("bottom.tif"), codes=(0, 3), suffix="vrt")
    for depth in range(1, 300):
        (tmp_path / f"deep{depth}.vrt").write_text(made.vrt(f"deep{depth - 1}.vrt"))
    zoo.add("deep", tmp_path / "deep299.vrt", codes=(0, 3))
    zoo.add("damaged-below", made.vrt("bad.tif"), suffix="vrt")
    (tmp_path / "bad.tif").write_bytes(files["tiled"][: len(files["tiled"]) // 2])
    for name in ("/dev/zero", "/dev/full", str(tmp_path)):
        zoo.add(f"names-{name.strip('/').replace('/', '-')[:12]}", made.vrt(name), suffix="vrt")
    assert_all_refused(zoo)


def test_what_is_no_raster_is_refused_and_nothing_waits_for_a_pipe(tmp_path):
    zoo = Zoo(tmp_path)
    zoo.add("empty", b"")
    zoo.add("text", "hello")
    zoo.add("magic", b"II*\0")
    zoo.add("bigtiff-magic", b"II+\0\x08\0\0\0" + b"\xff" * 8)
    zoo.add("zip", b"PK\x03\x04" + bytes(500))
    zoo.add("zeros", bytes(5000), suffix="jp2")
    folder = tmp_path / "folder.tif"
    folder.mkdir()
    zoo.add("folder", folder, codes=(2, 3))
    pipe = tmp_path / "pipe.tif"
    os.mkfifo(pipe)
    zoo.add("pipe", pipe)
    zoo.add("pipe-behind", made.vrt("pipe.tif"), suffix="vrt")
    for device in ("null", "zero", "random"):
        link = tmp_path / f"{device}.tif"
        link.symlink_to(f"/dev/{device}")
        zoo.add(device, link)
    loop = tmp_path / "loop.tif"
    loop.symlink_to(loop)
    zoo.add("loop", loop)
    zoo.add("broken-link", tmp_path / "nothing.tif")
    assert_all_refused(zoo)


@pytest.mark.parametrize("shape", [(1, 1), (1, 100_000), (100_000, 1), (3, 20_011)])
@pytest.mark.parametrize("tiled", [True, False])
def test_thin_rasters_are_tiled_like_others(gair, tmp_path, shape, tiled):
    pixels = np.random.default_rng(1).integers(1, 200, (1, *shape)).astype(np.uint8)
    more = {"tiled": True, "blockxsize": 16, "blockysize": 16} if tiled else {}
    path = write_plain(tmp_path / "thin.tif", pixels, compress="deflate", **more)
    words = ("tile", path, "-o", tmp_path / "tiles", "--nodata", 0, "-q")
    assert gair(*words, "--size", 96, "--partial", "pad").exit_code == 0
    tiles = TileSet.open(tmp_path / "tiles")
    assert len(tiles) == -(-shape[0] // 96) * -(-shape[1] // 96)
    last = tiles.index.with_row_index("place").sort("row", "col")["place"][-1]
    rows, cols = ((length - 1) % 96 + 1 for length in shape)
    array = tiles.read([last])[0]
    assert (array[:, :rows, :cols] == pixels[:, -rows:, -cols:]).all()
    assert (array != 0).sum() == rows * cols
    assert gair(*words, "--size", "full", "--overwrite").exit_code == 0
    assert (TileSet.open(tmp_path / "tiles").read([0])[0] == pixels).all()
    result = gair(*words, "--size", 4, "--overwrite")
    assert result.exit_code == 4
    assert "no tile is left" in result.stderr


@pytest.mark.parametrize("interleave", ["band", "pixel"])
def test_a_thousand_bands_are_tiled(gair, tmp_path, interleave):
    pixels = np.random.default_rng(2).integers(1, 9000, (1000, 40, 30)).astype(np.uint16)
    path = write_plain(tmp_path / "many.tif", pixels, interleave=interleave, compress="deflate")
    result = gair("tile", path, "-o", tmp_path / "tiles", "--size", 16, "-q")
    assert result.exit_code == 0, result.stderr
    tiles = TileSet.open(tmp_path / "tiles")
    assert len(tiles.info.bands) == 1000
    for place, row in enumerate(tiles.index.iter_rows(named=True)):
        top, left = row["row"] * 16, row["col"] * 16
        assert (tiles.read([place])[0] == pixels[:, top : top + 16, left : left + 16]).all()


def test_bad_scenes_of_every_sort_leave_the_good_ones_alone(gair, files, tmp_path):
    (tmp_path / "good.tif").write_bytes(files["tiled"])
    bad = {
        "short.tif": files["tiled"][:700],
        "late.tif": made.with_values(files["tiled"], made.TILE_OFFSETS, at17=2**31),
        "text.tif": b"hello",
        "self.vrt": made.vrt("self.vrt", bands=2).encode(),
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    names = ["short.tif", "good.tif", "late.tif", "text.tif", "self.vrt"]
    words = ("--band-names", "B2,B3", "--size", 24, "-o", tmp_path / "tiles")
    result = gair("tile", *(tmp_path / name for name in names), *words)
    assert result.exit_code == 5, result.stderr
    assert all(name in result.stderr for name in bad)
    shutil.rmtree(tmp_path / "only", ignore_errors=True)
    assert gair("tile", tmp_path / "good.tif", *words[:-1], tmp_path / "only").exit_code == 0
    mixed, only = (TileSet.open(tmp_path / name) for name in ("tiles", "only"))
    assert mixed.index["tile_id"].to_list() == only.index["tile_id"].to_list()
    assert [one.tobytes() for one in mixed.read(range(len(mixed)))] == [
        one.tobytes() for one in only.read(range(len(only)))
    ]
