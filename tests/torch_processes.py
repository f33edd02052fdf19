"""Run a piece of Python in several processes that can talk to each other, as torchrun does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def environment(rank, count, port):
    """Return the environment of one of `count` processes; alone, nothing is said."""
    base = {key: value for key, value in os.environ.items() if key not in {"RANK", "WORLD_SIZE"}}
    base |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    if count == 1:
        return base
    said = {"RANK": rank, "WORLD_SIZE": count, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port}  # fmt: skip
    return {**base, **{key: str(value) for key, value in said.items()}}


def start(command, count):
    """Start `count` processes of one command and return them."""
    port = free_port()
    return [
        subprocess.Popen(
            [sys.executable, *map(str, command)], env=environment(rank, count, port), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for rank in range(count)
    ]  # fmt: skip


def run(command, count, *, timeout=240):
    """Run `count` processes of one command to their end; return their return codes and stderr."""
    children = start(command, count)
    told = [child.communicate(timeout=timeout)[1] for child in children]
    return [child.returncode for child in children], told
