"""An installed wheel works from any folder; one without GDAL trains and embeds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cargo") is None, reason="no Rust toolchain to build with"),
]


def install(folder, *options):
    """Build a wheel with maturin and install it, without dependencies, into `folder`."""
    wheels = folder / "wheels"
    maturin = [sys.executable, "-m", "maturin", "build", "--release", "--quiet", "--out", wheels]
    subprocess.run([*maturin, *options], cwd=ROOT, check=True, capture_output=True)
    wheel = next(wheels.glob("gair-*.whl"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    site = folder / "site"
    subprocess.run([*pip, "--target", site, wheel], check=True, capture_output=True)
    return site


def run_installed(site, folder, *words):
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "gair_cli", *(str(word) for word in words)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_installed_wheel_embeds_with_the_packaged_model_from_another_folder(tmp_path):
    site = install(tmp_path)
    (tmp_path / "points.csv").write_text("name,lon,lat\nBerlin,13.4,52.5\nQuito,-78.5,-0.2\n")
    done = run_installed(site, tmp_path, "embed", "--points", "points.csv", "-f", "csv")
    assert done.returncode == 0, done.stderr
    assert "earth-tiny" in done.stderr
    assert len(done.stdout.splitlines()) == 3
    place = subprocess.run(
        [sys.executable, "-c", "import gair_cli; print(gair_cli.__file__)"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert place.stdout.startswith(str(site))


def test_build_without_gdal_trains_and_embeds_from_existing_tiles(tmp_path, city, tiles, pairs):
    site = install(tmp_path, "--no-default-features", "--features", "extension-module")
    short = ("--preset", "tiny", "--set", "recipe.steps=3", "--set", "recipe.batch_size=8")
    for words in (
        ("pack", pairs, "--tiles", tiles, "-o", "train"),
        ("pretrain", "train", "-o", "run", *short),
        ("embed", "--tiles", tiles, "--model", "run", "-o", "tiles.parquet"),
        (
            "embed",
            "--points",
            city / "points.csv",
            "--tiles",
            tiles,
            "--model",
            "run",
            "-o",
            "p.csv",
        ),
    ):
        done = run_installed(site, tmp_path, *words)
        assert done.returncode == 0, (words, done.stderr)
    refused = run_installed(site, tmp_path, "tile", city / "scene.tif", "-o", "more")
    assert refused.returncode == 7
    assert "GDAL" in refused.stderr
