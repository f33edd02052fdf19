"""One run at a time on one output: a lock on the folder of unfinished work.

The lock is `flock` on the folder's own descriptor. It leaves no file behind, ends with the process
however that ends, and moves along when the folder gets its final name. Where the file system knows
no locks, runs go without. Runs within one process are not kept apart.
"""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING, Final

from gair_cli.errors import OutputExistsError

if TYPE_CHECKING:
    from pathlib import Path

_WITHOUT: Final = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL})
_held: Final[dict[Path, int]] = {}
"""Descriptors of the folders that this process holds."""


def hold(folder: Path) -> None:
    """Make a folder if need be and lock it until `release`, or until this process ends.

    Args:
        folder: Where a run keeps its unfinished work.

    Raises:
        OutputExistsError: If another process holds it.
    """
    place = folder.absolute()
    while True:
        place.mkdir(exist_ok=True)
        if place in _held and _is_open_at(_held[place], place):
            return
        release(folder)
        descriptor = _locked(place)
        if descriptor is None:  # it was renamed or removed just now
            continue
        if _is_open_at(descriptor, place):
            _held[place] = descriptor
            return
        os.close(descriptor)


def release(folder: Path) -> None:
    """Let others go on with a folder; nothing happens if it is not held."""
    descriptor = _held.pop(folder.absolute(), None)
    if descriptor is not None:
        os.close(descriptor)


def _locked(place: Path) -> int | None:
    """Return a descriptor that has the lock, None if the folder is gone."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise OutputExistsError(
            f"{place} is in use: another run is writing this output",
            hint="wait until it has ended, or choose another output",
        ) from error
    except OSError as error:
        if error.errno not in _WITHOUT:
            os.close(descriptor)
            raise
    return descriptor


def _is_open_at(descriptor: int, place: Path) -> bool:
    """Tell whether a name still stands for the folder that was opened."""
    try:
        found = place.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (mine.st_dev, mine.st_ino) == (found.st_dev, found.st_ino)


def _forget() -> None:
    """Drop a forked child's copies: they would keep the lock after the parent has ended."""
    for descriptor in _held.values():
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget)
