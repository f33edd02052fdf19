"""Products packed into zips, looked through before GDAL opens any of them.

Names that lead elsewhere, links, encrypted members and sizes that only an attack has are refused.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gair_cli.errors import InputError
from gair_cli.geo.inputs.packages import MOST_METADATA_BYTES, checked_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MOST_MEMBERS: Final = 100_000
_MOST_MEMBER_BYTES: Final = 4 * 2**30
_MOST_TOTAL_BYTES: Final = 64 * 2**30
_LARGE: Final = 2**20
_MOST_RATIO: Final = 200
_ENCRYPTED: Final = 0x1
_BROKEN: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    OSError,
    RuntimeError,
    EOFError,
    ValueError,
    NotImplementedError,
)


@dataclass(frozen=True, slots=True)
class Zip:
    """A package that is a zip, or a folder inside one.

    Attributes:
        path: The zip.
        prefix: The folder inside it, empty or ending in `/`.
        members: Its files by their full names.
    """

    path: Path
    prefix: str
    members: dict[str, zipfile.ZipInfo]

    @property
    def name(self) -> str:
        """Path of the zip."""
        return str(self.path)

    def names(self, folder: str) -> list[str]:
        """Return the names of the files right inside a folder."""
        start = self.prefix + (f"{folder}/" if folder else "")
        inside = (name[len(start) :] for name in self.members if name.startswith(start))
        return sorted({name.partition("/")[0] for name in inside if name})

    def has(self, name: str) -> bool:
        """Return whether there is such a file."""
        return self.prefix + checked_name(name, self.name) in self.members

    def read(self, name: str) -> bytes:
        """Return the bytes of a metadata file."""
        if not self.has(name):
            raise InputError(f"{self.path} has no {name}", hint="the product is not whole")
        member = self.members[self.prefix + checked_name(name, self.name)]
        if member.file_size > MOST_METADATA_BYTES:
            raise InputError(f"{self.path}: {name} has {member.file_size} bytes when unpacked")
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(member) as file:
                data = file.read(MOST_METADATA_BYTES + 1)
        except _BROKEN as error:
            raise _broken(self.path, error) from error
        return data

    def path_of(self, name: str) -> str:
        """Return GDAL's name of a file in the zip."""
        return f"/vsizip/{{{self.path}}}/{self.prefix}{checked_name(name, self.name)}"

    def files(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the path of the zip."""
        del names
        return (str(self.path),)

    def stored_bytes(self, name: str) -> int:
        """Return how many bytes a file has once unpacked."""
        return self.members[self.prefix + checked_name(name, self.name)].file_size


def open_zip(path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the files of a zip by name, after a look at all of them.

    Raises:
        InputError: If it is no whole zip, or holds names or sizes that no product has.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist", hint="check the path")
    try:
        with zipfile.ZipFile(path) as archive:
            found = archive.infolist()
    except _BROKEN as error:
        raise _broken(path, error) from error
    if len(found) > _MOST_MEMBERS:
        raise InputError(f"{path} has {len(found)} members: no product")
    members: dict[str, zipfile.ZipInfo] = {}
    for member in found:
        if member.is_dir():
            checked_name(member.filename, str(path))
            continue
        _check_member(member, path)
        if members.setdefault(member.filename, member) is not member:
            raise InputError(f"{path} holds {member.filename} twice")
    _check_total(members.values(), path)
    return members


def _broken(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path} is no whole zip: {error}", hint="fetch it again, or test it with unzip -t"
    )


def _check_member(member: zipfile.ZipInfo, path: Path) -> None:
    name = member.orig_filename
    checked_name(name, str(path))
    if stat.S_ISLNK(member.external_attr >> 16):
        raise InputError(f"{path}: {name} is a link", hint="pack the files themselves")
    if member.flag_bits & _ENCRYPTED:
        raise InputError(f"{path}: {name} is encrypted", hint="unpack it with its password first")
    ratio = member.file_size / max(member.compress_size, 1)
    if member.file_size > _MOST_MEMBER_BYTES or (member.file_size > _LARGE and ratio > _MOST_RATIO):
        raise InputError(
            f"{path}: {name} unpacks from {member.compress_size} to {member.file_size} bytes",
            hint="that is a zip bomb, no product; fetch it again from its source",
        )


def _check_total(members: Iterable[zipfile.ZipInfo], path: Path) -> None:
    total = sum(member.file_size for member in members)
    if total > _MOST_TOTAL_BYTES:
        raise InputError(f"{path} unpacks to {total} bytes: no product")
