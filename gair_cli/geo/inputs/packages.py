"""Products of many files, from which nothing may lead outside; names are relative and use `/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Protocol

from gair_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_METADATA_BYTES: Final = 64 * 2**20


class Package(Protocol):
    """Files that belong together.

    Attributes:
        name: What messages call it.
        files: What of it counts as input, for every member used.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class

    def names(self, folder: str) -> list[str]:
        """Return the names of the files right inside a folder (`` is the package itself)."""

    def has(self, name: str) -> bool:
        """Return whether there is such a file.

        Raises:
            InputError: If the name leads outside.
        """

    def read(self, name: str) -> bytes:
        """Return the bytes of a metadata file.

        Raises:
            InputError: If it is missing, leads outside, or is too large.
        """

    def path_of(self, name: str) -> str:
        """Return what GDAL opens for a file.

        Raises:
            InputError: If the name leads outside.
        """

    def files(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the paths whose content decides what some files hold."""

    def stored_bytes(self, name: str) -> int:
        """Return how many bytes a file has once unpacked; 0 for one that is not packed."""


def checked_name(name: str, package: str) -> str:
    """Return a name with `/`, without `./`.

    Raises:
        InputError: If it is absolute or leads outside.
    """
    path = PurePosixPath(name)
    bad = path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name
    if bad or not path.parts:
        raise InputError(
            f"{package}: {name!r} leads outside the product",
            hint="the product is damaged or made to deceive; fetch it again from its source",
        )
    return str(path)


@dataclass(frozen=True, slots=True)
class Folder:
    """A package that is a folder.

    Attributes:
        root: The folder.
    """

    root: Path

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.root)

    def names(self, folder: str) -> list[str]:
        """Return the names of the files right inside a folder."""
        place = self.root / folder
        return sorted(path.name for path in place.iterdir()) if place.is_dir() else []

    def has(self, name: str) -> bool:
        """Return whether there is such a file."""
        return self._place(name).is_file()

    def read(self, name: str) -> bytes:
        """Return the bytes of a metadata file."""
        path = self._place(name)
        if not path.is_file():
            raise InputError(f"{self.root} has no {name}", hint="the product is not whole")
        if path.stat().st_size > MOST_METADATA_BYTES:
            raise InputError(f"{path} has {path.stat().st_size} bytes, too many for metadata")
        return path.read_bytes()

    def path_of(self, name: str) -> str:
        """Return the path of a file."""
        return str(self._place(name))

    def files(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the paths of some files."""
        return tuple(str(self.root / name) for name in names)

    def stored_bytes(self, name: str) -> int:
        """Return 0: a file on the disk takes what it takes."""
        del name
        return 0

    def _place(self, name: str) -> Path:
        path = self.root / checked_name(name, self.name)
        if not _lies_in(path, self.root):
            raise InputError(
                f"{path} is a link that leads outside the product",
                hint="copy the product with its files in place of links",
            )
        return path


def _lies_in(path: Path, root: Path) -> bool:
    """Return whether a path stays below a folder, links followed; one that goes round does not."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        return False
