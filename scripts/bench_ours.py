"""Our cutter to memory, as a process of its own, for `bench_tile.py`: the counterpart of the peers.

Cuts the tiles of one scene with `gair_cli.geo.tile_stream`, their statistics too, and prints one
JSON line: tiles, and the seconds that planning and cutting took without start-up and imports.

    python scripts/bench_ours.py scene.tif -j 1
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gair_cli.geo.scenes import SceneOptions, open_scene
from gair_cli.geo.tile_plan import TilingOptions, scene_layout
from gair_cli.geo.tile_stream import iter_tiles

if TYPE_CHECKING:
    from gair_cli.geo.layouts import Layout
    from gair_cli.geo.scene import Scene


def described(paths: list[Path]) -> Scene:
    """Describe a scene whose bands lie in one file or, finest first, in several."""
    scenes = [open_scene(str(path), [str(path)], options=SceneOptions()) for path in paths]
    bands = [band for scene in scenes for band in scene.bands]
    named = tuple(replace(band, name=f"band{n}") for n, band in enumerate(bands, start=1))
    return replace(scenes[0], bands=named)


def laid_out(scene: Scene, given: argparse.Namespace) -> Layout:
    """Return the tiles asked for, row by row or in random order."""
    layout = scene_layout(scene, TilingOptions(size=given.size, stride=given.stride))
    if not given.shuffle:
        return layout
    order = np.random.default_rng(0).permutation(len(layout))
    names = ("rows", "cols", "tops", "lefts")
    return replace(layout, **{name: getattr(layout, name)[order] for name in names})


def main() -> None:
    """Cut one scene."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenes", type=Path, nargs="+", help="finest first")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--stride", type=int, help="default: the size")
    parser.add_argument("--shuffle", action="store_true", help="ask for tiles in random order")
    parser.add_argument("-j", "--jobs", type=int, default=1)
    given = parser.parse_args()
    cpu, wall = time.process_time(), time.perf_counter()
    scene = described(given.scenes)
    batches = iter_tiles(scene, laid_out(scene, given), jobs=given.jobs)
    tiles = sum(bool(tile.shape) for batch in batches for tile in batch.pixels)
    took = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    print(json.dumps({"count": tiles, **took}))


if __name__ == "__main__":
    main()
