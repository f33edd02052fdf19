"""Change bytes of sound files at random, by seed, and see what reading them does."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np

from gair_cli.errors import GairError
from gair_cli.geo.tile_plan import TilingOptions
from gair_cli.geo.tileset import TileSet, decode_tile
from gair_cli.geo.tiling import tile_scenes

_STRANGE = (0, 1, 2, 255, 256, 32_767, 32_768, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1)


def mutated(data, seed, header):
    """Return the bytes with one to three changes, half of them in the first `header` bytes."""
    random = np.random.default_rng(seed)
    changed = bytearray(data)
    for _ in range(random.integers(1, 4)):
        end = header if random.random() < 0.5 else len(changed)
        at = int(random.integers(max(1, min(end, len(changed)) - 1)))
        _change(changed, at, random)
    return bytes(changed)


def _change(changed, at, random):
    length = int(random.integers(1, 9))
    match int(random.integers(16)):
        case 0:
            del changed[at : at + length]
        case 1:
            changed[at:at] = changed[at : at + length]
        case 2:
            del changed[max(1, at) :]
        case 3 | 4 | 5 | 6:
            changed[at : at + length] = random.bytes(len(changed[at : at + length]))
        case 7 | 8 | 9 | 10:
            value = struct.pack("<I", _STRANGE[int(random.integers(len(_STRANGE)))])
            changed[at : at + 4] = value[: len(changed[at : at + 4])]
        case _:
            changed[at] ^= 1 << int(random.integers(8))


def cut_mutated(words):
    """Tile mutated copies of a raster: tiles or a GairError; returns what else there was."""
    sound, header, first, count = words
    return _each(sound, header, range(first, first + count), _cut)


def read_mutated(words):
    """Read tile sets of which one file was mutated; returns what else than arrays there was."""
    folder, name, header, first, count = words
    work = Path(folder).parent / "mutated"
    shutil.copytree(folder, work)
    try:
        return _each(work / name, header, range(first, first + count), _read, at=work / name)
    finally:
        shutil.rmtree(work)


def decode_mutated(words):
    """Decode mutated tiles; returns what else than arrays and GairErrors there was."""
    sound, header, first, count = words
    return _each(sound, header, range(first, first + count), _decode)


def _each(sound, header, seeds, look, at=None):
    """Look at a mutated copy for each seed; a crash leaves `mutated-SEED` behind."""
    sound = Path(sound)
    data, bad, refused = sound.read_bytes(), [], 0
    for seed in seeds:
        path = at or sound.with_name(f"mutated-{seed}{sound.suffix}")
        path.write_bytes(mutated(data, seed, header))
        try:
            look(path)
        except GairError:
            refused += 1
        except BaseException as error:  # noqa: BLE001 - a panic of Rust is no Exception
            bad.append(f"seed {seed}: {type(error).__name__}: {error}")
        path.unlink()
    return {"bad": bad, "refused": refused, "read": len(seeds) - refused - len(bad)}


def _cut(path):
    output = path.with_name("tiles")
    try:
        tile_scenes([path], output, options=TilingOptions(size=16, jobs=2))
        TileSet.open(output).read([0])
    finally:
        shutil.rmtree(output, ignore_errors=True)


def _read(path):
    folder = path.parent if path.parent.name == "mutated" else path.parent.parent
    tiles = TileSet.open(folder)
    tiles.read(range(len(tiles)))


def _decode(path):
    decode_tile(path.read_bytes())
