"""Everything that goes wrong on purpose: one tree, each child also a builtin that people catch.

Libraries raise these; only `gair_cli.commands.main` prints them and picks the exit code.
"""

from __future__ import annotations

from typing import ClassVar


class GairError(Exception):
    """Base of all errors of gair.

    Args:
        message: What was found, what was wanted, with the file, the row and the value.
        hint: What to do about it, in one line.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        return str(self.args[0])


class UsageError(GairError, ValueError):
    """An option, or a combination of options, makes no sense."""

    exit_code = 2


class OutputExistsError(GairError, FileExistsError):
    """The output is there already and holds something else."""

    exit_code = 2


class InputError(GairError, OSError):
    """An input is missing, empty, unreadable, or not what it should be (a tile set, a model)."""

    exit_code = 3


class DataError(GairError, ValueError):
    """The input can be read, but not used: no CRS, no coordinates, no rows, an unknown band."""

    exit_code = 4


class BadRowsError(GairError, ValueError):
    """More rows or photos are bad than `--max-bad` allows, or some are and the rest is done."""

    exit_code = 5


class ModelError(GairError, ValueError):
    """A model, preset or space does not fit: missing key, wrong space, unknown preset."""

    exit_code = 6


class MissingPackageError(GairError, ImportError):
    """An optional package is needed and not installed; the hint has its pip line."""

    exit_code = 7


class DiskFullError(GairError, OSError):
    """The disk, the quota or the file-size limit is reached; nothing half-written is left."""

    exit_code = 1
