"""Shards to read."""

import pytest
from small_world import make_world


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    from gair_cli.commands.main import main

    return make_world(tmp_path_factory.mktemp("world"), main)
