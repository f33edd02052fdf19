"""A small made city, carried through the pipeline once."""

from __future__ import annotations

import pytest
from processes import run


@pytest.fixture(scope="session")
def city(tmp_path_factory):
    """A made city: scene, 240 photos, points."""
    folder = tmp_path_factory.mktemp("made") / "city"
    done = run("demo", folder, "--photos", 240, "--points", 200, "--seed", 5, "-q")
    assert done.exit_code == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def tiles(city, tmp_path_factory):
    """The tile set of the made city."""
    output = tmp_path_factory.mktemp("made") / "tiles"
    done = run("tile", city / "scene.tif", "-o", output, "-q")
    assert done.exit_code == 0, done.stderr
    return output


@pytest.fixture(scope="session")
def pairs(city, tiles, tmp_path_factory):
    """The pair table of the made city."""
    output = tmp_path_factory.mktemp("made") / "pairs.parquet"
    done = run("pair", city / "photos.csv", "--tiles", tiles, "-o", output, "-q")
    assert done.exit_code == 0, done.stderr
    return output


@pytest.fixture(scope="session")
def train(pairs, tiles, tmp_path_factory):
    """The training shards of the made city."""
    output = tmp_path_factory.mktemp("made") / "train"
    done = run("pack", pairs, "--tiles", tiles, "-o", output, "-q")
    assert done.exit_code == 0, done.stderr
    return output


SHORT = ("--set", "recipe.steps=6", "--set", "recipe.batch_size=16")


@pytest.fixture(scope="session")
def model(train, tmp_path_factory):
    """A run folder of six steps: it knows nothing, but its files are real."""
    output = tmp_path_factory.mktemp("made") / "run"
    done = run("pretrain", train, "-o", output, "--preset", "tiny", *SHORT, "-q")
    assert done.exit_code == 0, done.stderr
    return output
