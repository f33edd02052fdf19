"""Commands as processes of their own: run to the end, or killed on purpose."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DEADLINE_S = 120.0


@dataclass(frozen=True)
class Done:
    exit_code: int
    stdout: bytes
    stderr: str


def start(*words, cwd=None, **options):
    """Start `gair WORDS...` as a process of its own."""
    command = [sys.executable, "-m", "gair_cli", *(str(word) for word in words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def run(*words, cwd=None, stdin=None, **options):
    """Run `gair WORDS...` to its end."""
    process = start(*words, cwd=cwd, stdin=subprocess.PIPE, **options)
    out, err = process.communicate(stdin, timeout=DEADLINE_S)
    return Done(process.returncode, out, err.decode())


def kill_when(condition, *words, cwd=None, number=signal.SIGKILL):
    """Start a command and send it a signal as soon as the condition holds.

    Returns its exit code, negative for a signal that killed it.
    """
    process = start(*words, cwd=cwd)
    end = time.monotonic() + DEADLINE_S
    while process.poll() is None and time.monotonic() < end and not condition():
        time.sleep(0.002)
    process.send_signal(number)
    process.communicate(timeout=DEADLINE_S)
    return process.returncode


def digests(folder: Path, *, leave_out=()):
    """Return the hash of every file below a folder, or of one file."""
    files = [folder] if folder.is_file() else sorted(folder.rglob("*"))
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.is_file() and path.name not in leave_out
    }
